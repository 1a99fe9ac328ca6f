"""
A plain app's modules and calls, counted: run by test_counts.py.

Prints as JSON which modules of ours were loaded once the first span had left, and which functions
of ours each of the app's functions ran on its thread, in order.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.driver import SESSIONS, Session

from funcscope.contrib.host import find_app

if TYPE_CHECKING:
    from types import FrameType

OURS = ("funcscope.extensions", "funcscope.telemetry")
HOST = ("funcscope.contrib.host", "funcscope.contrib._local")  # what drives the worker here
WARM_UP, TIMES = 20, 5


async def main(app: Path) -> dict[str, Any]:
    """Call one of the app's functions once, and then each of them often."""
    session: Session = SESSIONS["protobuf"](find_app(app, os.environ))
    await session.start()
    await call(session, "hello")
    await flush()
    modules = sorted(
        name
        for name in sys.modules
        if name.startswith("funcscope.")
        and name != "funcscope.contrib"
        and not name.startswith(HOST)
    )
    gc.disable()  # what it finalises would run in the midst of a call
    ran = {name: await longest(session, name) for name in sorted(session.functions)}
    session.stop()
    return {"modules": modules, "ran": ran}


async def longest(session: Session, name: str) -> list[str]:
    """Return what a warmed-up call of a function runs: of several, the one that runs most."""
    for _ in range(WARM_UP):
        await call(session, name)
    counted = []
    for _ in range(TIMES):
        await flush()  # the thread that sends sleeps after that, and the call wakes it
        counted.append(await listed(session, name))
    return max(counted, key=len)


async def listed(session: Session, name: str) -> list[str]:
    """
    Call a function, and return which functions of ours ran on this thread.

    They are told by the modules that they stand in: some say that their file is `logging`'s, and
    what `dataclasses` writes has none.
    """
    ran: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        module = str(frame.f_globals.get("__name__"))
        if event == "call" and module.startswith(OURS):
            ran.append(f"{module}: {frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        await call(session, name)
    finally:
        sys.setprofile(None)
    return ran


async def call(session: Session, name: str) -> None:
    """Call a function as the host does."""
    trace_id = uuid.uuid4().hex
    outcome = await session.invoke(
        name,
        {
            "id": str(uuid.uuid4()),
            "trace_parent": f"00-{trace_id}-{trace_id[:16]}-01",
            "url": f"https://app.net/api/{name}?code=secret",
        },
    )
    assert outcome["ok"], outcome


async def flush() -> None:
    """Send the spans that wait."""
    provider: Any = importlib.import_module("opentelemetry.trace").get_tracer_provider()
    assert await asyncio.to_thread(provider.force_flush)


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.INFO)  # as in a deployed worker
    os.chdir(sys.argv[1])
    print(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
