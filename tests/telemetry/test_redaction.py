"""No secret leaves in a text or a value."""

from __future__ import annotations

import json
import sys
from traceback import format_exception
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from funcscope.telemetry._redaction.names import SECRET_HEADERS, SECRET_PARAMETERS
from funcscope.telemetry._redaction.redactor import make_redactor, redact, redact_value

if TYPE_CHECKING:
    from collections.abc import Callable

# What a query may hold as it is (RFC 3986), but for what parts parameters.
IN_QUERIES = "abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789-_.~!$()*+,=:@/?"
PLAIN = st.text(IN_QUERIES, min_size=16, max_size=60)
ANY = st.text(st.characters(codec="utf-8"), min_size=16, max_size=60)
TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789-_.~+/=", min_size=16, max_size=60)
KEYS = st.sampled_from(SECRET_PARAMETERS)
HEADERS = st.sampled_from([name.replace("*", "aad-x") for name in SECRET_HEADERS])
CASES = st.integers(0, 2**20)


def any_case(text: str, upper: int) -> str:
    """Put a text into one of its many cases."""
    return "".join(c.upper() if upper >> i & 1 else c for i, c in enumerate(text))


def encode_some(text: str, which: int) -> str:
    """Percent-encode some characters that need no encoding."""
    return "".join(f"%{ord(c):02x}" if which >> i & 1 else c for i, c in enumerate(text))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda url: url,
    "encoded": lambda url: "https://b.net/?next=" + quote(url, safe="") + "&z=3",
    "encoded twice": lambda url: "https://b.net/?next=" + quote(quote(url, safe=""), safe=""),
    "json": lambda url: json.dumps({"url": url, "z": 3}),
    "json escaped": lambda url: json.dumps({"url": url}).replace("&", "\\u0026"),
    "json in json": lambda url: json.dumps({"body": json.dumps({"url": url, "z": 3})}),
    "json of .net": lambda url: (
        json.dumps({"url": url})
        .replace("&", "\\u0026").replace("+", "\\u002B").replace("/", "\\/")
    ),
    "in a sentence": lambda url: f"cannot reach {url} sorry",
    "in a list": lambda url: repr([url, "https://b.net"]),
    "query": lambda url: url.partition("?")[2] or url,
    "query in quotes": lambda url: repr(url.partition("?")[2] or url),
    "in angles": lambda url: f"<{url}>; rel=next",
}  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(secret=PLAIN, key=KEYS, upper=CASES, escaped=CASES)
def test_no_parameter_survives(
    encoding: str, secret: str, key: str, upper: int, escaped: int
) -> None:
    """Whatever the case of its name and the encoding around it, a secret's value is replaced."""
    name = encode_some(any_case(key, upper), escaped)
    encode = ENCODINGS[encoding]
    url = f"https://app.net/api/f?x=1&{name}={{}}&y=2#z"

    assert redact(encode(url.format(secret))) == encode(url.format("REDACTED"))


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(secret=ANY, key=KEYS, upper=CASES)
@example(secret="&code=?#\"' <>;\\%26%2526\n", key="sig", upper=1)
@example(secret="' , ; : ) ] } > & \" '", key="code", upper=0)
def test_no_encoded_value_survives(encoding: str, secret: str, key: str, upper: int) -> None:
    """A value may hold anything, once it is encoded as a query's values have to be."""
    encode = ENCODINGS[encoding]
    url = f"https://app.net/f?{any_case(key, upper)}={{}}&y=2"

    assert redact(encode(url.format(quote(secret, safe="")))) == encode(url.format("REDACTED"))


@pytest.mark.parametrize(
    "form",
    [
        "{name}: {secret}",
        "GET / HTTP/1.1\r\n{name}: {secret}\r\naccept: */*",
        "{{'{name}': '{secret}', 'accept': '*/*'}}",
        '{{"{name}": ["{secret}", "{secret}"]}}',
        "[(b'{name}', b'{secret}'), (b'accept', b'*/*')]",
        "http.request.header.{name}={secret}",
        "failed with {name}: '{secret}', sorry",
    ],
)
@given(secret=TOKENS, name=HEADERS, upper=CASES)
def test_no_header_survives_in_text(form: str, secret: str, name: str, upper: int) -> None:
    """A header whose name cannot mean anything else is redacted wherever its value follows."""
    text = redact(form.format(name=any_case(name, upper), secret=secret))

    assert text == form.format(name=any_case(name, upper), secret="REDACTED")


