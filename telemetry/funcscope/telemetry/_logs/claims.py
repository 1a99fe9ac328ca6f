"""
Which way a log record goes to the provider: the first that brings it there, and no other.

An app may have handlers of its own that end at our provider: the SDK's `LoggingHandler`,
OpenTelemetry's instrumentation of logging, a subclass, on whatever logger, behind a queue or a
buffer, added before the provider was there or long after. What handlers there are, and which of
them lets a record pass, is not asked. It is seen at the provider: what arrives there has the time
at which the record was made (docs/decisions/035).
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from time import time_ns
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk._logs import LogRecordProcessor

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._annotations import is_export_suppressed
from funcscope.telemetry._logs.correlation import FIELDS
from funcscope.telemetry._scope import SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadWriteLogRecord

    from funcscope.telemetry._logs.records import LogSnapshot

    Key = tuple[int, str]

_logger = logging.getLogger("funcscope.telemetry")

_OWN: Final = 1
_OTHERS: Final = 2
_REMEMBERED = 2048  # records, twice: those of a minute at 70 a second
_NOTED = 32
_LEFT = (
    "log records that a handler of the app's own gives to OpenTelemetry, the first of them from "
    "logger %s, are exported as it gives them; funcscope exports all others"
)
_DROPPED = (
    "log records that handlers of the app's own give to OpenTelemetry a second time, as one more "
    "handler does, or one behind a QueueHandler, are exported once, as they came first"
)


class RecordClaims:
    """
    Remembers by which way each of the latest log records came to the provider.

    Records are known by their logger and by the time that they were made at, in nanoseconds, as
    OpenTelemetry's handlers hand both on (`int(record.created * 1e9)`: sdk 1.45, instrumentation
    0.66b1). What a handler emits with others is known by the thread, and by its text.
    """

    def __init__(self) -> None:
        # Two, of which the older is forgotten when the newer is full.
        self._recent: dict[Key, int] = {}
        self._older: dict[Key, int] = {}
        self._noted: deque[tuple[int, int, object]] = deque(maxlen=_NOTED)
        self._own = threading.local()
        self._to_log = ""
        self._once = OnceLog(_logger, logging.INFO)

    def take(self, record: logging.LogRecord, created_ns: int, logger: str) -> bool:
        """
        Claim a record for export, once all handlers have had it; False where one has exported it.

        Args:
            record: The record.
            created_ns: When it was made, since the epoch.
            logger: The name of its logger.
        """
        key = created_ns, logger
        recent = self._recent
        if (self._older.get(key) or recent.setdefault(key, _OWN)) is _OTHERS:
            self._log_once(_LEFT, logger)
            return False
        if len(recent) >= _REMEMBERED:
            self._forget()
        if self._to_log:
            self._log_once(self._to_log)
        if self._noted and self._is_noted(record, created_ns):
            self._log_once(_LEFT, logger)
            return False
        return True

    def is_of_handlers(self, created_ns: int, logger: str) -> bool:
        """Return whether a handler has brought a record to the provider, without a claim to it."""
        key = created_ns, logger
        return (self._older.get(key) or self._recent.get(key)) is _OTHERS

    def emit(self, emit: Callable[[LogSnapshot], object], snapshot: LogSnapshot) -> None:
        """Bring a record to the provider as our own."""
        self._own.key = snapshot.created_ns, snapshot.logger
        try:
            emit(snapshot)
        finally:
            self._own.key = None

    def admit(self, emitted: ReadWriteLogRecord) -> bool:
        """Return whether a record that arrives at the provider goes on."""
        record, scope = emitted.log_record, emitted.instrumentation_scope
        name = "" if scope is None else scope.name
        key = record.timestamp or 0, name
        if name == SCOPE or key == getattr(self._own, "key", None):
            return True
        if is_export_suppressed():
            return False
        now = time_ns()
        claimed = self._older.get(key) or self._recent.get(key)
        if claimed is None:
            claimed = None if self._recent.setdefault(key, _OTHERS) is _OTHERS else _OWN
        # A clock that stands, as tests may have it, tells no records apart.
        if claimed is _OWN or (claimed is _OTHERS and now != key[0] and _is_logged(record)):
            # Logged later: a handler holds its lock now.
            self._to_log = "" if _DROPPED in self._once.logged else _DROPPED
            return False
        if len(self._recent) >= _REMEMBERED:
            self._forget()
        self._noted.append((threading.get_ident(), now, record.body))
        return True

    def _is_noted(self, record: logging.LogRecord, created_ns: int) -> bool:
        """Return whether a record's text has arrived since it was made, from its own thread."""
        text = vars(record).get("message") or (record.msg if not record.args else None)
        thread = threading.get_ident()
        for noted_by, noted_ns, body in reversed(tuple(self._noted)):
            if noted_ns < created_ns or not isinstance(text, str) or not text:
                return False
            if noted_by == thread and isinstance(body, str) and text in body:
                return True
        return False

    def _forget(self) -> None:
        self._older, self._recent = self._recent, {}

    def _log_once(self, sentence: str, *args: str) -> None:
        """Log once by which way such records go."""
        self._to_log = ""
        self._once.log(sentence, *args, key=sentence)


class OneWay(LogRecordProcessor):
    """
    The processors of our provider, which get each record once.

    Args:
        claims: Knows whether a record came before.
        processors: The processors, in order.
    """

    def __init__(self, claims: RecordClaims, processors: Sequence[LogRecordProcessor]) -> None:
        self._admit = claims.admit
        self._processors = tuple(processors)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Pass on a record that has not come before."""
        if self._admit(log_record):
            for processor in self._processors:
                processor.on_emit(log_record)

    def shutdown(self) -> None:
        """Shut all down."""
        for processor in self._processors:
            processor.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Have all send what they have, one after another."""
        are_flushed = [processor.force_flush(timeout_millis) for processor in self._processors]
        return all(are_flushed)


def _is_logged(record: LogRecord) -> bool:
    """Return whether an emitted record is one of `logging`'s, with the fields of all those."""
    return record.attributes is not None and FIELDS[-1] in record.attributes
