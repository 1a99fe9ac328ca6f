"""What apps share that make spans by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    import azure.functions as func
    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

propagator = TraceContextTextMapPropagator()


def host_context(context: func.Context) -> Context:
    """Continue the host's trace."""
    sent = context.trace_context
    return propagator.extract({"traceparent": sent.trace_parent, "tracestate": sent.trace_state})


def attributes_of(req: func.HttpRequest, context: func.Context) -> dict[str, AttributeValue]:
    """Describe the invocation, with what does not change as constants."""
    return {
        "faas.trigger": "http",
        "faas.name": context.function_name,
        "faas.invocation_id": context.invocation_id,
        "http.request.method": req.method,
        "http.route": "/api/hello",
        "http.response.status_code": 200,
        "url.path": "/api/hello",
        "url.scheme": "https",
    }
