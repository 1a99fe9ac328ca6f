"""The worker's own HTTP server, which runs in this process as long as the app does."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Generator

_STOP_WITHIN_S = 5.0


class WorkerServers:
    """
    The servers that a worker starts while this is watched.

    `azurefunctions-extensions-http-fastapi` 1.0.1 runs a uvicorn server on the worker's event loop
    and never stops it. Here that is the local host's loop, so the server must leave signals to the
    host, and end before the loop does.
    """

    def __init__(self) -> None:
        self._running: list[tuple[uvicorn.Server, asyncio.Event]] = []

    def watch(self) -> None:
        """Have servers leave signals alone from now on, and remember them."""
        running = self._running

        @contextmanager
        def capture_signals(server: uvicorn.Server) -> Generator[None, None, None]:
            has_ended = asyncio.Event()
            running.append((server, has_ended))
            try:
                yield
            finally:
                has_ended.set()

        setattr(uvicorn.Server, "capture_signals", capture_signals)  # noqa: B010  (for mypy)

    async def stop(self) -> None:
        """Stop them; what they serve is finished first."""
        for server, _ in self._running:
            server.should_exit = True
        ends = [asyncio.create_task(ended.wait()) for _, ended in self._running]
        if ends:
            await asyncio.wait(ends, timeout=_STOP_WITHIN_S)
