r"""
Take secrets out of values by their names, and out of URLs, headers and settings inside text.

A text is decoded once to find secrets, and cut in the original, so that everything else keeps
its place and its encoding. Each search walks the text once: no pattern has two ways to match
the same characters, what may repeat without an end is consumed, and what is only looked at has
a bound.

Nothing leaves because redaction fails: what cannot be looked at is replaced whole.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, TypeVar, cast

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._redaction.escapes import EncodedText, is_disguised
from funcscope.telemetry._redaction.names import (
    AS_FIELD,
    CONNECTION,
    NAMED,
    NAMING,
    WEAK,
    SecretNames,
)
from funcscope.telemetry._redaction.search import secret_places
from funcscope.telemetry._redaction.shapes import may_be_shaped
from funcscope.telemetry._values.limits import few_items, shorten, was_shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

T = TypeVar("T")

REDACTED = "REDACTED"
_NO_LIMIT = sys.maxsize
_PLAIN = frozenset((str, bool, int, float))  # nearly all there is
_REMEMBERED = 1000
_PAIR = 2
_PASSES = 4
_SHORT = 200
_SHORTEST_SHAPE = 8

_logger = logging.getLogger("funcscope.telemetry")


class Redactor:
    """
    Takes secrets out, by names and by shapes; safe to use from any thread.

    Every span, record and measurement passes a redactor before it is exported, so with a limit it
    is where all that is exported is bounded: each text is shortened before secrets are taken out,
    so that what is left out costs nothing, and of lists and mappings the first items are taken, as
    many as have no more characters.

    Args:
        names: Those whose values are secrets.
        limit: The most characters of a text; None for any number.
    """

    __slots__ = ("_clean", "_harmless", "_limit", "_once", "names")

    def __init__(self, names: SecretNames, limit: int | None = None) -> None:
        self.names: SecretNames = names
        self._limit = _NO_LIMIT if limit is None else limit
        self._once = OnceLog(_logger, logging.ERROR)
        self._harmless: dict[str, None] = {}  # short texts, which are mostly the same few
        self._clean: dict[str, bool] = {}  # names: whether they hold and tell of no secret

    def redact(self, text: str) -> str:
        """Replace the secrets in a text; one that cannot be looked at is replaced whole."""
        try:
            if type(text) is not str:
                text = str.__str__(text)  # of a subclass, which may answer as it likes
            if len(text) > self._limit:
                text = self._shortened(text)
            return text if text in self._harmless else self._redact_text(text)
        except Exception as error:  # noqa: BLE001  (fails closed, whatever it is)
            return self._failed(error)

    def redact_value(self, name: str, value: T) -> T | object:
        """
        Redact a named value: whole if its name tells of a secret, else every text in it.

        What holds no secret comes back as the same object.
        """
        try:
            return self._redact_value(name, self._few(value))
        except Exception as error:  # noqa: BLE001  (fails closed, whatever it is)
            return self._failed(error)

    def redact_texts(self, value: T) -> T | object:
        """Redact every text in a value, and what a name inside it tells of."""
        try:
            return self._redact_texts(self._few(value))
        except Exception as error:  # noqa: BLE001  (fails closed, whatever it is)
            return self._failed(error)

    def redact_attributes(
        self, attributes: Mapping[str, T], doubtful: Mapping[str, T] | None = None
    ) -> dict[str, T] | None:
        """
        Return attributes without the secrets in their names and values; None if they hold none.

        Args:
            attributes: The attributes.
            doubtful: Those of them that may hold one, where that is known.
        """
        known, harmless, longest = self._clean, self._harmless, self._limit
        changed: dict[str, tuple[str, object]] = {}
        for name, value in (attributes if doubtful is None else doubtful).items():
            # Most are short texts and numbers without a secret: this is each span's way.
            if known.get(name):
                kind = type(value)
                if kind is int or (
                    kind is str and value in harmless and len(cast("str", value)) <= longest
                ):
                    continue
            renamed = name if known.get(name) else self.redact_name(name)
            redacted = self.redact_value(name, value)
            if renamed is not name or (redacted is not value and redacted != value):
                changed[name] = renamed, redacted
        return cast("dict[str, T]", _with(attributes, changed)) if changed else None

    def redact_name(self, name: str) -> str:
        """Replace the secrets in an attribute's name: a dict by URL, flattened, has them there."""
        clean = self._clean.get(name)
        if clean:
            return name
        redacted = self.redact(name)
        if clean is None and len(self._clean) < _REMEMBERED and type(name) is str:
            self._clean[name] = redacted == name and not self.is_secret(name)
        return name if redacted == name else redacted

    def is_secret(self, name: str) -> bool:
        """Tell whether a field's name, or the last part of a dotted one, tells of a secret."""
        return bool(self.names.kinds(name) & AS_FIELD)

    def _redact_text(self, text: str) -> str:
        redacted = self._redact(text) if _may_hold_secret(text) else text
        if redacted == text and len(text) <= _SHORT:
            if len(self._harmless) >= _REMEMBERED:
                self._harmless.clear()
            self._harmless[text] = None
        return redacted

    def _redact(self, text: str) -> str:
        # Again until nothing is found, as what is replaced may bring others to light.
        for _ in range(_PASSES):
            decoded = EncodedText(text)
            places = secret_places(decoded, self.names)
            redacted = decoded.replaced(places, REDACTED) if places else text
            if redacted == text:
                break
            text = redacted
        return text

    def _few(self, value: object) -> object:
        """Return a value with no more items than are taken, before any of them is looked at."""
        if type(value) in _PLAIN or self._limit == _NO_LIMIT:
            return value
        return few_items(value, self._limit)

    def _shortened(self, text: str) -> str:
        """Shorten a text, unless that was done and it grew when secrets were taken out."""
        if len(text) <= 2 * self._limit and was_shortened(text):
            return text
        return shorten(text, self._limit)

    def _redact_value(self, name: str, value: object) -> object:
        kinds = self.names.kinds(name)
        if not kinds & AS_FIELD or (kinds & WEAK and isinstance(value, (int, float))):
            return self._redact_texts(value)
        if kinds & CONNECTION and isinstance(value, str) and ("=" in value or "://" in value):
            return self._redact_texts(value)
        return _whole(value)

    def _redact_texts(self, value: object) -> object:
        if isinstance(value, str):
            return self.redact(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (bytes, bytearray)):
            text = bytes(value).decode("latin-1")
            redacted = self.redact(text)
            if redacted == text:
                return value
            return redacted.replace("…", "...").encode("latin-1")  # where it was shortened
        if isinstance(value, Mapping):
            return self._redact_mapping(cast("Mapping[object, object]", value))
        if isinstance(value, (list, tuple)):
            return self._redact_items(cast("Sequence[object]", value))
        if isinstance(value, AbstractSet):
            return self._redact_items(tuple(cast("AbstractSet[object]", value)))
        return value

    def _redact_mapping(self, mapping: Mapping[object, object]) -> Mapping[object, object]:
        items = list(mapping.items())
        pairs = [(self._redact_texts(k), self._redact_value(_name(k), v)) for k, v in items]
        kinds = self.names.kinds
        if any(kinds(_name(k)) & NAMED for k, _ in items) and any(
            self._is_of_secret(_name(k), v) for k, v in items
        ):
            # `{"name": "Authorization", "value": "…"}`
            pairs = [(k, _whole(v) if kinds(_name(k)) & NAMED else v) for k, v in pairs]
        if all(
            new[0] is old[0] and new[1] is old[1] for new, old in zip(pairs, items, strict=True)
        ):
            return mapping
        redacted: dict[object, object] = {}
        for key, value in pairs:
            redacted[_unused(key, redacted) if isinstance(key, str) else key] = value
        return redacted

    def _redact_items(self, items: Sequence[object]) -> Sequence[object]:
        if len(items) == _PAIR and isinstance(items[0], (str, bytes)) and _is_name(items[0]):
            whole = self._redact_value(_name(items[0]), items[1])
            redacted: tuple[object, ...] = (self._redact_texts(items[0]), whole)
        else:
            redacted = tuple(self._redact_texts(item) for item in items)
        same = all(new is old for new, old in zip(redacted, items, strict=True))
        return items if same else redacted

    def _is_of_secret(self, name: str, value: object) -> bool:
        """Tell whether a name and a value say that another value is a secret."""
        if not isinstance(value, str) or not _is_name(value):
            return False
        if name.lower() == "id":
            return value.startswith("https://") and "/secrets/" in value  # as Key Vault answers
        return bool(self.names.kinds(name) & NAMING) and self.is_secret(value)

    def _failed(self, error: Exception) -> str:
        """Log once that something could not be redacted; return what stands for it."""
        # Without the error's message and traceback, which may hold the text.
        kind = type(error).__name__
        self._once.log("what could not be redacted is replaced whole: %s", kind, key="")
        return REDACTED


