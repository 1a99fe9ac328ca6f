"""Attributes as tables: a name, where its value comes from, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from funcscope.telemetry._triggers.fields import add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from funcscope.telemetry._semconv import Attributes

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Field(Generic[T]):
    """
    One attribute.

    Attributes:
        name: As the semantic conventions have it, or `_names.OWN_NAMES`.
        source: Where its value comes from, for people: the reference shows it.
        read: Reads the value; None, and an exception, where there is none.
    """

    name: str
    source: str
    read: Callable[[T], object]


def read_fields(fields: Iterable[Field[T]], subject: T) -> Attributes:
    """Read what can be read: an odd value costs its own attribute and no other."""
    attributes: Attributes = {}
    for field in fields:
        try:
            add(attributes, field.name, field.read(subject))
        except Exception:  # noqa: BLE001, S112  (`suppress` would cost more than the reading)
            continue
    return attributes
