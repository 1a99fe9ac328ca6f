"""Bounds of texts, lists and mappings that an app has made."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from string import ascii_letters, digits
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

MAX_TEXT_LENGTH = 32768
"""FUNCSCOPE_MAX_TEXT_LENGTH where it is not set: what Application Insights keeps of a message."""

MAX_QUEUE_BYTES = 16 * 1024 * 1024
"""FUNCSCOPE_QUEUE_BYTES where it is not set; a log buffer and tail sampling keep as much."""

MAX_ITEMS = 1000
"""How many items of an object's lists and mappings are taken at most, of all levels together."""

LEFT_OUT_KEY = "…"
"""Under this key a mapping has the count of those that were left out."""

_FEW = (bool, int, float, type(None))


class _Chosen:
    """The limit that this process's settings have."""

    characters = MAX_TEXT_LENGTH


def limit_texts(characters: int) -> None:
    """Have texts of this process cut to so many characters from now on."""
    _Chosen.characters = characters


def text_limit() -> int:
    """Return how many characters are taken of a text."""
    return _Chosen.characters


_LEFT_OUT = " characters left out]"
# What tokens, keys and encoded values are made of.
_TOKEN = ascii_letters + digits + "_.~+/=%-"


def shorten(text: str, limit: int) -> str:
    """
    Keep the head of a text that is too long, and say in place how much was left out.

    To be called before secrets are taken out, so that what is left out costs nothing. A secret
    is told by what stands before it, so the head is what may be kept: a tail could hold a value
    whose name is gone. One that is told by its own shape could not be told when it is cut in two,
    so a word at the cut goes altogether, unless it is half of what is kept.

    Args:
        text: Any text.
        limit: The most characters to return, with what is said in place.

    >>> shorten("a customer's whole order, line by line" * 100, 48)
    "a customer's whole … [3781 characters left out]"
    """
    length = len(text)
    if length <= limit:
        return text
    room = max(limit - len(_left_out(length)), 0)
    before_word = len(text[:room].rstrip(_TOKEN))
    taken = before_word if before_word > room // 2 else room
    return (text[:taken] + _left_out(length - taken))[: max(limit, 0)]


def cut_texts(value: T, most: int) -> T:
    """
    Cut the texts in an attribute's value, as OpenTelemetry's SDK cuts them (1.45).

    To be called when secrets are out: those that are told by their whole shape, or by what follows
    them, could not be told when they are cut in two.

    >>> cut_texts(("abcdef", {"k": "abcdef"}, 7), 4)
    ('abcd', {'k': 'abcd'}, 7)
    """
    return cast("T", _cut(value, most))


def _cut(value: object, most: int) -> object:
    if isinstance(value, str):
        return value[:most]
    if isinstance(value, (list, tuple)):
        return tuple(_cut(item, most) for item in cast("list[object]", value))
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {name: _cut(item, most) for name, item in items}
    return value


def was_shortened(text: str) -> bool:
    """Tell whether a text says of itself that it was shortened, and by how much."""
    return text.endswith(_LEFT_OUT)


def _left_out(count: int) -> str:
    return f"… [{count}{_LEFT_OUT}"


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
    """Return the text in place of items that were left out."""
    return f"… [{count} items left out]"


class _Room:
    """
    The room for items and characters, of all levels together.

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
        taken: list[object] = []
        for item in whole:
            if not self._has_room():
                break
            taken.append(item if type(item) in _FEW else self.few(item))
        if len(taken) < len(items):
            return (*taken, left_out(len(items) - len(taken)))
        same = all(new is old for new, old in zip(taken, whole, strict=True))
        return items if same else tuple(taken)

    def _few_of_mapping(self, mapping: Mapping[object, object]) -> object:
        pairs = _head(mapping.items(), len(mapping), self._items)
        taken: dict[object, object] = {}
        is_same = len(pairs) == len(mapping)
        for key, item in pairs:
            if not self._has_room():
                break
            taken[key] = few = item if type(item) in _FEW else self.few(item)
            is_same = is_same and few is item
        if len(taken) < len(mapping):
            taken[LEFT_OUT_KEY] = left_out(len(mapping) - len(taken))
            return taken
        return mapping if is_same else taken

    def _has_room(self) -> bool:
        self._items -= 1
        return self._items >= 0 and self._characters > 0


def _head(items: Iterable[T], count: int, most: int) -> list[T]:
    """Return the first items; another thread may change them meanwhile."""
    return list(islice(items, min(count, max(most, 0))))
