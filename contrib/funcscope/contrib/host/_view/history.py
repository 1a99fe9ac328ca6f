"""The traces that are kept: bounded in number and in bytes, the oldest go."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from funcscope.contrib.host._view.records import name_resource
from funcscope.contrib.host._view.rows import named_invocation
from funcscope.contrib.host._view.stored import StoredTrace
from funcscope.contrib.host._view.summaries import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from funcscope.contrib.host._traces.otlp import Attributes, Batch, ReceivedLog, ReceivedSpan
    from funcscope.contrib.host._traces.traces import HostRequest
    from funcscope.contrib.host._view.filters import RowFilter
    from funcscope.contrib.host._view.records import NamedResource, StoredRecord
    from funcscope.contrib.host._view.rows import InvocationRow

MAX_TRACES = 10_000
MAX_BYTES = 64 * 1024 * 1024

_MAX_REMEMBERED = 20_000  # invocations and traces that late telemetry may name; rows that went
_MAX_LINKS = 1_000  # of one trace


@dataclass(frozen=True, slots=True)
class ViewChanges:
    """
    What changed in the list since a version.

    Attributes:
        is_whole: Whether `rows` is the whole list instead of its changes.
        gone: Ids of rows that are no longer in the list, whether they were or not.
        counts: `traces` and `invocations` that are kept; `gone`, the traces that had to go;
            `loose`, the log records outside of any trace, which are not kept; `bytes`.
    """

    version: int
    is_whole: bool
    rows: list[dict[str, object]]
    gone: list[str]
    counts: dict[str, int]


class TraceHistory:
    """
    Keeps traces by their ids; any thread may call.

    Args:
        max_traces: How many are kept.
        max_bytes: Roughly how many bytes these take.
        clock: Nanoseconds since 1970.
    """

    def __init__(
        self,
        *,
        max_traces: int = MAX_TRACES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._max_traces = max_traces
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._traces: dict[str, StoredTrace] = {}  # the one that changed last is last
        self._homes: dict[str, str] = {}  # the trace of an invocation, or of a trace it started
        self._linked: dict[str, set[str]] = {}  # by target: the traces with links to it
        self._gone: deque[tuple[int, str]] = deque(maxlen=_MAX_REMEMBERED)
        self._forgotten = 0  # the version up to which `_gone` is not whole
        self._resource: tuple[Attributes, NamedResource] = ({}, name_resource({}))
        self._version = 1  # 0 is before all
        self._size = self._evicted = self._loose = 0

    @property
    def version(self) -> int:
        """A number that grows with each change."""
        return self._version

    def observe(self, request: HostRequest) -> None:
        """Note that an invocation has started, or has ended where the request has a result."""
        with self._lock:
            trace = self._touch(self._homes.get(request.trace_id, request.trace_id))
            self._remember(request.invocation_id, trace.id)
            before = trace.size
            trace.put(trace.row(request.invocation_id).with_request(request, self._clock()))
            self._drop_row(trace, trace.id)
            self._fit(trace.size - before)

    def add(self, batch: Batch) -> None:
        """Sort in received telemetry."""
        with self._lock:
            for span in batch.spans:
                self._add_span(span)
            for log in batch.logs:
                self._add_log(log)

    def clear(self) -> None:
        """Forget every trace, but for those with invocations that run."""
        with self._lock:
            for trace in list(self._traces.values()):
                if all(row.status != "running" for row in trace.rows.values()):
                    self._remove(trace)

    def changes(self, since: int, wanted: RowFilter) -> ViewChanges:
        """
        Return the rows that changed after a version, or all of them where that is 0.

        A row that is not wanted is among those that are gone.
        """
        with self._lock:  # and nothing that takes long: receivers and the host's loop wait
            version, counts = self._version, self._counts()
            is_whole = since <= self._forgotten
            gone = [] if is_whole else [key for at, key in self._gone if at > since]
            home = self._homes.get(wanted.trace, wanted.trace)
            changed = [
                (row, trace.records() if wanted.text else ())
                for trace, row in self._rows_since(0 if is_whole else since)
            ]
        rows: list[dict[str, object]] = []
        for row, records in changed:
            is_there = home in ("", row.trace_id) and wanted.accepts(row)
            if is_there and _has_text(row, records, wanted.text):
                rows.append(row.as_json())
            elif not is_whole:
                gone.append(row.id)
        return ViewChanges(version, is_whole, rows, gone, counts)

    def summaries(self) -> list[dict[str, object]]:
        """Return a summary for each function."""
        with self._lock:
            rows = [row for trace in self._traces.values() for row in trace.rows.values()]
        return summarize(rows)

    def trace(self, trace_id: str) -> bytes | None:
        """Return one trace as JSON; None where it is not, or no longer, kept."""
        with self._lock:
            trace = self._traces.get(self._homes.get(trace_id, trace_id))
            return None if trace is None else self._encode(trace)

    def _add_span(self, span: ReceivedSpan) -> None:
        invocation = named_invocation(span.attributes)
        trace = self._touch(self._home(span.trace_id, invocation))
        if trace.is_full and span.span_id not in trace.spans:
            trace.left_out += 1
            return
        before = trace.size
        trace.add_span(span, self._resource_of(span))
        self._show_span(trace, span, invocation)
        for link in span.links:
            self._link(trace, link.trace_id, span.span_id)
        self._fit(trace.size - before)

    def _show_span(self, trace: StoredTrace, span: ReceivedSpan, invocation: str) -> None:
        """Put a span into its invocation's row, or its trace's where that has no invocations."""
        if invocation:
            self._remember(invocation, trace.id)
            trace.put(trace.row(invocation).with_span(span))
            self._drop_row(trace, trace.id)
        elif not trace.rows or trace.id in trace.rows:
            trace.put(trace.row(trace.id).with_span(span))

    def _add_log(self, log: ReceivedLog) -> None:
        invocation = named_invocation(log.attributes)
        home = self._home(log.trace_id, invocation)
        if not home:
            self._loose += 1
            self._version += 1
            return
        trace = self._touch(home)
        if trace.is_full:
            trace.left_out += 1
            return
        before = trace.size
        trace.add_log(log, self._resource_of(log))
        row = trace.row(invocation or next(iter(trace.rows), trace.id))
        trace.put(row.with_log(log))
        self._fit(trace.size - before)

    def _resource_of(self, item: ReceivedSpan | ReceivedLog) -> NamedResource:
        """Name an item's resource, which mostly is that of the item before."""
        last, resource = self._resource
        if item.resource != last:
            resource = name_resource(item.resource)
            self._resource = item.resource, resource
        return resource

    def _home(self, trace_id: str, invocation: str) -> str:
        """Return the trace to show something in: its invocation's, else its own."""
        home = self._homes.get(invocation, "") if invocation else ""
        if not home:
            return self._homes.get(trace_id, trace_id)
        if trace_id not in ("", home) and trace_id not in self._homes:
            self._adopt(trace_id, home)
        return home

    def _adopt(self, trace_id: str, home: str) -> None:
        """Count a trace that a function started to the host's, with what came of it before."""
        started = self._traces.get(trace_id)
        if started is not None and any(row.request for row in started.rows.values()):
            return
        self._remember(trace_id, home)
        if started is None:
            return
        self._remove(started)
        trace = self._touch(home)
        trace.merge(started)
        for target, span_id in started.links.items():
            self._link(trace, target, span_id)
        self._fit(started.size)

    def _touch(self, trace_id: str) -> StoredTrace:
        """Return a trace as the one that changed last, made if there is none."""
        self._version += 1
        trace = self._traces.pop(trace_id, None)
        if trace is None:
            trace = StoredTrace(trace_id)
            self._size += trace.size
        trace.version = self._version
        self._traces[trace_id] = trace
        return trace

    def _fit(self, growth: int) -> None:
        """Count bytes, and let the traces go that have not changed for longest."""
        self._size += growth
        while len(self._traces) > self._max_traces or self._size > self._max_bytes:
            if len(self._traces) == 1:
                return
            self._remove(next(iter(self._traces.values())))
            self._evicted += 1

    def _remove(self, trace: StoredTrace) -> None:
        del self._traces[trace.id]
        self._size -= trace.size
        for key in trace.rows:
            self._note_gone(key)
        for target in trace.links:
            self._linked[target].discard(trace.id)
            if not self._linked[target]:
                del self._linked[target]

    def _drop_row(self, trace: StoredTrace, key: str) -> None:
        """Take the row of a trace away, which turned out to have invocations."""
        row = trace.rows.pop(key, None) if len(trace.rows) > 1 else None
        if row is not None:
            self._note_gone(key)

    def _note_gone(self, key: str) -> None:
        self._version += 1
        if len(self._gone) == self._gone.maxlen:
            self._forgotten = self._gone[0][0]
        self._gone.append((self._version, key))

    def _link(self, trace: StoredTrace, target: str, span_id: str) -> None:
        if len(trace.links) < _MAX_LINKS and target != trace.id:
            trace.links.setdefault(target, span_id)
            self._linked.setdefault(target, set()).add(trace.id)

    def _remember(self, key: str, home: str) -> None:
        self._homes.pop(key, None)
        self._homes[key] = home
        if len(self._homes) > _MAX_REMEMBERED:
            del self._homes[next(iter(self._homes))]

    def _rows_since(self, version: int) -> Iterator[tuple[StoredTrace, InvocationRow]]:
        for trace in reversed(self._traces.values()):
            if trace.version <= version:
                return
            for row in trace.rows.values():
                yield trace, row

    def _counts(self) -> dict[str, int]:
        return {
            "traces": len(self._traces),
            "invocations": sum(len(trace.rows) for trace in self._traces.values()),
            "gone": self._evicted,
            "loose": self._loose,
            "bytes": self._size,
        }

    def _encode(self, trace: StoredTrace) -> bytes:
        known = [each for each in trace.links if self._homes.get(each, each) in self._traces]
        sources = sorted(self._linked.get(trace.id, ()))
        return trace.encode(
            known, [{"trace": i, "span": self._traces[i].links[trace.id]} for i in sources]
        )


def _has_text(row: InvocationRow, records: Sequence[StoredRecord], text: bytes) -> bool:
    return not text or row.has(text) or any(text in record.text for record in records)