@pytest.mark.parametrize("layers", [1, 2, 3])
@given(secret=ANY, name=HEADERS, upper=CASES)
def test_no_header_survives_in_json(layers: int, secret: str, name: str, upper: int) -> None:
    """In JSON, and in JSON inside JSON, a value ends where its own quote does."""
    # A backslash before the closing quote cannot be told from one that escapes it.
    secret = secret.rstrip("\\")

    def wrap(value: str) -> str:
        text = json.dumps({any_case(name, upper): value, "z": 3})
        for _ in range(layers - 1):
            text = json.dumps({"body": text})
        return text

    assert redact(wrap(secret)) == wrap("REDACTED")


@given(secret=ANY, name=HEADERS)
def test_no_header_survives_in_encoded_json(secret: str, name: str) -> None:
    """JSON in a query keeps nothing back either."""
    secret = secret.rstrip("\\")

    def wrap(value: str) -> str:
        return "https://b.net/?h=" + quote(json.dumps({name: value}), safe="") + "&y=2"

    assert redact(wrap(secret)) == wrap("REDACTED")


@given(secret=PLAIN, scheme=st.sampled_from(["https", "amqp", "postgresql+psycopg"]))
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_password_of_a_url_survives(encoding: str, secret: str, scheme: str) -> None:
    """User information is replaced whole, to the last `@` before the host."""
    password = secret.replace("/", "@").replace("?", "@")
    encode = ENCODINGS[encoding]
    url = f"{scheme}://{{}}@bus.net/queue"

    assert redact(encode(url.format(f"me:{password}"))) == encode(url.format("REDACTED"))


