r"""
Take secrets out of values by their names, and out of URLs, headers and settings inside text.

A text is decoded once to find secrets, and cut in the original, so that everything else keeps
its place and its encoding. Each search walks the text once: no pattern has two ways to match
the same characters, what may repeat without an end is consumed, and what is only looked at has
a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from funcscope.telemetry._encoded_text import EncodedText
from funcscope.telemetry._secret_names import (
    ONLY_AS_A_FIELD,
    ONLY_IN_URLS,
    SECRET_HEADERS,
    SECRET_PARAMETERS,
    Names,
    names,
)
from funcscope.telemetry._secret_places import secret_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")

REDACTED = "REDACTED"
_BUILT_IN = (SECRET_PARAMETERS, SECRET_HEADERS)
_REMEMBERED = 1000
_PAIR = 2


class Redactor:
    """
    Takes secrets out, by lists of names; safe to use from any thread.

    Attributes:
        parameters: Names whose value goes where they stand in a URL.
        fields: Names whose whole value goes where they name a field or an attribute.
        words: Names whose value goes where they stand anywhere in a text, before `=` or `:`.
    """

    __slots__ = ("_known", "fields", "parameters", "words")

    def __init__(self, parameters: Names, fields: Names, words: Names) -> None:
        self.parameters = parameters
        self.fields = fields
        self.words = words
        self._known: dict[str, bool] = {}

    def redact(self, text: str) -> str:
        """Replace the secrets in a text."""
        if not _may_hold_secret(text):
            return text
        decoded = EncodedText(text)
        places = secret_places(decoded, self.parameters, self.words)
        return decoded.replaced(places, REDACTED) if places else text

    def redact_value(self, name: str, value: T) -> T | object:
        """
        Redact a named value: whole if its name tells of a secret, else every text in it.

        What holds no secret comes back as the same object.
        """
        if self.is_secret(name):
            return _whole(value)
        return self.redact_texts(value)

    def redact_texts(self, value: T) -> T | object:
        """Redact every text in a value, and what a name inside it tells of."""
        if isinstance(value, str):
            return self.redact(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, bytes):
            text = value.decode("latin-1")
            redacted = self.redact(text)
            return value if redacted == text else redacted.encode("latin-1")
        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value).items()
            return {self.redact_texts(key): self.redact_value(str(key), v) for key, v in items}
        if isinstance(value, (list, tuple)):
            return self._redact_items(cast("Sequence[object]", value))
        return value

    def changes(self, attributes: Mapping[str, object]) -> dict[str, object]:
        """Return the attributes that hold a secret, redacted."""
        known = self._known
        changed: dict[str, object] = {}
        for name, value in attributes.items():
            # Most are short texts and numbers without a secret: this is each span's way.
            if not known.get(name, True):
                kind = type(value)
                if kind is int or (kind is str and not _may_hold_secret(cast("str", value))):
                    continue
            redacted = self.redact_value(name, value)
            if redacted is not value and redacted != value:
                changed[name] = redacted
        return changed

    def is_secret(self, name: str) -> bool:
        """Tell whether a field's name, or the last part of a dotted one, tells of a secret."""
        known = self._known.get(name)  # what a name is takes longer to work out than to keep
        if known is None:
            known = name in self.fields or name.rpartition(".")[2] in self.words
            if len(self._known) < _REMEMBERED:
                self._known[name] = known
        return known

    def _redact_items(self, items: Sequence[object]) -> Sequence[object]:
        if len(items) == _PAIR and isinstance(items[0], (str, bytes)):
            name = items[0] if isinstance(items[0], str) else items[0].decode("latin-1")
            if self.is_secret(name):
                return (items[0], _whole(items[1]))
        redacted = tuple(self.redact_texts(item) for item in items)
        same = all(new is old for new, old in zip(redacted, items, strict=True))
        return items if same else redacted


def make_redactor(extra: Iterable[str] = ()) -> Redactor:
    """
    Make a redactor of the built-in names and a user's.

    Args:
        extra: Names of parameters, headers and fields; in any case, `x-my-*` for any ending.
            They count everywhere, even where a built-in name would say too much.
    """
    extra = tuple(extra)
    return Redactor(
        parameters=names(*_BUILT_IN, extra),
        fields=names(*_BUILT_IN, but=ONLY_IN_URLS) | names(extra),
        words=names(*_BUILT_IN, but=(*ONLY_IN_URLS, *ONLY_AS_A_FIELD)) | names(extra),
    )


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
    """Tell quickly whether a text has anything that a secret stands after or before."""
    return (
        "=" in text
        or ":" in text
        or "%" in text
        or "\\u" in text
        or "," in text
        or "earer " in text
        or "EARER " in text
    )


def _whole(value: object) -> object:
    """Return what stands for a whole value: a list stays one, and nothing stays nothing."""
    if value is None or isinstance(value, bool):
        return value
    return (REDACTED,) if isinstance(value, (list, tuple)) else REDACTED
