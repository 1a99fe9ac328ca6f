"""The capture of log records, for export or for the buffer (docs/decisions/004)."""

from __future__ import annotations

import logging
import os
from functools import wraps
from importlib import import_module
from threading import get_ident
from time import time_ns
from typing import TYPE_CHECKING, TypeVar

from opentelemetry._logs import NoOpLogger

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import (
    INTERRUPTS,
    guarded,
    look_up_invocation,
    reset_after_fork,
)
from funcscope.telemetry._annotations import EXPORT_SUPPRESSION, is_export_suppressed
from funcscope.telemetry._config.log_levels import LogLevels, parse_level, parse_levels
from funcscope.telemetry._context import (
    SUPPRESS_KEYS,
    current_context,
    is_sending,
    usable_context,
)
from funcscope.telemetry._logs.buffer import BufferEnabler, LogBuffer
from funcscope.telemetry._logs.claims import OneWay, RecordClaims
from funcscope.telemetry._logs.correlation import (
    bound_fields,
    correlation_of,
    current_correlation,
    warn_once,
)
from funcscope.telemetry._logs.filters import LOG_FILTERS, is_opentelemetrys
from funcscope.telemetry._logs.processor import log_record, sdk_limits
from funcscope.telemetry._logs.records import (
    Limits,
    LogSnapshot,
    plain_fields,
    size_of,
    take_snapshot,
)
from funcscope.telemetry._place import Place, as_of_logging
from funcscope.telemetry._scope import SCOPE
from funcscope.telemetry._semconv import EXCEPTION_EVENT, read_names
from funcscope.telemetry._values.asking import ASKING, begin_asking, end_asking
from funcscope.telemetry._values.limits import MAX_TEXT_LENGTH, shorten
from funcscope.telemetry._values.plain import summary, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk._logs import LoggerProvider

    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._logs.late import LateHandlers
    from funcscope.telemetry._values.exceptions import ExceptionText
    from funcscope.telemetry._values.plain import Plain

_logger = logging.getLogger("funcscope.telemetry")
_T = TypeVar("_T")
_R = TypeVar("_R")

_SUPPRESSED, _SUPPRESSED_PLAINLY = SUPPRESS_KEYS
_LATE_HANDLERS = "funcscope.telemetry._logs.late"  # seldom needed
_CODE_ATTRIBUTES = "OTEL_PYTHON_LOG_CODE_ATTRIBUTES"
_MIN_REDACTED = 4096
"""Characters of an attribute that are looked at for secrets, however little is to be kept."""
_TROUBLE = logging.Handler()  # reports errors as handlers do; it is added to no logger
_exporting: set[int] = set()
"""The threads that export a record right now, or ask filters: what they log is not exported."""
reset_after_fork(_exporting.clear)


