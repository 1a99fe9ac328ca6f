"""Spans and log records as they are kept: JSON for the page, and a text for searches."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funcscope.contrib.host._traces.otlp import (
        Attributes,
        ReceivedEvent,
        ReceivedLog,
        ReceivedSpan,
    )

MAX_TEXT = 16_384
"""Characters of one value; what is longer is cut, and says so."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_OVERHEAD = 200  # bytes of the objects around a record's data and text
_LARGEST_INT = 2**53 - 1  # JavaScript's Number.MAX_SAFE_INTEGER


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """
    A span or a log record.

    Attributes:
        data: What the page gets: JSON in UTF-8.
        text: What a search looks through: ids, names, keys and values, in lower case.
    """

    data: bytes
    text: bytes

    @property
    def size(self) -> int:
        """Roughly the bytes of memory that it takes."""
        return len(self.data) + len(self.text) + _OVERHEAD


def store_span(span: ReceivedSpan, resource: str) -> StoredRecord:
    """Make the record of a span, given what names its resource."""
    attributes = plain(span.attributes)
    events = [_event(event) for event in span.events]
    links = [
        {"trace": link.trace_id, "span": link.span_id, "attributes": plain(link.attributes)}
        for link in span.links
    ]
    fields: dict[str, object] = {
        "id": span.span_id,
        "parent": span.parent_id,
        "trace": span.trace_id,
        "name": plain(span.name),
        "kind": span.kind,
        "start_us": span.start_ns // 1000,
        "duration_us": max(0, span.end_ns - span.start_ns) / 1000,
        "status": span.status,
        "message": plain(span.status_message),
        "attributes": attributes,
        "events": events,
        "links": links,
        "state": plain(span.trace_state),
        "scope": plain(span.scope),
        "resource": resource,
    }
    searched = [span.trace_id, span.span_id, fields["name"], fields["message"], fields["scope"]]
    return _record(fields, [*searched, attributes, events, links])


def store_log(log: ReceivedLog, resource: str) -> StoredRecord:
    """Make the record of a log record, given what names its resource."""
    body, attributes = plain(log.body), plain(log.attributes)
    fields: dict[str, object] = {
        "span": log.span_id,
        "trace": log.trace_id,
        "time_us": log.time_ns // 1000,
        "severity": plain(log.severity),
        "number": log.severity_number,
        "body": body,
        "event": plain(log.event_name),
        "attributes": attributes,
        "scope": plain(log.scope),
        "resource": resource,
    }
    return _record(fields, [body, attributes, fields["scope"], fields["event"]])


@dataclass(frozen=True, slots=True)
class NamedResource:
    """A resource as JSON, under a name that records have for it."""

    name: str
    data: bytes


def name_resource(attributes: Attributes) -> NamedResource:
    """Name a resource after what it says."""
    data = encode_json(plain(attributes))
    return NamedResource(blake2b(data, digest_size=8).hexdigest(), data)


def plain(value: object) -> object:
    """
    Return a value that JSON and JavaScript hold without loss, or a text of it.

    >>> plain({"n": 2**60, "x": float("nan"), "b": b"ab"})
    {'n': '1152921504606846976', 'x': 'nan', 'b': '6162'}
    """
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else _cut(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return {str(plain(str(key))): plain(each) for key, each in pairs.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in cast("list[object]", value)]
    return plain(value.hex() if isinstance(value, bytes) else str(value))


def encode_json(value: object) -> bytes:
    """Encode plain data as JSON in UTF-8, without spaces."""
    return _ENCODER.encode(value).encode()


def _cut(text: str) -> str:
    return f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} more characters)"


def _event(event: ReceivedEvent) -> dict[str, object]:
    return {
        "name": plain(event.name),
        "time_us": event.time_ns // 1000,
        "attributes": plain(event.attributes),
    }


def _record(fields: dict[str, object], searched: list[object]) -> StoredRecord:
    return StoredRecord(encode_json(fields), "\n".join(_words(searched)).lower().encode())


def _words(value: object) -> Iterator[str]:
    """Yield the keys and values of plain data as texts."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, object]", value).items():
            yield key
            yield from _words(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _words(each)
    elif value is not None:
        yield str(value)
