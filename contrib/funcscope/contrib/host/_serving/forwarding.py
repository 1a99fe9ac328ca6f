"""
Handing a request on to the worker's own server, as the host does for apps that use HTTP streams.

The host sends the request there as it came, with the invocation's id in `x-ms-invocation-id`, and
tries again while nobody listens yet (azure-functions-host 4.x, `DefaultHttpProxyService.cs`); its
HTTP client adds its own `traceparent`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    Headers = list[tuple[bytes, bytes]]

_CONNECT_WITHIN_S = 20.0
_PAUSE_S = 0.05
_READ_BYTES = 65536
# Of one connection (RFC 9110, 7.6.1), or the server's own.
_NOT_FORWARDED = frozenset(
    {
        b"connection",
        b"date",
        b"expect",
        b"keep-alive",
        b"proxy-connection",
        b"server",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class Forwarding:
    """
    One request on its way to the worker's server, and the response on its way back.

    Args:
        uri: The server's address, such as `http://127.0.0.1:34567`.
        request: The client's request.
        extra: Headers to set, in place of the client's of the same names.

    Attributes:
        is_abandoned: Whether the client has gone.
    """

    def __init__(self, uri: str, request: Request, extra: dict[str, str]) -> None:
        address = urlsplit(uri)
        self._address = (str(address.hostname), int(address.port or 80))
        self._request = request
        self._extra = [(name.encode(), value.encode()) for name, value in extra.items()]
        self._http = h11.Connection(h11.CLIENT)
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._sending: asyncio.Task[None] | None = None
        self.is_abandoned = False

    async def open(self) -> tuple[int, Headers]:
        """
        Send the request, go on sending its body, and wait for the response to begin.

        Returns:
            The status and the headers that are the response's own.

        Raises:
            OSError: There is no such server.
            h11.RemoteProtocolError: It went away instead.
        """
        self._reader, self._writer = await self._connect()
        self._writer.write(self._http.send(self._head()) or b"")
        self._sending = asyncio.create_task(self._send_body(self._writer))
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                return event.status_code, _forwarded(event.headers.raw_items())
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the worker's server closed the connection")

    async def body(self) -> AsyncIterator[bytes]:
        """
        Yield the response's body as it comes.

        Raises:
            OSError: The connection broke.
            h11.RemoteProtocolError: It ended before the body did.
        """
        while True:
            event = await self._next_event()
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)

    async def close(self) -> None:
        """Let go of the connection, whether all was sent or not."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        if self._writer is not None:
            self._writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _CONNECT_WITHIN_S
        while True:
            try:
                return await asyncio.open_connection(*self._address)
            except ConnectionRefusedError:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_PAUSE_S)

    def _head(self) -> h11.Request:
        scope = self._request.scope
        target = scope.get("raw_path") or str(scope["path"]).encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        replaced = {name for name, _ in self._extra}
        headers = [
            (name, value)
            for name, value in _forwarded(self._request.headers.raw)
            if name not in replaced
        ]
        if self._request.headers.get("transfer-encoding"):
            headers.append((b"transfer-encoding", b"chunked"))
        return h11.Request(
            method=self._request.method, target=target, headers=[*headers, *self._extra]
        )

    async def _send_body(self, writer: asyncio.StreamWriter) -> None:
        """Send the body as it comes, then watch for a client that goes; the worker is told."""
        try:
            async for chunk in self._request.stream():
                if chunk:
                    writer.write(self._http.send(h11.Data(data=chunk)) or b"")
                    await writer.drain()
            writer.write(self._http.send(h11.EndOfMessage()) or b"")
            await writer.drain()
            while (await self._request.receive())["type"] != "http.disconnect":
                pass
        except (ClientDisconnect, OSError, h11.LocalProtocolError):
            pass
        self.is_abandoned = await self._request.is_disconnected()
        if self.is_abandoned:
            writer.close()

    async def _next_event(self) -> object:
        if self._reader is None:
            raise h11.LocalProtocolError("the request was not sent")
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._reader.read(_READ_BYTES))


def _forwarded(headers: list[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in _NOT_FORWARDED]
