"""Find where secrets stand in a text: after names, in pairs, elements and options, or by shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from funcscope.telemetry._redaction.escapes import EncodedText
from funcscope.telemetry._redaction.names import (
    AS_FIELD,
    ASSIGNED,
    CONNECTION,
    IN_TEXT,
    IN_URL,
    NAMED,
    NAMING,
    WEAK,
)
from funcscope.telemetry._redaction.shapes import elements, options, shaped
from funcscope.telemetry._redaction.values import (
    QUOTE_ENDS,
    Span,
    Value,
    closing,
    end_of,
    leaves,
    value_after,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funcscope.telemetry._redaction.names import SecretNames

# A name, then what parts it from a value. One start for each word, at most 256 characters of it;
# what was looked ahead for is not tried again shorter.
_NAME = re.compile(
    r"(?<![\w.-])(?=([\w.-]{1,256}))\1"
    r"(?:(\\{0,8}[\"'])\]?\s{0,8}[:=,]|(?:\[[0-9]{0,4}\]|\])?[ \t]{0,40}[:=])",
    re.ASCII,
)
_PARAMETER_END = re.compile(rf"[& \t\r\n\f\v\"<>#]|{QUOTE_ENDS}")
_SPOKEN = re.compile(r"([A-Za-z]{2,20})[ \t]\Z")
# An exception's class before its message, as `traceback` shows it: with its module, or built in.
_RAISED = re.compile(
    r"(?:(?<![\w.<>])|(?<=\\n))"
    r"(?:[A-Za-z_][\w.<>]{0,250}\.(?:_{0,2}[A-Z]\w{0,80}|[a-z]{0,80}error)"
    r"|[A-Z](?=\w{0,80}[A-Z])(?=\w{0,80}[a-z])\w{0,80}|Exception|Warning): \Z",
    re.ASCII,
)
_ITEM = re.compile(r"\s*[bBuUrRfF]{0,2}(\\{0,8}[\"'])")
_KEY_END = re.compile(r"\s*:")
_VALUE_BEFORE = re.compile(r"[:=][ \t]{0,8}[bBuUrRfF]{0,2}\\{0,8}[\"']\Z")

_NAMED_TEXT = re.compile(
    r"\s*[bBuU]?(?:\\{0,8}[\"'])?([\w.-]{1,256})(?:\\{0,8}[\"'])?(?![\w.-])", re.ASCII
)
_NAMES_ITSELF = re.compile(r"[ \t]{0,8}[:=]")
_TAG_END = re.compile(
    r"\\{0,8}[\"'](?:(?![vV]alue[ \t]{0,8}=)[^<>]){0,200}(?<!/)>(?:\s*<value>)?([^<>]*)"
)
_EOL = r"(?:\r?\n|(?:\\{1,8}r)?\\{1,8}n)"
_PART = re.compile(  # of a form: `Content-Disposition: form-data; name="password"`
    rf"\\{{0,8}}\"?(?:;[^\r\n\\]{{0,200}})?(?:{_EOL}[A-Za-z][\w-]{{0,40}}:[^\r\n\\]{{0,200}}){{0,4}}{_EOL}{{2}}"
)
_PART_END = re.compile(rf"{_EOL}--")
_VAULT_SECRET = re.compile(r"\s*\\{0,8}[\"']https://[\w.-]{1,80}/(secrets)/", re.ASCII)


def secret_places(decoded: EncodedText, names: SecretNames) -> list[Span]:
    """Return the secrets in a decoded text, by start and end, in no order."""
    text = decoded.text
    spans = [*_Search(decoded, names).named()]
    spans += shaped(decoded)
    if "<" in text:
        spans += elements(text, names, AS_FIELD | IN_TEXT)
    if " -" in text or text.startswith("-") or "+-" in text:  # a form's blank
        spans += options(decoded, names, AS_FIELD | IN_TEXT)
    return [span for span in spans if span[1] > span[0]]


class _Search:
    """
    One walk over a text, from name to name.

    Args:
        decoded: The text.
        names: Those of secrets.
    """

    def __init__(self, decoded: EncodedText, names: SecretNames) -> None:
        self._decoded = decoded
        self._text = decoded.text
        self._names = names
        self._has_vault = "/secrets/" in self._text
        # Of `{"name": "Authorization", "value": "…"}`, in either order: where each one ends.
        self._named_until = -1
        self._value_at: tuple[int, int] | None = None

    def named(self) -> Iterator[Span]:
        """Find the values of secret names."""
        after = 0
        kinds, looks_at_all = self._names.kinds, "\\" in self._text or self._has_vault
        while match := _NAME.search(self._text, after):
            after = match.end()
            if not (kinds(match[1]) or looks_at_all):
                continue  # as nearly all
            value = self._value(match)
            if value is not None:
                after = max(after, value.after)
                yield from value.spans

    def _value(self, match: re.Match[str]) -> Value | None:
        """Return what the name of a match names, if that is a secret."""
        name, place = match[1], match.end()
        kinds = self._kinds(match)
        separator = self._text[place - 1]
        is_quoted = match[2] is not None
        before = "" if is_quoted or separator != "=" else self._before(match.start())
        if before in ("?", "&", "#") and kinds & IN_URL:
            depth = self._decoded.depth(place - 1)
            end = end_of(self._decoded, _PARAMETER_END, place, depth)
            return Value([(place, end)], end)
        if before in ("'", '"') and self._is_empty(before, place):
            return None
        if separator == "," and not self._is_item(match):
            return None
        is_secret = (
            kinds & IN_TEXT
            or (is_quoted and kinds & AS_FIELD)
            or (before and kinds & IN_URL)
            or (separator == "=" and kinds & ASSIGNED)
        )
        if not is_secret:
            return self._pair(kinds, match) if kinds & (NAMING | NAMED) else None
        if before and kinds & IN_URL:
            kinds &= ~WEAK
        value = value_after(self._decoded, name, kinds, match.start(), place)
        if kinds & CONNECTION and self._has_parts(value):
            return None
        return value

    def _kinds(self, match: re.Match[str]) -> int:
        r"""Return what is known of a name, of the one in `\nname`, and of a word before it."""
        name, start = match[1], match.start()
        kinds = self._names.kinds(name)
        if self._has_vault and name.lower() == "id":
            return NAMING
        before = self._text[start - 1] if start else ""
        if before == "\\" and name[0] in "nrt" and len(name) > 1:
            kinds |= self._names.kinds(name[1:])
        elif before in (" ", "\t") and not kinds & IN_TEXT and kinds & IN_URL:
            word = _SPOKEN.search(self._text, max(0, start - 24), start)
            if word:
                kinds |= self._names.spoken(word[1], name)
        return kinds

    def _pair(self, kinds: int, match: re.Match[str]) -> Value | None:
        """Return the value of `{"name": "Authorization", "value": "…"}`, once both were found."""
        decoded, place = self._decoded, match.end()
        if self._text[place - 1] == ",":
            return None
        start = match.start() - (match[2] is not None)
        if kinds & NAMED:
            until, self._named_until = self._named_until, -1
            if until >= 0 and not leaves(decoded, until, start):
                return value_after(decoded, match[1], 0, match.start(), place)
            self._value_at = (match.start(), place)
        else:
            named = self._secret_named(match)
            if named is None:
                return None
            if earlier := self._earlier(start):
                return Value(earlier.spans, place)
            content = _TAG_END.match(self._text, named.end(1))
            if content:  # `<header name="Authorization">…</header>`
                return Value([content.span(1)], content.end())
            if part := _PART.match(self._text, named.end(1)):
                end = end_of(decoded, _PART_END, part.end(), decoded.depth(place - 1))
                return Value([(part.end(), end)], end)
            self._named_until = named.end()
            return Value([], named.end())
        return None

    def _secret_named(self, match: re.Match[str]) -> re.Match[str] | None:
        """Return the text that tells what is named there, if that is a secret."""
        if match[1].lower() == "id":  # what Key Vault answers: `{"value": "…", "id": "https://…"}`
            return _VAULT_SECRET.match(self._text, match.end())
        named = _NAMED_TEXT.match(self._text, match.end())
        if named is None or not self._names.kinds(named[1]) & (AS_FIELD | IN_TEXT):
            return None
        # `header: Set-Cookie: …` is a name of its own.
        return None if _NAMES_ITSELF.match(self._text, named.end()) else named

    def _earlier(self, end: int) -> Value | None:
        """Return the value that stands before its name in the same structure."""
        at, self._value_at = self._value_at, None
        if at is None:
            return None
        decoded = self._decoded
        # Alone, so that no value is looked for further than here.
        start = at[0]
        part = EncodedText(decoded.original[decoded.place(start) : decoded.place(end)])
        value = value_after(part, "value", 0, 0, at[1] - start)
        is_same = value.after < end - start and not leaves(part, value.after, end - start)
        return Value([(a + start, b + start) for a, b in value.spans], end) if is_same else None

    def _before(self, place: int) -> str:
        """Return what makes a name one of a query's or a connection string's, if anything."""
        if place == 0:
            return "^"
        character = self._text[place - 1]
        if character == " " and _RAISED.search(self._text, max(0, place - 256), place):
            return "^"  # of what the exception's message is by itself
        return character if character in "?&#;='\"" else ""

    def _is_empty(self, quote: str, place: int) -> bool:
        """Tell whether the quote before a name closes where its value would start: `'code='`."""
        is_quote = self._text.startswith(quote, place)
        return is_quote and self._decoded.depth(place) <= self._decoded.depth(place - 1)

    def _is_item(self, match: re.Match[str]) -> bool:
        """Tell whether a name is followed by its value as in `('cookie', '…')`, not by a key."""
        begin = match.start()
        if _VALUE_BEFORE.search(self._text, max(0, begin - 24), begin):
            return False  # `"name": "cookie", …`
        item = _ITEM.match(self._text, match.end())
        if item is None:
            return False
        _, after = closing(self._decoded, item.end())
        return _KEY_END.match(self._text, after) is None

    def _has_parts(self, value: Value) -> bool:
        return any("=" in self._text[a:b] or "://" in self._text[a:b] for a, b in value.spans)
