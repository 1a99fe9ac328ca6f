"""What is kept of a text that is too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.telemetry._redaction.redactor import redact
from funcscope.telemetry._values.limits import shorten


@given(st.text(max_size=200), st.integers(0, 250))
def test_a_text_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    """A text within its limit stays as it is, and a longer one gets no longer than that."""
    short = shorten(text, limit)

    assert short == text if len(text) <= limit else len(short) <= limit


@given(st.text(min_size=101, max_size=300))
def test_what_is_kept_and_left_out_is_the_whole_text(text: str) -> None:
    """What is kept is the head of the text, and the count of what is left out is right."""
    head, _, note = shorten(text, 100).rpartition("… [")

    assert text.startswith(head)
    assert note == f"{len(text) - len(head)} characters left out]"


@pytest.mark.parametrize(
    "secret",
    ["Bearer " + "k" * 40, "k" * 44 + "AzFu" + "kkkkkQ==", "eyJhbGciOiJIUzI1NiJ9.eyJr.kkkkk"],
)
@given(st.integers(0, 60))
def test_no_part_of_a_token_is_left_at_the_cut(secret: str, before: int) -> None:
    """A token that the cut falls into goes altogether, as half of it could not be told."""
    text = "x, " * 70 + " " * before + secret + " and more" * 20

    left = redact(shorten(text, 250))

    assert "kk" not in left or secret in left


def test_a_word_without_an_end_is_cut() -> None:
    """What is one word as far as can be seen, such as a picture in base64, keeps its head."""
    assert shorten("A" * 1000, 100).startswith("A" * 60)
