r"""
Take secrets out of URLs, and out of URLs inside other text.

The names are those of the Functions host's keys (`code`), of shared access signatures
(`sig`), of the tokens that OpenTelemetry's conventions list for `url.query` (semantic
conventions 1.44, `url` registry) and of the gateways in front of functions. They match in
any case, and in a URL that is itself percent-encoded or inside a JSON string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

REDACTED = "REDACTED"

SECRET_PARAMETERS = (
    "access_token",
    "api_key",
    "api-key",
    "apikey",
    "awsaccesskeyid",
    "client_secret",
    "code",
    "id_token",
    "key",
    "password",
    "refresh_token",
    "sharedaccesskey",
    "sig",
    "signature",
    "subscription-key",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-functions-key",
    "x-goog-signature",
)

# A URL inside a URL is percent-encoded once more each time: `&` is `%26`, then `%2526`.
_ENCODED = r"%(?:25)*"
_START = rf"(?:^|[?&;]|{_ENCODED}(?:3F|26|3B)|\\u0026|\\u003f)"
_EQUALS = rf"(?:=|{_ENCODED}3D|\\u003d)"
_VALUE = rf"(?:(?!{_ENCODED}26|\\u0026)[^&;\s\"'<>#\\])+"
_NAMES = "|".join(re.escape(name) for name in sorted(SECRET_PARAMETERS, key=len, reverse=True))
_SECRET = re.compile(rf"({_START}(?:{_NAMES}){_EQUALS}){_VALUE}", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/\s?#@\"']+@")


SECRET_NAMES = frozenset(
    (
        *SECRET_PARAMETERS,
        "aeg-sas-key",
        "aeg-sas-token",
        "authorization",
        "cookie",
        "ocp-apim-subscription-key",
        "proxy-authorization",
        "set-cookie",
    )
) - {"code", "key"}
"""Names of headers and fields whose whole value is a secret; `code` and `key` name too much."""


def redact_value(name: str, value: T) -> T | object:
    """Redact a named value: whole if its name tells of a secret, else every text in it."""
    if name.lower() in SECRET_NAMES:
        return REDACTED
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {key: redact_value(str(key), item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return tuple(redact_value("", item) for item in cast("Sequence[object]", value))
    return value


def redact(text: str) -> str:
    """
    Replace the values of secret parameters, and user names and passwords, in URLs in a text.

    >>> redact("GET https://app.net/api/f?code=s3cret&x=1 failed")
    'GET https://app.net/api/f?code=REDACTED&x=1 failed'
    >>> redact("next=https%3A%2F%2Fapp.net%2Ff%3FCode%3Ds3cret%26x%3D1")
    'next=https%3A%2F%2Fapp.net%2Ff%3FCode%3DREDACTED%26x%3D1'
    """
    if "=" not in text and "%" not in text and "\\u" not in text and "@" not in text:
        return text
    return _USER.sub(f"{REDACTED}@", _SECRET.sub(rf"\g<1>{REDACTED}", text))
