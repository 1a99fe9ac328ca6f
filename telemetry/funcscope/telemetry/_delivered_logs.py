"""Log records on their way to the courier."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from funcscope.telemetry._handing_over import HandingOver
from funcscope.telemetry._otlp_logs import LogEncoder
from funcscope.telemetry._pending_records import PendingRecord, resolved_to

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord

    from funcscope.telemetry._handing_over import Put


class DeliveredLogs(HandingOver, LogRecordProcessor):
    """Hands log records over as they are made."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take one, as it is now and without its context, as the SDK's batches do (1.45)."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        readable = ReadableLogRecord(
            log_record=record,
            resource=log_record.resource or Resource.get_empty(),
            instrumentation_scope=log_record.instrumentation_scope,
            limits=log_record.limits,
        )
        pending = resolved_to()
        if pending is not None:
            pending.append(readable)
            return
        severity = record.severity_number
        is_error = severity is not None and severity.value >= SeverityNumber.ERROR.value
        self._put(readable, is_error)

    @property
    def put(self) -> Put:
        """What takes a record that is still to be looked at, and whether it tells of an error."""
        return self._put


class RecordEncoder:
    """Encodes log records, and finds out what those that wait say."""

    def __init__(self) -> None:
        self._encoder = LogEncoder()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._encoder.size

    def add(self, item: object) -> bool:
        """Encode one more."""
        if not isinstance(item, PendingRecord):
            return self._encoder.add(cast("ReadableLogRecord", item))
        added = [self._encoder.add(readable) for readable in item.resolve()]
        return bool(added) and all(added)

    def take(self) -> bytes:
        """Return the request with all that was added, and begin another."""
        return self._encoder.take()
