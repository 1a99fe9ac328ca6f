"""
HTTP streams: responses that the worker's own server sends, after their function has returned.

With `azurefunctions-extensions-http-fastapi` the host forwards each request to a FastAPI app of the
worker's, whose one route waits for the function's result and returns it (azure-functions-runtime
1.3.0, `http_v2.py`; extension 1.0.1, `web.py`). The function gets that route's request, so what is
put in the request's scope is found by its invocation.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import nullcontext, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

import wrapt

from funcscope.contrib.web._within import CallWithin, IteratorWithin
from funcscope.telemetry.integration import defer_ends_with

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from contextlib import AbstractContextManager
    from types import ModuleType

    from funcscope.extensions import Invocation
    from funcscope.telemetry.integration import Attributes, DeferredEnd

    Message = MutableMapping[str, Any]  # ASGI's own
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]

DISCONNECTED = "client_disconnected"
"""`error.type` of a response that the client did not wait for."""

_MODULE = "azurefunctions.extensions.http.fastapi.web"
_STREAM = "funcscope.stream"

_logger = logging.getLogger("funcscope.telemetry")


def watch_streams() -> None:
    """Have spans end with the last byte, once the app imports what streams."""
    wrapt.register_post_import_hook(_watch, _MODULE)


def _watch(module: ModuleType) -> None:
    if callable(getattr(getattr(module, "WebServer", None), "serve", None)):
        wrapt.wrap_function_wrapper(module, "WebServer.serve", _serve)
        defer_ends_with(find_stream)
    else:
        _logger.warning("spans of HTTP streams end with their functions: %s is odd", _MODULE)


def _serve(
    serve: Callable[..., object], server: Any, args: tuple[object, ...], kwargs: dict[str, object]
) -> object:
    with suppress(AttributeError):  # a server of another version: its spans end with functions
        server.web_app = StreamingServer(server.web_app)
    return serve(*args, **kwargs)


def _uninstrumented() -> AbstractContextManager[None]:
    """Have no instrumentation make a span; all of them load this, which we need not have."""
    utils: Any = sys.modules.get("opentelemetry.instrumentation.utils")
    suppressed = nullcontext() if utils is None else utils.suppress_http_instrumentation()
    return cast("AbstractContextManager[None]", suppressed)


class Stream:
    """
    One response, from the request's arrival on.

    What it counts is what the app is given and gives: bytes of bodies, before any transfer coding.
    """

    def __init__(self) -> None:
        self._deferred: DeferredEnd | None = None
        self._status: int | None = None
        self._sent_bytes = 0
        self._received_bytes = 0
        self._has_ended = False

    def defer(self, end: DeferredEnd) -> None:
        """Take the invocation's end, which is recorded once the response is sent."""
        self._deferred = end
        if self._has_ended:  # such as by the server's end
            self.end(is_complete=False)

    def received(self, message: Message) -> None:
        """Note a message of the client's."""
        self._received_bytes += len(message.get("body") or b"")

    def sent(self, message: Message) -> bool:
        """Note a message that was sent; True where that was the last."""
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
        self._sent_bytes += len(message.get("body") or b"")
        return message["type"] == "http.response.body" and not message.get("more_body", False)

    def end(
        self, error: BaseException | None = None, *, is_complete: bool = True
    ) -> Callable[[], object] | None:
        """
        Record the invocation, if it lasted until now.

        Args:
            error: What broke the response off.
            is_complete: Whether all of it was sent.

        Returns:
            What is still to be waited for; None for nothing.
        """
        self._has_ended = True
        deferred, self._deferred = self._deferred, None
        if deferred is None:
            return None
        if error is not None and not _is_disconnect(error):
            return deferred.end(self._attributes(), error=error)
        return deferred.end(self._attributes(), error_type=None if is_complete else DISCONNECTED)

    def _attributes(self) -> Attributes:
        attributes: Attributes = {"http.response.body.size": self._sent_bytes}
        if self._received_bytes:
            attributes["http.request.body.size"] = self._received_bytes
        if self._status is not None:
            attributes["http.response.status_code"] = self._status
        return attributes


class StreamingServer:
    """
    The worker's own app, watched.

    Args:
        app: The app.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __getattr__(self, name: str) -> object:
        """Have what the app has."""
        return getattr(self._app, name)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request, which nobody else records."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stream = scope[_STREAM] = Stream()
        scope["fastapi.telemetry"] = None  # as FastAPI marks what it leaves out (0.165)

        async def watched_receive() -> Message:
            message = await receive()
            stream.received(message)
            return message

        async def watched_send(message: Message) -> None:
            await send(message)
            if stream.sent(message):
                await _wait_for(stream.end())

        try:
            with _uninstrumented():
                await self._app(scope, watched_receive, watched_send)
        except Exception as error:
            await _wait_for(stream.end(error, is_complete=False))
            raise
        except BaseException as error:
            stream.end(error, is_complete=False)
            raise
        else:
            await _wait_for(stream.end(is_complete=False))


def find_stream(invocation: Invocation, result: object) -> Callable[[DeferredEnd], object] | None:
    """Return what ends an invocation with its stream; None where it has none."""
    scope = getattr(invocation.trigger, "scope", None)
    if not isinstance(scope, dict):
        return None
    stream = cast("dict[str, object]", scope).get(_STREAM)
    if not isinstance(stream, Stream):
        return None
    _carry(result)
    return stream.defer


def _carry(response: Any) -> None:
    """Have what runs for a response later do so in the invocation that it was made in."""
    if hasattr(response, "body_iterator"):
        response.body_iterator = IteratorWithin(copy_context(), response.body_iterator)
    if getattr(response, "background", None) is not None:
        response.background = CallWithin(copy_context(), response.background)


def _is_disconnect(error: BaseException) -> bool:
    """Tell how Starlette and servers say that the client has gone, and how they stop for that."""
    return type(error).__name__ in ("ClientDisconnect", "ClientDisconnected", "CancelledError")


async def _wait_for(call: Callable[[], object] | None) -> None:
    if call is not None:
        await asyncio.to_thread(call)
