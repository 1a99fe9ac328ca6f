"""Find where secrets stand in a text: after the names of parameters, headers and settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funcscope.telemetry._encoded_text import EncodedText
    from funcscope.telemetry._secret_names import Names

_Span = tuple[int, int]

# A name, then what parts it from a value. One start for each word, at most 80 characters of it;
# what was looked ahead for is not tried again shorter.
_NAME = re.compile(
    r"(?<![\w.-])(?=([\w.-]{1,80}))\1"
    r"(?:(\\{0,8}[\"'])[ \t]{0,8}[:=,]|[ \t]{0,8}[:=])",
    re.ASCII,
)
_QUOTE_ENDS = r"'(?=[\s,;:)\]}>&\"']|\Z)|\\{1,8}[\"']"  # an apostrophe may be part of a value
_PARAMETER_END = re.compile(rf"[& \t\r\n\f\v\"<>#]|{_QUOTE_ENDS}")
_VALUE_END = re.compile(
    rf"[; \t\r\n\f\v\"]|&(?=[\w.%-]{{1,80}}=)|,(?=[\s\"']|\Z|[\w.-]{{1,80}}[ \t]{{0,8}}[:=])|"
    rf"{_QUOTE_ENDS}",
    re.ASCII,
)
_LINE_END = re.compile(r"[\r\n\"]")
_AUTHORITY_END = re.compile(rf"[/?# \t\r\n\f\v\"<>\\]|{_QUOTE_ENDS}")
_SPACE_OR_QUOTE = re.compile(r"[\s\"'<>]")

_OPENING = re.compile(r">?[ \t]*([\[(][ \t]*)?[bBuUrRfF]{0,2}(\\{0,8}[\"'])")
_BLANKS = re.compile(r"[ \t]*")
_NEXT_OPENING = re.compile(r"\s*,\s*[bBuUrRfF]{0,2}(\\{0,8}[\"'])")
_QUOTES = {mark: re.compile(rf"(?<!\\)(\\*){mark}") for mark in "\"'"}

# `Bearer x`, or `Digest a="b", c=d`: a scheme, and a token or parameters.
_CREDENTIALS = re.compile(
    r"REDACTED(?![^\s,;\"'])|"
    r"[^\s,;\"']+(?:[ \t]{1,8}[^\s,;\"']+(?:\"[^\"\r\n]{0,1000}\")?"
    r"(?:,[ \t]{0,8}[\w-]{1,80}=(?:\"[^\"\r\n]{0,1000}\"|[^\s,;\"']*))*)?",
)
_SCHEME = re.compile(
    r"(?<![\w-])(?:Bearer|SharedAccessSignature)[ \t]{1,8}([^\s,;\"'<>]{16,})", re.IGNORECASE
)
# What Azure writes into each key of a function or host since 2022, at a fixed place.
_FUNCTION_KEY = re.compile(r"(?<![\w-])[\w-]{44}AzFu[\w-]{5}[AQgw](?:==)?(?![\w=-])", re.ASCII)

_SCHEME_END = re.compile(r":(?:\\{0,8}/){2}")
_USER_AND_NO_PORT = re.compile(r"[^:@\[\]/?#\s]{0,200}:(?!\d{0,5}(?:[/?#\s\"']|\Z))")
_FAR = 256

_CREDENTIAL_NAMES = ("authorization", "proxy-authorization")
_COOKIE_NAMES = ("cookie", "set-cookie")


def secret_places(decoded: EncodedText, parameters: Names, words: Names) -> list[_Span]:
    """
    Return the secrets in a decoded text, by start and end, in no order.

    Args:
        decoded: The text.
        parameters: Names that count in a URL, a query string or a connection string.
        words: Names that count anywhere before `=` or `:`.
    """
    text = decoded.text
    lowered = text.lower()
    found = list(_named(decoded, parameters, words))
    if "@" in text:
        found += _users(decoded)
    if "bearer" in lowered or "sharedaccesssignature" in lowered:
        found += (match.span(1) for match in _SCHEME.finditer(text))
    if "AzFu" in text:
        found += (match.span() for match in _FUNCTION_KEY.finditer(text))
    return found


def _named(decoded: EncodedText, parameters: Names, words: Names) -> Iterator[_Span]:
    """Find the values of secret names."""
    text = decoded.text
    after = 0
    while match := _NAME.search(text, after):
        after = match.end()
        name = match[1]
        is_pair = match[2] is None and text[after - 1] == "="
        before = _before(text, match.start()) if is_pair else ""
        if before in ("?", "&", "#") and name in parameters:
            end = _end(decoded, _PARAMETER_END, after, decoded.depth(after - 1))
            spans = [(after, end)]
        elif before in ("'", '"') and _is_empty(decoded, before, after):
            continue
        elif (before and name in parameters) or name.rpartition(".")[2] in words:
            spans = _values(decoded, name, after)
        else:
            continue
        for start, end in spans:
            after = max(after, end)
            if end > start:
                yield start, end


def _before(text: str, place: int) -> str:
    """Return what makes a name one of a query's or a connection string's; empty if it is none."""
    if place == 0:
        return "^"
    character = text[place - 1]
    if character == ";" and text[max(0, place - 5) : place].lower() == "&amp;":
        return "&"
    return character if character in "?&#;='\"" else ""


def _is_empty(decoded: EncodedText, quote: str, place: int) -> bool:
    """Tell whether the quote before a name closes where its value would start: `'code='`."""
    is_quote = decoded.text.startswith(quote, place)
    return is_quote and decoded.depth(place) <= decoded.depth(place - 1)


def _values(decoded: EncodedText, name: str, place: int) -> list[_Span]:
    """Find what a name names: a word, a quoted text, or a list of those."""
    text = decoded.text
    depth = decoded.depth(place - 1)
    opening = _OPENING.match(text, place)
    if opening and decoded.depth(opening.end() - 1) <= depth:
        return list(_quoted(decoded, opening))
    start = place if decoded.depth(place) > depth else _blank_end(text, place)
    if text[place - 1 : place + 1] == "={" and decoded.depth(place) <= depth:
        closing = text.find("}", start)  # as ODBC quotes
        return [(start + 1, len(text) if closing < 0 else closing)]
    plain = name.rpartition(".")[2].lower().replace("_", "-")
    if plain in _COOKIE_NAMES:
        return [(start, _end(decoded, _LINE_END, start, depth))]
    end = start
    if plain in _CREDENTIAL_NAMES and (credentials := _CREDENTIALS.match(text, start)):
        end = credentials.end()
        if decoded.depth(end) <= depth:
            return [(start, end)]
    return [(start, _end(decoded, _VALUE_END, end, depth))]


def _quoted(decoded: EncodedText, opening: re.Match[str]) -> Iterator[_Span]:
    """Find the text between quotes, or each one of a list; without a closing quote, the rest."""
    is_list = opening[1] is not None
    following: re.Match[str] | None = opening
    while following:
        start = following.end()
        end, after = _closing(decoded, start)
        yield start, end
        following = _NEXT_OPENING.match(decoded.text, after) if is_list else None


def _closing(decoded: EncodedText, start: int) -> tuple[int, int]:
    """
    Return where the text after a quote ends, and where its closing quote does.

    In JSON, a quote inside a text has more backslashes than the one that opened it; in a URL,
    it is percent-encoded more often.
    """
    text = decoded.text
    quote = start - 1
    opened = _backslashes(decoded, quote)
    for match in _QUOTES[text[quote]].finditer(text, start):
        place = match.end() - 1
        slashes = len(match[1]) + decoded.backslashes(place)
        closes = slashes <= opened or (opened == 0 and slashes % 2 == 0)
        if closes and decoded.depth(place) <= decoded.depth(quote):
            return place - min(len(match[1]), opened), match.end()
    return len(text), len(text)


def _backslashes(decoded: EncodedText, quote: int) -> int:
    count = 0
    while count < quote and decoded.text[quote - 1 - count] == "\\":
        count += 1
    return count + decoded.backslashes(quote)


def _users(decoded: EncodedText) -> Iterator[_Span]:
    """Find user names and passwords of URLs: what stands before the last `@` of the authority."""
    text = decoded.text
    for match in _SCHEME_END.finditer(text):
        start = match.end()
        depth = decoded.depth(start - 1)
        end = _end(decoded, _AUTHORITY_END, start, depth)
        at = _last_at(decoded, start, end, depth)
        if at < 0 and _USER_AND_NO_PORT.match(text, start):
            # A password that was not encoded, as URLs of databases have: `p/ss@host`.
            far = _SPACE_OR_QUOTE.search(text, end, end + _FAR)
            at = _last_at(decoded, end, far.start() if far else end + _FAR, depth)
        if at > start:
            yield start, at


def _last_at(decoded: EncodedText, start: int, end: int, depth: int) -> int:
    at = decoded.text.rfind("@", start, end)
    while at >= 0 and decoded.depth(at) > depth:
        at = decoded.text.rfind("@", start, at)
    return at


def _end(decoded: EncodedText, pattern: re.Pattern[str], place: int, depth: int) -> int:
    """Return where a value ends: what is encoded more often than its name belongs to it."""
    for match in pattern.finditer(decoded.text, place):
        if decoded.depth(match.start()) <= depth:
            return match.start()
    return len(decoded.text)


def _blank_end(text: str, place: int) -> int:
    blanks = _BLANKS.match(text, place)
    return blanks.end() if blanks else place
