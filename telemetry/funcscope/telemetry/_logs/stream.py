"""
Take secrets out of what handlers get, where `FUNCSCOPE_REDACT_STREAM` asks for it.

A worker sends what reaches its handlers to its host as it is, and on Azure that stream feeds
Application Insights. Handlers are given a copy of a record that holds a secret, whose message,
extras, exception and stack trace are text without it; the caller's own record and objects are not
touched, and what funcscope exports is taken from the record as it was made. A record without a
secret is handed on as it is (docs/decisions/034).
"""

from __future__ import annotations

import logging
import sys
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, cast

from funcscope.extensions.integration import INTERRUPTS, lock_of
from funcscope.telemetry._logs.correlation import PLAIN, RESERVED
from funcscope.telemetry._place import Place, as_of_logging
from funcscope.telemetry._redaction.redactor import REDACTED, make_redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from funcscope.telemetry._redaction.redactor import Redactor

_UNSHOWN = {"args": (), "exc_info": None, "exc_text": None, "stack_info": None}
_SIMPLE = frozenset((str, int, float, bool, type(None)))

_lock = lock_of(sys.modules[__name__])
_formatter = logging.Formatter()


class _StreamRedaction:
    """The redactor of what handlers get, and the place it works in; neither where it is off."""

    redactor: Redactor | None = None
    place: Place | None = None


def redact_stream(names: Iterable[str] = ()) -> None:
    """
    Give handlers records without secrets from now on; called again, these names count.

    Args:
        names: A user's names of secrets, beside the built-in ones.
    """
    with _lock:
        _StreamRedaction.redactor = make_redactor(names)
        if _StreamRedaction.place is None or not _StreamRedaction.place.is_reached():
            _StreamRedaction.place = Place(logging.Logger, "callHandlers", _redacting)


def leave_stream() -> None:
    """Give handlers records as they are, as it was before."""
    with _lock:
        _StreamRedaction.redactor = None
        if _StreamRedaction.place is not None and _StreamRedaction.place.leave():
            _StreamRedaction.place = None


def _redacting(original: Callable[..., object]) -> Callable[..., object]:
    @wraps(original)
    def call_handlers(
        self: logging.Logger, record: logging.LogRecord, *args: Any, **kwargs: Any
    ) -> object:
        redactor = _StreamRedaction.redactor
        return original(
            self, record if redactor is None else without_secrets(record, redactor), *args, **kwargs
        )

    return as_of_logging(call_handlers)


def without_secrets(record: logging.LogRecord, redactor: Redactor) -> logging.LogRecord:
    """
    Return a record without secrets: itself, where it holds none.

    A record that cannot be looked at is not handed on: its message says so.
    """
    changes: dict[str, Any]
    try:
        changes = _changes(record, redactor)
    except Exception as error:  # noqa: BLE001  (fails closed, and a log call never fails of us)
        own = vars(record).keys() - PLAIN
        changes = {**dict.fromkeys(own, REDACTED), **_UNSHOWN}
        changes["msg"] = f"{REDACTED}: a record that cannot be looked at ({type(error).__name__})"
    return _copy(record, changes) if changes else record


def _changes(record: logging.LogRecord, redactor: Redactor) -> dict[str, Any]:
    """Return the fields that hold a secret, without it."""
    fields = dict(vars(record))
    changes: dict[str, Any] = {}
    message = _message(record)
    if message is None:
        # Handlers say what is wrong with it, and show message and arguments.
        changes.update(_redacted_parts(record, redactor))
    elif (redacted := redactor.redact(message)) != message:
        args = _arguments(record, redacted, redactor)
        changes.update(args or {"msg": _structured(record, redactor) or redacted, "args": ()})
    if "message" in fields:
        changes["message"] = redactor.redact(str(fields["message"]))
    text = _exception(record)
    if text and (redacted := redactor.redact(text)) != text:
        changes.update(exc_info=None, exc_text=redacted)
    stack = record.stack_info
    if stack and (redacted := redactor.redact(stack)) != stack:
        changes["stack_info"] = redacted
    for name in fields.keys() - RESERVED:
        value = fields[name]
        redacted_value = _shown(redactor.redact_value(name, value), redactor)
        if redacted_value is not value and redacted_value != value:
            changes[name] = redacted_value
    return changes if any(changes[name] is not fields.get(name) for name in changes) else {}


def _message(record: logging.LogRecord) -> str | None:
    """Return the message that the record's own class makes; None if that fails."""
    try:
        return str(record.getMessage())
    except Exception:  # noqa: BLE001  (a user's; handlers report it)
        return None


def _arguments(
    record: logging.LogRecord, redacted: str, redactor: Redactor
) -> dict[str, Any] | None:
    """Return arguments that make the redacted message, for formatters that read them."""
    given = cast("object", record.args)
    values = tuple(cast("dict[str, object]", given).values()) if isinstance(given, dict) else given
    if not isinstance(record.msg, str) or not isinstance(values, tuple):
        return None
    if not all(type(value) in _SIMPLE for value in cast("tuple[object, ...]", values)):
        return None  # a user's object, which is looked at no more often than without us
    if type(record).getMessage is not logging.LogRecord.getMessage:
        return None
    args: Any = redactor.redact_texts(cast("object", record.args))
    return {"args": args} if record.msg % args == redacted else None


def _structured(record: logging.LogRecord, redactor: Redactor) -> object:
    """Return a message that is a dict as one, for formatters that read it; None for others."""
    message = cast("object", record.msg)
    if not isinstance(message, dict) or record.args:
        return None
    redacted = redactor.redact_texts(cast("object", message))
    return redacted if redactor.redact(str(redacted)) == str(redacted) else None


def _shown(value: object, redactor: Redactor) -> object:
    """Return an extra, or its `repr` without a secret: formatters of JSON write objects so."""
    if type(value) in _SIMPLE:
        return value
    try:
        shown = repr(value)
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001  (whatever a formatter will make of it, there is no text)
        return REDACTED
    redacted = redactor.redact(shown)
    return value if redacted == shown else redacted


def _redacted_parts(record: logging.LogRecord, redactor: Redactor) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if isinstance(record.msg, str) and (message := redactor.redact(record.msg)) != record.msg:
        changes["msg"] = message
    args = cast("object", record.args)
    if args:
        redacted = redactor.redact_texts(args)
        if redacted is not args:
            changes["args"] = redacted
    return changes


def _exception(record: logging.LogRecord) -> str:
    if record.exc_text:
        return str(record.exc_text)
    info = cast("Any", record.exc_info)
    return _formatter.formatException(info) if info and info[0] is not None else ""


def _copy(record: logging.LogRecord, changes: dict[str, Any]) -> logging.LogRecord:
    """Copy a record with other fields, as one of its class, which shows its message as it is."""
    kind: type[logging.LogRecord] = type(record)
    if "msg" in changes:
        kind = _shown_as_it_is(cast("Any", kind))
    copy = kind.__new__(kind)
    copy.__dict__.update(vars(record))
    copy.__dict__.update(changes)
    return copy


@cache
def _shown_as_it_is(kind: type[logging.LogRecord]) -> type[logging.LogRecord]:
    """Return a record's class, whose message is text already: one may format it in its own way."""
    if kind.getMessage is logging.LogRecord.getMessage:
        return kind
    fields = {
        "getMessage": _get_text,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
    }
    return cast("type[logging.LogRecord]", type(kind.__name__, (kind,), fields))


def _get_text(self: logging.LogRecord) -> str:
    return str(self.msg)