class LogCapture:
    """
    Captures records that reach the root logger, without being one of its handlers.

    An app or a framework may set handlers up again at any time (`basicConfig`, `dictConfig`,
    `root.handlers.clear()`): nothing of that removes this, and this is not in its way.

    A record is made texts and numbers of where and when it is logged, before any handler sees it;
    what waits to be sent refers to nothing of the app's.

    Args:
        provider: Where records go.
        levels: The levels from which they go there.
        buffer: How many records of an invocation to buffer that do not; 0 for none.
        environ: The app settings.
        put: Queues a snapshot for export, given whether it is an error's; None where each record
            goes to the provider when it is made.
        claims: Knows which records the app's own handlers bring to the provider; None for none.
        text_length: How many characters of a text are in a snapshot.
        settings: What the app asks for; None where that is nothing.
    """

    def __init__(
        self,
        provider: LoggerProvider,
        levels: LogLevels,
        buffer: int = 0,
        environ: Mapping[str, str] = os.environ,
        put: Callable[[LogSnapshot, bool], object] | None = None,
        claims: RecordClaims | None = None,
        text_length: int = MAX_TEXT_LENGTH,
        settings: Settings | None = None,
    ) -> None:
        self._provider = provider
        # A provider that is switched off (OTEL_SDK_DISABLED) takes none.
        self._put = None if _is_off(provider) else put
        self._claims = RecordClaims() if claims is None else claims
        self._processors: object = None  # until this is started
        self._settings = settings
        self._late: LateHandlers | None = None
        self._handlers: list[logging.Handler] = []
        self._last_handler: logging.Handler | None = None
        self._own_of = levels.own_of
        self._limits = _limits(environ, text_length)
        self._names = read_names(environ)
        self._buffer = LogBuffer(buffer, self._export) if buffer else None
        # With a buffer, DEBUG waits for the outcome.
        self._lowest = max(levels.lowest, logging.INFO) if buffer else levels.lowest

    @classmethod
    def of(
        cls,
        provider: LoggerProvider,
        settings: Settings,
        environ: Mapping[str, str],
        claims: RecordClaims,
        put: Callable[[LogSnapshot, bool], object] | None = None,
    ) -> LogCapture:
        """Make a capture by an app's settings."""
        levels = LogLevels(parse_level(settings.log_level), parse_levels(settings.log_levels))
        buffer, text_length = settings.log_buffer, settings.max_text_length
        return cls(provider, levels, buffer, environ, put, claims, text_length, settings)

    def start(self) -> None:
        """Capture records from now on, in place of the capture before."""
        self._processors = _processors(self._provider)
        self._note_handlers()
        _active.current = self
        if _active.place is None:
            _active.place = Place(logging.Logger, "callHandlers", _capturing)
        if self._buffer is not None and _active.enabler is None:
            _active.enabler = BufferEnabler(_is_buffered)

    def leave_to(self, provider: object) -> None:
        """Leave the records that reach another provider, too, to that one."""
        add = getattr(provider, "add_log_record_processor", None)
        if callable(add):
            add(OneWay(self._claims, ()))

    def stop(self) -> None:
        """Capture no more, unless another capture does by now."""
        if _active.current is not self:
            return
        _active.current = None
        if _active.place is not None and _active.place.leave():
            _active.place = None

    def add_to_buffer(self, record: logging.LogRecord) -> None:
        """Buffer a record that was made for the buffer alone, and that no handler gets."""
        thread, again = begin_asking(), begin_asking()  # for nobody else asks its objects
        try:
            snapshot = self._snapshot(record)
        finally:
            end_asking(again)
            end_asking(thread)
        if snapshot is not None and self._buffer is not None:
            self._buffer.add(snapshot)

    def on_record(self, logger: logging.Logger, record: logging.LogRecord) -> LogSnapshot | None:
        """Take a snapshot of a record before its handlers get it; None where it goes nowhere."""
        handlers = logging.root.handlers
        if handlers and handlers[-1] is not self._last_handler:
            guarded(self._see_to_handlers, _logger, "a handler that came late is left as it is")
        name = record.name
        own = self._own_of(name if type(name) is str else text_of(name))
        is_low = record.levelno < (self._lowest if own is None else own)
        if is_low and (own is not None or self._buffer is None or current_invocation() is None):
            return None
        # As nearly all do.
        parent = logger.parent if logger.propagate else None
        if parent is logging.root or _reaches_root(logger):
            return self._snapshot(record)
        return None

    def pass_on(self, record: logging.LogRecord, snapshot: LogSnapshot) -> None:
        """Export or buffer a snapshot, unless one of the handlers has brought the record there."""
        if self._buffer is not None and self._is_low(snapshot):
            if not self._claims.is_of_handlers(snapshot.created_ns, snapshot.logger):
                self._buffer.add(snapshot)
        elif self._claims.take(record, snapshot.created_ns, snapshot.logger):
            self._export(snapshot)

    def exports(self, record: logging.LogRecord) -> bool:
        """Tell whether a record that reaches the root logger is exported here."""
        own = self._own_of(record.name)
        is_low = record.levelno < (self._lowest if own is None else own)
        return _active.current is self and not is_low

    def _note_handlers(self) -> list[logging.Handler]:
        """Remember the root logger's handlers; return which of them are new."""
        seen, handlers = self._handlers, logging.root.handlers.copy()
        self._handlers, self._last_handler = handlers, handlers[-1] if handlers else None
        return [handler for handler in handlers if handler not in seen]

    def _see_to_handlers(self) -> None:
        """See to what may bring records to where ours go, too: a distro that is set up late."""
        new = [handler for handler in self._note_handlers() if is_opentelemetrys(handler)]
        if new:
            late = self._late = self._late or self._late_handlers()
            late.see_to(new)

    def _late_handlers(self) -> LateHandlers:
        make = import_module(_LATE_HANDLERS).LateHandlers
        made: LateHandlers = make(self._provider, self._settings, self.exports, self._names)
        return made

    def put_exception(self, text: ExceptionText) -> bool:
        """Take the running invocation's exception as a record; False where the provider has to."""
        if self._put is None or _processors(self._provider) is not self._processors:
            return False
        now, most = time_ns(), self._limits.value
        attributes = bound_attributes(most)
        attributes.update((name, shorten(v, most)) for name, v in text.attributes().items())
        snapshot = LogSnapshot(
            now,
            now,
            logging.ERROR,
            "ERROR",
            SCOPE,
            text.summary,
            attributes,
            0,
            EXCEPTION_EVENT,
            current_correlation(current_invocation()),
            len(text.summary) + size_of(attributes),
        )
        self._put(snapshot, True)  # noqa: FBT003  (as others put)
        return True

    def is_buffered(self, logger: logging.Logger, level: int) -> bool:
        """Return whether a logger's records of a level go to the buffer, now and here."""
        return (
            self._buffer is not None
            and logging.DEBUG <= level < self._lowest
            and current_invocation() is not None
            and self._own_of(logger.name) is None
            and _reaches_root(logger)
        )

    def _snapshot(self, record: logging.LogRecord) -> LogSnapshot | None:
        # What is logged while exporting would be exported in turn, without an end.
        context, invocation = current_context(), look_up_invocation()
        if (_SUPPRESSED in context or _SUPPRESSED_PLAINLY in context) and is_sending():
            return None
        if _exporting and get_ident() in _exporting:
            return None
        if (
            invocation is not None
            and EXPORT_SUPPRESSION in invocation.state
            and is_export_suppressed()
        ):
            # So that no queue brings it later, either.
            self._claims.take(record, int(record.created * 1e9), record.name)
            return None
        if LOG_FILTERS.are_any:
            filtered = _without_export(LOG_FILTERS.apply, record)
            if filtered is None:
                return None
            record = filtered
        return take_snapshot(record, correlation_of(record, invocation), self._limits)

    def _is_low(self, snapshot: LogSnapshot) -> bool:
        own = self._own_of(snapshot.logger)
        return snapshot.level < (self._lowest if own is None else own)

    def _export(self, snapshot: LogSnapshot) -> None:
        # A processor that the app has added sees each record when and where it is made.
        put = self._put
        if put is None or _processors(self._provider) is not self._processors:
            _without_export(self._emit, snapshot)
        else:
            put(snapshot, snapshot.level >= logging.ERROR)

    def _emit(self, snapshot: LogSnapshot) -> None:
        try:
            self._claims.emit(self._hand_over, snapshot)
        except Exception:  # noqa: BLE001  (as `logging` has it: on standard error)
            _TROUBLE.handleError(
                logging.LogRecord(
                    snapshot.logger, snapshot.level, "", 0, str(snapshot.body), (), None
                )
            )

    def _hand_over(self, snapshot: LogSnapshot) -> None:
        self._provider.get_logger(snapshot.logger).emit(
            log_record(snapshot, self._names, usable_context())
        )


