"""
A worker that does what it is told, and can be killed: run by test_sending.py.

Orders come as lines of JSON on standard input; each is answered with a line on standard output
that has the order's number in `of`. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import sys
import uuid
from pathlib import Path
from typing import Any

from tests.integration.driver import SESSIONS, Session

from funcscope.contrib.host import find_app
from funcscope.extensions import status

Order = dict[str, Any]  # JSON


async def main(app: Path, path: str) -> None:
    """Follow orders, all at once."""
    session: Session = SESSIONS[path](find_app(app, os.environ))
    await session.start()
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    under_way: set[asyncio.Task[None]] = set()
    async for line in orders:
        task = asyncio.create_task(follow(session, json.loads(line)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    session.stop()
    if path == "r2p2":
        os._exit(0)  # as Rust ends it, whose `main` returns


async def follow(session: Session, order: Order) -> None:
    """Do one thing, and tell what came of it."""
    if order["do"] == "report":
        answer = dict(status().reports.get("delivery", {}))
    else:
        answer = await call_many(session, order)
    if order["do"] == "exit":
        await asyncio.sleep(order["after_s"])
        os._exit(0)
    print(json.dumps({"of": order["of"], **answer}), flush=True)


async def call_many(session: Session, order: Order) -> dict[str, Any]:
    """Call functions in turn, each with an id of its own, so many at a time."""
    calls = zip(range(order["number"]), itertools.cycle(order["functions"]))
    oks: list[bool] = []

    async def client() -> None:
        for number, name in calls:
            trace_id, span_id = uuid.uuid4().hex, uuid.uuid4().hex[:16]
            call = {
                "id": f"{order['prefix']}-{number}",
                "trace_parent": f"00-{trace_id}-{span_id}-01",
                "url": f"https://app.net/api/{name}",
            }
            oks.append((await session.invoke(name, call))["ok"])

    await asyncio.gather(*(client() for _ in range(order["at_a_time"])))
    return {"ok": sum(oks), "failed": len(oks) - sum(oks)}


def log_to_stderr() -> None:
    """Show what people would see in the host's log stream, without the app's own lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(lambda r: r.name.startswith("funcscope") or r.levelno > logging.INFO)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)  # as in a deployed worker


if __name__ == "__main__":
    log_to_stderr()
    if "LONGEST_FILE" in os.environ:  # what a full disk is like, for this process alone
        import resource

        longest = int(os.environ["LONGEST_FILE"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
