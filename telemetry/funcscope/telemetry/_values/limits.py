"""How much is taken of a text that somebody else has made."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_letters, digits
from typing import TypeVar, cast

T = TypeVar("T")

MAX_TEXT_LENGTH = 32768
"""FUNCSCOPE_MAX_TEXT_LENGTH where it is not set: what Application Insights keeps of a message."""

MAX_QUEUE_BYTES = 16 * 1024 * 1024
"""FUNCSCOPE_QUEUE_BYTES where it is not set; a log buffer and tail sampling keep as much."""


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
    kept = before_word if before_word > room // 2 else room
    return (text[:kept] + _left_out(length - kept))[: max(limit, 0)]


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
