"""OpenTelemetry's log records: made of snapshots, correlated, and without secrets."""

from __future__ import annotations

import logging
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import (
    LoggerProvider,
    LogRecordLimits,
    LogRecordProcessor,
    ReadableLogRecord,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

from funcscope.extensions import current_invocation
from funcscope.telemetry._logs.correlation import (
    FIELDS,
    Correlation,
    current_correlation,
    warn_once,
)
from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._redaction.scopes import counted, redact_record, redacted_scope
from funcscope.telemetry._scope import SCOPE, VERSION
from funcscope.telemetry._semconv import NAMES_1_44

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import AnyValue

    from funcscope.telemetry._logs.records import LogSnapshot
    from funcscope.telemetry._redaction.redactor import Redactor
    from funcscope.telemetry._semconv import ChosenNames

# OpenTelemetry's names of levels, where they are not Python's (logs data model, appendix B).
_LEVEL_NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}


class CorrelatingProcessor(LogRecordProcessor):
    """Adds the invocation to each record and takes secrets out, before any exporter sees it."""

    def __init__(self, redactor: Redactor = DEFAULT, names: ChosenNames = NAMES_1_44) -> None:
        self._names = names
        self._redactor = redactor
        _, self._max_length = sdk_limits()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Complete one record, on the thread that made it."""
        record, current = log_record.log_record, current_correlation(current_invocation())
        fields = dict(zip(FIELDS, current, strict=False))
        attributes = {
            key: value
            for key, value in (record.attributes or {}).items()
            if key not in fields or value not in ("", fields[key])
        }
        if current.function_name:
            attributes.update(_invocation_attributes(current, self._names))
        if not record.trace_id and current.trace_id:
            _set_ids(record, current)
        record.attributes = attributes
        redact_record(record, self._redactor, self._max_length)
        scope = log_record.instrumentation_scope
        log_record.instrumentation_scope = redacted_scope(scope, self._redactor)

    def shutdown(self) -> None:
        """Keep nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002
        """Keep nothing."""
        return True


class NamingProcessor(LogRecordProcessor):
    """
    Adds the names of an invocation's id to records that go to somebody else's provider.

    Azure's portal finds records by `InvocationId`, of which OpenTelemetry's handlers know nothing.

    Args:
        names: The names that the app asks for.
    """

    def __init__(self, names: ChosenNames) -> None:
        self._names = names

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Complete one record: its own fields count, for a queue may have brought it here."""
        try:
            record = log_record.log_record
            known, current = record.attributes or {}, current_correlation(current_invocation())
            invocation_id, name = (known.get(field) for field in FIELDS[:2])
            of = Correlation(
                str(invocation_id or current.invocation_id), str(name or current.function_name)
            )
            if of.invocation_id:
                record.attributes = {**_invocation_attributes(of, self._names), **known}
        except Exception as error:  # noqa: BLE001  (a log call never fails because of us)
            warn_once(f"a log record cannot have its invocation's id: {error!r}")

    def shutdown(self) -> None:
        """Keep nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002
        """Keep nothing."""
        return True


def name_invocations(provider: object, names: ChosenNames) -> None:
    """
    Have somebody else's provider name the invocation in each record.

    Before its own processors, which take copies of records (SDK 1.45): where it shows none, after
    them, which is in time for those that take none.
    """
    add = getattr(provider, "add_log_record_processor", None)
    if not callable(add):
        return
    naming = NamingProcessor(names)
    add(naming)
    every: Any = getattr(provider, "_multi_log_record_processor", None)
    if isinstance(getattr(every, "_log_record_processors", None), tuple):
        with every._lock:  # noqa: SLF001
            others = [each for each in every._log_record_processors if each is not naming]  # noqa: SLF001
            every._log_record_processors = (naming, *others)  # noqa: SLF001


