"""One kept-alive HTTP/1.1 connection to a collector."""

from __future__ import annotations

import ssl
from contextvars import Context
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from opentelemetry import context as otel_context

from funcscope.telemetry._context import SUPPRESS_KEYS
from funcscope.telemetry._http.deadline import Lookup, Phase
from funcscope.telemetry._http.socket import connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from funcscope.telemetry._config.otlp_target import Origin
    from funcscope.telemetry._http.deadline import Addresses, Deadline
    from funcscope.telemetry._http.socket import Wire

MAX_ANSWER = 64 * 1024
"""The most bytes of an answer's body that are read."""

_MAX_JOINED = 64 * 1024  # a copy is cheaper than another packet


class Answer(NamedTuple):
    """
    A collector's answer.

    Attributes:
        status: The HTTP status.
        retry_after: The value of `Retry-After`; empty where there is none.
        body: Its first 64 KiB; empty where it could not be read.
    """

    status: int
    retry_after: str = ""
    body: bytes = b""


class Connection:
    """
    Posts bodies to one server, on one connection that is opened when it is needed.

    For one thread at a time. The parts of `http.client` that it uses are loaded already in
    a function app, for `azure.functions` imports them.

    Args:
        origin: The server, and how to reach it.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._wire: Wire | None = None
        self._lookup: Lookup | None = None
        self._tls: ssl.SSLContext | None = None

    def post(
        self, path: str, headers: Iterable[tuple[str, str]], body: bytes, deadline: Deadline
    ) -> Answer:
        """
        Post a body, with instrumentation suppressed and in an empty context.

        A request that fails on a connection which was used before, with not a byte of an
        answer, is tried once more on a new one: the server had closed it.

        Args:
            path: The path, with its query.
            headers: In addition to `Host` and `Content-Length`.
            body: The bytes as they are sent.
            deadline: For everything, connecting and reading the answer included.

        Raises:
            OSError: There was no answer, or not in time.
            HTTPException: What came is not HTTP.
        """
        request = self._head(path, headers, len(body)), body
        return Context().run(self._post_suppressed, request, deadline)

    def close(self) -> None:
        """Close the connection; the next post opens another."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def reset(self) -> None:
        """Be another process, in a forked child: its parent has the connection and the lookup."""
        self.close()
        self._lookup = None

    def _post_suppressed(self, request: tuple[bytes, bytes], deadline: Deadline) -> Answer:
        context = otel_context.get_current()
        for key in SUPPRESS_KEYS:
            context = otel_context.set_value(key, True, context)  # noqa: FBT003  (a value)
        otel_context.attach(context)  # never detached: the contextvars context ends with us
        try:
            return self._post(request, deadline)
        except BaseException:
            self.close()
            raise

    def _post(self, request: tuple[bytes, bytes], deadline: Deadline) -> Answer:
        wire = self._reusable()
        if wire is not None:
            try:
                return self._exchange(wire, request, deadline)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                if wire.received:
                    raise
            self.close()
        deadline.phase = Phase.CONNECTING
        self._wire = wire = self._open(deadline)
        return self._exchange(wire, request, deadline)

    def _reusable(self) -> Wire | None:
        if self._wire is not None and self._wire.is_stale():
            self.close()
        return self._wire

    def _exchange(self, wire: Wire, request: tuple[bytes, bytes], deadline: Deadline) -> Answer:
        wire.deadline, wire.received = deadline, 0
        deadline.phase = Phase.SENDING
        head, body = request
        if len(body) <= _MAX_JOINED:
            wire.send(head + body)
        else:
            wire.send(head)
            wire.send(body)
        deadline.phase = Phase.WAITING
        response = _begin_response(wire, "POST")
        text = self._read(response)
        if response.will_close or not response.isclosed():
            self.close()
        return Answer(response.status, response.getheader("retry-after", ""), text)

    def _read(self, response: HTTPResponse) -> bytes:
        """Read the body; the status stands, even where the rest never comes."""
        try:
            body = response.read(MAX_ANSWER)
            if not response.isclosed():
                response.read(1)  # the end, unless there is more: then the connection is closed
        except (OSError, HTTPException):
            self.close()
            return b""
        return body

    def _open(self, deadline: Deadline) -> Wire:
        origin, proxy = self._origin, self._origin.proxy
        server = proxy or origin
        wire = connect(self._addresses(server.host, server.port, deadline), deadline)
        try:
            if origin.scheme == "https":
                if proxy is not None:
                    self._tunnel(wire, proxy.authorization)
                wire.secure(self._tls_context(), origin.host)
        except BaseException:
            wire.close()
            raise
        return wire

    def _addresses(self, host: str, port: int, deadline: Deadline) -> Addresses:
        """Look the name up, or wait for a lookup that took too long before."""
        lookup = self._lookup = self._lookup or Lookup(host, port)
        try:
            return lookup.wait(deadline)
        finally:
            if lookup.is_done:
                self._lookup = None

    def _tunnel(self, wire: Wire, authorization: str) -> None:
        """Ask a proxy for a way through (RFC 9110 section 9.3.6)."""
        host = f"[{self._origin.host}]" if ":" in self._origin.host else self._origin.host
        authority = f"{host}:{self._origin.port}"
        wire.send(_request_head(f"CONNECT {authority}", authority, _proxy_headers(authorization)))
        response = _begin_response(wire, "CONNECT")
        if response.status != 200:
            raise OSError(f"the proxy refuses to connect: HTTP {response.status}")

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            authorities = self._origin.certificate
            is_folder = bool(authorities) and Path(authorities).is_dir()
            self._tls = ssl.create_default_context(
                cafile=authorities if authorities and not is_folder else None,
                capath=authorities if is_folder else None,
            )
            if self._origin.client_certificate:
                self._tls.load_cert_chain(
                    self._origin.client_certificate, self._origin.client_key or None
                )
        return self._tls

    def _head(self, path: str, headers: Iterable[tuple[str, str]], length: int) -> bytes:
        origin = self._origin
        all_headers = [*headers, ("content-length", str(length)), ("accept-encoding", "identity")]
        if origin.proxy is not None and origin.scheme == "http":
            path = f"http://{origin.authority}{path}"
            all_headers += _proxy_headers(origin.proxy.authorization)
        return _request_head(f"POST {path}", origin.authority, all_headers)


def _request_head(request: str, host: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"{request} HTTP/1.1", f"host: {host}", *(f"{name}: {text}" for name, text in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _proxy_headers(authorization: str) -> list[tuple[str, str]]:
    return [("proxy-authorization", authorization)] if authorization else []


def _begin_response(wire: Wire, method: str) -> HTTPResponse:
    """Read an answer's head; one that breaks off is a lost connection, and not bad HTTP."""
    # A wire for a socket, of which a response calls `makefile` alone.
    response = HTTPResponse(cast("socket.socket", wire), method=method)
    try:
        response.begin()
    except HTTPException as error:
        if wire.has_ended:
            raise ConnectionResetError("the answer broke off") from error
        raise
    return response
