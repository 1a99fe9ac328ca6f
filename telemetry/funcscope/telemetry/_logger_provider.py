"""The logger provider, and what takes the app's log records to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter

from funcscope.telemetry._exporters import otlp_exporter
from funcscope.telemetry._log_export import CorrelatingProcessor, LogExport
from funcscope.telemetry._log_levels import LogLevels, parse_level, parse_levels

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter

    from funcscope.telemetry._delivered_logs import DeliveredLogs
    from funcscope.telemetry._settings import SignalSettings
    from funcscope.telemetry._setup import Setup


def set_provider(setup: Setup, signal: SignalSettings) -> None:
    """Set one, which nobody has done before: who exports log records is decided by then."""
    settings = setup.settings
    levels = LogLevels(parse_level(settings.log_level), parse_levels(settings.log_levels))
    provider = LoggerProvider(resource=setup.resource, shutdown_on_exit=False)
    provider.add_log_record_processor(CorrelatingProcessor(setup.redactor))
    delivered: list[DeliveredLogs] = []
    for name in signal.exporters:
        if setup.is_carried("logs", name):
            delivered.append(setup.pipeline.logs())
            provider.add_log_record_processor(delivered[-1])
        else:
            exporter = _exporter(name, signal.protocol)
            provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    _logs.set_logger_provider(provider)
    setup.note("logs", signal, provider)
    put = delivered[0].put if len(signal.exporters) == len(delivered) == 1 else None
    LogExport(provider, levels, settings.log_buffer, setup.environ, put).start()


def _exporter(name: str, protocol: str) -> LogRecordExporter:
    if name == "console":
        return ConsoleLogRecordExporter()
    return cast("LogRecordExporter", otlp_exporter(protocol, "_log_exporter", "OTLPLogExporter"))
