"""OpenCensus's records of spans in OpenTelemetry's terms."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags

from funcscope.telemetry.integration import record_exception

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from funcscope.contrib.opencensus._census import Recorded

Value: TypeAlias = "str | bool | int | float | Sequence[str] | Sequence[int] | Sequence[float]"

STATUS_CODE = "opencensus.status_code"
"""A span's canonical code (`google.rpc.Code`, a number), where it is not OK."""
LINK_TYPE = "opencensus.link.type"
"""What a linked span is to its span: `child` or `parent`."""

# google/rpc/code.proto, which OpenCensus's canonical codes are.
_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_KINDS = {1: SpanKind.SERVER, 2: SpanKind.CLIENT}
_LINK_TYPES = {1: "child", 2: "parent"}
_MESSAGE_TYPES = {1: "SENT", 2: "RECEIVED"}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_PLAIN = (str, bool, int, float)


def fill(span: Span, recorded: Recorded, error: BaseException | None) -> None:
    """
    Put on a span what OpenCensus recorded of it.

    Args:
        span: One that records.
        recorded: OpenCensus's own.
        error: What it ended with.
    """
    span.set_attributes(_attributes(recorded.attributes))
    for annotation in recorded.annotations:
        _annotate(span, annotation)
    for message in recorded.message_events:
        _add_message(span, message)
    for link in recorded.links:
        _link(span, link)
    _set_status(span, recorded.status.code, recorded.status.message)
    if error is not None:
        record_exception(span, error)
    elif recorded.stack_trace is not None:
        _add_stack(span, recorded)


def correct(span: Span, recorded: Recorded) -> None:
    """
    Set the kind and the start, which OpenTelemetry's API wants earlier than OpenCensus has them.

    The kind and the start are fields of the SDK's (1.45, `Span._kind` and `Span._start_time`,
    which it reads when the span ends). A span of another's keeps the kind INTERNAL, and starts
    when OpenCensus made it, some microseconds before.
    """
    start = nanoseconds(recorded.start_time)
    if start is not None and isinstance(getattr(span, "_start_time", None), int):
        setattr(span, "_start_time", start)  # noqa: B010  (no field that types know)
    kind = _KINDS.get(recorded.span_kind)
    if kind is not None and isinstance(getattr(span, "_kind", None), SpanKind):
        setattr(span, "_kind", kind)  # noqa: B010  (no field that types know)


def nanoseconds(time: object) -> int | None:
    """Read a time as OpenCensus writes it; None where there is none."""
    try:
        read = datetime.fromisoformat(str(time).removesuffix("Z"))
    except ValueError:
        return None
    return (read.replace(tzinfo=timezone.utc) - _EPOCH) // _MICROSECOND * 1000


def linked(trace_id: str, span_id: str, *, is_sampled: bool) -> SpanContext | None:
    """Make a span's context of hexadecimal ids; None where they are none."""
    try:
        context = SpanContext(
            int(trace_id, 16),
            int(span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT),
        )
    except (TypeError, ValueError):
        return None
    return context if context.is_valid else None


def _attributes(given: object) -> dict[str, Value]:
    plain = getattr(given, "attributes", given)
    if not isinstance(plain, Mapping):
        return {}
    items = cast("Mapping[object, object]", plain).items()
    return {str(key): _value(value) for key, value in items if value is not None}


def _value(value: object) -> Value:
    """Keep what OpenTelemetry takes; all else becomes text, as OpenCensus's exporters have it."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        if len({type(item) for item in items}) == 1 and isinstance(items[0], _PLAIN):
            return cast("Value", list(items))
        return str(items)
    return str(value)


def _annotate(span: Span, annotation: Any) -> None:
    time = nanoseconds(annotation.timestamp)
    span.add_event(str(annotation.description), _attributes(annotation.attributes), time)


def _add_message(span: Span, message: Any) -> None:
    attributes: dict[object, object] = {
        "message.type": _MESSAGE_TYPES.get(message.type),
        "message.id": message.id,
        "message.uncompressed_size": message.uncompressed_size_bytes,
        "message.compressed_size": message.compressed_size_bytes,
    }
    span.add_event("message", _attributes(attributes), nanoseconds(message.timestamp))


def _link(span: Span, link: Any) -> None:
    context = linked(link.trace_id, link.span_id, is_sampled=True)
    if context is None:
        return
    attributes = _attributes(link.attributes)
    if link.type in _LINK_TYPES:
        attributes[LINK_TYPE] = _LINK_TYPES[link.type]
    span.add_link(context, attributes)


def _set_status(span: Span, code: int, message: object) -> None:
    """Make a span an error; OK, which every span of OpenCensus's starts with, means nothing."""
    if not code:
        return
    name = _CODES[code] if 0 < code < len(_CODES) else str(code)
    span.set_attributes({STATUS_CODE: code, "error.type": name})
    span.set_status(StatusCode.ERROR, str(message) if message else name)


def _add_stack(span: Span, recorded: Recorded) -> None:
    """Record an exception of which only the stack is known: middlewares of OpenCensus set that."""
    frames = [
        traceback.FrameSummary(
            frame["file_name"]["value"], frame["line_number"], frame["function_name"]["value"]
        )
        for frame in cast("Sequence[Mapping[str, Any]]", recorded.stack_trace.stack_frames)
    ]
    message = recorded.status.message
    attributes = {"exception.message": str(message)} if message else {}
    stack = "".join(traceback.format_list(frames))
    span.add_event("exception", {**attributes, "exception.stacktrace": stack})
