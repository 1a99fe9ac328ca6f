"""Export log records through the maintained OpenTelemetry handler, correlated and redacted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from opentelemetry.context import get_value
from opentelemetry.instrumentation.logging.handler import (  # pyright: ignore[reportMissingTypeStubs]
    LoggingHandler,
)
from opentelemetry.sdk._logs import LogRecordProcessor

from funcscope.extensions import current_invocation
from funcscope.telemetry._names import INVOCATION_ID
from funcscope.telemetry._record_fields import FIELDS
from funcscope.telemetry._redaction import DEFAULT

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider, ReadWriteLogRecord
    from opentelemetry.util.types import AnyValue

    from funcscope.telemetry._redaction import Redactor

# The library workers' own (`logging.py`, azure-functions-runtime 1.3.0); below it are the SDK's.
_LIBRARY_WORKER_LOGGER = "azure.functions"
_WORKER_LOGGERS = (
    "azure_functions_worker",
    "azure_functions_runtime",
    "azure_functions_runtime_v1",
    "proxy_worker",
)
_EXTENSION_LOGGERS = "azure_functions_worker.extension."
_EXPORTER_LOGGERS = ("opentelemetry", "funcscope.telemetry")


class CorrelatingProcessor(LogRecordProcessor):
    """Adds the invocation to each record and takes secrets out, before any exporter sees it."""

    def __init__(self, redactor: Redactor = DEFAULT) -> None:
        self._redactor = redactor

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Complete one record, on the thread that made it."""
        record = log_record.log_record
        redact_value = self._redactor.redact_value
        record.body = cast("AnyValue", self._redactor.redact_texts(record.body))
        attributes = {
            key: redact_value(key, value)
            for key, value in (record.attributes or {}).items()
            if key not in FIELDS
        }
        invocation = current_invocation()
        if invocation is not None:
            attributes["faas.invocation_id"] = attributes[INVOCATION_ID] = invocation.id
            attributes["faas.name"] = invocation.function_name
        record.attributes = cast("dict[str, AnyValue]", attributes)

    def shutdown(self) -> None:
        """Keep nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002
        """Keep nothing."""
        return True


def add_root_handler(provider: LoggerProvider) -> None:
    """Send what reaches the root logger to a provider; root's level stays as the app set it."""
    handler = LoggingHandler(logger_provider=provider)
    handler.addFilter(is_apps_own)
    logging.getLogger().addHandler(handler)


def is_apps_own(record: logging.LogRecord) -> bool:
    """
    Tell an app's records from the worker's and from the exporters' own.

    What is logged while exporting would be exported in turn, without an end.
    """
    if get_value("suppress_instrumentation"):
        return False
    name = record.name
    if name.startswith(_EXTENSION_LOGGERS):
        return True
    if name == _LIBRARY_WORKER_LOGGER:
        return False
    return not any(
        name == n or name.startswith(f"{n}.") for n in _WORKER_LOGGERS + _EXPORTER_LOGGERS
    )
