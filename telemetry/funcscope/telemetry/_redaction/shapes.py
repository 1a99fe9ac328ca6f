"""
Find secrets by what they look like, whatever stands before them.

The shapes are public: those of Azure's keys since 2022 are in Microsoft's security-utilities (rules
SEC101/152 to 184), the others' in gitleaks 8 and detect-secrets 1.5.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from typing import TYPE_CHECKING

from funcscope.telemetry._redaction.values import QUOTE_ENDS, Span, end_of, value_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funcscope.telemetry._redaction.escapes import EncodedText
    from funcscope.telemetry._redaction.names import SecretNames

_CUT = r"(?=\Z|…)"
"""Where a text was cut, which `_limits.shorten` says in place."""

# Not within a word, but after the end of a line that is written `\n`.
_START = r"(?:(?<![\w-])|(?<=\\[nrt]))"

_SIGNS = (
    "eyJ", "-----BEGIN", "AzFu", "AzSe", "AzCa", "AzEG", "+A", "ACDb", "AIoT", "APIM", "/AM7",
    "JQQJ", "Q~", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "xox", "k_live_",
    "AIza", "npm_", "pypi-", "SG.", "sk-", "dapi", "hf_", "AKIA", "ASIA",
)  # fmt: skip
"""Parts by which these shapes are told quickly."""

_TOKENS = re.compile(
    rf"{_START}(?:"
    r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*|"  # JSON web tokens
    rf"eyJ[\w-]*{_CUT}|"
    r"[\w-]{44}AzFu[\w-]{5}[AQgw](?:==)?(?![\w=-])|"  # functions' keys
    r"[A-Za-z0-9_~.]{3}[0-9]Q~[\w~.-]{4,40}|"  # Entra's client secrets
    r"[A-Za-z0-9]{52}JQQJ[A-Za-z0-9]{10,40}(?:==)?|"  # Azure's annotated keys
    r"(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_live_)[\w-]{2,}|"
    r"AIza[\w-]{35}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{16,}|SG\.[\w-]{16,}\.[\w-]+|"
    r"sk-(?:proj-|ant-|svcacct-|admin-|or-)?[A-Za-z0-9]{20}[\w-]*|dapi[0-9a-f]{32}|"
    r"hf_[A-Za-z0-9]{30,}|A[KS]IA[A-Z0-9]{16}(?![\w])"
    r")",
    re.ASCII,
)
# What Azure writes at a fixed place into the base64 of an account's key.
_ACCOUNT_KEY = re.compile(
    r"(?:(?<![\w+/=\\-])|(?<=[\w]=)|(?<=\\[nrt]))[A-Za-z0-9+/]{33,76}"
    r"(?:\+A(?:St|Sb|Eh|Rm|Ba|CR)|ACDb|AIoT|APIM|/AM7|Az(?:Ca|Se|EG))[A-Za-z0-9+/]{5,6}={0,2}"
    r"(?![\w+/=])",
    re.ASCII,
)
_SCHEME = re.compile(
    r"(?<![\w-])(?:Bearer|SharedAccessSignature)(?:[\s+]|\\[nrt]){1,8}"
    r"(?!(?:token|tokens|auth|authentication|authorization|scheme|header|realm|credentials?)\b)"
    rf"([^\s,;\"'<>…]{{16,}}|[^\s,;\"'<>…]{{3,}}{_CUT})",
    re.IGNORECASE,
)
_BASIC = re.compile(
    r"(?<![\w-])Basic(?:[\s+]|\\[nrt]){1,8}([A-Za-z0-9+/_-]{8,}={0,2})", re.IGNORECASE
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN[ +](?:[A-Z0-9]{1,20}[ +]){0,3}PRIVATE[ +]KEY(?:[ +]BLOCK)?-----"
)

_SCHEME_END = re.compile(r":(?:\\{0,8}/){2}")
_AUTHORITY_END = re.compile(rf"[/?# \t\r\n\f\v\"<>\\]|{QUOTE_ENDS}")
_SPACE_OR_QUOTE = re.compile(r"[\s\"'<>]")
_USER_AND_NO_PORT = re.compile(r"[^:@\[\]/?#\s]{0,200}:(?!port\b|\d{0,5}(?:[/?#\s\"']|\Z))")
_FAR = 256

_STATED = re.compile(  # in SQL
    r"(?<![\w-])(?:password|identified[ \t]{1,8}by(?:[ \t]{1,8}password)?)[ \t]{1,8}"
    r"'((?:[^']|''){1,1000})'",
    re.IGNORECASE,
)
_CURL_USER = re.compile(
    r"(?<![\w-])(?:-u|-U|--user|--proxy-user)[ \t=]{0,8}[\"']?[^\s:\"']{1,80}:([^\s\"']+)"
)

# As `requests` and others take them: `auth=('me', '…')`, `HTTPBasicAuth('me', '…')`.
_USER_AND_PASSWORD = re.compile(
    r"(?:(?<![\w-])auth[\"']?[ \t]{0,4}[=:][ \t]{0,4}|(?:BasicAuth|DigestAuth|PlainCredentials))"
    r"[(\[][ \t]{0,4}[bu]?[\"'][^\"']{0,80}[\"'],[ \t]{0,4}[bu]?"
    r"([\"'])((?:\\.|(?!\1)[^\\]){1,1000})"
)

_ELEMENT = re.compile(r"<(?:[\w-]{1,40}:)?([\w.-]{1,80})([ \t\r\n+][^<>]{0,400})?>", re.ASCII)
_LONG = 8192
_CONTENT = re.compile(rf"<!\[CDATA\[.{{0,{_LONG}}}|[^\s<>]+", re.DOTALL)
_OPTION = re.compile(
    r"(?<![\w-])--?([A-Za-z][\w.-]{0,80})[ \t+]{1,8}(?![-=:|&<>])"
    r"(?!(?:an?|and|are|argument|can|cannot|flag|for|from|has|in|instead|is|must|not|of|on|option|or|"
    r"parameter|required|should|to|was|were|with)\b)",
    re.ASCII,
)


def shaped(decoded: EncodedText) -> Iterator[Span]:
    """Find keys and tokens by their shape, and what follows a scheme's name."""
    text, lowered = decoded.text, decoded.text.lower()
    if "@" in text or "://" in text:
        yield from _users(decoded)
    if "bearer" in lowered or "sharedaccesssignature" in lowered:
        yield from (match.span(1) for match in _SCHEME.finditer(text))
    if "basic" in lowered:
        yield from (match.span(1) for match in _BASIC.finditer(text) if _is_user(match[1]))
    if " '" in text:
        yield from (match.span(1) for match in _STATED.finditer(text))
    if "auth" in lowered or "PlainCredentials" in text:
        yield from (match.span(2) for match in _USER_AND_PASSWORD.finditer(text))
    if (curl := text.find("curl ")) >= 0:
        yield from (match.span(1) for match in _CURL_USER.finditer(text, curl))
    if _is_marked(text):
        yield from (match.span() for match in _TOKENS.finditer(text))
        yield from (match.span() for match in _ACCOUNT_KEY.finditer(text))
        yield from _private_keys(text)