def make_redactor(extra: Iterable[str] = (), limit: int | None = None) -> Redactor:
    """
    Make a redactor of the built-in names and a user's.

    Args:
        extra: Names of parameters, headers and fields; in any case, `x-my-*` for any ending.
            They count everywhere, even where a built-in name would say too much.
        limit: The most characters of a text; None for any number.
    """
    return Redactor(SecretNames(extra), limit)


DEFAULT = make_redactor()


def redact_value(name: str, value: T) -> T | object:
    """Redact a named value with the built-in names."""
    return DEFAULT.redact_value(name, value)


def redact(text: str) -> str:
    """
    Replace the secrets in a text, by the built-in names.

    >>> redact("GET https://app.net/api/f?code=s3cret&x=1 failed")
    'GET https://app.net/api/f?code=REDACTED&x=1 failed'
    >>> redact("next=https%3A%2F%2Fapp.net%2Ff%3FCode%3Ds3cret%26x%3D1")
    'next=https%3A%2F%2Fapp.net%2Ff%3FCode%3DREDACTED%26x%3D1'
    >>> redact("AccountName=me;AccountKey=s3cret==;EndpointSuffix=core.windows.net")
    'AccountName=me;AccountKey=REDACTED;EndpointSuffix=core.windows.net'
    """
    return DEFAULT.redact(text)


