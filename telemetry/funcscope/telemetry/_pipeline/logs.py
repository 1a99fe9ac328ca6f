"""Log records on their way to the courier."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from funcscope.telemetry._logs.records import LogSnapshot
from funcscope.telemetry._otlp.logs import LogEncoder
from funcscope.telemetry._pipeline.flush import HandingOver

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.util.types import AnyValue

    from funcscope.telemetry._pipeline.flush import Put

    Translate = Callable[[LogSnapshot], ReadableLogRecord]


_OF_NUMBER = 8
_OVERHEAD = 1000  # bytes that a record of OpenTelemetry's takes beside its texts, about


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
        severity = record.severity_number
        is_error = severity is not None and severity.value >= SeverityNumber.ERROR.value
        self._put(readable, is_error)

    @property
    def put(self) -> Put:
        """What takes a record that is still to be looked at, and whether it tells of an error."""
        return self._put


def weigh(item: object) -> int:
    """Tell how many bytes a record takes while it waits, about."""
    if type(item) is LogSnapshot:
        return item.size
    record = cast("ReadableLogRecord", item).log_record
    return _OVERHEAD + _weight(record.body) + _weight(record.attributes)


def _weight(value: AnyValue) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_weight, value.values()))
    return sum(map(_weight, value)) if isinstance(value, Sequence) else _OF_NUMBER


class RecordEncoder:
    """
    Encodes log records.

    Args:
        translate: Makes the SDK's record of one that was taken of `logging`.
    """

    def __init__(self, translate: Translate) -> None:
        self._encoder = LogEncoder()
        self._translate = translate

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._encoder.size

    def add(self, item: object) -> bool:
        """Encode one more."""
        if isinstance(item, LogSnapshot):
            item = self._translate(item)
        return self._encoder.add(cast("ReadableLogRecord", item))

    def take(self) -> bytes:
        """Return the request with all that was added, and begin another."""
        return self._encoder.take()
