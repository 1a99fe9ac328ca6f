"""
Take secrets out of every span of a provider: HTTP clients', Azure SDKs' and users' own.

A span is complete when it ends, and read-only for `on_end`. Between the two the SDK calls
`_on_ending`, and makes what it exports from the span afterwards (SDK 1.45, `Span.end`): there
it is rewritten, wherever among the processors this one stands. `_on_ending` is not public, so
it is tried once; an SDK that works otherwise gets its exporter wrapped.

docs/decisions/012 says why.
"""

from __future__ import annotations

import functools
import logging
import operator
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, SpanContext, Status, TraceFlags

from funcscope.telemetry._annotations import is_export_suppressed
from funcscope.telemetry._redaction.redactor import DEFAULT, REDACTED
from funcscope.telemetry._redaction.scopes import redacted_scope
from funcscope.telemetry._values.limits import cut_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import Span
    from opentelemetry.util.types import AnyValue

    from funcscope.telemetry._redaction.redactor import Redactor

    _Attributes = Mapping[str, AnyValue]

T = TypeVar("T")

_logger = logging.getLogger("funcscope.telemetry")


class Lengths(NamedTuple):
    """
    How long the texts in attributes may be, as OTEL_*_ATTRIBUTE_VALUE_LENGTH_LIMIT say.

    Attributes:
        span: In a span's attributes; None where they are not limited.
        other: In those of its events and links.
    """

    span: int | None = None
    other: int | None = None


NO_LENGTHS = Lengths()


class RedactingProcessor(SpanProcessor):
    """
    Takes secrets out of a span while it ends, before any processor's `on_end` sees it.

    Attributes:
        redactor: Takes the secrets out.
        lengths: How long texts may be after that, in the place of a provider that cuts them before.
    """

    funcscope_redacts = True

    def __init__(self, redactor: Redactor = DEFAULT, lengths: Lengths = NO_LENGTHS) -> None:
        self.redactor = redactor
        self.lengths = lengths
        self._has_failed = False

    def rewrite(self, span: Span) -> None:
        """Rewrite a span that is ending; one that cannot be loses what may hold a secret."""
        try:
            if is_export_suppressed():
                _leave_out(span)
            _rewrite(span, self.redactor, self.lengths)
        except Exception:
            _empty(span)
            if not self._has_failed:
                self._has_failed = True
                _logger.exception("a span could not be redacted: its attributes are dropped")

    _on_ending = rewrite  # the SDK's name for it

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002  (the SDK's signature)
        """Tell that nothing waits: before 1.42 the SDK's own says nothing, which is no."""
        return True


@functools.cache
def rewrites_spans() -> bool:
    """Return whether the installed SDK lets `RedactingProcessor` rewrite spans, by trying."""
    try:
        return _rewrites_spans()
    except Exception:  # noqa: BLE001  (an SDK whose insides are others)
        return False


def _rewrites_spans() -> bool:
    secret, collecting = "?code=funcscope", _CollectingProcessor()
    provider = TracerProvider(
        sampler=ALWAYS_ON, resource=Resource.get_empty(), shutdown_on_exit=False
    )
    provider.add_span_processor(collecting)
    provider.add_span_processor(RedactingProcessor())
    span = provider.get_tracer(__name__).start_span(secret, attributes={"url.full": secret})
    span.add_event("exception", {"exception.message": secret})
    span.end()
    spans = collecting.spans
    return bool(spans) and secret not in "".join(each.to_json() for each in spans)


def _leave_out(span: Span) -> None:
    """Have a span that has ended exported by nobody: what is not sampled is not."""
    context = span.get_span_context()
    unsampled = TraceFlags(context.trace_flags & ~TraceFlags.SAMPLED)
    left_out = SpanContext(
        context.trace_id, context.span_id, context.is_remote, unsampled, context.trace_state
    )
    setattr(span, "_context", left_out)  # noqa: B010  (for type checkers)


def redacted_span(
    span: ReadableSpan, redactor: Redactor = DEFAULT, lengths: Lengths = NO_LENGTHS
) -> ReadableSpan:
    """Return a span without its secrets: itself, where it holds none and nothing is cut."""
    name = redactor.redact(span.name)
    status = _redacted_status(span.status, redactor)
    attributes = _changed(span.attributes, redactor, lengths.span)
    old_events, old_links = span.events, span.links
    events = [_redacted_event(event, redactor, lengths.other) for event in old_events]
    links = [_redacted_link(link, redactor, lengths.other) for link in old_links]
    scope = redacted_scope(span.instrumentation_scope, redactor)
    if (
        name is span.name
        and status is span.status
        and attributes is None
        and scope is span.instrumentation_scope
        and all(map(operator.is_, events, old_events))
        and all(map(operator.is_, links, old_links))
    ):
        return span
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_bounded(attributes or span.attributes, span.dropped_attributes),
        events=_bounded_list(events, span.dropped_events),
        links=_bounded_list(links, span.dropped_links),
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=scope,
    )