def _may_hold_secret(text: str) -> bool:
    """Tell quickly whether a text has anything that a secret stands after, or looks like."""
    return (
        "=" in text
        or ":" in text
        or "%" in text
        or "\\" in text
        or "," in text
        or "<" in text
        or "&" in text
        or " -" in text
        or text.startswith("-")
        or is_disguised(text)
        or (len(text) >= _SHORTEST_SHAPE and may_be_shaped(text))
    )


def _whole(value: object) -> object:
    """Return what stands for a whole value: a list stays one, and nothing stays nothing."""
    if value is None or isinstance(value, bool):
        return value
    return (REDACTED,) if isinstance(value, (list, tuple)) else REDACTED


def _name(key: object) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)


def _is_name(text: str | bytes) -> bool:
    return len(text) <= 256


def _with(
    attributes: Mapping[str, object], changed: Mapping[str, tuple[str, object]]
) -> dict[str, object]:
    """Return attributes with some changed; names that have become equal are told apart."""
    result: dict[str, object] = {}
    for name, value in attributes.items():
        renamed, redacted = changed.get(name, (name, value))
        result[_unused(renamed, result)] = redacted
    return result


def _unused(name: str, used: Collection[object]) -> str:
    if name not in used:
        return name
    number = len(used)
    while f"{name}#{number}" in used:
        number += 1
    return f"{name}#{number}"
