"""Build the providers that the settings ask for, and leave alone those that are set."""

from __future__ import annotations

import logging
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING, cast

from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    LogRecordExporter,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._host_flag import HostFlagSampler
from funcscope.telemetry._log_export import CorrelatingProcessor, LogExport
from funcscope.telemetry._log_levels import LogLevels, parse_level, parse_levels
from funcscope.telemetry._redaction import make_redactor
from funcscope.telemetry._resource import resource
from funcscope.telemetry._scope import is_set
from funcscope.telemetry._span_batches import SpanBatches
from funcscope.telemetry._span_redaction import RedactingProcessor, redacting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.telemetry._host_mode import HostMode
    from funcscope.telemetry._redaction import Redactor
    from funcscope.telemetry._settings import Settings, SignalSettings

_logger = logging.getLogger("funcscope.telemetry")


def set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> None:
    """
    Set the global providers that the settings ask for and nobody has set.

    Args:
        settings: What they ask for.
        mode: What the host does itself.
        span_processors: What the app adds; to the tracer provider that is set, whoever set it.
        environ: The app settings.
    """
    # In an empty context, so that exporters' threads do not carry the first invocation.
    Context().run(_set_providers, settings, mode, span_processors, environ)


def _set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> None:
    about = resource(environ)
    is_honoured = settings.parent_flag == "honour" or (
        settings.parent_flag == "auto" and mode.has_sink
    )

    redactor = make_redactor(settings.redact)

    def set_tracer_provider(signal: SignalSettings, about: Resource) -> None:
        _set_tracer_provider(signal, about, span_processors, redactor, is_honoured=is_honoured)

    def set_logger_provider(signal: SignalSettings, about: Resource) -> None:
        levels = LogLevels(parse_level(settings.log_level), parse_levels(settings.log_levels))
        provider = _set_logger_provider(signal, about, redactor)
        LogExport(provider, levels, settings.log_buffer, environ).start()

    for name, signal, set_provider in (
        ("metrics", settings.metrics, _set_meter_provider),
        ("traces", settings.traces, set_tracer_provider),
        ("logs", settings.logs, set_logger_provider),
    ):
        if signal.exporters or (name == "traces" and span_processors):
            try:
                set_provider(signal, about)
            except TelemetryError as error:
                _logger.error("%s are not exported: %s", name, error)  # noqa: TRY400  (says it all)
            except Exception:
                _logger.exception("%s are not exported", name)


def _set_tracer_provider(
    signal: SignalSettings,
    about: Resource,
    span_processors: Sequence[SpanProcessor],
    redactor: Redactor,
    *,
    is_honoured: bool,
) -> None:
    provider = trace.get_tracer_provider()
    if not is_set(provider):
        provider = TracerProvider(resource=about)
        # Made first, so that the SDK chooses the sampler as OTEL_TRACES_SAMPLER says.
        provider.sampler = HostFlagSampler(provider.sampler, is_honoured=is_honoured)
        provider.add_span_processor(RedactingProcessor(redactor))
        for name in signal.exporters:
            exporter = redacting(_span_exporter(name, signal.protocol), redactor)
            provider.add_span_processor(SpanBatches(exporter))
        trace.set_tracer_provider(provider)
    for processor in span_processors:
        if isinstance(provider, TracerProvider):
            provider.add_span_processor(processor)


def _set_logger_provider(
    signal: SignalSettings, about: Resource, redactor: Redactor
) -> LoggerProvider:
    provider = LoggerProvider(resource=about)
    provider.add_log_record_processor(CorrelatingProcessor(redactor))
    for name in signal.exporters:
        provider.add_log_record_processor(
            BatchLogRecordProcessor(_log_exporter(name, signal.protocol))
        )
    _logs.set_logger_provider(provider)
    return provider


def _set_meter_provider(signal: SignalSettings, about: Resource) -> None:
    if is_set(metrics.get_meter_provider()):
        return
    readers = [
        PeriodicExportingMetricReader(_metric_exporter(name, signal.protocol))
        for name in signal.exporters
    ]
    metrics.set_meter_provider(MeterProvider(readers, resource=about))


def _span_exporter(name: str, protocol: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter()
    if protocol == "grpc":
        return cast("SpanExporter", _grpc("trace_exporter", "OTLPSpanExporter"))
    return OTLPSpanExporter()


def _log_exporter(name: str, protocol: str) -> LogRecordExporter:
    if name == "console":
        return ConsoleLogRecordExporter()
    if protocol == "grpc":
        return cast("LogRecordExporter", _grpc("_log_exporter", "OTLPLogExporter"))
    return OTLPLogExporter()


def _metric_exporter(name: str, protocol: str) -> MetricExporter:
    if name == "console":
        return ConsoleMetricExporter()
    if protocol == "grpc":
        return cast("MetricExporter", _grpc("metric_exporter", "OTLPMetricExporter"))
    return OTLPMetricExporter()


def _grpc(module: str, name: str) -> object:
    """Make an exporter of the `grpc` extra, the transport that has to be asked for."""
    package = "opentelemetry.exporter.otlp.proto.grpc"
    try:
        exporter = getattr(import_module(f"{package}.{module}"), name)
    except ImportError as error:
        raise TelemetryError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs {package}, which cannot be imported "
            f'({error}): pip install "funcscope[grpc]", or use http/protobuf'
        ) from error
    return cast("object", exporter())
