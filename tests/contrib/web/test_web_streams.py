"""A response that the worker's own server sends is watched from the request to its last byte."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from starlette.requests import ClientDisconnect

from funcscope.contrib.web._streams import DISCONNECTED, StreamingServer

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Rest:
    """Stands for what is left to be recorded, and keeps how it ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[dict[str, Any], BaseException | None, str | None]] = []

    def end(
        self,
        attributes: dict[str, Any],
        *,
        error: BaseException | None = None,
        error_type: str | None = None,
    ) -> None:
        self.ends.append((attributes, error, error_type))


def serve(app: Any, scope_type: str = "http") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Serve one request, and return what was sent and its scope."""
    sent: list[dict[str, Any]] = []
    scope: dict[str, Any] = {"type": scope_type}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"12345"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    asyncio.run(StreamingServer(app)(scope, receive, send))
    return sent, scope


def kept(scope: dict[str, Any]) -> Rest:
    """Have a request's invocation wait for the end of its response."""
    rest = Rest()
    scope["funcscope.stream"].defer(rest)
    return rest


async def respond(send: Any, *chunks: bytes, is_complete: bool = True) -> None:
    """Send a response."""
    await send({"type": "http.response.start", "status": 206})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    if is_complete:
        await send({"type": "http.response.body"})


def test_it_ends_with_the_last_byte() -> None:
    """Not later, such as when what runs in the background has ended."""
    rests: list[Rest] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        rests.append(kept(scope))
        await receive()
        await respond(send, b"abc", b"de", is_complete=False)
        assert rests[0].ends == []
        await send({"type": "http.response.body", "body": b"f"})
        assert len(rests[0].ends) == 1

    sent, _ = serve(app)
    sizes = {
        "http.response.body.size": 6,
        "http.request.body.size": 5,
        "http.response.status_code": 206,
    }

    assert rests[0].ends == [(sizes, None, None)]
    assert [message.get("body") for message in sent] == [None, b"abc", b"de", b"f"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_what_breaks_it_off(error: BaseException) -> None:
    """An exception is the invocation's, and goes on to the server."""
    rests: list[Rest] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        rests.append(kept(scope))
        await respond(send, b"abc", is_complete=False)
        raise error

    with pytest.raises(type(error)):
        serve(app)
    ((attributes, caught, error_type),) = rests[0].ends

    assert (caught, error_type) == (error, None)
    assert attributes["http.response.body.size"] == 3


@pytest.mark.parametrize("error", [None, ClientDisconnect()])
def test_a_client_that_has_gone(error: Exception | None) -> None:
    """Frameworks return, or raise what is no failure of theirs."""
    rests: list[Rest] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        rests.append(kept(scope))
        await respond(send, b"abc", is_complete=False)
        if error is not None:
            raise error

    if error is None:
        serve(app)
    else:
        with pytest.raises(ClientDisconnect):
            serve(app)

    assert [(caught, kind) for _, caught, kind in rests[0].ends] == [(None, DISCONNECTED)]


def test_a_function_that_returns_too_late() -> None:
    """Where nobody waits for the response any more, the invocation ends at once."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    _, scope = serve(app)

    assert [kind for _, _, kind in kept(scope).ends] == [DISCONNECTED]


def test_nobody_else_records_the_request() -> None:
    """Neither FastAPI nor instrumentations make a span of the worker's own route."""
    seen: list[tuple[object, bool]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["fastapi.telemetry"], is_http_instrumentation_enabled()))

    serve(app)

    assert seen == [(None, False)]
    assert is_http_instrumentation_enabled()


def test_a_lifespan_is_left_alone() -> None:
    """What is no request passes."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope == {"type": "lifespan"}

    serve(app, "lifespan")
