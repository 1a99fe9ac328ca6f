"""Collecting the telemetry of each trace, until it is complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from funcscope.telemetry.integration import INVOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.contrib.host._traces.otlp import Batch, ReceivedLog, ReceivedSpan

QUIET_S = 0.5  # how long nothing may have come before a finished invocation's trace is shown
PATIENCE_S = 6.0  # the same without the invocation's own span: batches are sent every 5 s
_MAX_TRACES = 1000  # beyond, the oldest is shown as it is
_MAX_REMEMBERED = 10_000  # requests that have been shown, and may get late telemetry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostRequest:
    """
    A request for an invocation, as its trace shows it.

    Attributes:
        span_id: The span that stands for the request; the invocation's parent.
        title: Its name, such as `GET /api/hello`.
        result: Its result, such as `200`; None while it runs.
        function: The function's name.
        trigger: The type of its trigger, such as `queueTrigger`.
    """

    invocation_id: str
    trace_id: str
    span_id: str
    title: str
    result: str | None = None
    is_ok: bool = True
    duration_s: float = 0.0
    function: str = ""
    trigger: str = ""


Observer: TypeAlias = "Callable[[HostRequest], object]"
"""Called with a request when its invocation starts, and with its result when that has ended."""


@dataclass(slots=True)
class Trace:
    """
    The parts of one trace, and of those that its functions started instead of joining it.

    Attributes:
        seen: The ids of the invocations whose own span is here, or that were shown before.
    """

    trace_id: str
    requests: dict[str, HostRequest] = field(default_factory=dict[str, HostRequest])
    spans: list[ReceivedSpan] = field(default_factory=list["ReceivedSpan"])
    logs: list[ReceivedLog] = field(default_factory=list["ReceivedLog"])
    changed_at: float = 0.0
    seen: set[str] = field(default_factory=set[str])

    @property
    def is_whole(self) -> bool:
        """Whether there are requests, and each one's own span came."""
        return bool(self.requests) and self.requests.keys() <= self.seen

    def due_at(self) -> float | None:
        """When it is complete if nothing more comes, None while a request runs."""
        if any(request.result is None for request in self.requests.values()):
            return None
        return self.changed_at + (QUIET_S if self.is_whole else PATIENCE_S)


class TraceCollector:
    """
    Sorts requests, spans and log records by trace.

    Not thread-safe, and without a clock: times are passed in.
    """

    def __init__(self) -> None:
        self._traces: dict[str, Trace] = {}  # in the order of their first requests' starts
        self._requests: dict[str, HostRequest] = {}  # by invocation id
        self._shown: dict[str, dict[str, HostRequest]] = {}  # by trace id
        self._homes: dict[str, str] = {}  # the host's trace for each that a function started

    def begin(self, request: HostRequest, now: float) -> None:
        """Note that an invocation has started."""
        self._touch(request.trace_id, now).requests[request.invocation_id] = request
        _remember(self._requests, request.invocation_id, request)
        self._homes.pop(request.trace_id, None)

    def end(self, request: HostRequest, now: float) -> None:
        """Note the result of an invocation."""
        _remember(self._requests, request.invocation_id, request)
        shown = self._shown.get(request.trace_id, {})
        if request.invocation_id in shown:  # too many at a time: it was shown while it ran
            shown[request.invocation_id] = request
        trace = self._traces.get(request.trace_id)
        if trace is not None and request.invocation_id in trace.requests:
            self._touch(request.trace_id, now).requests[request.invocation_id] = request

    def add(self, batch: Batch, now: float) -> None:
        """Sort in received telemetry; log records outside of any trace are left out."""
        for span in batch.spans:
            trace = self._trace_of(span, now)
            trace.spans.append(span)
            trace.seen.add(invocation_id(span))
        for log in batch.logs:
            if log.trace_id or invocation_id(log) in self._requests:
                self._trace_of(log, now).logs.append(log)

    def next_due(self) -> float | None:
        """When the next trace is to be shown, None where that is not known."""
        return min((at for _, at in self._schedule()), default=None)

    def take_finished(self, now: float) -> list[Trace]:
        """
        Remove and return the complete traces, and the oldest where there are too many.

        They are in the order in which their first requests started.
        """
        taken = {trace.trace_id for trace, at in self._schedule() if at <= now}
        excess = len(self._traces) - len(taken) - _MAX_TRACES
        if excess > 0:
            taken.update(islice([i for i in self._traces if i not in taken], excess))
        return [self._remove(trace_id) for trace_id in list(self._traces) if trace_id in taken]

    def take_all(self) -> list[Trace]:
        """Remove and return every trace, complete or not."""
        return [self._remove(trace_id) for trace_id in list(self._traces)]

    def _schedule(self) -> Iterator[tuple[Trace, float]]:
        """
        Yield each trace that can be complete, and when to show it.

        Those that started earlier go first if they come soon. What is complete waits one quiet
        time for an earlier one's own span, and after that one for the earlier one to be quiet.
        """
        whole_at = partial_at = 0.0
        for trace in self._traces.values():
            due = trace.due_at()
            if due is None:
                continue
            at = max(due, min(whole_at, due + 2 * QUIET_S), min(partial_at, due + QUIET_S))
            yield trace, at
            if trace.is_whole:
                whole_at = max(whole_at, at)
            elif trace.requests:
                partial_at = max(partial_at, at)

    def _trace_of(self, item: ReceivedSpan | ReceivedLog, now: float) -> Trace:
        """Find the trace for a span or log record: by its invocation's id, else its trace's."""
        request = self._requests.get(invocation_id(item))
        if request is None:
            trace = self._touch(self._homes.get(item.trace_id, item.trace_id), now)
            if not trace.requests:
                _show_again(trace, self._shown.get(trace.trace_id, {}))
            return trace
        trace = self._touch(request.trace_id, now)
        if request.invocation_id not in trace.requests:
            _show_again(trace, {request.invocation_id: request})
        if item.trace_id not in ("", trace.trace_id):
            self._adopt(item.trace_id, trace)
        return trace

    def _adopt(self, trace_id: str, trace: Trace) -> None:
        """Count a trace that a function started to the host's, unless it is the host's, too."""
        started = self._traces.get(trace_id)
        if trace_id in self._shown or (started is not None and started.requests):
            return
        _remember(self._homes, trace_id, trace.trace_id)
        if started is not None:
            del self._traces[trace_id]
            trace.spans.extend(started.spans)
            trace.logs.extend(started.logs)

    def _remove(self, trace_id: str) -> Trace:
        trace = self._traces.pop(trace_id)
        if trace.requests:
            _remember(self._shown, trace_id, dict(trace.requests))
        return trace

    def _touch(self, trace_id: str, now: float) -> Trace:
        trace = self._traces.setdefault(trace_id, Trace(trace_id))
        trace.changed_at = now
        return trace


def _show_again(trace: Trace, requests: dict[str, HostRequest]) -> None:
    """Put late telemetry below the requests that it belongs to, without waiting for their spans."""
    trace.requests.update(requests)
    trace.seen.update(requests)


def invocation_id(item: ReceivedSpan | ReceivedLog) -> str:
    """Return the id of the invocation that a span or log record names, `""` for none."""
    return str(item.attributes.get(INVOCATION_ID, ""))


def _remember(memory: dict[str, T], key: str, value: T) -> None:
    """Keep a value, and forget the oldest one where there are too many."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > _MAX_REMEMBERED:
        del memory[next(iter(memory))]
