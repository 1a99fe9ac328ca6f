"""Printing each trace when it is complete, from a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from funcscope.contrib.host._traces.traces import TraceCollector

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from funcscope.contrib.host._traces.otlp import Batch
    from funcscope.contrib.host._traces.traces import HostRequest, Trace


class TracePrinter:
    """
    Collects requests and telemetry from any thread, and hands over each trace when complete.

    Args:
        show: Called with each trace, in the order of the requests' starts, on the printer's thread.
        clock: Monotonic seconds.
    """

    def __init__(
        self, show: Callable[[Trace], object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show = show
        self._clock = clock
        self._collector = TraceCollector()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._has_begun = self._has_received = False
        self._thread = threading.Thread(target=self._run, name="trace-printer", daemon=True)

    def __enter__(self) -> Self:
        """Start printing."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Print whatever is left, complete or not, and stop."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def is_missing_telemetry(self) -> bool:
        """Whether there were invocations and nothing came of them."""
        return self._has_begun and not self._has_received

    def observe(self, request: HostRequest) -> None:
        """Note that an invocation has started, or has ended where the request has a result."""
        with self._changed:
            self._has_begun = True
            note = self._collector.begin if request.result is None else self._collector.end
            note(request, self._clock())
            self._changed.notify()

    def add(self, batch: Batch) -> None:
        """Take received telemetry."""
        with self._changed:
            self._has_received = True
            self._collector.add(batch, self._clock())
            self._changed.notify()

    def _run(self) -> None:
        while True:
            finished, is_last = self._wait()
            for trace in finished:
                self._show(trace)
            if is_last:
                return

    def _wait(self) -> tuple[list[Trace], bool]:
        """Wait until a trace is complete or the end has come."""
        with self._changed:
            while not self._is_stopping:
                now = self._clock()
                finished = self._collector.take_finished(now)
                if finished:
                    return finished, False
                due = self._collector.next_due()
                self._changed.wait(None if due is None else max(0.0, due - now))
            return self._collector.take_all(), True
