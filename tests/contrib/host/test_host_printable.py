"""Text of others does nothing to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.contrib._local.printable import printable, printable_line

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
DANGEROUS = st.sampled_from(["\x1b", "\x9b", "\x9d", "\r", "\x07", "\x7f", *BIDIRECTIONAL])
TEXT = st.lists(st.one_of(st.text(max_size=5), DANGEROUS)).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b]0;pwn\x07", r"\x1b[31mred\x1b]0;pwn\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("50 %\rdone", r"50 %\rdone"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("first\r\nsecond\n\tthird", "first\nsecond\n\tthird"),
        ("\ud800", r"\ud800"),
        ("café 👩‍💻 日本語 می‌خواهم [bold]", "café 👩‍💻 日本語 می‌خواهم [bold]"),
    ],
)
def test_control_characters_are_escapes(text: str, expected: str) -> None:
    """A control character is shown as an escape; lines, tabs and every script stay as they are."""
    assert printable(text) == expected


def test_a_line_stays_one() -> None:
    """What has to be one line is one: its line breaks and tabs are shown as escapes."""
    assert printable_line("a\r\nb\tc\u2028d") == r"a\r\nb\tc\u2028d"


@given(TEXT)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    """Whatever the text, no control character and no change of direction is left in it."""
    left = set(printable(text)) - {"\n", "\t"}

    assert not left & set(BIDIRECTIONAL)
    assert not {c for c in left if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert len(printable_line(text).splitlines()) <= 1
    assert "\t" not in printable_line(text)
