"""Text of others made fit for a terminal, which obeys the control characters in it."""

from __future__ import annotations

import re

# C0 without tab and newline, DEL and C1; the marks, embeddings, overrides and isolates that turn
# the order of text around (https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters);
# line and paragraph separators; surrogates, which no encoding has.
_UNSAFE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"\u2028\u2029"
    r"\ud800-\udfff"
)
_in_text = re.compile(rf"\r\n|[{_UNSAFE}]")
_in_line = re.compile(rf"[{_UNSAFE}\t\n]")


def printable(text: str) -> str:
    r"""
    Return text with its control characters as escapes; lines and tabs stay.

    >>> print(printable("\x1b[31mred\r\nnext"))
    \x1b[31mred
    next
    """
    return _in_text.sub(_escape, text)


def printable_line(text: str) -> str:
    r"""
    Return text as one line: line breaks and tabs are escapes, too.

    For names, titles and values, which could make lines of their own otherwise.

    >>> print(printable_line("a\nb\u202e"))
    a\nb\u202e
    """
    return _in_line.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    return "\n" if found == "\r\n" else found.encode("unicode_escape").decode("ascii")
