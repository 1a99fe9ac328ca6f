"""One trace as it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funcscope.contrib.host._view.records import (
    NamedResource,
    StoredRecord,
    encode_json,
    store_log,
    store_span,
)
from funcscope.contrib.host._view.rows import ROW_SIZE, InvocationRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from funcscope.contrib.host._traces.otlp import ReceivedLog, ReceivedSpan

_MAX_RECORDS = 10_000  # spans and log records of one trace: it must not push out all others
_MAX_BYTES = 16 * 1024 * 1024  # of one trace


@dataclass(slots=True)
class StoredTrace:
    """
    What is kept of one trace, and of those that its functions started instead of joining it.

    Attributes:
        version: The history's version when it last changed.
        left_out: How many records came that the trace has no room for.
        links: The traces that its spans are linked to, each with the span that has the link.
    """

    id: str
    version: int = 0
    size: int = ROW_SIZE
    left_out: int = 0
    rows: dict[str, InvocationRow] = field(default_factory=dict[str, InvocationRow])
    spans: dict[str, StoredRecord] = field(default_factory=dict[str, StoredRecord])
    logs: list[StoredRecord] = field(default_factory=list[StoredRecord])
    resources: dict[str, bytes] = field(default_factory=dict[str, bytes])
    links: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def is_full(self) -> bool:
        """Whether it takes no more records."""
        return len(self.spans) + len(self.logs) >= _MAX_RECORDS or self.size >= _MAX_BYTES

    def add_span(self, span: ReceivedSpan, resource: NamedResource) -> None:
        """Keep a span, instead of one with the same id: that was unfinished, or sent twice."""
        record = store_span(span, self._keep_resource(resource))
        replaced = self.spans.get(span.span_id)
        self.size += record.size - (0 if replaced is None else replaced.size)
        self.spans[span.span_id] = record

    def add_log(self, log: ReceivedLog, resource: NamedResource) -> None:
        """Keep a log record."""
        record = store_log(log, self._keep_resource(resource))
        self.size += record.size
        self.logs.append(record)

    def merge(self, other: StoredTrace) -> None:
        """Take over what is kept of another trace, but for its rows."""
        self.spans.update(other.spans)
        self.logs.extend(other.logs)
        self.resources.update(other.resources)
        self.size += other.size
        self.left_out += other.left_out

    def encode(self, known: list[str], linked_from: list[dict[str, str]]) -> bytes:
        """Return it as JSON, given the traces that its links lead to, and those that lead here."""
        parts = {
            "id": encode_json(self.id),
            "left_out": encode_json(self.left_out),
            "rows": _array(encode_json(row.as_json()) for row in self.rows.values()),
            "spans": _array(span.data for span in self.spans.values()),
            "logs": _array(log.data for log in self.logs),
            "resources": _object(self.resources),
            "known": encode_json(known),
            "linked_from": encode_json(linked_from),
        }
        return _object(parts)

    def row(self, key: str) -> InvocationRow:
        """Return the row with an id, an empty one if there is none."""
        return self.rows.get(key) or InvocationRow(key, self.id)

    def put(self, row: InvocationRow) -> None:
        """Keep a row instead of the one with its id."""
        self.size += 0 if row.id in self.rows else ROW_SIZE
        self.rows[row.id] = row

    def records(self) -> tuple[StoredRecord, ...]:
        """Return all spans and log records."""
        return (*self.spans.values(), *self.logs)

    def _keep_resource(self, resource: NamedResource) -> str:
        if resource.name not in self.resources:
            self.resources[resource.name] = resource.data
            self.size += len(resource.data)
        return resource.name


def _array(items: Iterable[bytes]) -> bytes:
    return b"[%s]" % b",".join(items)


def _object(parts: Mapping[str, bytes]) -> bytes:
    return b"{%s}" % b",".join(b"%s:%s" % (encode_json(key), data) for key, data in parts.items())