def _rewrite(span: Span, redactor: Redactor, lengths: Lengths) -> None:
    """Give a span that is ending the parts of its redacted copy."""
    copy = redacted_span(span, redactor, lengths)
    if copy is not span:
        _give(span, copy)


def _empty(span: Span) -> None:
    """Leave a span its ids and times, which hold no secret."""
    lost = (len(span.attributes or ()), len(span.events), len(span.links))
    _give(
        span,
        ReadableSpan(
            REDACTED,
            attributes=_bounded({}, lost[0]),
            events=_bounded_list([], lost[1]),
            links=_bounded_list([], lost[2]),
            status=Status(span.status.status_code),
            resource=span.resource,
            instrumentation_scope=span.instrumentation_scope,
        ),
    )


def _give(span: Span, copy: ReadableSpan) -> None:
    """Set what has no public setter once a span has ended."""
    for part in ("_name", "_status", "_attributes", "_events", "_links", "_instrumentation_scope"):
        setattr(span, part, getattr(copy, part))


def _changed(
    attributes: _Attributes | None, redactor: Redactor, most: int | None
) -> _Attributes | None:
    """Return attributes without their secrets, cut; None where they hold none and are not cut."""
    if not attributes:
        return None
    # The SDK's mappings are slow to walk, and quick to copy.
    plain = cast("dict[str, AnyValue]", getattr(attributes, "copy", lambda: dict(attributes))())
    redacted = redactor.redact_attributes(plain)
    if most is None:
        return redacted
    return {name: cut_texts(value, most) for name, value in (redacted or plain).items()}


def _redacted_event(event: Event, redactor: Redactor, most: int | None) -> Event:
    name = redactor.redact(event.name)
    attributes = _changed(event.attributes, redactor, most)
    if name is event.name and attributes is None:
        return event
    bounded = _bounded(attributes or event.attributes, event.dropped_attributes)
    return Event(name, bounded, event.timestamp)


def _redacted_link(link: Link, redactor: Redactor, most: int | None) -> Link:
    attributes = _changed(link.attributes, redactor, most)
    return link if attributes is None else Link(link.context, attributes)


def _redacted_status(status: Status, redactor: Redactor) -> Status:
    description = status.description
    if not description:
        return status
    redacted = redactor.redact(description)
    return status if redacted is description else Status(status.status_code, redacted)


def _bounded(attributes: _Attributes | None, dropped: int) -> BoundedAttributes:
    """Keep attributes as the SDK does, with the count of those that its limits dropped."""
    bounded = BoundedAttributes(attributes=attributes)
    bounded.dropped = dropped
    return bounded


def _bounded_list(items: Sequence[T], dropped: int) -> BoundedList[T]:
    bounded = BoundedList[T].from_seq(len(items), items)
    bounded.dropped = dropped
    return bounded


class _CollectingProcessor(SpanProcessor):
    """Keeps the spans that end."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep one."""
        self.spans.append(span)
