"""What stands before the local host's routes: refusals, and the headers of every answer."""

from __future__ import annotations

from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from funcscope.contrib._local.printable import printable_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from funcscope.contrib.host._access.access import Access, Refusal

_MOST_REASONS = 100


class Guard:
    """
    Serves an ASGI application to those who may call it, and says once whom it refuses.

    Args:
        application: What to serve.
        access: Who may call.
        warn: Called with a line of text.
    """

    def __init__(self, application: ASGIApp, access: Access, warn: Callable[[str], None]) -> None:
        self._application = _with_cors(application, access)
        self._access = access
        self._warn = warn
        self._told: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        refusal = self._refusal(scope)
        if refusal is None:
            with suppress(ClientDisconnect):  # it went away before it had sent its request
                await self._application(scope, receive, _dated(send))
            return
        title = f"{scope['method']} {scope['path']}"
        self._tell(title, refusal)
        answer = PlainTextResponse(f"refused: {refusal.reason}", refusal.status)
        await answer(scope, receive, _dated(send))

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        return self._access.refuse(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            {name: headers[name] for name in headers},
        )

    def _tell(self, title: str, refusal: Refusal) -> None:
        """Say why a request is refused: once, as a page that is refused may try for ever."""
        if refusal.reason in self._told or len(self._told) >= _MOST_REASONS:
            return
        self._told.add(refusal.reason)
        self._warn(printable_line(f"refused {title}: {refusal.reason}"))


def _with_cors(application: ASGIApp, access: Access) -> ASGIApp:
    """Let pages of the allowed origins read answers, as `Startup.cs` of Core Tools does."""
    if not access.origins:
        return application
    return CORSMiddleware(
        application,
        allow_origins=access.origins,
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=access.allows_credentials,
    )


def _dated(send: Send) -> Send:
    """Date answers that have no date of their own; the server would date the others twice."""

    async def send_dated(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("date", formatdate(usegmt=True))
        await send(message)

    return send_dated
