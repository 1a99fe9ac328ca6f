"""
Ten thousand invocations, 64 at a time, with five extensions: run by test_soak.py.

Prints what it counted as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace

from funcscope.contrib.host import LibraryWorker, find_app
from funcscope.extensions import AppExtension, Invocation, Step, current_invocation

WARM_UP, CALLS, AT_A_TIME = 2_000, 10_000, 64
counts: Counter[str] = Counter()


def define(number: int) -> None:
    """Define an extension that counts what of it runs."""

    class Counting(AppExtension):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            counts[f"pre {number}"] += 1

        @classmethod
        def post_invocation_app_level(cls, *_: object, **__: object) -> None:
            counts[f"post {number}"] += 1

        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            counts[f"in {number}"] += 1
            yield
            counts[f"out {number}"] += 1


async def main(app: str) -> dict[str, Any]:
    """Run the app's functions on the native path and count."""
    for number in range(5):
        define(number)
    worker = LibraryWorker.for_app(find_app(Path(app), {}))
    functions = {f.name: f for f in await worker.start()}
    entry = importlib.import_module("azure_functions_runtime.native_invocation")
    datum = importlib.import_module("azure_functions_runtime.bindings.datumdef").Datum
    request = {
        "method": datum("GET", "string"),
        "url": datum("https://app.net/api/hello?x=1", "string"),
        "headers": {},
        "query": {},
        "params": {},
        "body": datum(b"", "bytes"),
    }
    numbers = iter(range(WARM_UP + CALLS))
    leaks: set[str] = set()

    async def call(number: int) -> None:
        name = ("hello", "later")[number % 2]
        before = otel_context.get_current()
        ok, *_ = await entry.invocation_request_native(
            f"id-{number}",
            functions[name].id,
            [("req", datum(request, "http"))],
            {},
            f"00-{number + 1:032x}-{number + 1:016x}-01",
        )
        counts["ok"] += ok
        if current_invocation() is not None or otel_context.get_current() != before:
            leaks.add(name)

    async def client(count: int) -> None:
        for _ in range(count):
            await call(next(numbers))

    await asyncio.gather(*(client(WARM_UP // AT_A_TIME) for _ in range(AT_A_TIME)))
    warm_up = dict(counts)
    counts.clear()
    flush()
    gc.collect()
    tracemalloc.start()
    start, _ = tracemalloc.get_traced_memory()
    per_client, rest = divmod(CALLS, AT_A_TIME)
    await asyncio.gather(*(client(per_client + (i < rest)) for i in range(AT_A_TIME)))
    flush()
    gc.collect()
    end, _ = tracemalloc.get_traced_memory()
    pool = importlib.import_module("azure_functions_runtime").get_threadpool_executor()
    for future in [pool.submit(left_on_thread) for _ in range(200)]:
        leaks.update(future.result())
    worker.stop()
    return {"counts": counts, "warm_up": warm_up, "grown": end - start, "leaks": sorted(leaks)}


def flush() -> None:
    """Export the spans that wait."""
    provider: Any = trace.get_tracer_provider()
    provider.force_flush()


def left_on_thread() -> list[str]:
    """Say what a pool's thread still carries."""
    found = ["invocation"] if current_invocation() is not None else []
    return found + (["span"] if trace.get_current_span().get_span_context().is_valid else [])


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))), file=sys.stderr)
