"""Snapshots of log records: plain values that are made at the moment of the log call."""

from __future__ import annotations

import copy
import logging
import sys
from collections import OrderedDict
from sys import getsizeof
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from funcscope.extensions.integration import INTERRUPTS
from funcscope.telemetry._logs.correlation import FIELDS, PLAIN, RESERVED, UNCORRELATED
from funcscope.telemetry._values.asking import begin_asking, end_asking
from funcscope.telemetry._values.exceptions import exception_text, type_name
from funcscope.telemetry._values.limits import MAX_TEXT_LENGTH, shorten
from funcscope.telemetry._values.plain import (
    PlainValues,
    class_name,
    not_shown,
    summary,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from funcscope.telemetry._logs.correlation import Correlation
    from funcscope.telemetry._values.plain import Plain

CUSTOM_DIMENSIONS = "custom_dimensions"
"""The extra under which apps for OpenCensus have their fields: `custom_dimensions={…}`."""

_NO_ATTRIBUTES = RESERVED | set(FIELDS)
_FIELD_TOTAL = len(PLAIN) + len(FIELDS)
# The order of fields where nothing else adds to them (CPython 3.10 to 3.14).
_FIRST = list(PLAIN)
_LAST = list(FIELDS)
_PLAIN_COUNT, _FIELD_COUNT = len(_FIRST), len(_LAST)
_EXACT = frozenset((str, bool, int, float, bytes, type(None)))
_MAPPINGS = frozenset((dict, OrderedDict))
_SMALL = 1 << 62
_OVERHEAD = 600  # bytes that a record takes beside its texts, about
_OVERHEAD_OF_ITEM = 100
_OF_NUMBER = 32
_EVENT_NAMES = ("otel.event.name", "event.name")
_LOGGING_FILE = logging.getLogger.__code__.co_filename
_LATEST = (1 << 63) / 1e9  # the last second whose nanoseconds OTLP has room for
# What structlog's `wrap_for_formatter` adds, for `ProcessorFormatter` (structlog 26.1).
_STRUCTLOG_FIELDS = frozenset(("_logger", "_name"))


class Limits(NamedTuple):
    """
    How much is taken of a record.

    Attributes:
        text: How many characters of its message.
        value: How many of each attribute, a stack trace among them.
        attributes: How many attributes of the app's own; None for all.
        has_code: Whether to tell where the record was made.
    """

    text: int = MAX_TEXT_LENGTH
    value: int = MAX_TEXT_LENGTH
    attributes: int | None = None
    has_code: bool = False


NO_LIMITS = Limits()


class LogSnapshot(NamedTuple):
    """
    A log record as it was when it was made: texts and numbers, and none of the app's objects.

    Attributes:
        created_ns: When it was made, since the epoch.
        observed_ns: When the snapshot was taken.
        level: Its level, as a number.
        level_name: The same as a text.
        logger: The name of its logger.
        body: Its message; a mapping, where the message is one.
        attributes: What it has beside that; None where that is nothing.
        dropped: How many attributes more it had.
        event_name: The name of the event that it tells of, if it does.
        correlation: The span and the invocation that it was made in.
        size: How many bytes it takes, about.
    """

    created_ns: int
    observed_ns: int
    level: int
    level_name: str
    logger: str
    body: Plain
    attributes: dict[str, Plain] | None
    dropped: int
    event_name: str | None
    correlation: Correlation
    size: int


_new: Callable[..., LogSnapshot] = cast("Any", tuple).__new__  # at a third of what the class takes


def take_snapshot(
    record: logging.LogRecord, correlation: Correlation = UNCORRELATED, limits: Limits = NO_LIMITS
) -> LogSnapshot:
    """
    Take a snapshot of a record, once, as a handler of `logging` would; it stays as it is.

    The message is what the record's own class makes, for some mask it. Mappings among the extras
    are flattened, with dots between the keys; those under `custom_dimensions` get their own names.
    A value that is neither text, number nor a list of them becomes text. An exception's type,
    message and stack are attributes by the semantic conventions' names (1.44); the stack is what
    `logging.Formatter` shows. Whatever cannot be shown is named in its place.
    """
    thread = 0
    try:
        message, exc_info = record.msg, record.exc_info
        # By their number, as nearly all records have what all have, and no more.
        has_more = (
            len(record.__dict__) != _FIELD_TOTAL
            or exc_info
            or record.exc_text
            or record.stack_info
            or correlation.given
            or limits.has_code
        )
        # What is made of texts and numbers is made at once: nobody is asked for it.
        text, args = None, record.args
        if (
            type(message) is str
            and type(record).getMessage is _GET_MESSAGE
            and (not has_more or "getMessage" not in record.__dict__)
        ):
            if not args:
                text = message
            elif type(args) is tuple and _EXACT.issuperset(map(type, args)):
                try:  # noqa: SIM105  (hot path)
                    text = message % args
                except Exception:  # noqa: BLE001, S110  (said below)
                    pass
        if text is not None and len(text) > limits.text:
            text = text_of(text, limits.text)
        if exc_info or text is None:
            thread = begin_asking()
        body: Plain
        attributes, dropped, event_name = None, 0, None
        is_structured = False
        if text is not None:
            body, size = text, _OVERHEAD + _text_size(text)
        elif type(message) in _MAPPINGS and _is_structured(record):
            is_structured, body = True, _mapping(message, limits)
            size = _OVERHEAD + size_of(body)
        else:
            text = _message(record, limits.text)
            body, size = text, _OVERHEAD + _text_size(text)
        if has_more or is_structured:
            attributes, dropped, event_name = _attributes(
                record, correlation, limits, is_structured
            )
            size += size_of(attributes)
        level, name, level_name = record.levelno, record.name, record.levelname
        created: Any = record.created
        now = time_ns()
        created_ns = now
        if isinstance(created, (float, int)) and 0 < created < _LATEST:
            created_ns = int(created * 1e9)
        return _new(
            LogSnapshot,
            (
                created_ns,
                now,
                level if type(level) is int else _level(level),
                level_name if type(level_name) is str else text_of(level_name),
                name if type(name) is str else text_of(name),
                body,
                attributes,
                dropped,
                event_name,
                correlation,
                size,
            ),
        )
    except AttributeError:
        if record.__dict__.keys() >= PLAIN:
            raise
        # Somebody has taken something away.
        return take_snapshot(_whole(record), correlation, limits)
    finally:
        if thread:
            end_asking(thread)


def _whole(record: logging.LogRecord) -> logging.LogRecord:
    """Copy a record, with all that records have."""
    whole = copy.copy(record)
    for name, value in vars(logging.LogRecord("root", 0, "", 0, "", None, None)).items():
        whole.__dict__.setdefault(name, value)
    return whole


def _level(level: object) -> int:
    return int.__pos__(level) if isinstance(level, int) else logging.NOTSET


def _message(record: logging.LogRecord, limit: int) -> str:
    try:
        message, args = record.msg, record.args
        if (
            type(message) is str
            and type(record).getMessage is _GET_MESSAGE
            and "getMessage" not in record.__dict__
        ):
            text = message % args if args else message  # as that has it
        else:
            text = record.getMessage()
    except INTERRUPTS:
        raise
    except BaseException as error:  # noqa: BLE001  (whatever the app's objects do)
        return _unformatted(record, error, limit)
    if type(text) is str and len(text) <= limit:
        return text
    return text_of(text, limit)  # what `%(message)s` makes of it


def _unformatted(record: logging.LogRecord, error: BaseException, limit: int) -> str:
    """Return a message that cannot be made, with what is wrong in the place of what is wrong."""
    if not _makes_plain_message(record):  # it may be there to hide something
        return f"<message that cannot be shown: {class_name(type(error))}>"
    args: object = record.args
    thread = begin_asking()  # as handlers do that say what is wrong
    try:
        template = record.msg if type(record.msg) is str else text_of(record.msg, limit)
        if not args:
            return shorten(template, limit)
        shown = _shown_args(args)
        try:
            return shorten(template % shown, limit)
        except Exception:  # noqa: BLE001  (they do not fit)
            return shorten(f"{template} {shown!r} (cannot be formatted: {summary(error)})", limit)
    finally:
        end_asking(thread)


class _Shown(str):
    """An argument as it is shown, also by `%r`."""

    __slots__ = ()
    __repr__ = str.__str__


def _shown_args(args: object) -> object:
    def shown(value: object) -> object:
        return value if type(value) in _EXACT else _Shown(text_of(value))

    if type(args) is tuple:
        return tuple(map(shown, cast("tuple[object, ...]", args)))
    if type(args) is dict:
        return {key: shown(value) for key, value in cast("dict[object, object]", args).items()}
    return shown(args)


_GET_MESSAGE = (
    logging.LogRecord.getMessage
    if logging.LogRecord.getMessage.__code__.co_filename == _LOGGING_FILE
    else None
)


def _is_structured(record: logging.LogRecord) -> bool:
    return bool(record.msg) and not record.args and _makes_plain_message(record)


def _makes_plain_message(record: logging.LogRecord) -> bool:
    """Return whether a record's message is made as Python makes it."""
    return type(record).getMessage is _GET_MESSAGE and "getMessage" not in record.__dict__


def _mapping(message: object, limits: Limits) -> Plain:
    """Make a body of a message that is a mapping, without what is exported as an exception."""
    body = PlainValues(limits.text).plain(message)
    if isinstance(body, dict) and _exc_info_in(message) is not None:
        del body["exc_info"]
    return body


def _exc_info_in(message: object) -> object:
    """Return the exception that structlog has in an event as `exc_info`; None where none is."""
    given = cast("Mapping[str, object]", message).get("exc_info")
    if given is True:
        given = sys.exc_info()
    if isinstance(given, BaseException):
        given = type(given), given, given.__traceback__
    if type(given) is tuple:
        info = cast("tuple[object, ...]", given)
        return info if len(info) == 3 and isinstance(info[1], BaseException) else None
    return None


def _attributes(
    record: logging.LogRecord,
    correlation: Correlation,
    limits: Limits,
    is_structured: bool,  # noqa: FBT001  (one caller)
) -> tuple[dict[str, Plain], int, str | None]:
    """Return a record's attributes, how many are dropped, and the event's name."""
    names = _own_names(list(record.__dict__), correlation, has_structlogs=is_structured)
    own = plain_fields(names, record.__dict__, limits.value)
    event_name, dropped = None, 0
    for name in _EVENT_NAMES:
        if name in own:
            event_name = event_name or text_of(own[name])
            del own[name]
    if limits.attributes is not None and len(own) > limits.attributes:
        dropped = len(own) - limits.attributes
        own = dict(list(own.items())[: limits.attributes])
    exc_info = record.exc_info or (_exc_info_in(record.msg) if is_structured else None)
    if exc_info or record.exc_text:
        own.update(_exception(record, exc_info, limits.value))
    if record.stack_info:
        own["code.stacktrace"] = text_of(record.stack_info, limits.value)
    if limits.has_code:
        own.update(_code(record))
    return own, dropped, event_name


def _own_names(names: list[str], correlation: Correlation, *, has_structlogs: bool) -> list[str]:
    """Return which of a record's fields are the app's own."""
    if not (correlation.given or has_structlogs):
        first, last = names[:_PLAIN_COUNT], names[-_FIELD_COUNT:]
        if first == _FIRST and last == _LAST:  # as a logger makes them, with `extra=`
            return names[_PLAIN_COUNT:-_FIELD_COUNT]
    left_out = _NO_ATTRIBUTES - set(correlation.given)
    if has_structlogs and _STRUCTLOG_FIELDS.issubset(names):
        left_out |= _STRUCTLOG_FIELDS
    return [name for name in names if name not in left_out]


def plain_fields(names: list[str], fields: Mapping[str, object], limit: int) -> dict[str, Plain]:
    """Return these fields of a record as attributes, whose texts are no longer than the limit."""
    extras: dict[str, Plain] = {}
    values: PlainValues | None = None
    threads: tuple[int, ...] = ()  # twice, for no handler asks these
    try:
        for key in names:
            value: object = fields.get(key)  # another thread may have taken it away
            name = key if type(key) is str else text_of(key)
            if name and (
                (type(value) is str and len(value) <= limit)
                or type(value) is bool
                or (type(value) is int and -_SMALL < value < _SMALL)
            ):
                extras[name] = value  # as most are
                continue
            if values is None:
                values, threads = PlainValues(limit), (begin_asking(), begin_asking())
            prefix = "" if name == CUSTOM_DIMENSIONS else name
            for path, plain in values.attributes(prefix, value):
                extras[path or CUSTOM_DIMENSIONS] = plain
    finally:
        for thread in threads:
            end_asking(thread)
    return extras


def _exception(
    record: logging.LogRecord, exc_info: object, limit: int
) -> Iterator[tuple[str, str]]:
    """Yield an exception's attributes, its text as a formatter has made it where one has."""
    text = record.exc_text
    # loguru has a line end there, for the exception is in the message (loguru 0.7).
    stack = text_of(text, limit) if text and str(text).strip() else None
    try:
        _, error, frames = cast("Any", exc_info) or (None, None, None)
        if error is not None and stack is not None:
            yield "exception.type", type_name(error)
            yield "exception.message", text_of(error, limit)
        elif error is not None:
            shown = exception_text(error, frames, limit)
            yield "exception.type", shown.kind
            yield "exception.message", shown.message
            # As `logging.Formatter.formatException` has it (CPython 3.10 to 3.14).
            stack = shown.stack[:-1] if shown.stack[-1:] == "\n" else shown.stack
    except (*INTERRUPTS, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  (whatever the app's objects do)
        stack = not_shown(exc_info, error) if stack is None else stack
    if stack is not None:
        yield "exception.stacktrace", stack


def _code(record: logging.LogRecord) -> Iterator[tuple[str, Plain]]:
    values = PlainValues()
    for name, value in (
        ("code.file.path", record.pathname),
        ("code.function.name", record.funcName),
        ("code.line.number", record.lineno),
    ):
        yield from values.attributes(name, value)


def size_of(value: Plain) -> int:
    """Return how many bytes a value takes, about."""
    kind = type(value)
    if kind is dict:
        size = 0
        for item in cast("dict[str, Plain]", value).values():
            size += _OVERHEAD_OF_ITEM + (_text_size(item) if type(item) is str else size_of(item))
        return size
    if kind is list:
        return sum(map(size_of, cast("list[Plain]", value)))
    if kind is str:
        return _text_size(cast("str", value))
    return getsizeof(value) if kind is bytes else _OF_NUMBER


def _text_size(text: str) -> int:
    return len(text) if text.isascii() else getsizeof(text)
