"""
The server of the local host and of the trace page.

It waits for functions as long as they take when it stops, and for clients as long as these go on.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator

    from starlette.types import ASGIApp

_PATIENCE_S = 2.0


class _ClientConnection(H11Protocol):
    """A client's connection, which knows whose turn it is."""

    _events = 0

    @property
    def waits_for_client(self) -> bool:
        """Whether the client has not taken all of the response, or not sent all of its request."""
        is_awaited = bool(self.cycle) and self.cycle.more_body and not self.flow.read_paused
        return is_awaited or self.transport.get_write_buffer_size() > 0

    @property
    def progress(self) -> tuple[int, int]:
        """A value that stays as it is while the client does nothing."""
        return self._events, self.transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        self._events += 1
        super().data_received(data)

    def resume_writing(self) -> None:
        """Go on, as the client has taken enough."""
        self._events += 1
        super().resume_writing()


class UvicornServer(uvicorn.Server):
    """
    A uvicorn server that leaves signals alone: uvicorn's own raises them again at the end.

    Args:
        application: An ASGI application.
        on_started: Called when requests are served.
        on_stopping: Called when no more are taken.
        patience_s: For how long a client may stand still then, in seconds.
    """

    def __init__(
        self,
        application: ASGIApp,
        *,
        on_started: Callable[[], None],
        on_stopping: Callable[[], None],
        patience_s: float = _PATIENCE_S,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                access_log=False,
                date_header=False,  # a function's own stands in its place
                http=_ClientConnection,
                lifespan="off",
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                ws="none",
            )
        )
        self._on_started = on_started
        self._on_stopping = on_stopping
        self._patience_s = patience_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, and say so."""
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, say so, and finish those in flight whose clients take part."""
        self._on_stopping()
        leaving = asyncio.create_task(self._leave_clients_that_stand_still())
        try:
            await super().shutdown(sockets)
        finally:
            leaving.cancel()

    async def _leave_clients_that_stand_still(self) -> None:
        """Close connections that wait for their clients, and on which nothing happens for long."""
        before: dict[_ClientConnection, tuple[int, int]] = {}
        while True:
            connections = cast("set[_ClientConnection]", set(self.server_state.connections))
            now = {each: each.progress for each in connections if each.waits_for_client}
            for connection, progress in now.items():
                if before.get(connection) == progress:
                    connection.transport.abort()
            before = now
            await asyncio.sleep(self._patience_s)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing: whoever runs the server handles signals."""
        yield
