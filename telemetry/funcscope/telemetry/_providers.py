"""Build the providers that the settings ask for, and leave alone those that are set."""

from __future__ import annotations

import logging
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING, cast

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._host_flag import HostFlagSampler
from funcscope.telemetry._log_export import CorrelatingProcessor, LogExport
from funcscope.telemetry._log_levels import LogLevels, parse_level, parse_levels
from funcscope.telemetry._pipeline import Pipeline
from funcscope.telemetry._redaction import make_redactor
from funcscope.telemetry._resource import resource
from funcscope.telemetry._scope import is_set
from funcscope.telemetry._span_batches import SpanBatches
from funcscope.telemetry._span_redaction import RedactingProcessor, redacting, rewrites_spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from funcscope.telemetry._delivered import DeliveredLogs
    from funcscope.telemetry._host_mode import HostMode
    from funcscope.telemetry._redaction import Redactor
    from funcscope.telemetry._settings import Settings, SignalSettings

_logger = logging.getLogger("funcscope.telemetry")


def set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline | None:
    """
    Set the global providers that the settings ask for and nobody has set.

    Args:
        settings: What they ask for.
        mode: What the host does itself.
        span_processors: What the app adds; to the tracer provider that is set, whoever set it.
        environ: The app settings.

    Returns:
        What sends what goes over OTLP/HTTP; None where a setting of that is wrong.
    """
    # In an empty context, so that exporters' threads do not carry the first invocation.
    return Context().run(_set_providers, settings, mode, span_processors, environ)


def _set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline | None:
    try:
        pipeline = Pipeline(settings, environ)
    except TelemetryError as error:
        _logger.error("nothing is exported over OTLP/HTTP: %s", error)  # noqa: TRY400  (says it all)
        return None
    setup = _Setup(settings, mode, span_processors, environ, pipeline)
    for name, signal, set_provider in (
        ("metrics", settings.metrics, setup.set_meter_provider),
        ("traces", settings.traces, setup.set_tracer_provider),
        ("logs", settings.logs, setup.set_logger_provider),
    ):
        if signal.exporters or (name == "traces" and span_processors):
            try:
                set_provider(signal)
            except TelemetryError as error:
                _logger.error("%s are not exported: %s", name, error)  # noqa: TRY400  (says it all)
            except Exception:
                _logger.exception("%s are not exported", name)
    return pipeline


class _Setup:
    """What the providers are made of."""

    def __init__(
        self,
        settings: Settings,
        mode: HostMode,
        span_processors: Sequence[SpanProcessor],
        environ: Mapping[str, str],
        pipeline: Pipeline,
    ) -> None:
        self._settings = settings
        self._has_sink = mode.has_sink
        self._span_processors = span_processors
        self._environ = environ
        self._pipeline = pipeline
        self._about: Resource = resource(environ)
        self._redactor: Redactor = make_redactor(settings.redact)

    def set_tracer_provider(self, signal: SignalSettings) -> None:
        provider = trace.get_tracer_provider()
        if not is_set(provider):
            provider = TracerProvider(resource=self._about, shutdown_on_exit=False)
            # Made first, so that the SDK chooses the sampler as OTEL_TRACES_SAMPLER says.
            provider.sampler = HostFlagSampler(provider.sampler, is_honoured=self._is_honoured)
            provider.add_span_processor(RedactingProcessor(self._redactor))
            for name in signal.exporters:
                provider.add_span_processor(self._span_processor(name, signal))
            trace.set_tracer_provider(provider)
            self._is_set("traces", signal, provider, has_others=bool(self._span_processors))
        for processor in self._span_processors:
            if isinstance(provider, TracerProvider):
                provider.add_span_processor(processor)

    def set_logger_provider(self, signal: SignalSettings) -> None:
        settings = self._settings
        levels = LogLevels(parse_level(settings.log_level), parse_levels(settings.log_levels))
        provider = LoggerProvider(resource=self._about, shutdown_on_exit=False)
        provider.add_log_record_processor(CorrelatingProcessor(self._redactor))
        delivered: list[DeliveredLogs] = []
        for name in signal.exporters:
            if self._is_carried("logs", name):
                delivered.append(self._pipeline.logs())
                provider.add_log_record_processor(delivered[-1])
            else:
                exporter = _log_exporter(name, signal.protocol)
                provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        _logs.set_logger_provider(provider)
        self._is_set("logs", signal, provider)
        put = delivered[0].put if len(signal.exporters) == len(delivered) == 1 else None
        LogExport(provider, levels, settings.log_buffer, self._environ, put).start()

    def set_meter_provider(self, signal: SignalSettings) -> None:
        if is_set(metrics.get_meter_provider()):
            return
        readers = [
            PeriodicExportingMetricReader(
                self._pipeline.metrics()
                if self._is_carried("metrics", name)
                else _metric_exporter(name, signal.protocol)
            )
            for name in signal.exporters
        ]
        provider = MeterProvider(readers, resource=self._about, shutdown_on_exit=False)
        metrics.set_meter_provider(provider)
        self._pipeline.measure_with(provider.force_flush)

    @property
    def _is_honoured(self) -> bool:
        """Whether the host's unsampled flag is meant."""
        flag = self._settings.parent_flag
        return flag == "honour" or (flag == "auto" and self._has_sink)

    def _span_processor(self, name: str, signal: SignalSettings) -> SpanProcessor:
        if not self._is_carried("traces", name):
            return SpanBatches(redacting(_span_exporter(name, signal.protocol), self._redactor))
        if rewrites_spans():
            return self._pipeline.spans()
        return SpanBatches(redacting(_span_exporter(name, signal.protocol), self._redactor))

    def _is_set(
        self,
        name: str,
        signal: SignalSettings,
        provider: TracerProvider | LoggerProvider,
        *,
        has_others: bool = False,
    ) -> None:
        """Note who sends what a provider of ours has: the courier alone, or others too."""
        if not has_others and all(self._is_carried(name, e) for e in signal.exporters):
            self._pipeline.carried.append(provider)
        else:
            self._pipeline.end_with(provider.shutdown)

    def _is_carried(self, signal: str, exporter: str) -> bool:
        return exporter == "otlp" and signal in self._pipeline.signals


def _span_exporter(name: str, protocol: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter()
    return cast("SpanExporter", _otlp(protocol, "trace_exporter", "OTLPSpanExporter"))


def _log_exporter(name: str, protocol: str) -> LogRecordExporter:
    if name == "console":
        return ConsoleLogRecordExporter()
    return cast("LogRecordExporter", _otlp(protocol, "_log_exporter", "OTLPLogExporter"))


def _metric_exporter(name: str, protocol: str) -> MetricExporter:
    if name == "console":
        return ConsoleMetricExporter()
    return cast("MetricExporter", _otlp(protocol, "metric_exporter", "OTLPMetricExporter"))


def _otlp(protocol: str, module: str, name: str) -> object:
    """Make an exporter of OpenTelemetry's own, loaded where it is needed: it takes long."""
    if protocol == "grpc":
        return _grpc(module, name)
    package = "opentelemetry.exporter.otlp.proto.http"
    return cast("object", getattr(import_module(f"{package}.{module}"), name)())


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
