"""Logs: the logger provider, what takes the app's records to it, and their way to the queue."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from opentelemetry import _logs
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from funcscope.telemetry._logs.processor import RecordTranslator
from funcscope.telemetry._logs.records import LogSnapshot
from funcscope.telemetry._otlp.logs import encode_record
from funcscope.telemetry._pipeline.context import each_exporter, make_exporter
from funcscope.telemetry._pipeline.flush import QueueProcessor
from funcscope.telemetry._pipeline.policies import logger_provider
from funcscope.telemetry._scope import is_provider_set
from funcscope.telemetry._semconv import read_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.util.types import AnyValue

    from funcscope.telemetry._config.settings import Settings, SignalSettings
    from funcscope.telemetry._otlp.request import EncodedItem
    from funcscope.telemetry._pipeline.context import ExportContext, SignalPipeline
    from funcscope.telemetry._pipeline.tail_sampling import TailSampler
    from funcscope.telemetry._redaction.redactor import Redactor

    Translate = Callable[[LogSnapshot], ReadableLogRecord]

_OF_NUMBER = 8
_OVERHEAD = 1000  # bytes that a record of OpenTelemetry's takes beside its texts, about


def build(context: ExportContext, signal: SignalSettings) -> SignalPipeline | None:
    """
    Set a logger provider where nobody has: who exports log records is decided by then.

    Another one that gets none of them stays; what is brought there all the same is sent from there.
    """
    processors: Mapping[str, LogRecordProcessor]
    file = context.settings.config_file
    if file is not None:
        provider, sending = file.logger_provider(context.resource)
        processors = dict.fromkeys(signal.exporters, sending)
    else:
        provider = logger_provider(context.resource)
        processors = each_exporter(
            "logs", signal.exporters, lambda name: _processor(context, name, signal.protocol)
        )
    if not processors:
        return None
    # Where records go through their queue alone, they wait there as they were taken.
    (only, *others) = processors.values()
    put = only.put if isinstance(only, QueueLogProcessor) and not others else None
    processor, capture = context.policies.capture_logs(provider, processors.values(), put)
    provider.add_log_record_processor(processor)
    current = _logs.get_logger_provider()
    if is_provider_set(current):
        capture.leave_to(current)
    else:
        _logs.set_logger_provider(provider)
    capture.start()
    built = context.pipeline("logs", provider, processors)
    return built._replace(put_exception=capture.put_exception)


def queue_options(settings: Settings, resource: Resource, redactor: Redactor) -> dict[str, object]:
    """Return what the queue of log records has of its own: their sizes are known, and bounded."""
    translate = RecordTranslator(resource, redactor, read_names(os.environ)).translate
    return {
        "encode": partial(encode, translate),
        "capacity_bytes": settings.queue_bytes,
        "weigh": weigh,
    }


def _processor(context: ExportContext, name: str, protocol: str) -> LogRecordProcessor:
    if context.is_queued("logs", name):
        return QueueLogProcessor(context.put("logs", weigh), context.delivery, "logs")
    exporter = cast("LogRecordExporter", make_exporter(context, "logs", name, protocol))
    if context.tail_sampler is None:
        return BatchLogRecordProcessor(exporter)
    return SampledLogBatches(exporter, context.tail_sampler)


class QueueLogProcessor(QueueProcessor, LogRecordProcessor):
    """Puts log records into the export queue as they are made; `put` takes snapshots, too."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take one, as it is now and without its context, as the SDK's batches do (1.45)."""
        record, is_error = _record_now(log_record)
        readable = ReadableLogRecord(
            log_record=record,
            resource=log_record.resource or Resource.get_empty(),
            instrumentation_scope=log_record.instrumentation_scope,
            limits=log_record.limits,
        )
        self.put(readable, is_error)


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


def encode(translate: Translate, item: object) -> EncodedItem:
    """
    Encode a log record.

    Args:
        translate: Makes the SDK's record of one that was taken of `logging`.
        item: A record of the SDK's, or one that was taken of `logging`.
    """
    if isinstance(item, LogSnapshot):
        item = translate(item)
    return encode_record(cast("ReadableLogRecord", item))


def _record_now(log_record: ReadWriteLogRecord) -> tuple[LogRecord, bool]:
    """Copy a record as it is now, without its context; tell whether it tells of an error."""
    record = copy.copy(log_record.log_record)
    record.context = Context()
    severity = record.severity_number
    return record, severity is not None and severity.value >= SeverityNumber.ERROR.value


class SampledLogBatches(BatchLogRecordProcessor):
    """
    Sends log records in batches, once it is known whether their invocation is sampled.

    Args:
        exporter: What sends them.
        tail_sampler: What decides on that.
    """

    def __init__(self, exporter: LogRecordExporter, tail_sampler: TailSampler) -> None:
        super().__init__(exporter)
        self._put = tail_sampler.buffering("logs", self._batch, weigh)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Buffer a record as the SDK's batches take it (1.45)."""
        copied = copy.copy(log_record)
        copied.log_record, is_error = _record_now(log_record)
        self._put(copied, is_error)

    def _batch(self, item: object, is_error: bool) -> None:  # noqa: ARG002, FBT001  (as others put)
        super().on_emit(cast("ReadWriteLogRecord", item))
