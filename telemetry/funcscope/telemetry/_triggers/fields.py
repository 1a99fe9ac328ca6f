"""
Attributes as tables, and the reading of what they hold.

Values are read of objects that may be anything: what does not fit is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._semconv import Attributes

T = TypeVar("T")

_NO_ENTRIES: Mapping[object, object] = {}
_LARGEST = 2**63 - 1
_JSON_LIMIT = 65_536


def read(subject: object, name: str, default: object = None) -> object:
    """Return an attribute, or the default where there is none, or reading it fails."""
    try:
        return cast("object", getattr(subject, name, default))
    except Exception:  # noqa: BLE001  (azure.functions parses JSON when `metadata` is read)
        return default


def entries(value: object) -> Mapping[object, object]:
    """Return a mapping as it is, and no entries for anything else."""
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else _NO_ENTRIES


def items(value: object) -> list[object]:
    """Return what a list or another collection holds, nothing for text and single values."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return []
    return list(cast("Iterable[object]", value))


def parsed(value: object) -> object:
    """Parse JSON of at most 64 KiB: a payload's size must not decide what telemetry costs."""
    if not isinstance(value, (str, bytes)) or len(value) > _JSON_LIMIT:
        return None
    try:
        return cast("object", json.loads(value))
    except (ValueError, RecursionError):
        return None


def plain(value: object) -> str | bool | int | float | None:
    """
    Return a value as an attribute may hold it; None where there is nothing to say.

    OTLP has 64-bit integers and valid UTF-8 only: one value that is neither would cost the
    whole batch that it is exported with.
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        return str(value)
    if isinstance(value, (bool, int, float)):
        return value
    return text(value)


def text(value: object) -> str | None:
    """Return text that is not empty, as valid Unicode; None for anything else."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def whole(value: object) -> int | None:
    """Return a whole number, also of text; None for anything else."""
    try:
        return int(value) if isinstance(value, (int, str)) else None
    except ValueError:
        return None


def epoch_s(value: object) -> int | None:
    """Return a time in seconds since 1970; one without a zone is UTC, as the host sends it."""
    if not isinstance(value, datetime):
        return None
    return int((value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp())


def add(attributes: Attributes, name: str, value: object) -> None:
    """Add an attribute, if there is something to say."""
    if (plain_value := plain(value)) is not None:
        attributes[name] = plain_value


@dataclass(frozen=True, slots=True, eq=False)
class AttributeField(Generic[T]):
    """
    One attribute.

    Attributes:
        name: As the semantic conventions have it, or `_semconv.OWN_NAMES`.
        source: Where its value comes from, for people: the reference shows it.
        read: Reads the value; None, and an exception, where there is none.
    """

    name: str
    source: str
    read: Callable[[T], object]


def property_field(
    name: str, place: str, convert: Callable[[object], object] = lambda value: value, note: str = ""
) -> AttributeField[object]:
    """
    Make an attribute of a property of the trigger or of a message.

    Args:
        name: The attribute.
        place: Where its value is, such as `msg.message_id`.
        convert: Makes the attribute's value of the property's.
        note: Says so, for people.
    """
    key = place.partition(".")[2]
    return AttributeField(name, f"`{place}`{note}", lambda subject: convert(read(subject, key)))


def read_fields(fields: Iterable[AttributeField[T]], subject: T) -> Attributes:
    """Read what can be read: an odd value costs its own attribute and no other."""
    attributes: Attributes = {}
    for field in fields:
        try:
            add(attributes, field.name, field.read(subject))
        except Exception:  # noqa: BLE001, S112  (`suppress` would cost more than the reading)
            continue
    return attributes
