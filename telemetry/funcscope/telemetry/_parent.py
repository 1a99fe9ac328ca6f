"""The host's trace context, which every invocation's span has as its parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

_propagator = TraceContextTextMapPropagator()


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
    return _propagator.extract(carrier, context=Context())
