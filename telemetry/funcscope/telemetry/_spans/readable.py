"""Spans as exporters read them: an invocation's, put together of what was kept of it, and any."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode

from funcscope.telemetry._semconv import UNFINISHED
from funcscope.telemetry._spans.sampling import after_stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanKind, TraceState

    Call = tuple[str, tuple[Any, ...]]  # a method's name, and its arguments

RENAME = "update_name"
_STAGE = "fs_threshold"
_UNSET = Status()


class _Values(NamedTuple):
    """The values of a span without events and links, by the names of `ReadableSpan`."""

    name: str
    context: SpanContext
    parent: SpanContext | None
    resource: Resource
    attributes: dict[str, Any]
    kind: SpanKind
    status: Status
    start_time: int | None
    end_time: int | None
    instrumentation_scope: InstrumentationScope


class EncodableSpan(_Values):
    """The public face of the SDK's span, as far as our encoder reads it."""

    __slots__ = ()
    dropped_attributes = dropped_events = dropped_links = 0
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()

    def get_span_context(self) -> SpanContext:
        """Return its ids."""
        return self.context

    def to_readable(self) -> ReadableSpan:
        """Return the same as other exporters take it."""
        return ReadableSpan(**self._asdict())


AnyReadable = TypeVar("AnyReadable", ReadableSpan, EncodableSpan)


def note_stage(span: object, threshold: int) -> None:
    """Note on a span, whose ids others know and export, after which threshold ours get it."""
    vars(span)[_STAGE] = threshold


def has_stage(span: object) -> bool:
    """Return whether a threshold was noted on a span."""
    return _STAGE in vars(span)


def noted_state(span: object, trace_id: int, state: TraceState | None) -> TraceState:
    """Return the trace state of a span on which a threshold was noted, which then tells of it."""
    return after_stage(trace_id, state, vars(span)[_STAGE])


def after_noted_stage(readable: AnyReadable, span: object) -> AnyReadable:
    """Return what is read of a span, with a trace state that tells of what was noted on it."""
    ids = readable.get_span_context()
    if ids is None or not has_stage(span):
        return readable
    state = noted_state(span, ids.trace_id, ids.trace_state)
    stated = SpanContext(ids.trace_id, ids.span_id, ids.is_remote, ids.trace_flags, state)
    if isinstance(readable, EncodableSpan):
        return readable._replace(context=stated)
    exported = copy(readable)
    exported._context = stated  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return exported


def unfinished_span(span: ReadableSpan, end_time: int) -> ReadableSpan:
    """Return a span that has not ended as if it had, marked, and without a status."""
    values: dict[str, Any] = {name: getattr(span, name) for name in _Values._fields}
    values["attributes"] = dict(span.attributes or {}, **{UNFINISHED: True})
    values |= {"status": _UNSET, "end_time": end_time}
    return ReadableSpan(**values, events=span.events, links=span.links)


def replay(
    calls: Sequence[Call], attributes: dict[str, Any], unredacted: dict[str, Any]
) -> Status | None:
    """
    Apply the calls that were kept as the SDK would; None where that needs the SDK.

    Args:
        calls: Calls of a span's setters.
        attributes: The span's, to be changed.
        unredacted: Gets what is set, too, as it may hold secrets.
    """
    status = _UNSET
    for method, args in calls:
        if method == "set_status":
            given = _next_status(status, *args)
            if given is None:
                return None
            status = given
        elif method != RENAME:
            pairs = {args[0]: args[1]} if method == "set_attribute" else args[0]
            set_again(attributes, pairs)
            unredacted.update(pairs)
    return status


def set_again(attributes: dict[str, Any], pairs: Mapping[str, Any] | None) -> None:
    """Set attributes as the SDK does: one that is set again goes to the end."""
    if pairs:
        for key in pairs.keys() & attributes.keys():
            del attributes[key]
        attributes.update(pairs)


def last_name(first: str, calls: Sequence[Call]) -> str:
    """Return the name that was given last."""
    return next((str(args[0]) for method, args in reversed(calls) if method == RENAME), first)


def _next_status(current: Status, given: object, description: str | None) -> Status | None:
    """Return the status after one more was set; None where the SDK would object."""
    if isinstance(given, StatusCode) and not (description and given is not StatusCode.ERROR):
        code = given
    elif isinstance(given, Status) and description is None:
        code = given.status_code
    else:
        return None
    if current.status_code is StatusCode.OK or code is StatusCode.UNSET:
        return current
    return given if isinstance(given, Status) else Status(code, description)
