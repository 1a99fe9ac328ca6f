"""
The names whose values are secrets, and how names are compared.

They are those of the Functions host's keys (`code`, `masterKey`), of shared access signatures
(`sig`) and connection strings, of the tokens that OpenTelemetry's conventions list for `url.query`
(semantic conventions 1.44, `url` registry), of App Service's sign-in headers, of the gateways in
front of functions, and the words that secret scanners go by (detect-secrets 1.5, `keyword`;
gitleaks 8, `generic-api-key`): password, secret, token, and the keys of something.

A name is read word by word, whether it is written `client_secret`, `client-secret`, `clientSecret`,
`AZURE_CLIENT_SECRET` or `clientsecret`: what it is of stands at its end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IN_URL = 1
"""The name's value is a secret in a URL, a query string or a connection string."""
AS_FIELD = 2
"""The name's whole value is a secret where it names a field, an attribute or an XML element."""
IN_TEXT = 4
"""The name's value is a secret anywhere in a text, before `=` or `:`."""
WEAK = 8
"""A number of that name is none: `{"token": 17}`."""
CONNECTION = 16
"""The value is a connection string, whose parts have names of their own."""
ASSIGNED = 32
"""The value is a secret in a text right after `=`: `token=…`, not `unexpected token: …`."""

NAMING = 64
"""The value is what another one is named by: `{"name": "Authorization", "value": "…"}`."""
NAMED = 128
"""The value is what is named there."""

_ANYWHERE = IN_URL | AS_FIELD | IN_TEXT

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
    "pass",
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
    "identity-header",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-identity-header",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "x-zumo-auth",
)
"""Names of headers; a star stands for any ending."""

_KINDS = {
    # These say too much elsewhere: `{"code": 404}` is no secret.
    "code": IN_URL,
    "key": IN_URL | NAMING,
    # These tell of a secret where they are a whole field's name, but not anywhere in a text.
    "pass": IN_URL | AS_FIELD | WEAK | ASSIGNED,
    "sig": IN_URL | AS_FIELD | WEAK | ASSIGNED,
    "signature": IN_URL | AS_FIELD | WEAK,
    "token": IN_URL | AS_FIELD | WEAK | ASSIGNED,
    # As do these, which are often no secrets, but then numbers.
    "apikeys": AS_FIELD | WEAK | ASSIGNED,
    "cookies": AS_FIELD | WEAK | ASSIGNED,
    "credential": AS_FIELD | WEAK,
    "credentials": AS_FIELD | WEAK,
    "creds": AS_FIELD | WEAK | ASSIGNED,
    "passwords": AS_FIELD | WEAK | ASSIGNED,
    "secrets": AS_FIELD | WEAK | ASSIGNED,
    "connectionstring": AS_FIELD | CONNECTION,
    "field": NAMING,
    "header": NAMING,
    "name": NAMING,
    "param": NAMING,
    "parameter": NAMING,
    "variable": NAMING,
    "val": NAMED,
    "value": NAMED,
}

_ENDINGS = (
    "accesskey",
    "accesstoken",
    "accountkey",
    "apikey",
    "apitoken",
    "authkey",
    "authtoken",
    "bearertoken",
    "clientsecret",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "refreshtoken",
    "sastoken",
    "secret",
    "secretkey",
    "sessiontoken",
    "zumoauth",
)
"""Endings of secret names that need no sign of where a word starts."""

_KEYS_OF = _words(
    "access account admin aes anthropic aoai api apim app application auth authentication "
    "authorization client cognitive connection cosmos cosmosdb crypto database datadog db "
    "decryption deploy deployment encryption eventgrid eventhub function functions gateway "
    "gpg hmac host iot iothub jwt licence license mailgun management master openai pgp priv "
    "private redis root rsa sas secret sendgrid service servicebus session shared sign "
    "signalr signing ssh ssl storage stripe subscription symmetric system tls twilio "
    "webhook webpubsub"
)
"""Owners of secret keys: the key of a partition, a cache or a table is none."""

_PASSES_OF = _words(
    "admin auth basic database db email ftp http key login mail mq mysql pg postgres proxy "
    "rabbitmq redis root sftp smtp sql ssh user"
)
"""Owners of which `pass` is a password."""

_NO_TOKENS = _words(
    "a bad begin bos cancel cancellation change cls completion continuation current delta "
    "each end eos every expected fencing first input invalid keyword last lexer lock mask max "
    "min missing next num output pad page pagination paging parser per prev previous prompt "
    "resume sep skip special start stop string sync syntax text the total unexpected unk "
    "unknown word"
)
"""Before `token`, what makes it one of a text, a page or a lock."""