def bound_attributes(limit: int = MAX_TEXT_LENGTH) -> dict[str, Plain]:
    """Return what `bind` has added to the running invocation's records, as they have it."""
    invocation = current_invocation()
    fields = None if invocation is None else bound_fields(invocation)
    return plain_fields(list(fields), fields, limit) if fields else {}


class _Active:
    """The capture that is at work in this process."""

    def __init__(self) -> None:
        self.current: LogCapture | None = None
        self.place: Place | None = None
        self.enabler: BufferEnabler | None = None


_active = _Active()


def _capturing(original: Callable[..., object]) -> Callable[..., object]:
    """Make the function that is called in the place of `Logger.callHandlers`."""

    @wraps(original)
    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> object:
        current, snapshot, is_withheld = _active.current, None, False
        try:
            if current is not None:
                enabler = _active.enabler
                if enabler is not None and enabler.has_enabled(self, record):
                    current.add_to_buffer(record)
                    is_withheld = True
                else:
                    snapshot = current.on_record(self, record)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (a log call never fails because of us)
            warn_once(f"a log record is not exported: {summary(error)}")
        asked = ASKING.get(get_ident()) if ASKING else None
        if asked is not None:
            asked.begin_handlers(record)
        try:
            handled = None if is_withheld else original(self, record)
            if asked is not None:
                asked.was_handled(self, record)
            return handled
        finally:
            try:
                if asked is not None:
                    asked.end_handlers(record)
                if current is not None and snapshot is not None:
                    current.pass_on(record, snapshot)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (as above)
                warn_once(f"a log record is not exported: {summary(error)}")

    return as_of_logging(call_handlers)


def _is_buffered(logger: logging.Logger, level: int) -> bool:
    if _active.current is None or not _active.current.is_buffered(logger, level):
        return False
    if _active.place is not None and _active.place.is_reached():
        return True
    warn_once(
        "FUNCSCOPE_LOG_BUFFER keeps nothing any more: something else has taken the place of "
        "logging.Logger.callHandlers"
    )
    return False


def _without_export(call: Callable[[_T], _R], argument: _T) -> _R:
    """Call a function on this thread, and export nothing of what is logged meanwhile."""
    thread = get_ident()
    try:
        _exporting.add(thread)
        return call(argument)
    finally:
        _exporting.discard(thread)


def _limits(environ: Mapping[str, str], text_length: int) -> Limits:
    """Return the limits of snapshots: the smaller of this library's and the SDK's own."""
    count, length = sdk_limits()
    if length is not None:
        # Cut to when secrets are out: of less than this they could hardly be told.
        length = max(length, _MIN_REDACTED)
    return Limits(
        text=text_length,
        value=text_length if length is None else min(text_length, length),
        attributes=count,
        has_code=environ.get(_CODE_ATTRIBUTES, "").strip().lower() == "true",
    )


def _is_off(provider: LoggerProvider) -> bool:
    return isinstance(provider.get_logger("funcscope.telemetry"), NoOpLogger)


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
