"""The host's trace context, which every invocation's span has as its parent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from opentelemetry.context import Context, get_current, get_value
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from funcscope.extensions import Invocation

_propagator = TraceContextTextMapPropagator()
_HOST = "funcscope-host-parent"
# The key is the API's own, and told by what it makes.
(_SPAN,) = set_span_in_context(INVALID_SPAN, Context())
# What hosts send (version 00, W3C Trace Context level 1); all else is the propagator's to read.
_usual = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch
_FLAGS = tuple(TraceFlags(bits) for bits in range(256))


def host_parent(invocation: Invocation) -> SpanContext | None:
    """
    Return the host's span, which is the parent; None where it sent none that is valid.

    What is ambient is left out on purpose: the classic worker attaches contexts to pool
    threads and never detaches them, and azure-functions-runtime 1.3.0 attaches them to the
    event loop's task alone, where a sync function does not run.
    """
    sent = invocation.context.trace_context
    if sent is None:
        return None
    trace_parent = sent.trace_parent
    if not trace_parent:
        return None
    usual = None if sent.trace_state else _usual(trace_parent)
    if usual is None:
        carrier = {"traceparent": trace_parent, "tracestate": sent.trace_state or ""}
        parent = get_current_span(_propagator.extract(carrier, Context())).get_span_context()
    else:
        trace_id, span_id, flags = usual.groups()
        parent = SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_FLAGS[int(flags, 16)]
        )
    return parent if parent.is_valid else None


def context_of(parent: SpanContext | None) -> Context:
    """Return a fresh context with the host's span as the current one."""
    if parent is None:
        return Context()
    return Context({_SPAN: NonRecordingSpan(parent), _HOST: parent})


def context_with(span: Span) -> Context:
    """Return a fresh context with a span as the current one."""
    return Context({_SPAN: span})


def has_span() -> bool:
    """Tell whether any span is current here, at less than `get_current_span` takes."""
    return _SPAN in get_current()


def unsampled_host_parent(context: Context | None) -> SpanContext | None:
    """Return the host's span if it is the parent in a context and was not sampled."""
    parent = get_current_span(context).get_span_context()
    if parent.trace_flags.sampled or get_value(_HOST, context) is not parent:
        return None
    return parent
