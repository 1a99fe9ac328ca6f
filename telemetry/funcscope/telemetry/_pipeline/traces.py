"""
Traces: the tracer provider, where nobody has set one, and the way of spans to their queue.

The SDK's batches are loaded where they are used: what goes through the queue needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode

from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._pipeline.context import each_exporter, make_exporter
from funcscope.telemetry._pipeline.flush import QueueProcessor
from funcscope.telemetry._pipeline.policies import tracer_provider
from funcscope.telemetry._scope import is_provider_set
from funcscope.telemetry._spans.encoding import encode
from funcscope.telemetry._spans.redaction import Lengths, rewrites_spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from funcscope.telemetry._config.settings import SignalSettings
    from funcscope.telemetry._config_file import ConfigFile
    from funcscope.telemetry._pipeline.context import ExportContext, SignalPipeline

_SAMPLED = 1


def build(context: ExportContext, signal: SignalSettings) -> SignalPipeline | None:
    """Set a tracer provider if there is none, and give the app's processors to the one there is."""
    provider: object = trace.get_tracer_provider()
    built = None
    if not is_provider_set(provider):
        built = _build(context, signal)
        if built is None:
            return None
        provider = built.provider
    add = getattr(provider, "add_span_processor", None)
    if callable(add):
        for processor in context.span_processors:
            add(processor)
    return built


def _build(context: ExportContext, signal: SignalSettings) -> SignalPipeline | None:
    file = context.settings.config_file
    if file is not None:
        return _declared(context, file)
    processors = each_exporter(
        "traces", signal.exporters, lambda name: _processor(context, name, signal.protocol)
    )
    if not (processors or context.span_processors):
        return None
    provider = tracer_provider(context.resource, context.environ)
    provider.sampler = context.policies.sampler(provider.sampler)
    provider.add_span_processor(context.policies.span_processor())
    for processor in processors.values():
        provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    has_others = bool(context.span_processors)
    return context.pipeline("traces", provider, processors, has_others=has_others)


def _declared(context: ExportContext, file: ConfigFile) -> SignalPipeline:
    """Set the provider that a configuration file declares, with our policies before it sends."""
    if not rewrites_spans():
        raise TelemetryError("secrets cannot be taken out of this SDK's spans")
    provider, sending, longest = file.tracer_provider(context.resource)
    provider.sampler = context.policies.sampler(provider.sampler)
    provider.add_span_processor(context.policies.span_processor(Lengths(longest, longest)))
    provider.add_span_processor(sending)
    trace.set_tracer_provider(provider)
    return context.pipeline(
        "traces", provider, dict.fromkeys(context.settings.traces.exporters, sending)
    )


def queue_options(*_: object) -> dict[str, object]:
    """Return what the queue of spans has of its own: they are looked at when they are encoded."""
    return {"encode": encode}


def _processor(context: ExportContext, name: str, protocol: str) -> SpanProcessor:
    if context.is_queued("traces", name) and rewrites_spans():
        return QueueSpanProcessor(context.put("traces"), context.delivery, "traces")
    batches = import_module("funcscope.telemetry._pipeline.sdk_batches")
    exporter = make_exporter(context, "traces", name, protocol)
    readable = batches.ReadableSpanExporter(exporter, context.policies.redactor)
    return cast("SpanProcessor", batches.SpanBatches(readable, context.tail_sampler))


class QueueSpanProcessor(QueueProcessor, SpanProcessor):
    """Puts spans into the export queue when they have ended; `put` takes those of invocations."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take any other span."""
        context = span.context
        if context is not None and context.trace_flags & _SAMPLED:
            self.put(span, span.status.status_code is StatusCode.ERROR)