@given(st.text())
@example("authorization: a b c")
@example("password='x, y")
def test_redaction_is_stable(text: str) -> None:
    """Any text can be redacted, and doing so again changes nothing."""
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "exit code=1",
        "INFO: code=1, Usage: key=value",
        "main.py: code=3, app.net: code=3",
        "ValueError: exit code=1",
        "ValueError:code=1",
        "error code: 404, key: 7",
        "https://app.net/api/f?x=1&decode=yes&barcode=4006381333931",
        "https://app.net/code=7/x",
        "https://app.net:8080/users/a@b.net",
        "http://[::1]:7071/api",
        "cannot use the parameter 'code=', sorry",
        '{"code": "NotFound", "token": null}',
        "InstrumentationKey=00000000-0000-0000-0000-000000000000",
        "the bearer of bad news",
        "50% of 100%25",
        "a@b.net wrote",
        "C:\\users\\code",
        "",
        '{"code": 404}',
        '{"code": 404, "error": {"code": "NotFound", "message": "no such key: abc"}}',
        "password_reset_at: 2020",
        "token_count=17",
        "max_tokens: 100",
        "key: value",
        "monkey=banana",
        "secretary: Ann",
        "tokenizer=bert",
        "author: x",
        "signature: def f(x)",
        "status_code=200 error_code: 7",
        "zip_code: 12345",
        "partition_key=42, row_key=7",
        "primary_key=True, nullable=False",
        "Column('id', Integer(), table=<t>, primary_key=True, nullable=False)",
        "sort_key: date, cache_key: u:1:orders",
        "foreign key: orders.id",
        "primary key: id",
        "the key: to success",
        "keyboard: qwerty",
        "keyword=python",
        "keys: ['a', 'b']",
        "password policy: strong",
        "passwordless: yes",
        "has_password: true",
        "password: null",
        "token: null",
        '{"token": null, "password": false}',
        "unexpected token: '}' at line 3",
        "next_token: abc123",
        "continuation_token=abc",
        "lock_token: 1b9e",
        "prompt_tokens=5 completion_tokens=7 total_tokens=12",
        "cookie consent: yes",
        "passed: 10, failed: 2",
        "pass: 3, fail: 0",
        "bypass=1 compass: N passenger: Bob",
        "missing bearer token",
        "expected a bearer token",
        "Basic authentication is disabled",
        "Basic understanding of YAML: needed",
        "authorized: no",
        "authentication: failed",
        "usage: login <user> <password> [--token-file FILE]",
        "use the --password option",
        "error: argument --password is required",
        "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://x/",
        "C:\\new\\table\\code=1",
        "a@b.net wrote: hi",
        "https://localhost:7071/api/f?x=1",
        "http://host:port/path",
        "http://127.0.0.1:8080",
        "redis://localhost:6379/0",
        "GET /api/items?page=2&sort=key&q=tokens HTTP/1.1",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        '{"a": [1, 2], "b": {"c": "d"}}',
        "Traceback:\n  File \"x.py\", line 3, in f\n    raise KeyError(key)\nKeyError: 'key'",
        "KeyError: 'password'",
        'column "token" does not exist',
        "def login(user, password): pass",
        "SELECT * FROM users WHERE id = 3 AND code = 5",
        "secret_name: db, vault: kv",
        "key vault: kv-prod",
        "keyvault_name=kv",
        "x-ms-request-id: 1, x-request-id: 2",
        'etag: W/"abc"',
        "content-type: application/json; charset=utf-8",
        "duration_ms=12 tokens_per_second=4.5",
        "session: abc",
        "design: blue, signal: 9, sigma=3",
        "codec: h264 codename: x",
        '{"name": "orders", "value": 3}',
        '{"key": "color", "value": "red"}',
        "[('name', 'Bob'), ('code', 7)]",
        "<code>x = 1</code> <key>CFBundle</key>",
        "credential scan: ok",
        "DefaultAzureCredential acquired a token from ManagedIdentityCredential",
        "Request URL: 'https://x.vault.azure.net/secrets/db?api-version=7.4'",
        "'secrets': 3",
        "eyJ",
        "sk-learn and sk-SK",
        "npm_config_registry=https://x",
        "AKIA",
        "&quot;hi&quot; &amp; bye",
        "-x 3 --name y --key-vault kv --code 7",
        "public_key: ssh-rsa AAAA",
        "Invalid API key",
        "API key is missing",
        "forgot password? reset it: here",
        "author=me&authority=https://login.x",
        "object_key=a/b/c s3_key: x",
        "idempotency_key: 17",
        "apiVersion: v1",
        "a.b.code: 3",
        "http.response.status_code: 500",
        "docker run -u 1000:1000 curl/image",
        '{"id": "https://x.net/orders/1", "value": 3}',
        '{"id": "password", "label": "x"}',
        "\x1b[32mINFO\x1b[0m \x1b[1mstatus\x1b[0m=\x1b[35m200\x1b[0m",
        "size\u00a0=\u00a017, key\uff1avalue, \ufeffa\u200db",
        "auth=('basic',)",
        "<label for='password'>Password</label>",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    """What is no secret stays as it is."""
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("a=1&code=s&b=2&SIG=t#frag", "a=1&code=REDACTED&b=2&SIG=REDACTED#frag"),
        ("/f?%63ode=s3cret&x=1", "/f?%63ode=REDACTED&x=1"),
        ("/f?a=1&amp;code=s&amp;b=2", "/f?a=1&amp;code=REDACTED&amp;b=2"),
        ("/f?code=ab%26cd&x=%26code", "/f?code=REDACTED&x=%26code"),
        ("/cb#access_token=abc&state=1", "/cb#access_token=REDACTED&state=1"),
        ("amqp://me:s3cret@bus.net/q", "amqp://REDACTED@bus.net/q"),
        ("amqp://me:s3@cret@bus.net/q", "amqp://REDACTED@bus.net/q"),
        ("amqp://me:s3/cr?et@bus.net/q", "amqp://REDACTED@bus.net/q"),
        ("https%3A%2F%2Fme%3As3%2540x%40h%2F", "https%3A%2F%2FREDACTED%40h%2F"),
        ("Authorization: Bearer abc.def", "Authorization: REDACTED"),
        ("got Bearer abcdefghijklmnop!", "got Bearer REDACTED"),
        (
            'authorization: Digest username="Mu, Fa", response="abc", accept',
            "authorization: REDACTED, accept",
        ),
        (
            "Endpoint=sb://b/;SharedAccessKeyName=n;SharedAccessKey=s3=;EntityPath=q",
            "Endpoint=sb://b/;SharedAccessKeyName=n;SharedAccessKey=REDACTED;EntityPath=q",
        ),
        ("Server=x;Password=a&b,c<d;Uid=u", "Server=x;Password=REDACTED;Uid=u"),
        ("Driver={ODBC};PWD={a;b};Uid=u", "Driver={ODBC};PWD={REDACTED};Uid=u"),
        ("host=h password='a b' user=u", "host=h password='REDACTED' user=u"),
        ("cookie: a=1; b=2\nnext", "cookie: REDACTED\nnext"),
        ("x-ms-token-aad-id-token: abc", "x-ms-token-aad-id-token: REDACTED"),
        ("accessToken=abc password = p", "accessToken=REDACTED password = REDACTED"),
        ("{'code': '" + "a" * 44 + "AzFuaaaaaQ=='}", "{'code': 'REDACTED'}"),
    ],
)
def test_what_is_replaced(text: str, redacted: str) -> None:
    """Only values are replaced; names, order, encodings and other values are kept."""
    assert redact(text) == redacted


