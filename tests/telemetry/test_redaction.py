"""No secret leaves in a text or a value."""

from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from funcscope.telemetry._redaction import make_redactor, redact, redact_value
from funcscope.telemetry._secret_names import SECRET_HEADERS, SECRET_PARAMETERS

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


@pytest.mark.parametrize(
    "piece",
    [
        "%", "%25", "%2525", "\\", "\\u0026", "=", "code=", "&code=", "?code='", "password=", "'",
        '"', "password='", "authorization: ", 'authorization: a b,x="', "cookie:", "password={",
        "://", "://a:b", "://a:b/", "://a@", ":%2F%2Fa:b", "@", " ", "a", "a.", "Bearer ",
        "AzFu", "password: [", "password: ['a', ", '\\"', 'password=\\"', "%27password%3D%27",
    ],
)  # fmt: skip
def test_long_texts_take_time_in_proportion(piece: str) -> None:
    """A megabyte made to be hard takes seconds at most, where a quadratic search takes hours."""
    text = piece * (1_000_000 // len(piece))
    start = perf_counter()
    redact(text)
    for beginning in ("x?code=", "password='", "://"):
        redact(beginning + text[:100_000])

    assert perf_counter() - start < 40
