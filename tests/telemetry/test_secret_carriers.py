"""A secret is found in whatever carries it, and nothing else changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funcscope.telemetry._redaction.redactor import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    Carry = Callable[[str, str], str]

NAMES = st.sampled_from(
    [
        "password",
        "DB_PASSWORD",
        "dbPassword",
        "dbpassword",
        "AZURE_CLIENT_SECRET",
        "clientSecret",
        "apiSecret",
        "STORAGE_ACCOUNT_KEY",
        "AccessKey",
        "x-functions-key",
        "X-API-Key",
        "x-auth-token",
        "X-ZUMO-AUTH",
        "githubToken",
        "SMTP_PASS",
        "OPENAI_API_KEY",
        "AZURE_SEARCH_KEY",
        "private_key",
        "access_token",
        "API_KEY_PROD",
        "passphrase",
    ]
)
# Of letters that no carrier has, so that what is left of a secret can be told from the rest.
SECRETS = st.text("QXZJ0123456789-_~.+/=", min_size=12, max_size=50).filter(
    lambda s: s[0] in "QXZJ"
)
PLAIN = st.text("QXZJVKWY", min_size=12, max_size=50).map("Q".__add__)

CARRIERS: dict[str, Carry] = {
    "query": lambda n, s: f"GET https://app.net/f?a=1&{n}={quote(s, safe='')}&b=2 took 3 ms",
    "fragment": lambda n, s: f"https://app.net/cb#{n}={quote(s, safe='')}&state=1",
    "header": lambda n, s: f"GET / HTTP/1.1\r\n{n}: {s}\r\naccept: */*\r\n",
    "json": lambda n, s: json.dumps({"a": 1, n: s, "b": [2]}),
    "pretty json": lambda n, s: json.dumps({"a": {n: s, "c": 1}, "b": [2]}, indent=2),
    "json below its name": lambda n, s: f'{{"{n}":\n  "{s}", "b": 2}}',
    "repr": lambda n, s: repr({"a": 1, n: s, "b": (2,)}),
    "repr of bytes": lambda n, s: repr({n.encode(): s.encode(), b"a": b"b"}),
    "pair": lambda n, s: repr([("a", "b"), (n, s), ("c", "d")]),
    "call": lambda n, s: f"Client(host='h', {n}='{s}', port=1) failed",
    "wrapped": lambda n, s: f"Client({n}=SecretStr({'REDACTED' if s == 'REDACTED' else repr(s)}))",
    "assignment": lambda n, s: f'    config["{n}"] = "{s}"\nnext line',
    "annotated": lambda n, s: f'    {n}: str = "{s}"\nnext line',
    "comparison": lambda n, s: f'    if {n} == "{s}":\n',
    "arrow": lambda n, s: f"{{'{n}' => '{s}', 'a' => 1}}",
    "environment": lambda n, s: f"A=1\n{n}={s}\nB=2\n",
    "export": lambda n, s: f'export {n}="{s}"\nexport B=2',
    "yaml": lambda n, s: f"a: 1\n{n}: {s}\nb: 2\n",
    "block": lambda n, s: f"a: 1\n{n}:\n  {s}\nb: 2\n",
    "xml": lambda n, s: f"<a><{n}>{s}</{n}><b>2</b></a>",
    "xml attribute": lambda n, s: f'<a b="1" {n}="{s}" c="2"/>',
    "xml setting": lambda n, s: f'<add key="{n}" value="{s}"/><add key="b" value="2"/>',
    "xml header": lambda n, s: f'<header name="{n}">{s}</header><header name="a">b</header>',
    "named": lambda n, s: json.dumps([{"name": n, "slot": False, "value": s}, {"name": "b"}]),
    "named after": lambda n, s: json.dumps([{"value": s, "x": {"y": 1}, "name": n}, {"value": 2}]),
    "yaml item": lambda n, s: f"- name: {n}\n  value: {s}\n- name: b\n  value: c\n",
    "connection string": lambda n, s: f"Endpoint=https://x.net;Id=me;{n}={s};Version=1.0;",
    "option": lambda n, s: f"cannot run: tool --{n} {s} --verbose -u me",
    "options": lambda n, s: repr(["tool", f"--{n}", s, "--verbose"]),
    "sentence": lambda n, s: f"tried with {n}={s}, which failed: 401",
    "baggage": lambda n, s: f"baggage: a=1,{n}={s},b=2",
    "form": lambda n, s: f"user[name]=me&user[{n}]={quote(s, safe='')}&b=2",
    "part of a form": lambda n, s: (
        f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{s}\r\n--b--\r\n'
    ),
    "cdata": lambda n, s: (
        f"<a><{n}>{s if s == 'REDACTED' else f'<![CDATA[{s}]]>'}</{n}><b>2</b></a>"
    ),
    "written header": lambda n, s: f"send: b'Host: a\\r\\n{n}: {s}\\r\\nAccept: b\\r\\n'",
    "painted": lambda n, s: (
        f"\x1b[36m{n}\x1b[0m=" + s.replace("Q", "\x1b[35mQ", 1) + "\x1b[0m \x1b[36ma\x1b[0m=b"
    ),
    "dotted": lambda n, s: f"app.settings.{n}={s} x=1",
    "colons": lambda n, s: f"AzureAd:{n}={s} x=1",
    "double underscore": lambda n, s: f"AzureAd__{n}={s} x=1",
}  # fmt: skip

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "in a url": lambda text: f"https://b.net/?next={quote(text, safe='')}&z=3",
    "in a url twice": lambda text: f"https://b.net/?u={quote(quote(text, safe=''), safe='')}&z=3",
    "as a form writes it": lambda text: f"a=1&payload={quote_plus(text)}&z=3",
    "in json": lambda text: json.dumps({"text": text, "z": 3}),
    "in json twice": lambda text: json.dumps({"body": json.dumps({"text": text, "z": 3})}),
    "as .net writes json": lambda text: (
        json.dumps({"text": text}).replace("&", "\\u0026").replace("+", "\\u002B")
        .replace("<", "\\u003C").replace(">", "\\u003E").replace("'", "\\u0027")
    ),
    "as javascript writes it": lambda text: text.replace("&", "\\x26").replace("=", "\\x3d"),
    "in html": lambda text: (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        .replace('"', "&quot;").replace("'", "&#39;")
    ),
}  # fmt: skip


def leaked(secret: str, text: str) -> bool:
    """Tell whether any four characters of a secret that stand together are in a text."""
    return any(secret[i : i + 4] in text for i in range(len(secret) - 3))


@pytest.mark.parametrize("carrier", CARRIERS)
@settings(max_examples=20)
@given(name=NAMES, secret=SECRETS)
def test_only_the_secret_changes(carrier: str, name: str, secret: str) -> None:
    """A named value is replaced, whatever it stands in; what is around it stays, byte for byte."""
    carry = CARRIERS[carrier]

    assert redact(carry(name, secret)) == carry(name, "REDACTED")


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(carrier=st.sampled_from(list(CARRIERS)), name=NAMES, secret=PLAIN)
def test_no_part_of_a_secret_is_left(encoding: str, carrier: str, name: str, secret: str) -> None:
    """However a carrier is encoded, nothing of it is left; redacting again changes nothing."""
    redacted = redact(ENCODINGS[encoding](CARRIERS[carrier](name, secret)))

    assert not leaked(secret, redacted), redacted
    assert redact(redacted) == redacted


@given(carrier=st.sampled_from(list(CARRIERS)), name=NAMES, secret=PLAIN, data=st.data())
def test_a_secret_that_is_cut(carrier: str, name: str, secret: str, data: st.DataObject) -> None:
    """Of a text that was cut within a secret, nothing of the secret is left either."""
    if carrier == "named after":
        return  # what it is named by is cut off
    text = CARRIERS[carrier](name, secret)
    start = text.index(secret)
    cut = text[: data.draw(st.integers(start, start + len(secret)))]

    assert not leaked(secret, redact(cut)), cut
