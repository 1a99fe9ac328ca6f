"""
The names whose values are secrets, and how names are compared.

They are those of the Functions host's keys (`code`), of shared access signatures (`sig`), of the
tokens that OpenTelemetry's conventions list for `url.query` (semantic conventions 1.44, `url`
registry), of App Service's sign-in headers and of the gateways in front of functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SECRET_PARAMETERS = (
    "access_token",
    "accountkey",
    "api_key",
    "awsaccesskeyid",
    "client_assertion",
    "client_secret",
    "code",
    "id_token",
    "key",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "sharedaccesskey",
    "sharedaccesssignature",
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
"""Names of query parameters, and of parts of connection strings."""

SECRET_HEADERS = (
    "aeg-sas-key",
    "aeg-sas-token",
    "authorization",
    "cookie",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "set-cookie",
    "x-ms-client-principal*",
    "x-ms-token-*",
)
"""Names of headers; a star stands for any ending."""

ONLY_IN_URLS = ("code", "key")
"""Names that say too much elsewhere: `{"code": 404}` is no secret."""

ONLY_AS_A_FIELD = ("sig", "signature", "token")
"""Names that tell of a secret as a whole field's name, but not anywhere in a text."""


class Names:
    """A set of names: `in` compares in any case, hyphens and underscores aside."""

    __slots__ = ("beginnings", "whole")

    def __init__(self, whole: frozenset[str], beginnings: tuple[str, ...]) -> None:
        self.whole = whole
        self.beginnings = beginnings

    def __contains__(self, name: str) -> bool:
        plain = _plain(name)
        return plain in self.whole or plain.startswith(self.beginnings)

    def __or__(self, other: Names) -> Names:
        """Return the names of both."""
        beginnings = {*self.beginnings, *other.beginnings}
        return Names(self.whole | other.whole, tuple(sorted(beginnings)))


def names(*lists: Iterable[str], but: Iterable[str] = ()) -> Names:
    """Make a set of names from lists, in which `x-ms-token-*` stands for any ending."""
    every = {_plain(name) for some in lists for name in some} - {"", "*"}
    beginnings = {name for name in every if name.endswith("*")}
    return Names(
        frozenset(every - beginnings - {_plain(name) for name in but}),
        tuple(sorted(name[:-1] for name in beginnings)),
    )


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "").replace("_", "")
