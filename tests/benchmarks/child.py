"""
A worker in a process of its own, which runs invocations when it is told to.

Commands come as JSON lines on standard input, answers leave on the descriptor that was standard
output: what the app prints goes to standard error. Between commands nothing runs on the loop.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import logging
import os
import pstats
import sys
from pathlib import Path
from statistics import fmean, median, quantiles
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from tests.benchmarks.resident import resident_bytes
from tests.benchmarks.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = dict[str, Any]  # JSON
PROVIDERS = (
    ("opentelemetry.trace", "get_tracer_provider"),
    ("opentelemetry._logs", "get_logger_provider"),
    ("opentelemetry.metrics", "get_meter_provider"),
)
SHOWN = 45  # rows of a profile
DRAIN_MS = 30_000  # as the SDK's own


class Child:
    """What can be asked of this process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
        self._loop = loop
        self._worker = worker

    def latency(self, function: str, count: int, drain_ms: int = DRAIN_MS) -> Answer:
        """Run invocations one after another; CPU time includes sending what they recorded."""
        requests = self._worker.requests(function, count)
        cpu = process_time()
        took = self._loop.run_until_complete(self._worker.one_by_one(requests))
        drain(drain_ms)
        cpu = process_time() - cpu
        return {
            "median": median(took) / 1e9,
            "mean": fmean(took) / 1e9,
            "p99": quantiles(took, n=100)[98] / 1e9,
            "cpu": cpu / count,
        }

    def burst(self, function: str, count: int, clients: int) -> Answer:
        """Run invocations, many at a time."""
        requests = self._worker.requests(function, count)
        start = perf_counter()
        took = self._loop.run_until_complete(self._worker.at_once(requests, clients))
        seconds = perf_counter() - start
        drain()
        return {"each": seconds / count, "p99": quantiles(took, n=100)[98] / 1e9}

    def load(self, function: str, count: int, clients: int) -> Answer:
        """Run more invocations than there is room for the requests of, and do not drain."""
        start = perf_counter()
        requests = self._worker.stream(function, count)
        self._loop.run_until_complete(self._worker.at_once(requests, clients))
        return {"each": (perf_counter() - start) / count}

    def delivery(self) -> Answer:
        """Tell what became of the spans that funcscope recorded."""
        told: Answer = sys.modules["funcscope.extensions"].status().reports["delivery"]["traces"]
        return told

    def resident(self) -> Answer:
        """Tell how much memory is in use."""
        return {"bytes": resident_bytes()}

    def profile(self, function: str, count: int, file: str) -> Answer:
        """Run invocations, plainly and then under cProfile, which slows down small functions."""
        plain = self.latency(function, count)
        requests = self._worker.requests(function, count)
        profile = cProfile.Profile()
        profile.enable()
        self._loop.run_until_complete(self._worker.one_by_one(requests))
        profile.disable()
        drain()
        if file:
            profile.dump_stats(file)
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(SHOWN)
        return plain


def drain(timeout_ms: int = DRAIN_MS) -> None:
    """Send what waits, whoever recorded it; the time is for each signal."""
    for name, get in PROVIDERS:
        module = sys.modules.get(name)
        if module and (flush := getattr(getattr(module, get)(), "force_flush", None)):
            flush(timeout_ms)
    if own := getattr(sys.modules["function_app"], "drain", None):
        own()


def main(app: Path) -> None:
    """Start the worker, say so, and serve until there are no more commands."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        logging.getLogger().setLevel(logging.INFO)  # as in a deployed worker
        logging.getLogger().addHandler(logging.NullHandler())  # where its proxy has its own
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        worker = Worker()
        loop.run_until_complete(worker.start(app))
        serve(
            Child(loop, worker), lambda answer: print(json.dumps(answer), file=answers, flush=True)
        )
    # Not the interpreter's own end: exporters would try until they time out.
    os._exit(0)


def serve(child: Child, send: Callable[[Answer], object]) -> None:
    """Do what each line asks for."""
    send({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        send(getattr(child, command.pop("do"))(**command))


def keep_to_one_core() -> None:
    """Run all threads on one core, where the system can be told to."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    if "one-core" in sys.argv[2:]:
        keep_to_one_core()
    main(Path(sys.argv[1]).resolve())
