"""HTTP requests and responses, in the messages that a worker takes and gives."""

from __future__ import annotations

from datetime import timezone
from email.utils import format_datetime
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

from starlette.responses import Response

from funcscope.contrib.host._worker.protocol import TypedData, function_rpc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_TEXT = "text/plain; charset=utf-8"
_SAME_SITE = {1: "Lax", 2: "Strict", 3: "None"}
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
        url=str(request.url),
        headers=headers,
        query={name: value for name, value in query.items() if value},
        params=dict(route_params),
        body=protos.TypedData(bytes=body) if body else None,
    )
    return protos.TypedData(http=http)


def to_response(value: TypedData | None) -> Response:
    """Turn a function's return value into a response; no value becomes 204."""
    kind = None if value is None else value.WhichOneof("data")
    if value is None or kind is None:
        return Response(status_code=204)
    if kind == "http":
        return _from_rpc_http(value.http)
    media_type = {"json": "application/json", "bytes": "application/octet-stream"}.get(kind, _TEXT)
    return Response(_body(value), media_type=media_type)


def _from_rpc_http(http: TypedData) -> Response:
    response = Response(_body(http.body), status_code=int(http.status_code or 200))
    for name, value in http.headers.items():
        if name.lower() not in _FRAMING_HEADERS:
            response.headers[name] = value
    for cookie in http.cookies:
        response.headers.append("set-cookie", _set_cookie(cookie))
    return response


def _body(value: TypedData) -> bytes:
    kind = value.WhichOneof("data")
    if kind is None:
        return b""
    content: object = getattr(value, kind)
    return content if isinstance(content, bytes) else str(content).encode()


def _set_cookie(cookie: TypedData) -> str:
    morsel = SimpleCookie({cookie.name: cookie.value})[cookie.name]
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
    return morsel.OutputString()
