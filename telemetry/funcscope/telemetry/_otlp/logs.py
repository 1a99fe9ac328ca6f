"""
Log records in OTLP: `ExportLogsServiceRequest`, without protobuf.

As in `opentelemetry/proto/logs/v1/logs.proto` of opentelemetry-proto 1.45, and as that version's
SDK exporter fills it in. Fields stand in the order of their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.telemetry._otlp.values import TextFields, attributes_field, text_value
from funcscope.telemetry._otlp.wire import (
    count_field,
    delimited,
    fixed32,
    text_field,
    time_field,
)

if TYPE_CHECKING:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord

    from funcscope.telemetry._otlp.request import EncodedItem

_severities = TextFields(b"\x1a")


def encode_record(readable: ReadableLogRecord) -> EncodedItem:
    """
    Encode a log record.

    A body that OTLP has no value for (an object, or an integer that needs more than 64 bits) is
    sent as its text.

    Raises:
        Exception: Its times or ids are out of range, or its body cannot be made text.
    """
    return _record_message(readable), readable.resource, readable.instrumentation_scope


def _record_message(readable: ReadableLogRecord) -> bytes:
    record = readable.log_record
    flags, trace_id, span_id = record.trace_flags, record.trace_id, record.span_id
    return b"".join(
        (
            time_field(b"\x09", record.timestamp),
            _severity_field(record.severity_number),
            _severities[record.severity_text],
            b"\x2a" + delimited(text_value(record.body)),
            attributes_field(b"\x32", record.attributes),
            count_field(b"\x38", readable.dropped_attributes),
            b"\x45" + fixed32(flags) if flags else b"",
            b"\x4a\x10" + trace_id.to_bytes(16, "big") if trace_id else b"",
            b"\x52\x08" + span_id.to_bytes(8, "big") if span_id else b"",
            time_field(b"\x59", record.observed_timestamp),
            text_field(b"\x62", record.event_name),
        )
    )


def _severity_field(severity: SeverityNumber | None) -> bytes:
    return b"" if severity is None else count_field(b"\x10", severity.value)
