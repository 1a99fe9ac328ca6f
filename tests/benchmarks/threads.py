"""
What propagation and record fields cost, beside CPython's own functions: `make bench`.

All is timed in an invocation, as an app's own function would do it. What is compared is one
process with what funcscope patches taken out and put in again, outside what is timed.
"""

from __future__ import annotations

import concurrent.futures._base
import concurrent.futures.thread
import io
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import quantiles
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from tests.benchmarks.patches import Patches
from tests.benchmarks.rounds import measure, print_timings, time_calls

from funcscope.extensions import Function, Invocation, propagate
from funcscope.extensions._invocation import enter
from funcscope.telemetry._logs.correlation import add_record_fields

if TYPE_CHECKING:
    from collections.abc import Callable

# Threads and the pool swap the same classes, so that both count: see `Patches`.
ROUNDS = 450
# Short: where the scheduler puts threads changes from one moment to the next.
THREADS, SUBMITS, RECORDS = 20, 60, 200
# After a swap CPython specializes the code again, once it ran often enough.
WARM_UP = 60
THREAD_TARGET, POOL_TARGET, LOG_TARGET = 1.15, 1.5, 1.25

CONTEXT: Any = SimpleNamespace(
    invocation_id="0f8e",
    function_name="hello",
    function_directory="/app",
    thread_local_storage=threading.local(),
    trace_context=None,
    retry_context=None,
)


def noop() -> None:
    """Do nothing."""


def start_thread() -> None:
    """Run a thread to its end."""
    thread = threading.Thread(target=noop)
    thread.start()
    thread.join()


def time_threads() -> float:
    """Return seconds per thread."""
    return time_warm(THREADS, start_thread)


def time_pool() -> float:
    """Return seconds per call on a pool that has its one thread."""
    with ThreadPoolExecutor(1) as pool:
        return time_warm(SUBMITS, lambda: pool.submit(noop).result())


def time_log(logger: logging.Logger, stream: io.StringIO) -> float:
    """Return seconds per record."""
    stream.seek(0)
    stream.truncate()
    return time_warm(RECORDS, lambda: logger.info("order %s", 7))


def time_warm(calls: int, function: Callable[[], object]) -> float:
    """Return seconds per call, not counting the first ones."""
    time_calls(WARM_UP, function)
    return time_calls(calls, function)


def compare(kind: str, patches: Patches, time: Callable[[], float], target: float) -> bool:
    """Print what is timed without and with the patches; say whether the target is met."""

    def time_with(is_in: bool) -> float:
        patches.swap(is_in)
        return time()

    seconds = measure(
        ROUNDS,
        {"CPython's own": partial(time_with, False), "with funcscope": partial(time_with, True)},
    )
    print_timings(kind, seconds)
    own, ours = seconds.values()
    # Round by round: what the scheduler does at the moment falls on both.
    ratios = [patched / bare for bare, patched in zip(own, ours, strict=True)]
    low, ratio, high = quantiles(ratios, n=4)
    print(
        f"{kind:6} takes {ratio:.2f} times as long with funcscope"
        f" ({low:.2f} to {high:.2f}; target {target})"
    )
    return ratio <= target


def compare_threads() -> list[bool]:
    """Compare `Thread.start` and `ThreadPoolExecutor.submit`."""
    patches = Patches(propagate, threading, concurrent.futures.thread, concurrent.futures._base)
    return [
        compare("thread", patches, time_threads, THREAD_TARGET),
        compare("pool", patches, time_pool, POOL_TARGET),
    ]


def compare_log() -> bool:
    """Compare a record that a handler on the root formats, as a worker's does, in a span."""
    stream, root, logger = io.StringIO(), logging.getLogger(), logging.getLogger("app")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    patches = Patches(add_record_fields, logging)
    with TracerProvider().get_tracer("bench").start_as_current_span("hello"):
        return compare("record", patches, partial(time_log, logger, stream), LOG_TARGET)


def main() -> int:
    """Print the table; 1 where a target is missed."""
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    enter(Invocation("0f8e", function, {}, CONTEXT))  # for as long as this process
    are_met = [*compare_threads(), compare_log()]
    return 0 if all(are_met) else 1


if __name__ == "__main__":
    sys.exit(main())
