"""The logger provider, and what takes the app's log records to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from funcscope.telemetry._config.log_levels import LogLevels, parse_level, parse_levels
from funcscope.telemetry._logs.capture import CorrelatingProcessor, LogExport, record_limits
from funcscope.telemetry._logs.claims import OneWay, RecordClaims
from funcscope.telemetry._pipeline.exporters import INTEGRATIONS, each_exporter, make_exporter
from funcscope.telemetry._pipeline.record_batches import KeptRecordBatches

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk._logs.export import LogRecordExporter

    from funcscope.telemetry._config.settings import SignalSettings
    from funcscope.telemetry._pipeline.context import Setup
    from funcscope.telemetry._pipeline.logs import DeliveredLogs


def set_provider(setup: Setup, signal: SignalSettings) -> None:
    """Set one, which nobody has done before: who exports log records is decided by then."""
    processors = each_exporter(
        "logs", signal.exporters, lambda name: _processor(setup, name, signal.protocol)
    )
    if not processors:
        return
    settings = setup.settings
    levels = LogLevels(parse_level(settings.log_level), parse_levels(settings.log_levels))
    provider = LoggerProvider(
        resource=setup.resource, log_record_limits=record_limits(), shutdown_on_exit=False
    )
    claims = RecordClaims()
    does = (CorrelatingProcessor(setup.redactor), *processors.values())
    provider.add_log_record_processor(OneWay(claims, does))
    for name, processor in processors.items():
        if name in INTEGRATIONS:
            setup.pipeline.flush_with(processor.force_flush)
    setup.pipeline.log_exporters = tuple(processors)
    _logs.set_logger_provider(provider)
    setup.note("logs", signal, provider)
    put = None
    if len(processors) == 1 and setup.is_carried("logs", *processors):
        (delivered,) = processors.values()
        put = cast("DeliveredLogs", delivered).put
    export = LogExport(
        provider,
        levels,
        settings.log_buffer,
        setup.environ,
        put,
        claims,
        setup.redactor,
        settings.max_text_length,
    )
    setup.pipeline.translate_log = export.translate
    setup.pipeline.put_exception = export.put_exception
    export.start()


def _processor(setup: Setup, name: str, protocol: str) -> LogRecordProcessor:
    if setup.is_carried("logs", name):
        return setup.pipeline.logs()
    exporter = cast("LogRecordExporter", make_exporter(setup, "logs", name, protocol))
    kept = setup.pipeline.kept
    return BatchLogRecordProcessor(exporter) if kept is None else KeptRecordBatches(exporter, kept)