_SPOKEN_TOKENS = _words(
    "access api auth authentication bearer csrf github id identity jwt oauth refresh sas "
    "security session xsrf"
)
"""Words before `token` in a sentence: `access token: …`."""

_SEVERAL = ("secrets", "passwords", "credential", "credentials", "cookie", "cookies")

_ASIDE = _words(
    "again b64 base64 confirm confirmation default dev hash header live new old plain plaintext "
    "primary prod production raw repeat secondary staging string test text value"
)
"""Words that may follow the telling one: `DB_PASSWORD_PROD`, `secretText`."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_MAY_BE_SECRET = re.compile(
    r"pass|pwd|secret|token|key|code|sig|cookie|auth|cred|assertion|x-?ms-?|x-?amz|identity-?header|"
    r"connection_?-?string",
    re.IGNORECASE,
)
_REMEMBERED = 4096


class SecretNames:
    """
    The built-in names and a user's; compared in any case, hyphens and underscores aside.

    Args:
        extra: A user's names; `x-my-*` for any ending. They count everywhere.
    """

    __slots__ = ("_beginnings", "_known", "_whole")

    def __init__(self, extra: Iterable[str] = ()) -> None:
        kinds: dict[str, int] = {}
        for name in (*SECRET_PARAMETERS, *SECRET_HEADERS):
            kinds[_plain(name)] = _ANYWHERE
        kinds.update(_KINDS)
        kinds.update({plain: _ANYWHERE for name in extra if (plain := _plain(name)).strip("*")})
        self._whole = {name: kind for name, kind in kinds.items() if not name.endswith("*")}
        self._beginnings = tuple(sorted(name[:-1] for name in kinds if name.endswith("*")))
        self._known: dict[str, int] = {}

    def kinds(self, name: str) -> int:
        """Return where a name's value is a secret, as flags; of a dotted name, by its last part."""
        known = self._known.get(name)  # what a name is takes longer to work out than to keep
        if known is None:
            known = self._kinds(name)
            if len(self._known) < _REMEMBERED:
                self._known[name] = known
        return known

    def spoken(self, before: str, name: str) -> int:
        """Return the same for two words of a sentence: `API key: …`."""
        owner, plain = before.lower(), _plain(name)
        if (plain == "key" and owner in _KEYS_OF) or (plain == "token" and owner in _SPOKEN_TOKENS):
            return _ANYWHERE
        return 0

    def _kinds(self, name: str) -> int:
        whole = self._listed(name)
        if whole:
            return whole
        name = name.rstrip(".").rpartition(".")[2]
        listed = self._listed(name)
        if listed:
            # `http.status.code` is no secret.
            return listed if listed & AS_FIELD else listed & (NAMING | NAMED)
        return self._of_words(name) if _MAY_BE_SECRET.search(name) else 0

    def _listed(self, name: str) -> int:
        plain = _plain(name)
        listed = self._whole.get(plain, 0)
        return listed or (_ANYWHERE if plain.startswith(self._beginnings) else 0)

    def _of_words(self, name: str) -> int:
        """Return what a name's words say of its value: `AZURE_CLIENT_SECRET`, `dbPassword`."""
        words = [word.lower() for word in _WORD.findall(name)]
        if words[-2:] == ["connection", "string"]:
            return AS_FIELD | CONNECTION
        if name in ("primaryKey", "secondaryKey"):  # Azure's; databases' are `primary_key`
            return AS_FIELD | WEAK
        while len(words) > 1 and (words[-1] in _ASIDE or words[-1].isdigit()):
            words.pop()
        if len(words) == 1:
            return _of_word(words[0]) or self._whole.get(words[0], 0) & ~(IN_URL | NAMING | NAMED)
        return _of_two(words[-2], words[-1], is_azures=words[0] == "azure") if words else 0


def _of_word(word: str) -> int:
    return _ANYWHERE if word.endswith(_ENDINGS) or word == "passcode" else 0


def _of_two(before: str, last: str, *, is_azures: bool) -> int:
    """Return what the last two words of a name say of its value."""
    if _of_word(last) or (before + last).endswith(_ENDINGS):
        return _ANYWHERE
    is_secret = (
        (last in ("key", "keys") and (is_azures or before in _KEYS_OF))
        or (last == "token" and before not in _NO_TOKENS)
        or (last == "pass" and before in _PASSES_OF)
        or last == "authorization"
        or (last == "cookie" and before == "http")  # as WSGI writes headers
    )
    if is_secret:
        return _ANYWHERE
    is_plural = (last == "tokens" and before in _SPOKEN_TOKENS) or last in _SEVERAL
    return AS_FIELD | WEAK if is_plural else 0


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "").replace("_", "")
