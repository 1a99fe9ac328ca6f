"""
Spans of OpenCensus's, each with a span of OpenTelemetry's that starts and ends with it.

docs/decisions/018 says why.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import attach, create_key, get_current, get_value, set_value
from opentelemetry.trace import (
    NonRecordingSpan,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

from funcscope.contrib.opencensus._census import Span as CensusSpan
from funcscope.contrib.opencensus._translation import correct, fill, linked, nanoseconds
from funcscope.extensions.integration import Latch, OnceLog
from funcscope.telemetry.integration import is_sending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from funcscope.contrib.opencensus._census import Recorded

SCOPE = __name__.rpartition(".")[0]
"""This package's name."""

_CURRENT = create_key("funcscope-opencensus-span")
_SPAN = "funcscope_span"

_logger = logging.getLogger("funcscope.opencensus")
problems = OnceLog(_logger, logging.ERROR)
_listening = Latch()


@dataclass(slots=True)
class _Open:
    """
    A span that has not ended.

    Attributes:
        recorded: OpenCensus's.
        span: OpenTelemetry's.
        outer: What was current before.
    """

    recorded: Recorded
    span: Span
    outer: Context


class Bridge:
    """
    An exporter of OpenCensus's that hears of the start of its spans, too.

    One for each invocation. `listen()` has OpenCensus call us when a span is made; its end is what
    exporters get. So its own `Tracer` and `Span` stay as they are, also those that an
    integration makes with this exporter, as `opencensus-ext-threading` does.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._tracer: Tracer | None = None

    def start(self, recorded: Recorded) -> None:
        """
        Start a span for one that OpenCensus makes, and make it current where that is.

        The one of OpenCensus's gets its id, which OpenCensus writes into headers.
        """
        outer = get_current()
        if is_sending():
            return
        if self._tracer is None:
            self._tracer = trace.get_tracer(SCOPE)
        parent = _parent_context(recorded, outer)
        span = self._tracer.start_span(str(recorded.name), parent)
        span_id = span.get_span_context().span_id
        if span_id != get_current_span(parent).get_span_context().span_id:  # is telemetry on?
            recorded.span_id = format_span_id(span_id)
        setattr(recorded, _SPAN, span)
        self._open[recorded.span_id] = _Open(recorded, span, outer)
        if recorded.context_tracer is not None:
            attach(set_value(_CURRENT, recorded, set_span_in_context(span, outer)))

    def export(self, ended: Iterable[Any]) -> None:
        """End the spans of those that OpenCensus has ended, or that nobody will."""
        for data in ended:
            opened = self._open.pop(data.span_id, None)
            if opened is not None:
                _end(opened)

    emit = export


def listen() -> None:
    """Have OpenCensus call us for each span that it makes; calling it again changes nothing."""
    if _listening.close():
        CensusSpan.on_create(_created)


def context_with(recorded: Recorded, span: Span) -> Context:
    """Return the current context with a span, in the terms of both, as the current one."""
    setattr(recorded, _SPAN, span)
    return set_value(_CURRENT, recorded, set_span_in_context(span))


def _created(recorded: Recorded) -> None:
    """Start a span for one of an invocation's tracer, or below one of these."""
    try:
        bridge = _bridge_of(recorded)
        if bridge is not None:
            bridge.start(recorded)
    except Exception as error:  # noqa: BLE001  (it would reach the function)
        problems.log("a span of OpenCensus's could not be started in OpenTelemetry", error=error)


def _bridge_of(recorded: object) -> Bridge | None:
    while recorded is not None:
        tracer = getattr(recorded, "context_tracer", None)
        if tracer is not None:
            exporter = getattr(tracer, "exporter", None)
            return exporter if isinstance(exporter, Bridge) else None
        recorded = getattr(recorded, "parent_span", None)
    return None


def _parent_context(recorded: Recorded, current: Context) -> Context:
    """
    Return the context with the parent of a span.

    Where OpenCensus and OpenTelemetry agree on OpenCensus's innermost span, the parent is
    OpenTelemetry's current span, which may have been started inside that one; else OpenCensus
    decides.
    """
    known = recorded.parent_span
    while known is not None and not hasattr(known, _SPAN):
        known = getattr(known, "parent_span", None)
    if known is None:
        return _sent_context(recorded, current)
    if get_value(_CURRENT, current) is known:
        return current
    return set_span_in_context(getattr(known, _SPAN), current)


def _sent_context(recorded: Recorded, current: Context) -> Context:
    """Return the context with a parent that only its ids are known of, as a thread is given."""
    tracer = recorded.context_tracer
    span_id = getattr(recorded.parent_span, "span_id", None)
    if tracer is None or span_id is None:
        return current
    sent = tracer.span_context
    now = get_current_span(current).get_span_context()
    if format_trace_id(now.trace_id) == sent.trace_id:
        return current
    is_sampled = bool(sent.trace_options.get_enabled())
    parent = linked(sent.trace_id, span_id, is_sampled=is_sampled)
    return current if parent is None else set_span_in_context(NonRecordingSpan(parent), current)


def _end(opened: _Open) -> None:
    try:
        complete(opened.span, opened.recorded)
    finally:
        opened.span.end(nanoseconds(opened.recorded.end_time))
        if get_value(_CURRENT) is opened.recorded:
            attach(opened.outer)


def complete(span: Span, recorded: Recorded) -> None:
    """Put on a span what OpenCensus recorded of it; what cannot be is logged once."""
    if not span.is_recording():
        return
    try:
        span.update_name(str(recorded.name))
        correct(span, recorded)
        fill(span, recorded, _raised(recorded))
    except Exception as error:  # noqa: BLE001  (it would reach the function)
        what = "what OpenCensus recorded of a span could not be told to OpenTelemetry"
        problems.log(what, error=error)


def _raised(recorded: Recorded) -> BaseException | None:
    """
    Return the exception that a span's status was made of.

    OpenCensus keeps its message and frames alone (`Span.__exit__`, `Status.from_exception`), and
    ends the span while the exception is being handled; so do its integrations.
    """
    error = sys.exc_info()[1]
    return error if error is not None and str(error) == recorded.status.message else None