FUNCTION_KEY = "a" * 44 + "AzFuaaaaaQ=="
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
PEM = "-----BEGIN {0}PRIVATE KEY-----\n{1}\n-----END {0}PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "secret",
    [
        FUNCTION_KEY,
        JWT,
        "a" * 76 + "+ASt" + "b" * 5 + "Q==",
        "a" * 33 + "+ASb" + "Abcdef=",
        "aB8" + "8Q~" + "c" * 34,
        "a" * 52 + "JQQJ99" + "b" * 26,
        "ghp_" + "a1" * 18,
        "xoxb-123456789012-abcdefghijkl",
        "AIza" + "b" * 35,
        "AKIAIOSFODNN7EXAMPL3",
    ],
)
@pytest.mark.parametrize(
    "form", ["{}", "got {} here", "'{}'", "a\\n{}\\nb", "https://b.net/{}?x=1"]
)
def test_keys_that_have_a_shape(secret: str, form: str) -> None:
    """A key or token that can be told by its shape needs no name."""
    if "+A" in secret and "/" in form:
        return  # a path is of the characters of such a key

    assert redact(form.format(secret)) == form.format("REDACTED")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("BeaRer abcdefghijklmnop", "BeaRer REDACTED"),
        ("bearer\tabcdefghijklmnop", "bearer\tREDACTED"),
        ("auth = Basic czNjcmV0OnMzY3JldA== now", "auth = Basic REDACTED now"),
        ("cookie: a=1;\r\n b=2\r\nhost: x", "cookie: REDACTED\r\nhost: x"),
        ("Authorization: Bearer\r\n abc\r\nhost: x", "Authorization: REDACTED\r\nhost: x"),
        ('{"password": {"value": "a}b", "n": [1]}, "x": 1}', '{"password": {REDACTED}, "x": 1}'),
        ('{"functionKeys": {"default": "a"}}', '{"functionKeys": {REDACTED}}'),
        ("masterKey:\n  name: m\n  value: s\nx: 1", "masterKey:\n  REDACTED\nx: 1"),
        ('{"pwd": 1234}', '{"pwd": REDACTED}'),
        ('{"token": 17, "pass": 3}', '{"token": 17, "pass": 3}'),
        ("API key: abc, access token: def.", "API key: REDACTED, access token: REDACTED"),
        ("Server=x;Password=my own one;Uid=u", "Server=x;Password=REDACTED;Uid=u"),
        ("Driver={ODBC};PWD={a}}b};Uid=u", "Driver={ODBC};PWD={REDACTED};Uid=u"),
        ("{&quot;password&quot;:&quot;a,b&quot;}", "{&quot;password&quot;:&quot;REDACTED&quot;}"),
        ('password = """a\nb""" + x', 'password = """REDACTED""" + x'),
        (
            PEM.format("RSA ", "MII=\nabc"),
            "-----BEGIN RSA PRIVATE KEY-----REDACTED-----END RSA PRIVATE KEY-----\n",
        ),
        (PEM.format("", "MII=\nabc")[:40], "-----BEGIN PRIVATE KEY-----REDACTED"),
        ("header: Set-Cookie: a=s; Path=/", "header: Set-Cookie: REDACTED"),
        ("param: password=s", "param: password=REDACTED"),
        (
            r"send: b'Host: a\r\nAuthorization: Basic abc\r\nX-Functions-Key: s\r\n'",
            r"send: b'Host: a\r\nAuthorization: REDACTED\r\nX-Functions-Key: REDACTED\r\n'",
        ),
        (
            r'{"m": "Cookie: a=b\r\nX-Api-Key: s\nAccept: c"}',
            r'{"m": "Cookie: REDACTED\r\nX-Api-Key: REDACTED\nAccept: c"}',
        ),
        ('Server=x;Password="a""b";Uid=u', 'Server=x;Password="REDACTED";Uid=u'),
        (r'{"c": "Password=\"a\"\"b\";x=1"}', r'{"c": "Password=\"REDACTED\";x=1"}'),
        ("Server=x;Password='a'';b';Uid=u", "Server=x;Password='REDACTED';Uid=u"),
        ("<password><![CDATA[s]]></password>x", "<password>REDACTED</password>x"),
        ("<clientSecret><v>s</v></clientSecret>x", "<clientSecret>REDACTED</clientSecret>x"),
        (
            '<setting name="DbPassword" as="String">\n  <value>s</value>',
            '<setting name="DbPassword" as="String">\n  <value>REDACTED</value>',
        ),
        (
            '--b\r\nContent-Disposition: form; name="password"\r\nA: b\r\n\r\ns=1\r\n--b--',
            '--b\r\nContent-Disposition: form; name="password"\r\nA: b\r\n\r\nREDACTED\r\n--b--',
        ),
        ('{"password"\n:\n"s"}', '{"password"\n:\n"REDACTED"}'),
        ("Password                : s", "Password                : REDACTED"),
        ("password[]=s&password[0]=t&a=1", "password[]=REDACTED&password[0]=REDACTED&a=1"),
        ("password: !vault s\nx: 1", "password: REDACTED\nx: 1"),
        ("ALTER USER u WITH PASSWORD 's''t' x", "ALTER USER u WITH PASSWORD 'REDACTED' x"),
        ("USER 'u'@'h' IDENTIFIED BY 's'", "USER 'u'@'h' IDENTIFIED BY 'REDACTED'"),
        ("curl -u me:s https://x.net", "curl -u me:REDACTED https://x.net"),
        ("curl --user 'me:s' https://x.net", "curl --user 'me:REDACTED' https://x.net"),
        ("get(url, auth=('me', 's'))", "get(url, auth=('me', 'REDACTED'))"),
        ("HTTPBasicAuth('me', 's')", "HTTPBasicAuth('me', 'REDACTED')"),
        ("IDENTITY_HEADER=s", "IDENTITY_HEADER=REDACTED"),
        ("userpwd=s password_confirmation=t", "userpwd=REDACTED password_confirmation=REDACTED"),
        (
            '{"value":"s","id":"https://v.vault.azure.net/secrets/db/1"}',
            '{"value":"REDACTED","id":"https://v.vault.azure.net/secrets/db/1"}',
        ),
        (
            "\x1b[36mpassword\x1b[0m=\x1b[35ms\x1b[0m \x1b[36ma\x1b[0m=b",
            "\x1b[36mpassword\x1b[0m=REDACTED\x1b[0m \x1b[36ma\x1b[0m=b",
        ),
        ("password\u00a0=\u00a0s", "password\u00a0=\u00a0REDACTED"),
        ("pass\u200bword\uff1as", "pass\u200bword\uff1aREDACTED"),
    ],
)
def test_values_of_every_form(text: str, redacted: str) -> None:
    """A value goes whole: in any case of its scheme, folded, nested, in a block, or cut."""
    assert redact(text) == redacted


