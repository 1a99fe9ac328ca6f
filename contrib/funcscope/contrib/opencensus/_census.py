"""
OpenCensus (opencensus 0.11.4), as far as we use it; it has no types.

Loaded here alone, so that a missing package is named once and well.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def _load(name: str) -> Any:  # a module without types
    try:
        return import_module(f"opencensus.trace.{name}")
    except ImportError as error:
        raise ImportError(
            "funcscope.contrib.opencensus needs the package opencensus: "
            "install funcscope[opencensus]"
        ) from error


execution_context = _load("execution_context")
config_integration = _load("config_integration")
integrations = _load("integrations")
AlwaysOffSampler = _load("samplers").AlwaysOffSampler
NoopTracer = _load("tracers.noop_tracer").NoopTracer
NullContextManager = _load("tracers.base").NullContextManager
Span = _load("span").Span
SpanContext = _load("span_context").SpanContext
TraceContextPropagator = _load(
    "propagation.trace_context_http_header_format"
).TraceContextPropagator
TraceOptions = _load("trace_options").TraceOptions
Tracer = _load("tracer").Tracer
Tracestate = _load("tracestate").Tracestate


class Recorded(Protocol):
    """
    An `opencensus.trace.span.Span`, as far as we read it; what it consists of has no types, either.

    Attributes:
        attributes: By their names; all else has an `attributes.Attributes` around them.
        annotations: `time_event.Annotation`s; their times are like the span's.
        message_events: `time_event.MessageEvent`s.
        links: `link.Link`s, whose ids are hexadecimal.
        status: A `status.Status`: a canonical code (`google.rpc.Code`) and a message.
        start_time: When it started, in ISO 8601 with microseconds, UTC; None before that.
        context_tracer: Who ends it (`tracers/context_tracer.py`); None where it was made by another
            span's `span()`.
    """

    name: object
    span_id: str
    parent_span: object
    context_tracer: Any
    attributes: Mapping[object, object]
    annotations: Iterable[Any]
    message_events: Iterable[Any]
    links: Iterable[Any]
    status: Any
    stack_trace: Any
    start_time: str | None
    end_time: str | None
    span_kind: int

    def __iter__(self) -> Iterator[Recorded]:
        """Go through the spans that were made by its `span()`, and itself, which comes last."""
        ...
