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

_OURS: Final = 1
_THEIRS: Final = 2
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
        self._logged: set[str] = set()

    def take(self, record: logging.LogRecord, made_ns: int, logger: str) -> bool:
        """
        Claim a record for ourselves, once all handlers have had it; False where it is theirs.

        Args:
            record: The record.
            made_ns: When it was made.
            logger: The name of its logger.
        """
        key = made_ns, logger
        recent = self._recent
        if (self._older.get(key) or recent.setdefault(key, _OURS)) is _THEIRS:
            self._log_once(_LEFT, logger)
            return False
        if len(recent) >= _REMEMBERED:
            self._forget()
        if self._to_log:
            self._log_once(self._to_log)
        if self._noted and self._is_noted(record, made_ns):
            self._log_once(_LEFT, logger)
            return False
        return True

    def are_theirs(self, made_ns: int, logger: str) -> bool:
        """Tell whether a handler has brought a record to the provider, without a claim to it."""
        key = made_ns, logger
        return (self._older.get(key) or self._recent.get(key)) is _THEIRS

    def emit(self, emit: Callable[[LogSnapshot], object], taken: LogSnapshot) -> None:
        """Bring a record to the provider as our own."""
        self._own.key = taken.created_ns, taken.logger
        try:
            emit(taken)
        finally:
            self._own.key = None

    def admit(self, emitted: ReadWriteLogRecord) -> bool:
        """Tell whether what arrives at the provider goes on."""
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
            claimed = None if self._recent.setdefault(key, _THEIRS) is _THEIRS else _OURS
        # A clock that stands, as tests may have it, tells no records apart.
        if claimed is _OURS or (claimed is _THEIRS and now != key[0] and _is_logged(record)):
            # Logged later: a handler holds its lock now.
            self._to_log = "" if _DROPPED in self._logged else _DROPPED
            return False
        if len(self._recent) >= _REMEMBERED:
            self._forget()
        self._noted.append((threading.get_ident(), now, record.body))
        return True

    def _is_noted(self, record: logging.LogRecord, made_ns: int) -> bool:
        """Tell whether a record's text has arrived since it was made, from its own thread."""
        text = vars(record).get("message") or (record.msg if not record.args else None)
        thread = threading.get_ident()
        for noted_by, noted_ns, body in reversed(tuple(self._noted)):
            if noted_ns < made_ns or not isinstance(text, str) or not text:
                return False
            if noted_by == thread and isinstance(body, str) and text in body:
                return True
        return False

    def _forget(self) -> None:
        self._older, self._recent = self._recent, {}

    def _log_once(self, sentence: str, *args: object) -> None:
        """Log once in a process which way such records go."""
        self._to_log = ""
        if sentence not in self._logged:
            self._logged.add(sentence)
            _logger.info(sentence, *args)


class OneWay(LogRecordProcessor):
    """
    What a provider of ours does with records, each of which comes to it once.

    Args:
        claims: Tells whether a record came before.
        processors: What it does, in order.
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
    """Tell whether what was emitted is one of `logging`'s records, with the fields of all those."""
    return record.attributes is not None and FIELDS[-1] in record.attributes
