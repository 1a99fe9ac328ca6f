"""
What a log call costs with its record exported, beside a handler that formats it: `make bench`.

Both make text of the record. The handler has a plain format and writes to nowhere; of `extra` it
makes nothing.
"""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span
from tests.benchmarks.rounds import measure, print_timings, time_calls

from funcscope.extensions import Function, Invocation
from funcscope.extensions._invocation import PartialContext, entered
from funcscope.telemetry._config.log_levels import LogLevels
from funcscope.telemetry._logs.capture import LogCapture
from funcscope.telemetry._logs.correlation import add_record_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS, CALLS = 300, 100
TARGETS = {"message": 2.5, "extra": 4.0, "exception": 1.5}
"""What it may take beside a handler, which makes nothing of `extra`."""

app = logging.getLogger("app")


class Nowhere:
    """A stream that keeps nothing."""

    def write(self, text: str) -> None:
        """Forget a text."""

    def flush(self) -> None:
        """Do nothing."""


def calls() -> dict[str, Callable[[], object]]:
    """Return the log calls to time."""
    try:
        raise ValueError("the card has expired")
    except ValueError as error:
        caught = error
    return {
        "message": lambda: app.info("order %d of %s", 17, "tea"),
        "extra": lambda: app.info("order", extra={"order_id": 17, "tea": "black"}),
        "exception": lambda: app.error("order", exc_info=caught),
    }


@contextmanager
def handled(handler: logging.Handler) -> Iterator[None]:
    """Have a handler on the root logger meanwhile."""
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)


@contextmanager
def exported() -> Iterator[None]:
    """Have records exported meanwhile, to nowhere."""
    provider = LoggerProvider(shutdown_on_exit=False)
    export = LogCapture(provider, LogLevels(), put=lambda taken, is_error: None)
    export.start()
    try:
        yield
    finally:
        export.stop()


def main() -> int:
    """Time each call bare, with a handler, and exported."""
    add_record_fields()
    logging.root.setLevel(logging.INFO)
    logging.root.addHandler(logging.NullHandler())
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    context = PartialContext("0f8e", "hello", "/app", thread_local_storage=None)
    invocation = Invocation(id="0f8e", function=function, args={}, context=context)
    ways: dict[str, Callable[[], object]] = {
        "bare": ExitStack,
        "handler": lambda: handled(logging.StreamHandler(Nowhere())),
        "exported": exported,
    }

    def timed(way: Callable[[], object], call: Callable[[], object]) -> float:
        with way():  # type: ignore[attr-defined]
            return time_calls(CALLS, call)

    is_met = True
    with entered(invocation), use_span(NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=False))):
        for name, call in calls().items():
            timings = measure(ROUNDS, {way: partial(timed, ways[way], call) for way in ways})
            print_timings(name, timings)
            # The least of many short rounds: what else the machine does only adds to them.
            added = [min(timings[way]) - min(timings["bare"]) for way in ("handler", "exported")]
            ratio = added[1] / added[0]
            is_met &= ratio <= TARGETS[name]
            took = f"{added[1] * 1e6:.2f} µs, {ratio:.2f} of what a handler takes"
            print(f"{name}: {took}, at most {TARGETS[name]}")
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
