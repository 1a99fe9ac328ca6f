"""
Spans in OTLP: `ExportTraceServiceRequest`, without protobuf.

As in `opentelemetry/proto/trace/v1/trace.proto` of opentelemetry-proto 1.45, and as that
version's SDK exporter fills it in, which sends no link's `trace_state`. Fields stand in the order
of their numbers, but for a span's flags: 16 is last.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode

from funcscope.telemetry._otlp.values import TextFields, attributes_field
from funcscope.telemetry._otlp.wire import (
    count_field,
    delimited,
    fixed32,
    text_field,
    time_field,
    varint,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, SpanContext, Status, TraceState

    from funcscope.telemetry._otlp.request import EncodedItem

# Tag, length and value of a trace's and a span's id: fields 1 and 2 of spans and links.
_ids = Struct(">2sQQ2sQ").pack
# Tag and value of two times: fields 7 and 8 of a span.
_times = Struct("<cQcQ").pack
_LOW_64 = 2**64 - 1

ATTRIBUTES = b"\x4a"
"""The tag of a span's attributes: field 9."""

# `SpanFlags`: that it is known whether a parent or a linked span is another process's, and is it.
_LOCAL, _REMOTE = fixed32(0x100), fixed32(0x300)

_REMOTE_PARENT, _LOCAL_PARENT = b"\x85\x01" + _REMOTE, b"\x85\x01" + _LOCAL

_UNSET = b"\x7a\x00"
"""Field 15: a status that nobody set."""

_KINDS = {kind: bytes((0x30, kind.value + 1)) for kind in SpanKind}
"""Field 6: OTLP's numbers are the API's and one more, 0 being no kind at all."""

_names = TextFields(b"\x2a")


def encode_span(span: ReadableSpan) -> EncodedItem:
    """
    Encode a span, which is read through its public properties alone.

    Raises:
        Exception: It has no context, or times or counts that are out of range.
    """
    return _span_message(span), span.resource, span.instrumentation_scope


def plain_message(
    ids: tuple[bytes, bytes, bytes],
    name: str,
    kind: SpanKind,
    times: tuple[int, int],
    attributes: tuple[bytes, ...],
    trace_state: str = "",
) -> bytes:
    """
    Return the message of a span below a host's, with attributes and no events, links or status.

    Args:
        ids: Its trace's, its own and its parent's.
        name: Its name.
        kind: Its kind.
        times: When it started and ended, in nanoseconds since the epoch.
        attributes: As `attributes_field` returns them, with the tag `ATTRIBUTES`, in parts.
        trace_state: Its trace's.
    """
    trace_id, span_id, parent_id = ids
    start, end = times
    return b"".join(
        (
            b"\x0a\x10",
            trace_id,
            b"\x12\x08",
            span_id,
            text_field(b"\x1a", trace_state),
            b"\x22\x08",
            parent_id,
            _names[name],
            _KINDS[kind],
            _times(b"\x39", start, b"\x41", end),
            *attributes,
            _UNSET,
            _REMOTE_PARENT,
        )
    )


def _ids_of(context: SpanContext, parent: SpanContext | None) -> bytes:
    """Return the ids of any span, and its trace's state."""
    trace_id, state = context.trace_id, context.trace_state
    return b"".join(
        (
            _ids(b"\x0a\x10", trace_id >> 64, trace_id & _LOW_64, b"\x12\x08", context.span_id),
            _trace_state_field(state) if state else b"",
            b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent is not None else b"",
        )
    )


def _span_message(span: ReadableSpan) -> bytes:
    context = span.get_span_context()
    if context is None:
        raise ValueError("the span has no context")
    parent = span.parent
    start, end = span.start_time, span.end_time
    events, links = span.events, span.links
    return b"".join(
        (
            _ids_of(context, parent),
            _names[span.name],
            _KINDS[span.kind],
            _times(b"\x39", start, b"\x41", end)
            if start and end
            else time_field(b"\x39", start) + time_field(b"\x41", end),
            attributes_field(ATTRIBUTES, span.attributes),
            count_field(b"\x50", span.dropped_attributes),
            b"".join([b"\x5a" + delimited(_event_message(event)) for event in events])
            if events
            else b"",
            count_field(b"\x60", span.dropped_events),
            b"".join([b"\x6a" + delimited(_link_message(link)) for link in links])
            if links
            else b"",
            count_field(b"\x70", span.dropped_links),
            _status_field(span.status),
            _REMOTE_PARENT if parent is not None and parent.is_remote else _LOCAL_PARENT,
        )
    )


def _event_message(event: Event) -> bytes:
    return b"".join(
        (
            time_field(b"\x09", event.timestamp),
            text_field(b"\x12", event.name),
            attributes_field(b"\x1a", event.attributes),
            count_field(b"\x20", event.dropped_attributes),
        )
    )


def _link_message(link: Link) -> bytes:
    context = link.context
    trace_id = context.trace_id
    return b"".join(
        (
            _ids(b"\x0a\x10", trace_id >> 64, trace_id & _LOW_64, b"\x12\x08", context.span_id),
            attributes_field(b"\x22", link.attributes),
            count_field(b"\x28", link.dropped_attributes),
            b"\x35" + (_REMOTE if context.is_remote else _LOCAL),
        )
    )


def _status_field(status: Status | None) -> bytes:
    if status is None:
        return b""
    code, description = status.status_code, status.description
    if code is StatusCode.UNSET and not description:
        return _UNSET
    coded = b"\x18" + varint(code.value) if code.value else b""
    return b"\x7a" + delimited(text_field(b"\x12", description) + coded)


def _trace_state_field(trace_state: TraceState) -> bytes:
    return text_field(b"\x1a", ",".join([f"{key}={value}" for key, value in trace_state.items()]))