@pytest.mark.parametrize("end", ["", "… [9 characters left out]"])
@pytest.mark.parametrize(
    ("text", "start"),
    [
        (f"got {JWT}", 4),
        ("sent Bearer qW3rTyuiop", 12),
        ("amqp://me:qW3rTyuiop", 7),
        (PEM.format("", "qW3rTyuiop"), 27),
        ("token ghp_qW3rTyuiop12", 6),
    ],
)
def test_a_secret_that_has_no_end(text: str, start: int, end: str) -> None:
    """What a limit cut in the middle is replaced as far as it is there."""
    secret = text[start : start + 15]
    for length in range(4, len(secret)):
        redacted = redact(text[: start + length] + end)

        assert not any(secret[i : i + 4] in redacted for i in range(3, length - 3)), redacted


def test_what_cannot_be_redacted_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing leaves because redaction fails; it is said once, without the text."""

    class Odd(dict[str, str]):
        def items(self) -> Any:
            raise ValueError("code=s3cret")

    nested: list[object] = ["s3cret"]
    for _ in range(100_000):
        nested = [nested]
    redactor = make_redactor()

    assert redactor.redact_texts(Odd()) == "REDACTED"
    assert redactor.redact_value("a", nested) == "REDACTED"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "kind",
    [
        "ValueError", "OSError", "Exception", "StopIteration", "struct.error", "_queue.Empty",
        "function_app.f.<locals>.Refused", "  | shop.Refused", "Exception: ValueError",
        "\\nKeyError",
    ],
)  # fmt: skip
@pytest.mark.parametrize("message", ["code=s3cret&x=1", "key=s3cret", "code='s3 cret'", "pass=s3"])
def test_message_of_an_exception(kind: str, message: str) -> None:
    """What a message loses by itself it loses after its class, in stack traces and in records."""
    text, clean = f"Traceback:\n  exit code=1\n{kind}: ", redact(message)

    assert "s3" not in clean
    assert redact(f"{text}{message}") == f"{text}{clean}"
    assert redact(f"{kind}: {message}\n") == f"{kind}: {clean}\n"


def test_stack_trace_of_an_exception() -> None:
    """A stack trace keeps no secret that the exception's message loses."""

    class RefusedError(Exception):
        pass

    secret = "code=s3cret"
    try:
        try:
            raise OSError(secret)
        except OSError as error:
            raise RefusedError(f"{secret}&x=1") from error
    except RefusedError as error:
        redacted = redact_value("exception.stacktrace", "".join(format_exception(error)))

    assert isinstance(redacted, str)
    assert "s3cret" not in redacted
    assert "OSError: code=REDACTED\n" in redacted
    assert "RefusedError: code=REDACTED&x=1\n" in redacted


