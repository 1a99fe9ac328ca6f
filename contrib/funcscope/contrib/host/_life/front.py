"""What all requests come to, whether the app is loaded at the moment or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_PATIENCE_S = 60.0


class Front:
    """
    An ASGI application that hands requests on to the app as it is loaded now.

    While it is loaded again, requests wait; where that has failed, they are answered by why.
    """

    def __init__(self) -> None:
        self._application: ASGIApp | None = None  # while requests do not wait
        self._is_decided = asyncio.Event()
        self._in_flight = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @property
    def in_flight(self) -> int:
        """How many requests have been handed on and are not answered."""
        return self._in_flight

    def open(self, application: ASGIApp) -> None:
        """Hand requests on, those that wait first."""
        self._decide(application)

    def hold(self) -> None:
        """Let requests wait from now on."""
        self._application = None
        self._is_decided.clear()

    def refuse(self, reason: str) -> None:
        """Answer requests with 503 and a reason."""
        self._decide(PlainTextResponse(reason, 503))

    async def drain(self) -> None:
        """Wait until all requests that were handed on are answered."""
        await self._is_idle.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        application = await self._choose()
        self._in_flight += 1
        self._is_idle.clear()
        try:
            await application(scope, receive, send)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._is_idle.set()

    def _decide(self, application: ASGIApp) -> None:
        self._application = application
        self._is_decided.set()

    async def _choose(self) -> ASGIApp:
        try:
            return await asyncio.wait_for(self._decision(), _PATIENCE_S)
        except asyncio.TimeoutError:
            reason = f"the app has been loading for more than {_PATIENCE_S:g} s"
            return PlainTextResponse(reason, 503)

    async def _decision(self) -> ASGIApp:
        while self._application is None:  # it may be held again before this wakes
            await self._is_decided.wait()
        return self._application
