"""The tracer provider, where nobody has set one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from funcscope.telemetry._exporters import (
    INTEGRATIONS,
    each_exporter,
    integrated_exporter,
    otlp_exporter,
)
from funcscope.telemetry._host_flag import HostFlagSampler
from funcscope.telemetry._scope import is_set
from funcscope.telemetry._span_batches import KeptSpanBatches, SpanBatches
from funcscope.telemetry._span_redaction import RedactingProcessor, redacting, rewrites_spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from funcscope.telemetry._settings import SignalSettings
    from funcscope.telemetry._setup import Setup


def set_provider(setup: Setup, signal: SignalSettings) -> None:
    """Set one if there is none, and give the app's processors to the one there is."""
    provider = trace.get_tracer_provider()
    if not is_set(provider):
        provider = TracerProvider(resource=setup.resource, shutdown_on_exit=False)
        # Made first, so that the SDK chooses the sampler as OTEL_TRACES_SAMPLER says.
        provider.sampler = HostFlagSampler(provider.sampler, is_honoured=setup.is_honoured)
        provider.add_span_processor(RedactingProcessor(setup.redactor))
        for name, processor in each_exporter(
            "traces", signal.exporters, lambda name: _processor(setup, name, signal)
        ):
            provider.add_span_processor(processor)
            if name in INTEGRATIONS:
                setup.pipeline.flush_with(processor.force_flush)
        trace.set_tracer_provider(provider)
        setup.note("traces", signal, provider, has_others=bool(setup.span_processors))
    for processor in setup.span_processors:
        if isinstance(provider, TracerProvider):
            provider.add_span_processor(processor)


def _processor(setup: Setup, name: str, signal: SignalSettings) -> SpanProcessor:
    if setup.is_carried("traces", name) and rewrites_spans():
        return setup.pipeline.spans()
    exporter = redacting(_exporter(setup, name, signal.protocol), setup.redactor)
    kept = setup.pipeline.kept
    return SpanBatches(exporter) if kept is None else KeptSpanBatches(exporter, kept)


def _exporter(setup: Setup, name: str, protocol: str) -> SpanExporter:
    if name in INTEGRATIONS:
        return cast("SpanExporter", integrated_exporter(setup, name, "traces"))
    if name == "console":
        return ConsoleSpanExporter()
    return cast("SpanExporter", otlp_exporter(protocol, "trace_exporter", "OTLPSpanExporter"))