def may_be_shaped(text: str) -> bool:
    """Tell quickly whether a text may hold one of them."""
    lowered = text.lower()
    return (
        "bearer" in lowered
        or "basic" in lowered
        or "sharedaccesssignature" in lowered
        or "password '" in lowered
        or "identified by" in lowered
        or "curl " in lowered
        or _is_marked(text)
    )


def _is_marked(text: str) -> bool:
    for sign in _SIGNS:  # noqa: SIM110  (at a third of what `any` takes)
        if sign in text:
            return True
    return False


def elements(text: str, names: SecretNames, wanted: int) -> Iterator[Span]:
    """Find the content of XML's elements with secret names."""
    after = 0
    sought: dict[str, int] = {}
    while match := _ELEMENT.search(text, after):
        after = start = match.end()
        is_empty = (match[2] or "").endswith("/") or text.startswith("</", start)
        if is_empty or not names.kinds(match[1]) & wanted:
            continue
        end = _end_of_element(text, f"</{text[match.start() + 1 : match.end(1)]}", start, sought)
        end = _end_of_element(text, "</", start, sought) if end < 0 else end
        if end < 0:  # cut, or no XML: `usage: login <user> <password>`
            content = _CONTENT.match(text, start)
            end = content.end() if content else start
        if end > start:
            yield start, end
            after = end


def _end_of_element(text: str, end: str, start: int, sought: dict[str, int]) -> int:
    """Return where an element ends; no part of a text is searched twice for the same end."""
    far = start + _LONG
    place = text.find(end, max(start, sought.get(end, 0) - len(end)), far)
    sought[end] = far if place < 0 else place
    return place


def options(decoded: EncodedText, names: SecretNames, wanted: int) -> Iterator[Span]:
    """Find what follows a command's options with secret names: `--password s3cret`."""
    after = 0
    while match := _OPTION.search(decoded.text, after):
        after = match.end()
        kinds = names.kinds(match[1])
        if kinds & wanted:
            value = value_after(decoded, "", kinds, match.start(1), after)
            after = max(after, value.after)
            yield from value.spans


def _is_user(encoded: str) -> bool:
    """Tell whether what follows `Basic` is a user's name and password, and no other word."""
    plain = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        user = b64decode(plain[: len(plain) // 4 * 4])
    except (Error, ValueError):
        return False
    return b":" in user and all(byte >= ord(" ") for byte in user)


def _private_keys(text: str) -> Iterator[Span]:
    """Find what stands between the lines around a private key; without the last, the rest."""
    after = 0
    while match := _PRIVATE_KEY.search(text, after):
        end = text.find("-----END", match.end())
        after = len(text) if end < 0 else end
        yield match.end(), after


def _users(decoded: EncodedText) -> Iterator[Span]:
    """Find user names and passwords of URLs: what stands before the last `@` of the authority."""
    text = decoded.text
    for match in _SCHEME_END.finditer(text):
        start = match.end()
        depth = decoded.depth(start - 1)
        end = end_of(decoded, _AUTHORITY_END, start, depth)
        at = _last_at(decoded, start, end, depth)
        if at < 0 and _USER_AND_NO_PORT.match(text, start):
            if end == len(text) or text[end - 1] == "…":  # cut
                yield start, end
                continue
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
