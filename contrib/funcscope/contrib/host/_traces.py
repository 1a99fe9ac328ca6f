"""Collecting what belongs to one trace, and telling when it is complete."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.contrib.host._otlp import Batch, ReceivedLog, ReceivedSpan

QUIET_S = 0.5  # how long nothing may have come before a finished invocation's trace is shown
PATIENCE_S = 5.0  # the same for a trace without the invocation's own span
_MAX_TRACES = 1000  # beyond, the oldest is shown as it is


@dataclass(frozen=True, slots=True)
class HostRequest:
    """
    One request that the host made an invocation of.

    Attributes:
        span_id: The span that stands for the request; the invocation's parent.
        title: What to call it, such as `GET /api/hello`.
        result: What came of it, such as `200`; None while it runs.
    """

    invocation_id: str
    trace_id: str
    span_id: str
    title: str
    result: str | None = None
    is_ok: bool = True
    duration_s: float = 0.0


@dataclass(slots=True)
class Trace:
    """What is known of one trace."""

    trace_id: str
    requests: dict[str, HostRequest] = field(default_factory=dict[str, HostRequest])
    spans: list[ReceivedSpan] = field(default_factory=list["ReceivedSpan"])
    logs: list[ReceivedLog] = field(default_factory=list["ReceivedLog"])
    changed_at: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether no telemetry came for it."""
        return not (self.spans or self.logs)

    def due_at(self) -> float | None:
        """When it is complete if nothing more comes, None while there is something to wait for."""
        if self.is_empty or any(request.result is None for request in self.requests.values()):
            return None
        arrived = {span.attributes.get("faas.invocation_id") for span in self.spans}
        is_whole = bool(self.requests) and arrived.issuperset(self.requests)
        return self.changed_at + (QUIET_S if is_whole else PATIENCE_S)


class TraceCollector:
    """
    Sorts requests, spans and log records by trace.

    Not thread-safe, and without a clock: times are passed in.
    """

    def __init__(self) -> None:
        self._traces: dict[str, Trace] = {}

    def begin(self, request: HostRequest, now: float) -> None:
        """Note that an invocation has started."""
        self._touch(request.trace_id, now).requests[request.invocation_id] = request

    def end(
        self, request: HostRequest, now: float, *, result: str, is_ok: bool, duration_s: float
    ) -> None:
        """Note what came of an invocation."""
        ended = replace(request, result=result, is_ok=is_ok, duration_s=duration_s)
        self._touch(request.trace_id, now).requests[request.invocation_id] = ended

    def add(self, batch: Batch, now: float) -> None:
        """Sort in received telemetry; log records outside of any trace are left out."""
        for span in batch.spans:
            self._touch(span.trace_id, now).spans.append(span)
        for log in batch.logs:
            if log.trace_id:
                self._touch(log.trace_id, now).logs.append(log)

    def next_due(self) -> float | None:
        """When the next trace will be complete, None where that is not known."""
        due = [at for trace in self._traces.values() if (at := trace.due_at()) is not None]
        return min(due, default=None)

    def take_finished(self, now: float) -> list[Trace]:
        """Remove and return the complete traces, and the oldest where there are too many."""
        finished = [
            t for t in self._traces.values() if (at := t.due_at()) is not None and at <= now
        ]
        excess = len(self._traces) - len(finished) - _MAX_TRACES
        if excess > 0:
            finished.extend([t for t in self._traces.values() if t not in finished][:excess])
        for trace in finished:
            del self._traces[trace.trace_id]
        return finished

    def take_all(self) -> list[Trace]:
        """Remove and return every trace, complete or not."""
        traces = list(self._traces.values())
        self._traces.clear()
        return traces

    def _touch(self, trace_id: str, now: float) -> Trace:
        trace = self._traces.setdefault(trace_id, Trace(trace_id))
        trace.changed_at = now
        return trace
