"""Find where the value after a name starts and ends: a word, a quoted text, a structure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry._redaction.names import WEAK

if TYPE_CHECKING:
    from funcscope.telemetry._redaction.escapes import EncodedText

Span = tuple[int, int]

QUOTE_ENDS = r"'(?=[\s,;:)\]}>&\"']|\Z)|\\{1,8}[\"']"  # an apostrophe may be part of a value
_VALUE_END = re.compile(
    rf"[; \t\r\n\f\v\"]|&(?=[\w.%\[\]-]{{1,80}}=)|,(?=[\s\"']|\Z|[\w.-]{{1,80}}[ \t]{{0,8}}[:=])|"
    # The end of a header's line as it is written in a string.
    r"\\{1,8}r\\{1,8}n|\\{1,8}n(?=[A-Za-z][\w-]{0,80}:[ ])|"
    rf"{QUOTE_ENDS}",
    re.ASCII,
)
_WRITTEN_END = re.compile(r"\\{1,8}r\\{1,8}n|\\{1,8}n(?=[A-Za-z][\w-]{0,80}:[ ])")
_LINE_END = re.compile(
    r"\r?\n(?![ \t])|\r(?!\n)|\"|\\{1,8}r\\{1,8}n(?![ \t])"
)  # a header may go on in an indented line

_SPACE = r"(?:\s|\\{1,8}[nrt])*"  # also as it is written in a string
_OPENING = re.compile(rf">?{_SPACE}([\[(]{_SPACE})?[bBuUrRfF@$]{{0,2}}(\\{{0,8}}[\"'])")
_OPERATOR = re.compile(r":=|=[=>](?=[ \t\"'])")
_BLANKS = re.compile(r"[ \t]*")
_NEXT_OPENING = re.compile(rf"{_SPACE},{_SPACE}[bBuUrRfF]{{0,2}}(\\{{0,8}}[\"'])")
_LIST_END = re.compile(rf"{_SPACE}(?:,{_SPACE})?[\])]")
_QUOTES = {sign: re.compile(rf"(?<!\\)(\\*){sign}") for sign in "\"'"}
_STRUCTURE = re.compile(rf"{_SPACE}([\[({{<])")
_CALL = re.compile(
    r"[ \t]*[A-Za-z_][\w.]{0,80}(\()(?=(?:\w{1,40}=)?[bBuUrRfF]{0,2}\\{0,8}[\"']|REDACTED\))"
)
_IS_STRUCTURE = re.compile(
    rf"{_SPACE}(?:[bBuUrRfF]{{0,2}}\\{{0,8}}[\"']|[\[({{<\])}}>-]|REDACTED[\])}}>]|\w{{1,80}}[\"']?[:=]|\Z)"
)
_BRACKETED = re.compile(r"\s*[\[({<]([^\[\](){}<>\r\n\"']{0,200})[\])}>](?=[\s,;)\]}>\"'&\\]|\Z)")
_QUOTE_OR_BRACKET = re.compile(r"\\{0,8}[\"']|[\[\](){}<>]")
_OPENING_BRACKETS, _CLOSING_BRACKETS = "[({<", "])}>"
_ANNOTATION = re.compile(
    r"[ \t]*[A-Za-z_][\w.]{0,40}(?:\[[\w., |]{0,40}\])?(?:[ \t]?\|[ \t]?\w{1,40})?[ \t]{0,4}"
    r"=[ \t]{0,8}(?=[bBuUrRfF]{0,2}\\{0,8}[\"'])"
)
_PAIRS_FOLLOW = re.compile(r"[^;=\"'\r\n&<>]{1,200};(?=[ \t]{0,8}[A-Za-z][\w .-]{0,40}=)")

# `password:`, and the value in the lines below, indented deeper, as in YAML; or a folded header's.
_BLOCK = re.compile(
    r"[ \t]*(?:[|>][+-]?[0-9]?[ \t]*)?(?:\r?\n|(?:\\{1,8}r)?(\\{1,8})n(?=[ \t]|\\{1,8}t|-[ ]))"
)
_INDENTED = re.compile(r"([ \t]*)(-[ \t])?([^\n]*)(?:\n|\Z)")
_INDENTATION = re.compile(r"[ \t]*(?:-[ \t]+)?")

_LITERAL = re.compile(r"(?:true|false|null|none|undefined|nil)(?![\w.+/=-])", re.IGNORECASE)
_TAG = re.compile(r"(?:[!&][^\s,;\"']{0,80}[ \t]{1,8}){1,2}(?=[^\s|>])")  # YAML's
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?![\w.+/=-])", re.ASCII)
_WHOLE_NUMBER = re.compile(r"(?:REDACTED|-?[0-9]+(?:\.[0-9]+)?)(?=[\s,)\]}]|\Z)")

# `Bearer x`, or `Digest a="b", c=d`: a scheme, and a token or parameters.
_CREDENTIALS = re.compile(
    r"REDACTED(?![^\s,;\"'])|"
    r"[^\s,;\"']+(?:(?:[ \t]{1,8}|\r?\n[ \t]{1,8})[^\s,;\"']+(?:\"[^\"\r\n]{0,1000}\")?"
    r"(?:,[ \t]{0,8}[\w-]{1,80}=(?:\"[^\"\r\n]{0,1000}\"|[^\s,;\"']*))*)?",
)
_CREDENTIAL_NAMES = ("authorization",)
_COOKIE_NAMES = ("cookie",)


class Value(NamedTuple):
    """
    The value of a name in a text.

    Attributes:
        spans: Its texts, by start and end.
        after: Where the text goes on.
    """

    spans: list[Span]
    after: int


def value_after(decoded: EncodedText, name: str, kinds: int, start: int, place: int) -> Value:
    """
    Find what a name names.

    Args:
        decoded: The text.
        name: The name.
        kinds: What is known of it.
        start: Where it starts.
        place: Where what parts it from its value ends.
    """
    text = decoded.text
    depth = max(decoded.depth(place - 1), _quote_depth(decoded, start))
    if more := _OPERATOR.match(text, place - 1):
        place = more.end()
    if annotated := _ANNOTATION.match(text, place):
        place = annotated.end()  # `password: str = "…"`
    opening = _OPENING.match(text, place)
    if opening and decoded.depth(opening.end() - 1) <= depth:
        return _quoted(decoded, opening)
    if structure := _structure(decoded, place, depth):
        return structure
    plain = name.rpartition(".")[2].lower().replace("_", "").replace("-", "")
    if plain.endswith(_COOKIE_NAMES):
        begin = _begin(decoded, place, depth)
        return _one(begin, end_of(decoded, _LINE_END, begin, depth))
    if text[place - 1] == ":" and (block := _BLOCK.match(text, place)):
        if block[1] is not None:
            return _written_block(text, block.end(), len(block[1]))
        return _block(text, start, block.end())
    return _word(decoded, place, depth, kinds, has_scheme=plain.endswith(_CREDENTIAL_NAMES))


def closing(decoded: EncodedText, start: int, end: int | None = None) -> Span:
    """
    Return where the text after a quote ends, and where its closing quote does.

    In JSON, a quote inside a text has more backslashes than the one that opened it; in a URL,
    it is percent-encoded more often.
    """
    text = decoded.text
    end = len(text) if end is None else end
    quote = start - 1
    opened = _backslashes(decoded, quote)
    for match in _QUOTES[text[quote]].finditer(text, start, end):
        place = match.end() - 1
        slashes = len(match[1]) + decoded.backslashes(place)
        closes = slashes <= opened or (opened == 0 and slashes % 2 == 0)
        if closes and decoded.depth(place) <= decoded.depth(quote):
            return place - min(len(match[1]), opened), match.end()
    return end, end


def end_of(decoded: EncodedText, pattern: re.Pattern[str], place: int, depth: int) -> int:
    """Return where a value ends: what is encoded more often than its name belongs to it."""
    for match in pattern.finditer(decoded.text, place):
        if decoded.depth(match.start()) <= depth:
            return match.start()
    return len(decoded.text)


def leaves(decoded: EncodedText, start: int, end: int) -> bool:
    """Tell whether what stands between two places of a structure leaves it, or starts another."""
    text, level = decoded.text, 0
    place = start
    while match := _QUOTE_OR_BRACKET.search(text, place, end):
        place = match.end()
        sign = text[place - 1]
        if sign in "\"'":
            _, place = closing(decoded, place, end)
        else:
            level += 1 if sign in _OPENING_BRACKETS else -1
            if level < 0:
                return True
    return level != 0 or re.search(r"\n[ \t]*-[ \t]", text[start:end]) is not None


def _quote_depth(decoded: EncodedText, start: int) -> int:
    is_quoted = start > 0 and decoded.text[start - 1] in "\"'"
    return decoded.depth(start - 1) if is_quoted else 0


def _one(start: int, end: int) -> Value:
    return Value([(start, end)], end)


def _begin(decoded: EncodedText, place: int, depth: int) -> int:
    """Return where a value starts after blanks; those that are encoded belong to it."""
    if place < len(decoded.text) and decoded.depth(place) > depth:
        return place
    blanks = _BLANKS.match(decoded.text, place)
    return blanks.end() if blanks else place


def _word(decoded: EncodedText, place: int, depth: int, kinds: int, *, has_scheme: bool) -> Value:
    """Find a value without quotes."""
    text = decoded.text
    start = end = _begin(decoded, place, depth)
    if _LITERAL.match(text, start) or (kinds & WEAK and _NUMBER.match(text, start)):
        return Value([], start)
    number = _WHOLE_NUMBER.match(text, start)
    if number and (number.end() == len(text) or decoded.depth(number.end()) <= depth):
        return _one(start, number.end())
    if has_scheme and (credentials := _CREDENTIALS.match(text, start)):
        end = credentials.end()
        if written := _WRITTEN_END.search(text, start, end + 100):
            end = min(end, written.start())
        if end == len(text) or decoded.depth(end) <= depth:
            return _one(start, end)
    if text[place - 1] == ":" and (tag := _TAG.match(text, start)):
        end = tag.end()
    end = end_of(decoded, _VALUE_END, end, depth)
    # A password with blanks in a connection string, where other pairs follow.
    if text[end : end + 1] in (" ", "\t") and (pairs := _PAIRS_FOLLOW.match(text, end)):
        end = pairs.end() - 1
    return _one(start, end)


def _quoted(decoded: EncodedText, opening: re.Match[str]) -> Value:
    """Find the text between quotes, or each one of a list; without a closing quote, the rest."""
    text = decoded.text
    spans: list[Span] = []
    following: re.Match[str] | None = opening
    after = opening.end()
    while following:
        start = following.end()
        end, after = closing(decoded, start)
        sign, quote = text[start - 1], following[following.lastindex or 0]
        if end == start and text.startswith(sign, after) and after == start + 1:
            end, after = _triple(text, after + 1, sign * 3)
            start += 2
        while text.startswith(quote, after) and decoded.depth(after) <= decoded.depth(start - 1):
            end, after = closing(decoded, after + len(quote))  # two of them are one: `'a''b'`
        spans.append((start, end))
        following = _NEXT_OPENING.match(text, after) if opening[1] is not None else None
    if opening[1] is None or after == len(text) or _LIST_END.match(text, after):
        return Value(spans, after)
    # A list that has more than texts in it.
    return _within(decoded, opening.start(1), decoded.depth(opening.start(1)))


def _triple(text: str, start: int, sign: str) -> Span:
    end = text.find(sign, start)
    return (len(text), len(text)) if end < 0 else (end, end + 3)


def _structure(decoded: EncodedText, place: int, depth: int) -> Value | None:
    """Find an object, a list, a call or a value in braces, whole; None where there is none."""
    text = decoded.text
    opening = _STRUCTURE.match(text, place) or _CALL.match(text, place)
    if not opening or decoded.depth(opening.start(1)) > depth:
        return None
    start = opening.end()
    if not _IS_STRUCTURE.match(text, start):
        if text[place - 1] == "=" and opening.start() == place and text[place] == "{":
            return _braced(text, start)
        bracketed = _BRACKETED.match(text, place)
        return Value([bracketed.span(1)], bracketed.end()) if bracketed else None
    value = _within(decoded, opening.start(1), depth)
    if text[value.after : value.after + 1] in ("", *" \t\r\n,;)]}>\"'&\\"):
        return value
    return _one(opening.start(1), end_of(decoded, _VALUE_END, value.after, depth))  # `('a')b`


def _braced(text: str, start: int) -> Value:
    """Find what stands in braces, as ODBC quotes: two of the closing ones are one of the value."""
    end = text.find("}", start)
    while end >= 0 and text.startswith("}", end + 1):
        end = text.find("}", end + 2)
    return Value([(start, end if end >= 0 else len(text))], end + 1 if end >= 0 else len(text))


def _within(decoded: EncodedText, bracket: int, depth: int) -> Value:
    """Find all that stands in brackets; without a closing one, the rest."""
    text, level = decoded.text, 1
    sign = text[bracket]
    other = _CLOSING_BRACKETS[_OPENING_BRACKETS.index(sign)]
    place = bracket + 1
    while match := _QUOTE_OR_BRACKET.search(text, place):
        place = match.end()
        character = text[place - 1]
        if decoded.depth(place - 1) > depth:
            continue
        if character in "\"'":
            _, place = closing(decoded, place)
        elif character == sign:
            level += 1
        elif character == other:
            level -= 1
            if level == 0:
                return Value([(bracket + 1, place - 1)], place)
    return Value([(bracket + 1, len(text))], len(text))


def _block(text: str, name: int, start: int) -> Value:
    """Find the lines below a name that are indented deeper, or are items of its list."""
    line = _INDENTATION.match(text, text.rfind("\n", 0, name) + 1)
    own = len(line[0]) if line and line.end() <= name else 0
    end = place = start
    while place < len(text) and (match := _INDENTED.match(text, place)):
        indented, item, content = match.groups()
        place = match.end()
        if not content.strip():
            if item is None:
                continue
        elif not (len(indented) > own or (item and len(indented) >= own)):
            break
        end = match.end(3)
    if end == start:
        return Value([], start)
    begin = _BLANKS.match(text, start)
    return Value([(begin.end() if begin else start, len(text[:end].rstrip("\r")))], end)


def _written_block(text: str, start: int, backslashes: int) -> Value:
    r"""Find the same where the text is in a string, and its lines end in `\n`."""
    end = start
    for match in re.compile(rf"\\{{{backslashes}}}n|(\\*)[\"']").finditer(text, start):
        if match[1] is None:
            ends = not text.startswith((" ", "\t", "- "), match.end())
        else:
            ends = len(match[1]) < backslashes
        if ends:
            end = match.start()
            break
    else:
        end = len(text)
    begin = _BLANKS.match(text, start)
    return _one(begin.end() if begin else start, end)


def _backslashes(decoded: EncodedText, quote: int) -> int:
    count = 0
    while count < quote and decoded.text[quote - 1 - count] == "\\":
        count += 1
    return count + decoded.backslashes(quote)
