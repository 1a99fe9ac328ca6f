"""No secret leaves in a URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.telemetry._redaction import SECRET_PARAMETERS, redact, redact_value

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789-_.~", min_size=16, max_size=40)
KEYS = st.sampled_from(SECRET_PARAMETERS)


def any_case(text: str, upper: int) -> str:
    """Put a text into one of its many cases."""
    return "".join(c.upper() if upper >> i & 1 else c for i, c in enumerate(text))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda url: url,
    "encoded": lambda url: "https://b.net/?next=" + quote(url, safe=""),
    "encoded twice": lambda url: "https://b.net/?next=" + quote(quote(url, safe=""), safe=""),
    "json": lambda url: json.dumps({"url": url}),
    "json escaped": lambda url: json.dumps({"url": url}).replace("&", "\\u0026"),
    "in a sentence": lambda url: f"cannot reach {url}, sorry",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(secret=SECRETS, key=KEYS, upper=st.integers(0, 2**20))
def test_no_secret_survives(encoding: str, secret: str, key: str, upper: int) -> None:
    """Whatever the case of its name and the encoding around it, a secret's value is replaced."""
    query = f"x=1&{any_case(key, upper)}={secret}&y=2"
    text = redact(ENCODINGS[encoding](f"https://app.net/api/f?{query}"))

    assert secret not in text
    assert "REDACTED" in text


@given(st.text())
def test_redaction_is_stable(text: str) -> None:
    """Any text can be redacted, and doing so again changes nothing."""
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "exit code=1",
        "https://app.net/api/f?x=1&decode=yes&barcode=4006381333931",
        "https://app.net/code=7/x",
        "a@b.net wrote",
        "",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    """What is no secret parameter of a URL stays as it is."""
    assert redact(text) == text


def test_the_rest_of_a_query_stays_in_order() -> None:
    """Names and order of parameters are kept, and other values too."""
    assert redact("a=1&code=s&b=2&SIG=t#frag") == "a=1&code=REDACTED&b=2&SIG=REDACTED#frag"


def test_user_and_password_of_a_url() -> None:
    """User information in a URL is replaced whole."""
    assert redact("amqp://me:s3cret@bus.net/q") == "amqp://REDACTED@bus.net/q"


def test_secrets_in_structures() -> None:
    """Texts in lists and mappings are redacted, and values whose name tells of a secret whole."""
    url = "https://app.net/f?code=s3cret"
    value = {"urls": [url], "headers": {"X-Functions-Key": "s3cret", "accept": "*/*"}, "n": 1}

    assert redact_value("extra", value) == {
        "urls": ("https://app.net/f?code=REDACTED",),
        "headers": {"X-Functions-Key": "REDACTED", "accept": "*/*"},
        "n": 1,
    }
    assert redact_value("Authorization", "Bearer s3cret") == "REDACTED"
    assert redact_value("code", 7) == 7
