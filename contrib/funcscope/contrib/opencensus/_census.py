"""
What we use of OpenCensus (opencensus 0.11.4), which has no types.

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


class Attributes(Protocol):
    """An `opencensus.trace.attributes.Attributes`."""

    attributes: Mapping[object, object]


class Annotation(Protocol):
    """An `opencensus.trace.time_event.Annotation`."""

    timestamp: str
    description: object
    attributes: Attributes | None


class MessageEvent(Protocol):
    """An `opencensus.trace.time_event.MessageEvent`."""

    timestamp: str
    id: object
    type: object
    uncompressed_size_bytes: object
    compressed_size_bytes: object


class Link(Protocol):
    """An `opencensus.trace.link.Link`; its ids are hexadecimal."""

    trace_id: str
    span_id: str
    type: int
    attributes: Attributes | Mapping[object, object] | None


class Status(Protocol):
    """An `opencensus.trace.status.Status`: a canonical code (`google.rpc.Code`) and a message."""

    code: int
    message: object


class ContextTracer(Protocol):
    """The tracer behind a `Tracer` that samples: `tracers/context_tracer.py`."""

    exporter: object
    span_context: Any  # a SpanContext, which has no types


class Recorded(Protocol):
    """
    An `opencensus.trace.span.Span`.

    Attributes:
        start_time: When it started, in ISO 8601 with microseconds, UTC; None before that.
        context_tracer: Who ends it; None where it was made by another span's `span()`.
    """

    name: object
    span_id: str
    parent_span: object
    context_tracer: ContextTracer | None
    attributes: Mapping[object, object]
    annotations: Iterable[Annotation]
    message_events: Iterable[MessageEvent]
    links: Iterable[Link]
    status: Status
    stack_trace: Any  # a StackTrace, which has no types
    start_time: str | None
    end_time: str | None
    span_kind: int

    def __iter__(self) -> Iterator[Recorded]:
        """Go through the spans that were made by its `span()`, and itself, which comes last."""
        ...


class SpanData(Protocol):
    """What an exporter gets of a span that has ended, as far as we read it."""

    @property
    def span_id(self) -> str:
        """The span's id, in 16 hexadecimal digits."""
        ...