class RecordTranslator:
    """
    Makes the SDK's records of those that wait, without secrets, on whichever thread.

    Args:
        resource: The resource of all records.
        redactor: The redactor of secrets.
        names: The names that the app asks for.
    """

    def __init__(
        self, resource: Resource, redactor: Redactor = DEFAULT, names: ChosenNames = NAMES_1_44
    ) -> None:
        self._resource = resource
        self._names = names
        self._redactor = redactor
        # One for each logger, as the SDK has: the encoder groups by identity.
        self._scopes: dict[str, InstrumentationScope] = {}

    @cached_property
    def _max_length(self) -> int | None:
        """The SDK's limit, read late: a wrong setting is the provider's to say, who says whose."""
        return sdk_limits()[1]

    def translate(self, snapshot: LogSnapshot) -> ReadableLogRecord:
        """Make a record of a snapshot."""
        record = log_record(snapshot, self._names)
        redact_record(record, self._redactor, self._max_length)
        return ReadableLogRecord(record, self._resource, self._scope(snapshot.logger))

    def _scope(self, logger: str) -> InstrumentationScope:
        scope = self._scopes.get(logger)
        if scope is None:
            # An invocation's exception is recorded under this library's scope.
            scope = (
                InstrumentationScope(SCOPE, VERSION, self._names.schema_url)
                if logger == SCOPE
                else InstrumentationScope(logger)
            )
            scope = self._scopes.setdefault(logger, redacted_scope(scope, self._redactor))
        return scope


def log_record(
    snapshot: LogSnapshot, names: ChosenNames = NAMES_1_44, context: Context | None = None
) -> LogRecord:
    """Make OpenTelemetry's record of a snapshot (logs data model, appendix A)."""
    correlation = snapshot.correlation
    attributes: dict[str, AnyValue] = {}
    if snapshot.attributes:
        attributes.update(snapshot.attributes)
    if correlation.function_name:
        attributes.update(_invocation_attributes(correlation, names))
    record = LogRecord(
        timestamp=snapshot.created_ns,
        observed_timestamp=snapshot.observed_ns,
        context=context,
        severity_text=_LEVEL_NAMES.get(snapshot.level_name, snapshot.level_name),
        severity_number=_severity(snapshot.level),
        body=snapshot.body,
        attributes=counted(attributes, snapshot.dropped) if snapshot.dropped else attributes,
        event_name=snapshot.event_name,
    )
    if correlation.trace_id:
        _set_ids(record, correlation)
    return record


def _invocation_attributes(correlation: Correlation, names: ChosenNames) -> dict[str, AnyValue]:
    return {
        **dict.fromkeys(names.invocation_id, correlation.invocation_id),
        "faas.name": correlation.function_name,
    }


def _set_ids(record: LogRecord, correlation: Correlation) -> None:
    record.trace_id, record.span_id = int(correlation.trace_id, 16), int(correlation.span_id, 16)
    record.trace_flags = TraceFlags(correlation.flags)


def _severity(level: int) -> SeverityNumber:
    """
    Return OpenTelemetry's number for a level of Python's: 10 is DEBUG, 11 DEBUG2, and so on.

    >>> [_severity(level).name for level in (5, 10, 25, 50, 100)]
    ['UNSPECIFIED', 'DEBUG', 'INFO4', 'FATAL', 'FATAL4']
    """
    if level < logging.DEBUG:
        return SeverityNumber.UNSPECIFIED
    tens, ones = divmod(min(level, logging.CRITICAL + 3), 10)
    return SeverityNumber(4 * tens + 1 + min(ones, 3))


def sdk_limits() -> tuple[int, int | None]:
    """
    Return how many attributes the SDK lets a record have, and how long their texts may be.

    Before 1.44 it has no limits of records' own, but those of attributes anywhere.
    """
    limits = LogRecordLimits()
    count: int = getattr(limits, "max_log_record_attributes", limits.max_attributes)
    length: int | None = getattr(
        limits, "max_log_record_attribute_length", limits.max_attribute_length
    )
    return count, length


def record_limits() -> dict[str, Any]:  # Any: of another option, to who checks the call
    """
    Return a provider's option by which `CorrelatingProcessor` cuts its records in its place.

    Before 1.45 a provider takes none, and a record of the app's own is cut as soon as it is made.
    """
    if "log_record_limits" not in signature(LoggerProvider).parameters:
        return {}
    unset = LogRecordLimits.UNSET
    return {"log_record_limits": LogRecordLimits(max_log_record_attribute_length=unset)}
