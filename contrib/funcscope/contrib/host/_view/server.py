"""Serving an application on loopback, to nobody but this machine's user."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from funcscope.contrib.host._serving.web_server import UvicornServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from typing_extensions import Self

_NAMES = ("127.0.0.1", "[::1]", "localhost")
_HEADERS = {
    # Nothing from elsewhere, nothing to elsewhere, and no text becomes markup.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class LoopbackOnly:
    """
    Refuses requests for other names than this machine's own, and forbids what the page never does.

    A name of another site's that resolves to 127.0.0.1 would let that site read the answers
    (DNS rebinding); the Host header tells.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        app = self._app if _is_own(Headers(scope=scope).get("host", "")) else _REFUSED
        await app(scope, receive, send_guarded)


_REFUSED = PlainTextResponse(
    "this page is served as localhost and 127.0.0.1 only: open it by one of these", 403
)


def _is_own(host: str) -> bool:
    """Tell whether a Host header names this machine, with any port."""
    name, _, port = host.rpartition(":")
    return host.lower() in _NAMES or (name.lower() in _NAMES and port.isdecimal())


class ViewServer:
    """
    Serves an application on a thread of its own, so that nothing that the host waits for stops it.

    Args:
        application: What to serve.
        listener: A listening socket; it is closed in the end.
        on_stopping: Called when no more requests are taken, to end the endless ones.
    """

    def __init__(
        self, application: Starlette, listener: socket.socket, on_stopping: Callable[[], None]
    ) -> None:
        self._listener = listener
        self._is_started = threading.Event()
        self._server = UvicornServer(
            application, on_started=self._is_started.set, on_stopping=on_stopping
        )
        self._thread = threading.Thread(target=self._run, name="trace-page", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self._listener.getsockname()[:2]
        return f"http://{host}:{port}/"

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is served any longer."""
        return not self._thread.is_alive()

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        self._is_started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the requests under way, and stop; a page that reads nothing is not waited for."""
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listener]))
        finally:
            self._is_started.set()
