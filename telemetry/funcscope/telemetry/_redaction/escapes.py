"""Read a text with its escapes undone, and find the same place in the original."""

from __future__ import annotations

import re
from bisect import bisect_left

# A URL inside a URL is percent-encoded once more each time: `&` is `%26`, then `%2526`. JSON may
# write any character as `\u0026`, with more backslashes inside another JSON string; JavaScript and
# Python as `\x26`; HTML as `&#38;` or `&amp;`.
_ESCAPE = re.compile(
    r"%(?:25)*([0-9A-Fa-f]{2})|\\{1,8}(?:u00|x|U000000)([0-9A-Fa-f]{2})"
    r"|&(?:#0{0,5}([0-9]{2,3})|#[xX]0{0,5}([0-9A-Fa-f]{2})|(amp|quot|apos|lt|gt));"
)
# What is painted (ANSI) or has no width stands before a character; some look like another one.
_UNSEEN = "\u00ad\u200b-\u200d\u2060\ufeff"
_BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_WIDE = "\uff01-\uff5e"
_ESC = (
    r"(?:\x1b|(?:\\|%(?:25)*5[cC]){1,8}(?:u001[bB]|x1[bB]|033)|%(?:25)*1[bB])(?:\[|%(?:25)*5[bB])"
)
_PAINT = rf"{_ESC}(?:[0-9;]|%(?:25)*3[bB]){{0,16}}m"
_DISGUISE = re.compile(
    rf"(?:{_PAINT}|[{_UNSEEN}])+([^%\\&]?)|([{_BLANKS}])|([{_WIDE}])",
    re.DOTALL,
)
_DISGUISED = re.compile(f"[{_UNSEEN}{_BLANKS}{_WIDE}]")
_MAY_BE_PAINTED = ("\x1b[", "1b[", "1B[", "033[", "1B%", "1b%")
_DISGUISE_OR_ESCAPE = re.compile(f"{_DISGUISE.pattern}|{_ESCAPE.pattern}", re.DOTALL)
_TO_ASCII = 0xFEE0
_PLUS = re.compile(r"\++")
_BESIDE_BLANKS = frozenset(":,=|\"'()[]{}<>\r\n")
_ENTITIES = {"amp": "&", "quot": '"', "apos": "'", "lt": "<", "gt": ">"}
_BYTE = 256


class EncodedText:
    """
    A text, decoded.

    One escape is one character of `text`, whatever it takes to write; bytes above 127 stay
    single, for what is looked for is ASCII. Made in one pass over the original.

    Attributes:
        original: The text as it was given.
        text: The text without escapes.
    """

    __slots__ = ("_escapes", "_places", "_shifts", "original", "text")

    def __init__(self, original: str) -> None:
        self.original = self.text = original
        self._places: list[int] = []
        self._shifts: list[int] = [0]
        self._escapes: dict[int, str] = {}
        if is_disguised(original):
            self.text = _DISGUISE_OR_ESCAPE.sub(self._decode_any, original)
        elif "%" in original or "\\" in original or ("&" in original and ";" in original):
            self.text = _ESCAPE.sub(self._decode, original)
        if "+" in original and "%" in original:
            self.text = _PLUS.sub(self._decode_plus, self.text)

    def depth(self, place: int) -> int:
        """Return how many times a character is encoded as in a URL, or its quote as in HTML."""
        escape = self._escapes.get(place, "") if self._escapes else ""
        if escape.startswith("&"):
            return 1 if self.text[place] in "\"'" else 0
        return (len(escape) - 1) // 2 if escape.startswith("%") else 0

    def backslashes(self, place: int) -> int:
        r"""Return how many backslashes write a character as in `\u0022`."""
        escape = self._escapes.get(place, "") if self._escapes else ""
        return escape.count("\\")

    def place(self, place: int) -> int:
        """Return where in the original a character of `text` starts."""
        return place + self._shifts[bisect_left(self._places, place)]

    def replaced(self, spans: list[tuple[int, int]], replacement: str) -> str:
        """Return the original with parts of `text`, by start and end, replaced."""
        pieces: list[str] = []
        done = 0
        for start, end in _merged(spans):
            pieces += (self.original[done : self.place(start)], replacement)
            done = self.place(end)
        return "".join((*pieces, self.original[done:]))

    def _decode(self, escape: re.Match[str]) -> str:
        percent, hexadecimal, decimal, html, name = escape.groups()[-5:]
        if decimal is not None and int(decimal) >= _BYTE:
            return escape[0]
        self._keep(escape, escape[0])
        if name is not None:
            return _ENTITIES[name]
        if decimal is not None:
            return chr(int(decimal))
        return chr(int(percent or hexadecimal or html, 16))

    def _decode_any(self, escape: re.Match[str]) -> str:
        after, blank, wide = escape.groups()[:3]
        if blank or wide:
            return chr(ord(wide) - _TO_ASCII) if wide else " "
        if after is None:
            return self._decode(escape)
        self._keep(escape, "")
        return after or " "

    def _decode_plus(self, plus: re.Match[str]) -> str:
        """Read `%3A+%22` as a form has it, with a blank that is encoded as what is beside it."""
        start, end = plus.span()
        for place in (start - 1, end):
            escape = self._escapes.get(place, "")
            if escape.startswith("%") and plus.string[place] in _BESIDE_BLANKS:
                break
        else:
            return plus[0]
        places = range(start, end)
        if any(place in self._escapes for place in places):  # `%2B`
            return plus[0]
        self._escapes.update(dict.fromkeys(places, escape))
        return " " * len(plus[0])

    def _keep(self, escape: re.Match[str], written: str) -> None:
        place = escape.start() - self._shifts[-1]
        self._places.append(place)
        self._escapes[place] = written
        self._shifts.append(self._shifts[-1] + len(escape[0]) - 1)


def is_disguised(text: str) -> bool:
    """Tell whether a text is painted, or has characters that only look like others."""
    # Most texts are plain: this comes before all else that is looked at.
    if "[" in text or "5B" in text or "5b" in text:
        for start in _MAY_BE_PAINTED:
            if start in text:
                return True
    return not text.isascii() and _DISGUISED.search(text) is not None


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, those that overlap or touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
