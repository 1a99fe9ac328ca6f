"""The host's trace context, which every invocation's span has as its parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import Context, get_value, set_value
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

_propagator = TraceContextTextMapPropagator()
_HOST = "funcscope-host-parent"


def host_context(invocation: Invocation) -> Context:
    """
    Return a fresh context with the host's span as the remote parent.

    What is ambient is left out on purpose: the classic worker attaches contexts to pool
    threads and never detaches them, and azure-functions-runtime 1.3.0 attaches them to the
    event loop's task alone, where a sync function does not run.
    """
    sent = invocation.trace_context
    if sent is None or not sent.trace_parent:
        return Context()
    carrier = {"traceparent": sent.trace_parent, "tracestate": sent.trace_state or ""}
    context = _propagator.extract(carrier, context=Context())
    return set_value(_HOST, get_current_span(context).get_span_context(), context)


def unsampled_host_parent(context: Context | None) -> SpanContext | None:
    """Return the host's span if it is the parent in a context and was not sampled."""
    parent = get_current_span(context).get_span_context()
    if parent.trace_flags.sampled or get_value(_HOST, context) is not parent:
        return None
    return parent
