"""Received telemetry, kept for whoever waits for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.contrib.host._traces.otlp import Batch, ReceivedLog, ReceivedMetric, ReceivedSpan

T = TypeVar("T")


class TelemetryStore:
    """
    Keeps all received telemetry; any thread may add, read and wait.

    >>> from funcscope.contrib.host import OtlpReceiver
    >>> store = TelemetryStore()
    >>> with OtlpReceiver(store.add) as receiver:
    ...     _ = receiver.endpoint  # export to it, then store.wait_for(...)
    >>> store.spans
    ()
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._spans: list[ReceivedSpan] = []
        self._logs: list[ReceivedLog] = []
        self._metrics: list[ReceivedMetric] = []

    def add(self, batch: Batch) -> None:
        """Keep a batch, and wake whoever waits."""
        with self._changed:
            self._spans.extend(batch.spans)
            self._logs.extend(batch.logs)
            self._metrics.extend(batch.metrics)
            self._changed.notify_all()

    @property
    def spans(self) -> tuple[ReceivedSpan, ...]:
        """The spans so far, in the order of arrival."""
        with self._changed:
            return tuple(self._spans)

    @property
    def logs(self) -> tuple[ReceivedLog, ...]:
        """The log records so far, in the order of arrival."""
        with self._changed:
            return tuple(self._logs)

    @property
    def metrics(self) -> tuple[ReceivedMetric, ...]:
        """The metrics so far, in the order of arrival."""
        with self._changed:
            return tuple(self._metrics)

    def wait_for(self, condition: Callable[[TelemetryStore], T], *, timeout_s: float = 10) -> T:
        """
        Wait until a condition on this store returns something true, and return that.

        Raises:
            HostError: It did not in time; the message says what had arrived.
        """
        with self._changed:
            result = self._changed.wait_for(lambda: condition(self), timeout_s)
            if not result:
                raise HostError(f"waited {timeout_s:g} s in vain: {self._summary()}")
            return result

    def _summary(self) -> str:
        spans = ", ".join(sorted({span.name for span in self._spans})) or "none"
        logs = ", ".join(repr(str(log.body)) for log in self._logs[-20:]) or "none"
        return f"spans: {spans}; last log records: {logs}; metrics: {len(self._metrics)}"
