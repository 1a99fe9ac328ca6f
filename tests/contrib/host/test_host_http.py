"""HTTP messages on their way to a worker and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from funcscope.contrib.host import TypedData, function_rpc
from funcscope.contrib.host._serving.http import to_response, to_typed_data

if TYPE_CHECKING:
    from starlette.types import Message

PROTOS = function_rpc()


def to_http(
    path: str,
    query: str = "",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: bytes = b"",
    raw: bytes = b"",
) -> Any:  # a message made at run time
    """Send a request through `to_typed_data`."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "server": ("localhost", 7071),
        "path": path,
        "raw_path": raw,
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost:7071"), *headers],
    }
    return asyncio.run(to_typed_data(Request(scope, receive), {"id": "7"})).http


def test_request() -> None:
    """A worker gets the method, the absolute URL, route parameters and the body as bytes."""
    http = to_http("/api/items/7", "a=1", body=b"\xff\x00")

    assert (http.method, http.url) == ("POST", "http://localhost:7071/api/items/7?a=1")
    assert dict(http.params) == {"id": "7"}
    assert http.body.bytes == b"\xff\x00"


def test_request_headers() -> None:
    """Header names are lower-case, and repeated headers are one."""
    http = to_http("/", headers=((b"x-many", b"a"), (b"x-many", b"b")))

    assert dict(http.headers) == {"host": "localhost:7071", "x-many": "a, b"}


def test_request_query() -> None:
    """Repeated query parameters are one, and empty ones are left out, as the host does."""
    assert dict(to_http("/", "a=1&a=2&b=&c=%C3%A9").query) == {"a": "1,2", "c": "é"}


def test_no_body_is_no_value() -> None:
    """A request without a body leaves the field unset."""
    assert to_http("/").body.WhichOneof("data") is None


@pytest.mark.parametrize(
    ("value", "status", "content_type", "body"),
    [
        (None, 204, None, b""),
        (PROTOS.TypedData(), 204, None, b""),
        (PROTOS.TypedData(string="é"), 200, "text/plain; charset=utf-8", "é".encode()),
        (PROTOS.TypedData(json="[1]"), 200, "application/json", b"[1]"),
        (PROTOS.TypedData(bytes=b"\xff"), 200, "application/octet-stream", b"\xff"),
    ],
)
def test_plain_values(
    value: TypedData | None, status: int, content_type: str | None, body: bytes
) -> None:
    """A value that is no response becomes one of its type, and nothing becomes 204."""
    response = to_response(value)

    assert (response.status_code, response.body) == (status, body)
    assert response.headers.get("content-type") == content_type


def test_response() -> None:
    """Status, headers and body come from the function; the server frames the body itself."""
    http = PROTOS.RpcHttp(
        status_code="418",
        headers={"X-A": "b", "Content-Length": "99", "Content-Type": "text/x"},
        body=PROTOS.TypedData(bytes=b"tea"),
    )

    response = to_response(PROTOS.TypedData(http=http))

    assert (response.status_code, response.body) == (418, b"tea")
    assert dict(response.headers) == {"content-length": "3", "x-a": "b", "content-type": "text/x"}


def test_cookies() -> None:
    """Each cookie becomes a header of its own, with its attributes."""
    same_site = PROTOS.RpcHttpCookie.SameSite.ExplicitNone
    cookies = [
        PROTOS.RpcHttpCookie(name="a", value="1", path=PROTOS.NullableString(value="/")),
        PROTOS.RpcHttpCookie(
            name="b",
            value="x y",
            secure=PROTOS.NullableBool(value=True),
            http_only=PROTOS.NullableBool(value=True),
            same_site=same_site,
            max_age=PROTOS.NullableDouble(value=0),
        ),
    ]

    response = to_response(PROTOS.TypedData(http=PROTOS.RpcHttp(cookies=cookies)))

    assert response.headers.getlist("set-cookie") == [
        "a=1; Path=/",
        'b="x y"; HttpOnly; Max-Age=0; SameSite=None; Secure',
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"status_code": "teapot"}, "teapot"),
        ({"status_code": "999"}, "its status is 999"),
        ({"status_code": "101"}, "its status is 101"),
        ({"headers": {"X-A": "a\r\nX-B: 1"}}, r"'X-A' holds the character '\\r'"),
        ({"headers": {"X-A": "a\x00"}}, r"'X-A' holds the character '\\x00'"),
        ({"headers": {"X-A": "é"}}, "'X-A' holds the character 'é'"),
        ({"headers": {"X:A": "a"}}, "'X:A' is no name for a header"),
        ({"headers": {"": "a"}}, "'' is no name for a header"),
        ({"cookies": [PROTOS.RpcHttpCookie(name="a;b", value="1")]}, "'a;b' is no name for a cook"),
        ({"cookies": [PROTOS.RpcHttpCookie(name="", value="1")]}, "'' is no name for a cookie"),
    ],
)
def test_what_no_server_sends(fields: dict[str, Any], message: str) -> None:
    """A status, a header or a cookie that cannot be sent is named, for the host to answer 500."""
    with pytest.raises(ValueError, match=message):
        to_response(PROTOS.TypedData(http=PROTOS.RpcHttp(**fields)))


def test_odd_cookie() -> None:
    """A cookie's name may have what browsers take and Python's own cookies do not."""
    cookie = PROTOS.RpcHttpCookie(name="a[b]", value="é", path=PROTOS.NullableString(value="/"))

    response = to_response(PROTOS.TypedData(http=PROTOS.RpcHttp(cookies=[cookie])))

    assert response.headers["set-cookie"].startswith("a[b]=")
    assert response.headers["set-cookie"].endswith("; Path=/")


def test_url_stays_encoded() -> None:
    """The URL goes as it was sent: decoded, `%3F` would start a query."""
    assert to_http("/a b?", raw=b"/a%20b%3F").url == "http://localhost:7071/a%20b%3F"
    assert to_http("/a b?", "x=%20").url == "http://localhost:7071/a%20b%3F?x=%20"
