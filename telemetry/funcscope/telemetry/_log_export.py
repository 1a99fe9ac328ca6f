"""Export log records through the maintained OpenTelemetry handler, correlated and redacted."""

from __future__ import annotations

import logging
import os
from contextvars import copy_context
from functools import wraps
from typing import TYPE_CHECKING, cast

from opentelemetry.instrumentation.logging.handler import (  # pyright: ignore[reportMissingTypeStubs]
    LoggingHandler,
)
from opentelemetry.sdk._logs import LogRecordProcessor

from funcscope.extensions import current_invocation
from funcscope.extensions._invocation import look_up_invocation
from funcscope.telemetry._log_buffer import LogBuffer, let_through
from funcscope.telemetry._log_fields import exportable, frozen
from funcscope.telemetry._names import INVOCATION_ID
from funcscope.telemetry._notes import are_logs_muted
from funcscope.telemetry._pending_records import PendingRecord
from funcscope.telemetry._record_claims import RecordClaims
from funcscope.telemetry._record_fields import FIELDS, span_context
from funcscope.telemetry._redaction import DEFAULT
from funcscope.telemetry._suppression import is_suppressed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk._logs import LoggerProvider, ReadWriteLogRecord
    from opentelemetry.util.types import AnyValue

    from funcscope.telemetry._log_levels import LogLevels
    from funcscope.telemetry._redaction import Redactor

_IS_OURS = "funcscope_takes"
_CODE_ATTRIBUTES = "OTEL_PYTHON_LOG_CODE_ATTRIBUTES"


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
            span = span_context(invocation)
            if not record.trace_id and span is not None:
                record.trace_id, record.span_id = span.trace_id, span.span_id
                record.trace_flags = span.trace_flags
        record.attributes = cast("dict[str, AnyValue]", attributes)

    def shutdown(self) -> None:
        """Keep nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002
        """Keep nothing."""
        return True


class _Translating(LoggingHandler):
    """The maintained handler, which keeps nothing and is added to no logger."""

    def flush(self) -> None:
        """
        Do nothing.

        `logging` flushes all handlers when the interpreter ends, and theirs starts a thread for it
        (0.66b1), which Python 3.12 refuses there, with a traceback.
        """


class LogExport:
    """
    Takes what reaches the root logger, without being one of its handlers.

    An app or a framework may set handlers up again at any time (`basicConfig`, `dictConfig`,
    `root.handlers.clear()`): nothing of that removes this, and this is not in its way.

    Args:
        provider: Where records go.
        levels: Which of them go there.
        buffer: How many records of an invocation to keep that do not; 0 for none.
        environ: The app settings.
        put: Takes a record that is to be looked at later, and whether it tells of an error; None
            where each is looked at when it is made.
        claims: Tells which records handlers of the app's own bring to the provider; None for what
            is made here.
    """

    def __init__(
        self,
        provider: LoggerProvider,
        levels: LogLevels,
        buffer: int = 0,
        environ: Mapping[str, str] = os.environ,
        put: Callable[[PendingRecord, bool], object] | None = None,
        claims: RecordClaims | None = None,
    ) -> None:
        self._provider = provider
        self._put = put
        self._claims = RecordClaims() if claims is None else claims
        self._processors = _processors(provider)
        self._own_of = levels.own_of
        with_code = environ.get(_CODE_ATTRIBUTES, "").strip().lower() == "true"
        self._handler = _Translating(logger_provider=provider, log_code_attributes=with_code)
        self._buffer = LogBuffer(buffer, self._export) if buffer else None
        # With a buffer, DEBUG waits for the outcome.
        self._lowest = max(levels.lowest, logging.INFO) if buffer else levels.lowest

    def start(self) -> None:
        """Take records from now on, in place of what took them before."""
        _taker.current = self
        if not _taker.is_patched:
            _taker.is_patched = True
            taking = _taking(logging.Logger.callHandlers)
            setattr(logging.Logger, "callHandlers", taking)  # noqa: B010  (for mypy)
        if self._buffer is not None and not _taker.lets_through:
            _taker.lets_through = True
            let_through(_keep, _is_kept)

    def stop(self) -> None:
        """Take no more, unless something else does by now."""
        if _taker.current is not self:
            return
        _taker.current = None
        taking = logging.Logger.callHandlers
        if getattr(taking, _IS_OURS, False):  # nobody has come in between
            setattr(logging.Logger, "callHandlers", getattr(taking, "__wrapped__"))  # noqa: B009, B010  (for mypy)
            _taker.is_patched = False

    def take(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        """Export one record, or keep it, or leave it."""
        own = self._own_of(record.name)
        if record.levelno < (self._lowest if own is None else own):
            is_kept = own is None and self._buffer is not None and _reaches_root(logger)
            if is_kept and not self._claims.are_theirs(record):
                self.keep(record)
        elif _reaches_root(logger) and self._claims.take(record) and not are_logs_muted():
            self._export(record)

    def keep(self, record: logging.LogRecord) -> None:
        """Keep a record that no handler gets."""
        if self._buffer is not None and not are_logs_muted():
            self._buffer.keep(record)

    def is_kept(self, logger: logging.Logger, level: int) -> bool:
        """Tell whether a logger's records of a level are kept, now and here."""
        return (
            self._buffer is not None
            and logging.DEBUG <= level < self._lowest
            and current_invocation() is not None
            and self._own_of(logger.name) is None
            and _reaches_root(logger)
        )

    def _export(self, record: logging.LogRecord) -> None:
        # What is logged while exporting would be exported in turn, without an end.
        if is_suppressed():
            return
        # A processor that the app has added sees each record when and where it is made.
        if self._put is None or _processors(self._provider) is not self._processors:
            self._emit(record)
        else:
            is_error = record.levelno >= logging.ERROR
            if (invocation := look_up_invocation()) is not None:
                invocation.is_kept = True  # by the context
            self._put(PendingRecord(copy_context(), frozen(record), self._emit), is_error)

    def _emit(self, record: logging.LogRecord) -> None:
        try:
            self._claims.emit(self._handler.emit, exportable(record))
        except Exception:  # noqa: BLE001  (as `logging` has it: said on standard error)
            self._handler.handleError(record)


class _Taker:
    """What takes this process's records."""

    def __init__(self) -> None:
        self.current: LogExport | None = None
        self.is_patched = False
        self.lets_through = False


_taker = _Taker()


def _taking(
    original: Callable[[logging.Logger, logging.LogRecord], None],
) -> Callable[[logging.Logger, logging.LogRecord], None]:
    @wraps(original)
    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        original(self, record)
        if _taker.current is not None:
            _taker.current.take(self, record)

    vars(call_handlers)[_IS_OURS] = True
    return call_handlers


def _keep(record: logging.LogRecord) -> None:
    if _taker.current is not None:
        _taker.current.keep(record)


def _is_kept(logger: logging.Logger, level: int) -> bool:
    return _taker.current is not None and _taker.current.is_kept(logger, level)


def _processors(provider: LoggerProvider) -> object:
    """Return the provider's processors, which are others when one was added (SDK 1.45)."""
    multi = getattr(provider, "_multi_log_record_processor", None)
    return getattr(multi, "_log_record_processors", provider)


def _reaches_root(logger: logging.Logger) -> bool:
    """Tell whether the root logger's handlers get a logger's records."""
    current: logging.Logger | None = logger
    while current is not None and current.propagate:
        current = current.parent
    return current is None or current.parent is None