def test_a_text_that_answers_as_it_likes() -> None:
    """A subclass of str cannot hide what it says."""

    class Odd(str):
        __slots__ = ()

        def __contains__(self, _part: object) -> bool:
            return False

        def lower(self) -> str:
            return ""

    assert redact(Odd("password=s3cret")) == "password=REDACTED"


def test_names_of_attributes() -> None:
    """A secret in an attribute's name is replaced; names that have become equal are told apart."""
    url = "status.https://app.net/f?code="
    attributes = {f"{url}s3cret": 200, "a": 1, f"{url}0ther": 500}

    assert make_redactor().redact_attributes(attributes) == {
        f"{url}REDACTED": 200,
        "a": 1,
        f"{url}REDACTED#2": 500,
    }
    assert make_redactor().redact_attributes({"a": 1, "b": "x"}) is None


@pytest.mark.parametrize(
    "name",
    [
        "http.request.header.x-api-key", "db.password", "app.client_secret", "app.secret",
        "sas_token", "token", "app.token", "http.request.header.x-auth-token", "connection_string",
        "primaryKey", "HTTP_AUTHORIZATION", "HTTP_COOKIE", "AzureAd__ClientSecret",
    ],
)  # fmt: skip
def test_names_that_tell_of_a_secret(name: str) -> None:
    """The whole value goes where a field's name, or the last words of it, tell of a secret."""
    assert redact_value(name, "s3cret") == "REDACTED"


@pytest.mark.parametrize(
    "name", ["code", "http.response.status_code", "db.key", "gen_ai.usage.input_tokens", "sort_key"]
)
def test_names_that_tell_of_none(name: str) -> None:
    """A name that says too much, or of what is no secret, leaves its value."""
    assert redact_value(name, "plain") == "plain"


