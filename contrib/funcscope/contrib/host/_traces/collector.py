"""Collecting the telemetry of each trace, until it is complete."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from funcscope.contrib.host._traces.traces import Trace, invocation_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funcscope.contrib.host._traces.otlp import Batch, ReceivedLog, ReceivedSpan
    from funcscope.contrib.host._traces.traces import HostRequest

QUIET_S = 0.5  # how long nothing may have come before a finished invocation's trace is shown
PATIENCE_S = 6.0  # the same without the invocation's own span: batches are sent every 5 s
CROWD_S = 1.0  # how long after several traces ran at once more of them are expected
MAX_TRACES = 5_000  # beyond, the oldest is shown as it is
MAX_WEIGHT = 20_000  # of all traces: spans, log records and requests, long ones counted as more
_MAX_REMEMBERED = 10_000  # requests that have been shown, and may get late telemetry

T = TypeVar("T")


class TraceCollector:
    """
    Sorts requests, spans and log records by trace.

    Not thread-safe, and without a clock: times are passed in. What it keeps is bounded.
    """

    def __init__(self) -> None:
        self._traces: dict[str, Trace] = {}  # in the order of their first requests' starts
        self._requests: dict[str, HostRequest] = {}  # by invocation id
        self._shown: dict[str, dict[str, HostRequest]] = {}  # by trace id
        self._homes: dict[str, str] = {}  # the host's trace for each that a function started
        self._running: dict[str, int] = {}  # how many requests run, by trace id
        self._crowded_until = 0.0
        self._has_received = self._is_silent = False
        self._weight = 0

    def begin(self, request: HostRequest, now: float) -> None:
        """Note that an invocation has started."""
        trace = self._touch(request.trace_id, now)
        trace.requests[request.invocation_id] = request
        trace.weight += 1
        self._weight += 1
        _remember(self._requests, request.invocation_id, request)
        self._homes.pop(request.trace_id, None)
        self._running[request.trace_id] = self._running.get(request.trace_id, 0) + 1
        if len(self._running) > 1:
            self._note_crowd(now)

    def end(self, request: HostRequest, now: float) -> None:
        """Note the result of an invocation."""
        self._note_end(request.trace_id, now)
        _remember(self._requests, request.invocation_id, request)
        shown = self._shown.get(request.trace_id, {})
        if request.invocation_id in shown:  # too many at a time: it was shown while it ran
            shown[request.invocation_id] = request
        trace = self._traces.get(request.trace_id)
        if trace is not None and request.invocation_id in trace.requests:
            self._touch(request.trace_id, now).requests[request.invocation_id] = request

    def add(self, batch: Batch, now: float) -> None:
        """Sort in received telemetry; log records outside of any trace are left out."""
        self._has_received = True
        self._is_silent = False
        for span in batch.spans:
            trace = self._trace_of(span, now)
            self._weight += trace.add(span)
            trace.seen.add(invocation_id(span))
        for log in batch.logs:
            if log.trace_id or invocation_id(log) in self._requests:
                trace = self._trace_of(log, now)
                self._weight += trace.add(log)

    def is_crowded(self, now: float) -> bool:
        """Tell whether several traces run at once, or did a moment ago."""
        return len(self._running) > 1 or now < self._crowded_until

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be shown."""
        return not self._traces

    def next_due(self) -> float | None:
        """When the next trace is to be shown, None where that is not known."""
        return min((at for _, at in self._schedule()), default=None)

    def take_finished(self, now: float) -> list[Trace]:
        """
        Remove and return the complete traces, and the oldest where there are too many.

        They are in the order in which their first requests started.
        """
        taken = {trace.trace_id for trace, at in self._schedule() if at <= now}
        missed = (trace_id for trace_id in taken if not self._traces[trace_id].is_whole)
        self._is_silent |= not self._has_received and any(missed)
        self._make_room(taken)
        return [self._remove(trace_id) for trace_id in list(self._traces) if trace_id in taken]

    def take_all(self) -> list[Trace]:
        """Remove and return every trace, complete or not."""
        return [self._remove(trace_id) for trace_id in list(self._traces)]

    def _make_room(self, taken: set[str]) -> None:
        """Take the oldest, too, until no more is left than may be kept."""
        count = len(self._traces) - len(taken)
        weight = self._weight - sum(self._traces[trace_id].weight for trace_id in taken)
        for trace_id, trace in self._traces.items():
            if count <= MAX_TRACES and weight <= MAX_WEIGHT:
                return
            if trace_id not in taken:
                taken.add(trace_id)
                count -= 1
                weight -= trace.weight

    def _schedule(self) -> Iterator[tuple[Trace, float]]:
        """
        Yield each trace that can be complete, and when to show it.

        Those that started earlier go first if they come soon. What is complete waits one quiet
        time for an earlier one's own span, and after that one for the earlier one to be quiet.
        """
        whole_at = partial_at = 0.0
        for trace in self._traces.values():
            due = self._due_at(trace)
            if due is None:
                continue
            at = max(due, min(whole_at, due + 2 * QUIET_S), min(partial_at, due + QUIET_S))
            yield trace, at
            if trace.is_whole:
                whole_at = max(whole_at, at)
            elif trace.requests:
                partial_at = max(partial_at, at)

    def _due_at(self, trace: Trace) -> float | None:
        """Return when a trace is complete if nothing more comes, None while a request runs."""
        if trace.is_running:
            return None
        is_quick = trace.is_whole or self._is_silent  # an app that sends nothing is not waited for
        return trace.changed_at + (QUIET_S if is_quick else PATIENCE_S)

    def _note_crowd(self, now: float) -> None:
        """Mark the traces that run at the same time; all but the latest two are marked already."""
        self._crowded_until = now + CROWD_S
        for trace_id in islice(reversed(self._running), 2):
            if trace_id in self._traces:
                self._traces[trace_id].is_crowded = True

    def _note_end(self, trace_id: str, now: float) -> None:
        if len(self._running) > 1:
            self._crowded_until = now + CROWD_S
        left = self._running.pop(trace_id, 1) - 1
        if left:
            self._running[trace_id] = left

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
            self._weight -= self._traces.pop(trace_id).weight
            self._weight += sum(map(trace.add, started.spans))
            self._weight += sum(map(trace.add, started.logs))

    def _remove(self, trace_id: str) -> Trace:
        trace = self._traces.pop(trace_id)
        self._weight -= trace.weight
        if trace.requests:
            _remember(self._shown, trace_id, dict(trace.requests))
        return trace

    def _touch(self, trace_id: str, now: float) -> Trace:
        trace = self._traces.setdefault(trace_id, Trace(trace_id))
        trace.changed_at = now
        return trace


def _show_again(trace: Trace, requests: dict[str, HostRequest]) -> None:
    """Put late telemetry below the requests that it belongs to, without waiting for their spans."""
    if requests and not trace.requests:
        trace.is_late = True
    trace.requests.update(requests)
    trace.seen.update(requests)


def _remember(memory: dict[str, T], key: str, value: T) -> None:
    """Keep a value, and forget the oldest one where there are too many."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > _MAX_REMEMBERED:
        del memory[next(iter(memory))]
