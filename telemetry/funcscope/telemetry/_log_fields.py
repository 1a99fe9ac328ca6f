"""What a log record says, as values that can be exported."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from funcscope.telemetry._exceptions import type_name
from funcscope.telemetry._record_fields import FIELDS, PLAIN, RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CUSTOM_DIMENSIONS = "custom_dimensions"
"""What apps written for OpenCensus put their fields under: `extra={"custom_dimensions": {…}}`."""

_NO_ATTRIBUTES = RESERVED | set(FIELDS)
_USUAL = len(PLAIN) + len(FIELDS)
_PLAIN = (str, bool, int, float, bytes)
_DEEPEST = 5


def exportable(record: logging.LogRecord) -> logging.LogRecord:
    """
    Copy a record, with its message made and its extras as plain attributes.

    Mappings are flattened, with dots between the keys; those under `custom_dimensions` get their
    own names. What is neither text, number nor a list of them becomes text. An exception's type,
    message and stack are attributes by the semantic conventions' names (1.44): the maintained
    handler takes the message for the first argument and the type without its module (0.66b2).
    """
    fields = vars(record)
    kept = {name: fields[name] for name in RESERVED & fields.keys()}
    attributes: dict[str, object] = {}
    for name in fields.keys() - _NO_ATTRIBUTES:
        prefix = "" if name == CUSTOM_DIMENSIONS else name
        attributes.update(_flattened(prefix, fields[name], _DEEPEST))
    if record.exc_info and record.exc_info[1] is not None:
        attributes.update(_exception(record.exc_info[1]))
    if record.stack_info:
        attributes["code.stacktrace"] = record.stack_info
    copy = logging.LogRecord.__new__(logging.LogRecord)
    # `attributes` last would let an extra of such a name break the record.
    copy.__dict__ = {**attributes, **kept, "exc_info": None, "exc_text": None, "stack_info": None}
    copy.__dict__.update(msg=_message(record), args=None)
    return copy


def frozen(record: logging.LogRecord) -> dict[str, Any]:
    """
    Copy what a record has now, at little cost; `exportable` may do the rest at any later time.

    The message is made at once, as its arguments may change, and so are extras that may.
    """
    fields = vars(record)
    # By their number, as nearly all records have what all have, and no more.
    if len(fields) > _USUAL and _may_change(fields):
        return vars(exportable(record))
    copied = fields.copy()
    copied["msg"] = _message(record) if record.args else record.msg
    copied["args"] = None
    return copied


def thawed(fields: dict[str, Any]) -> logging.LogRecord:
    """Make a record of what `frozen` copied."""
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__ = fields  # at a third of what filling its own takes
    return record


def _may_change(fields: Mapping[str, object]) -> bool:
    return any(not isinstance(fields[name], _PLAIN) for name in fields.keys() - _NO_ATTRIBUTES)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001  (what logging itself says on standard error)
        return f"{record.msg} {record.args!r} (cannot be formatted: {error})"


def _exception(error: BaseException) -> dict[str, str]:
    try:
        said = str(error)
    except Exception:  # noqa: BLE001  (a user's __str__)
        said = ""
    return {
        "exception.type": type_name(error),
        "exception.message": said,
        "exception.stacktrace": "".join(
            traceback.format_exception(type(error), error, error.__traceback__)
        ),
    }


def _flattened(name: str, value: object, depth: int) -> Iterator[tuple[str, object]]:
    whole = value
    if isinstance(value, _PLAIN):
        yield name or CUSTOM_DIMENSIONS, value
    elif isinstance(value, Mapping) and depth > 0:
        for key, item in cast("Mapping[object, object]", value).items():
            yield from _flattened(f"{name}.{key}" if name else str(key), item, depth - 1)
    elif isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        yield name or CUSTOM_DIMENSIONS, [i if isinstance(i, _PLAIN) else _text(i) for i in items]
    elif value is not None:
        yield name or CUSTOM_DIMENSIONS, _text(whole)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (a user's __str__)
        return f"<{type(value).__qualname__} that cannot be shown>"