def test_headers_that_repeat_the_url() -> None:
    """Headers that hold a URL, or its path and query, keep all but its secrets."""
    for name in ("x-original-url", "x-waws-unencoded-url", "referer", "location"):
        assert redact_value(name, "/api/f?code=s3cret&x=1") == "/api/f?code=REDACTED&x=1"


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
    assert redact_value("app.password", "s3cret") == "REDACTED"
    assert redact_value("http.request.header.cookie", ("a", "b")) == ("REDACTED",)
    assert redact_value("http.request.header.x_functions_key", ["a"]) == ("REDACTED",)
    assert redact_value("pairs", [("authorization", "x"), ("accept", "y")]) == (
        ("authorization", "REDACTED"),
        ("accept", "y"),
    )
    assert redact_value("raw", b"/f?code=s3cret") == b"/f?code=REDACTED"
    assert redact_value("names", {url: 1}) == {"https://app.net/f?code=REDACTED": 1}
    assert redact_value("password", None) is None
    vault = "https://v.vault.azure.net/secrets/db/1"
    assert redact_value("a", {"value": "s", "id": vault}) == {"value": "REDACTED", "id": vault}


def test_what_holds_no_secret_is_the_same_object() -> None:
    """Nothing is copied for nothing."""
    value = ["a=1", b"b", 3]

    assert redact_value("list", value) is value


def test_names_of_ones_own() -> None:
    """A user's names count in URLs, in fields and in text, in any case, built-in ones too."""
    redactor = make_redactor(["clientId", "X-My-*", "code"])

    assert redactor.redact("/f?CLIENT_ID=a&sig=b&x=1") == "/f?CLIENT_ID=REDACTED&sig=REDACTED&x=1"
    assert redactor.redact("x-my-header: abc d") == "x-my-header: REDACTED d"
    assert redactor.redact("exit code=1") == "exit code=REDACTED"
    assert redactor.redact_value("clientid", "a") == "REDACTED"
    assert redact("/f?clientId=a") == "/f?clientId=a"


def steps(text: str) -> int:
    """Return how many calls redacting a text takes, of Python's functions and C's."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        make_redactor().redact(text)
    finally:
        sys.setprofile(previous)
    return count


@pytest.mark.parametrize(
    "piece",
    [
        "%", "%25", "%2525", "\\", "\\u0026", "=", "code=", "&code=", "?code='", "password=", "'",
        '"', "password='", "authorization: ", 'authorization: a b,x="', "cookie:", "password={",
        "://", "://a:b", "://a:b/", "://a@", ":%2F%2Fa:b", "@", " ", "a", "a.", "Bearer ",
        "AzFu", "password: [", "password: ['a', ", '\\"', 'password=\\"', "%27password%3D%27",
        "password:\n ", "password:\\n ", "password: ", 'password=["a"', "password=(x ",
        "<password>", "--password ", 'name="password" ', '"value": "x", "name": ', "eyJ", "eyJa.",
        "value={name=password,", "-----BEGIN PRIVATE KEY-----", "Basic ", "a=", "password=[",
        'password: {"a"', "&quot;", "\\n",
        "password=a ;", "\n- ", "token: ", "A" * 44 + "AzFu", "+ASt",
        "\x1b[0m", "\u200b", "\u00a0", "''", "password='a''", "\\r\\n", "password: !a ",
        "curl -u a:", "+", "%3A+", "%3A+%22", "+%22", "%1B%5B", "%5C",
        "auth=('", "PASSWORD '", 'name="password"\r\n\r\n', "<password><", '"id": "https://v/secrets/',
    ],
)  # fmt: skip
def test_cost_grows_with_length_alone(piece: str) -> None:
    """What is made to be hard takes eight times the steps when it is eight times as long."""
    for beginning, ending in (
        ("", ""),
        ("x?code=", ""),
        ("password='", ""),
        ("://", "@"),
        ("", "x"),
    ):
        short = beginning + piece * (2_000 // len(piece)) + ending
        long = beginning + piece * (16_000 // len(piece)) + ending

        assert steps(long) < 12 * (steps(short) + 50)


@pytest.mark.parametrize(
    "piece", ["<password>", "://a:b", "password='", "\x1b[0m", 'id="', "\u200b"]
)
def test_a_long_text_that_is_made_to_be_hard(piece: str) -> None:
    """A text of any length comes to an end, and its secret goes."""
    assert "s3cret" not in redact(piece * (100_000 // len(piece)) + " password=s3cret")
