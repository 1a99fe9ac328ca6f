"""The SDK's batches of log records, for what is kept of an invocation alone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from funcscope.telemetry._pipeline.logs import weigh

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk._logs.export import LogRecordExporter

    from funcscope.telemetry._pipeline.tail_sampling import KeptInvocations


class KeptRecordBatches(BatchLogRecordProcessor):
    """
    Sends log records in batches, once it is known whether their invocation is kept.

    Args:
        exporter: What sends them.
        kept: What decides.
    """

    def __init__(self, exporter: LogRecordExporter, kept: KeptInvocations) -> None:
        super().__init__(exporter)
        self._put = kept.holding("logs", self._batch, weigh)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Hold a record as it is now, without its context, as the SDK's batches take it (1.45)."""
        held = copy.copy(log_record)
        held.log_record = copy.copy(log_record.log_record)
        held.log_record.context = Context()
        severity = held.log_record.severity_number
        is_error = severity is not None and severity.value >= SeverityNumber.ERROR.value
        self._put(held, is_error)

    def _batch(self, item: object, is_error: bool) -> None:  # noqa: ARG002, FBT001  (as others put)
        super().on_emit(cast("ReadWriteLogRecord", item))
