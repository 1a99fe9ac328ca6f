"""Taking secrets out of texts that are no longer than they may be."""

from __future__ import annotations

from typing import TypeVar

from funcscope.telemetry._redaction.redactor import Redactor
from funcscope.telemetry._values.limits import few_items, has_items, shorten, was_shortened

T = TypeVar("T")
_PLAIN = frozenset((str, bool, int, float))  # nearly all there is


class LimitedRedactor(Redactor):
    """
    Shortens each text before it takes secrets out, so that what is left out costs nothing.

    Of lists and mappings it takes the first items, and as many as have no more characters.

    Every span, record and measurement passes a redactor before it is exported, so this is where
    all that is exported is bounded.

    Args:
        of: The redactor to be like.
        limit: The most characters of a text.
    """

    __slots__ = ("_limit",)

    def __init__(self, of: Redactor, limit: int) -> None:  # pyright: ignore[reportMissingSuperCall]
        for name in Redactor.__slots__:
            setattr(self, name, getattr(of, name))
        self._clean = {}  # the other's names may be longer
        self._longest = self._limit = limit

    def redact(self, text: str) -> str:
        """Shorten a text that is too long, and replace the secrets in it."""
        return super().redact(text if len(text) <= self._limit else self._shortened(text))

    def redact_value(self, name: str, value: T) -> T | object:
        """Do so with a named value, of which no more items are looked at than are taken."""
        return super().redact_value(name, value if type(value) in _PLAIN else self._few(value))

    def redact_texts(self, value: T) -> T | object:
        """Do so with every text in a value."""
        return super().redact_texts(value if type(value) in _PLAIN else self._few(value))

    def _few(self, value: object) -> object:
        try:
            return few_items(value, self._limit) if has_items(value) else value
        except Exception as error:  # noqa: BLE001  (fails closed, whatever it is)
            return self._failed(error)

    def _shortened(self, text: str) -> str:
        """Shorten a text, unless that was done and it grew when secrets were taken out."""
        if len(text) <= 2 * self._limit and was_shortened(text):
            return text
        return shorten(text, self._limit)
