"""HTTP requests and responses, in the messages that a worker takes and gives."""

from __future__ import annotations

import re
from datetime import timezone
from email.utils import format_datetime
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

from funcscope.contrib.host._access.headers import sendable
from funcscope.contrib.host._worker.protocol import TypedData, function_rpc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_TEXT = "text/plain; charset=utf-8"
_SAME_SITE = {1: "Lax", 2: "Strict", 3: "None"}
_NO_BODY = (204, 205, 304)
# The server frames the body itself.
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})


async def to_typed_data(
    request: Request, route_params: Mapping[str, str], *, has_body: bool = True
) -> TypedData:
    """
    Turn a request into what the host sends for an HTTP trigger.

    As in the host, repeated headers and query parameters are joined by commas, empty query
    parameters are left out, and the body goes as bytes (capability `RawHttpBodyBytes`). Source:
    azure-functions-host, `GrpcMessageConversionExtensions.ToRpcHttp`.

    Args:
        request: The request.
        route_params: What its route's parameters are.
        has_body: Whether the body goes with it; False where the worker's own server gets that.
    """
    protos = function_rpc()
    headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
    query = {name: ",".join(request.query_params.getlist(name)) for name in request.query_params}
    body = await request.body() if has_body else b""
    http = protos.RpcHttp(
        method=request.method,
        url=_url(request),
        headers=headers,
        query={name: value for name, value in query.items() if value},
        params=dict(route_params),
        body=protos.TypedData(bytes=body) if body else None,
    )
    return protos.TypedData(http=http)


def raw_path(request: Request) -> str:
    """Return the path as it was sent, which tells `%2F` from `/`; servers may leave it out."""
    sent: bytes = request.scope.get("raw_path") or b""
    return sent.decode("latin-1") or quote(request.scope["path"])


def to_response(value: TypedData | None) -> Response:
    """
    Turn a function's return value into a response; no value becomes 204.

    Raises:
        ValueError: No server sends such a status, header or cookie.
    """
    kind = None if value is None else value.WhichOneof("data")
    if value is None or kind is None:
        return Response(status_code=204)
    if kind == "http":
        return _from_rpc_http(value.http)
    media_type = {"json": "application/json", "bytes": "application/octet-stream"}.get(kind, _TEXT)
    return Response(_body(value), media_type=media_type)


def loses_body(response: Response, value: TypedData | None) -> bool:
    """Tell whether a function's value has a body that its status does not allow."""
    if response.status_code not in _NO_BODY or value is None:
        return False
    return value.WhichOneof("data") == "http" and bool(_body(value.http.body))


def _url(request: Request) -> str:
    """Return the whole URL, encoded as it was sent."""
    url, query = request.url, request.scope.get("query_string", b"").decode("latin-1")
    return f"{url.scheme}://{url.netloc}{raw_path(request)}" + (f"?{query}" if query else "")


def _from_rpc_http(http: TypedData) -> Response:
    status = int(http.status_code or 200)
    if not 200 <= status <= 599:
        raise ValueError(f"its status is {status}: use one from 200 to 599")
    response = Response(b"" if status in _NO_BODY else _body(http.body), status_code=status)
    for name, value in http.headers.items():
        if name.lower() not in _FRAMING_HEADERS:
            response.headers[name] = sendable(name, value)
    for cookie in http.cookies:
        response.headers.append("set-cookie", sendable("Set-Cookie", _set_cookie(cookie)))
    return response


def _body(value: TypedData) -> bytes:
    kind = value.WhichOneof("data")
    if kind is None:
        return b""
    content: object = getattr(value, kind)
    return content if isinstance(content, bytes) else str(content).encode()


def _set_cookie(cookie: TypedData) -> str:
    if not cookie.name or re.search(r"[\s;=,]", cookie.name):
        raise ValueError(f"{cookie.name!r} is no name for a cookie")
    try:
        # Python refuses names that browsers take.
        morsel = SimpleCookie({"x": cookie.value})["x"]
    except CookieError as error:
        raise ValueError(f"the cookie {cookie.name!r} cannot be sent: {error}") from error
    morsel["domain"] = cookie.domain.value
    morsel["path"] = cookie.path.value
    morsel["secure"] = cookie.secure.value
    morsel["httponly"] = cookie.http_only.value
    morsel["samesite"] = _SAME_SITE.get(cookie.same_site, "")
    if cookie.HasField("max_age"):
        morsel["max-age"] = int(cookie.max_age.value)
    if cookie.HasField("expires"):
        expires = cookie.expires.value.ToDatetime(tzinfo=timezone.utc)
        morsel["expires"] = format_datetime(expires, usegmt=True)
    return f"{cookie.name}{morsel.OutputString()[1:]}"
