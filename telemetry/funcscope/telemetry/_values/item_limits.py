"""How many items are taken of a list or mapping that somebody else has made."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

MAX_ITEMS = 1000
"""How many items of an object's lists and mappings are taken at most, of all levels together."""

REST = "…"
"""Under this key a mapping has the count of those that were left out."""

_MANY = (list, tuple, Mapping, AbstractSet)
_FEW = (bool, int, float, type(None))


def has_items(value: object) -> bool:
    """Tell whether a value is a list or mapping."""
    return isinstance(value, _MANY)


def few_items(value: T, characters: int) -> T | object:
    """
    Return a value with the first of its items, and how many were left out; itself if none were.

    Args:
        value: Any value.
        characters: Of texts in it; the one that exceeds them is the last that is taken.

    >>> few_items(["a", "b", "c"], 100)
    ['a', 'b', 'c']
    >>> few_items(["order " * 20, "b", "c"], 100)[1:]
    ('… [2 items left out]',)
    """
    return _Room(MAX_ITEMS, characters).few(value)


def left_out(count: int) -> str:
    """Say how many items were left out."""
    return f"… [{count} items left out]"


class _Room:
    """
    What there is room for, of all levels together.

    Args:
        items: How many items.
        characters: How many characters.
    """

    def __init__(self, items: int, characters: int) -> None:
        self._items = items
        self._characters = characters

    def few(self, value: object) -> object:
        """Take as much of a value as there is room for."""
        if isinstance(value, Mapping):
            return self._few_of_mapping(cast("Mapping[object, object]", value))
        if isinstance(value, (list, tuple, AbstractSet)):
            return self._few_of(cast("list[object]", value))
        if isinstance(value, (str, bytes, bytearray)):
            self._characters -= len(value)
        return value

    def _few_of(self, items: list[object]) -> object:
        whole = _head(items, len(items), self._items)
        kept: list[object] = []
        for item in whole:
            if not self._has_room():
                break
            kept.append(item if type(item) in _FEW else self.few(item))
        if len(kept) < len(items):
            return (*kept, left_out(len(items) - len(kept)))
        same = all(new is old for new, old in zip(kept, whole, strict=True))
        return items if same else tuple(kept)

    def _few_of_mapping(self, mapping: Mapping[object, object]) -> object:
        pairs = _head(mapping.items(), len(mapping), self._items)
        kept: dict[object, object] = {}
        is_same = len(pairs) == len(mapping)
        for key, item in pairs:
            if not self._has_room():
                break
            kept[key] = few = item if type(item) in _FEW else self.few(item)
            is_same = is_same and few is item
        if len(kept) < len(mapping):
            kept[REST] = left_out(len(mapping) - len(kept))
            return kept
        return mapping if is_same else kept

    def _has_room(self) -> bool:
        self._items -= 1
        return self._items >= 0 and self._characters > 0


def _head(items: Iterable[T], count: int, most: int) -> list[T]:
    """Return the first items; another thread may change them meanwhile."""
    return list(islice(items, min(count, max(most, 0))))
