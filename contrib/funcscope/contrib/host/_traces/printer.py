"""Handing over each trace when it is complete, on a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from funcscope.contrib.host._traces.collector import TraceCollector

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from funcscope.contrib.host._traces.otlp import Batch
    from funcscope.contrib.host._traces.traces import HostRequest, Trace


_logger = logging.getLogger(__name__)

_PACE_S = 0.1  # how long to gather before it is looked for what is complete


class TracePrinter:
    """
    Collects requests and telemetry from any thread, and hands over each trace when complete.

    Args:
        show: Called with each trace, in the order of the requests' starts, on the printer's thread.
        on_rest: Called there when nothing is left to show.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        show: Callable[[Trace], object],
        *,
        on_rest: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._on_rest = on_rest
        self._clock = clock
        self._collector = TraceCollector()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._has_begun = self._has_received = False
        self._thread = threading.Thread(target=self._run, name="trace-printer", daemon=True)

    def __enter__(self) -> Self:
        """Start printing."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Print whatever is left, complete or not, and stop."""
        with self._changed:
            self._stopping.set()
            self._changed.notify()
        self._thread.join()

    @property
    def is_missing_telemetry(self) -> bool:
        """Whether there were invocations and nothing came of them."""
        return self._has_begun and not self._has_received

    @property
    def is_crowded(self) -> bool:
        """Whether requests of several traces run, or did a moment ago; takes no lock."""
        return self._collector.is_crowded(self._clock())

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
        while not self._stopping.is_set():
            self._hand_over(self._wait())
        with self._changed:
            rest = self._collector.take_all()
        self._hand_over(rest)

    def _hand_over(self, traces: list[Trace]) -> None:
        for trace in traces:
            try:
                self._show(trace)
            except Exception:
                _logger.exception("trace %s cannot be shown", trace.trace_id)
        if self._collector.is_empty:
            self._on_rest()

    def _wait(self) -> list[Trace]:
        """
        Wait until something may be complete, and take what is.

        Looking takes the longer the more is kept, and holds up who observes: so what comes does
        not wake this thread, which looks again after a pace.
        """
        with self._changed:
            while self._collector.is_empty and not self._stopping.is_set():
                self._changed.wait()
        self._stopping.wait(_PACE_S)
        with self._changed:
            return self._collector.take_finished(self._clock())
