"""One kept-alive HTTP/1.1 connection to a collector."""

from __future__ import annotations

import ssl
import zlib
from contextvars import Context
from http.client import BadStatusLine, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote, urljoin

from opentelemetry import context as otel_context

from funcscope.telemetry._config.proxy import split_url
from funcscope.telemetry._context import SUPPRESS_KEYS
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._http.deadline import Lookup, Phase
from funcscope.telemetry._http.socket import connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping

    from funcscope.telemetry._config.otlp_target import Origin
    from funcscope.telemetry._config.proxy import Proxy
    from funcscope.telemetry._http.deadline import Addresses, Deadline
    from funcscope.telemetry._http.library import LibraryPoster
    from funcscope.telemetry._http.socket import Wire
    from funcscope.telemetry._http.tls import TlsContexts

MAX_ANSWER = 64 * 1024
"""The most bytes of an answer's body that are read."""

_MAX_JOINED = 64 * 1024  # a copy is cheaper than another packet
_MAX_TRIES = 5  # at as many servers
_FOR_ANYONE = {"content-encoding", "content-type", "user-agent"}
"""The headers that a redirect takes to another server: others may hold what is for the first."""

_SAFE_IN_PATH = "!#$%&'()*+,/:;=?@[]~"  # as requests has it: what is encoded stays so


class Answer(NamedTuple):
    """
    A collector's answer.

    Attributes:
        status: The HTTP status.
        retry_after: The value of `Retry-After`; empty where there is none.
        body: Its first 64 KiB; empty where it could not be read.
        location: Where it says that something else is; empty where it does not.
    """

    status: int
    retry_after: str = ""
    body: bytes = b""
    location: str = ""


class Connection:
    """
    Posts bodies to one server, on one connection that is opened when it is needed.

    For one thread at a time. The parts of `http.client` that it uses are loaded already in
    a function app, for `azure.functions` imports them. Proxies that are spoken to in TLS or SOCKS
    are left to urllib3 (docs/decisions/043).

    Args:
        origin: The server, and how to reach it.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._wire: Wire | None = None
        self._lookup: Lookup | None = None
        self._tls: TlsContexts | None = None
        self._library: LibraryPoster | None = None
        self._elsewhere: dict[Origin, Connection] = {}

    def post(
        self, path: str, headers: Iterable[tuple[str, str]], body: bytes, deadline: Deadline
    ) -> Answer:
        """
        Post a body, with instrumentation suppressed and in an empty context.

        A request that fails on a connection which was used before, with not a byte of an
        answer, is tried once more on a new one: the server had closed it. A 307 or 308 is
        followed; not from https to http.

        Args:
            path: The path, with its query.
            headers: In addition to `Host` and `Content-Length`; a `host` among them wins.
            body: The bytes as they are sent.
            deadline: For everything, connecting and reading the answer included.

        Raises:
            OSError: There was no answer, or not in time.
            HTTPException: What came is not HTTP.
        """
        by_name = {name.lower(): text for name, text in headers}
        return Context().run(self._follow, path, by_name, body, deadline)

    def close(self) -> None:
        """Close the connection; the next post opens another."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        if self._library is not None:
            self._library.close()
        for connection in self._elsewhere.values():
            connection.close()
        self._elsewhere.clear()

    def reset(self) -> None:
        """Be another process, in a forked child: its parent has the connection and the lookup."""
        self._library = None
        self.close()
        self._lookup = None

    def _follow(
        self, path: str, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> Answer:
        context = otel_context.get_current()
        for key in SUPPRESS_KEYS:
            context = otel_context.set_value(key, True, context)  # noqa: FBT003  (a value)
        otel_context.attach(context)  # never detached: the contextvars context ends with us
        connection, tries = self, 0
        while True:
            answer = connection._post(path, headers, body, deadline)
            target, tries = _redirect(connection._origin, path, answer), tries + 1
            if target is None or tries == _MAX_TRIES:
                return answer
            origin, path = target
            if not _is_same_server(connection._origin, origin):
                headers = {name: headers[name] for name in headers if name in _FOR_ANYONE}
            connection = self._connection_to(origin)

    def _connection_to(self, origin: Origin) -> Connection:
        if origin == self._origin:
            return self
        if len(self._elsewhere) > _MAX_TRIES:
            self.close()
        return self._elsewhere.setdefault(origin, Connection(origin))

    def _post(
        self, path: str, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> Answer:
        proxy = self._origin.proxy
        deadline.phase = Phase.CONNECTING
        try:
            if proxy is not None and proxy.scheme != "http":
                answer = self._post_by_library(proxy, path, headers, body, deadline)
            else:
                answer = self._post_or_again((self._head(path, headers, len(body)), body), deadline)
        except BaseException:
            self.close()
            raise
        if answer.status == 407 and proxy is not None:
            deadline.phase = Phase.CONNECTING
            raise OSError(f"the proxy refuses to connect: HTTP {answer.status}")
        return answer

    def _post_or_again(self, request: tuple[bytes, bytes], deadline: Deadline) -> Answer:
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
        has_changed = self._tls is not None and self._tls.have_changed()
        if self._wire is not None and (has_changed or self._wire.is_stale()):
            self.close()
        return self._wire

    def _exchange(self, wire: Wire, request: tuple[bytes, bytes], deadline: Deadline) -> Answer:
        wire.deadline, wire.received = deadline, 0
        deadline.phase = Phase.SENDING
        failure = _send(wire, *request)
        deadline.phase = Phase.WAITING
        try:
            response = _begin_response(wire, "POST")
        except (OSError, HTTPException):
            if failure is not None:
                raise failure from None
            raise
        text = self._read(response)
        if response.will_close or not response.isclosed() or wire.is_cut_short or failure:
            self.close()
        header = response.getheader
        return Answer(response.status, header("retry-after", ""), text, header("location", ""))

    def _read(self, response: HTTPResponse) -> bytes:
        """Read the body; the status stands, even where the rest never comes."""
        try:
            body = response.read(MAX_ANSWER)
            if not response.isclosed():
                response.read(1)  # the end, unless there is more: then the connection is closed
            if response.getheader("content-encoding", "").lower() in ("gzip", "deflate"):
                body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_ANSWER)
        except (OSError, HTTPException):
            self.close()
            return b""
        except zlib.error:
            return b""
        return body

    def _open(self, deadline: Deadline) -> Wire:
        origin, proxy = self._origin, self._origin.proxy
        server = proxy or origin
        wire = connect(self._addresses(server.host, server.port, deadline), deadline)
        try:
            if origin.scheme == "https":
                if proxy is not None:
                    self._tunnel(wire, proxy)
                wire.secure(self._contexts().get(), origin.host)
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

    def _tunnel(self, wire: Wire, proxy: Proxy) -> None:
        """Ask a proxy for a way through (RFC 9110 section 9.3.6)."""
        host = f"[{self._origin.host}]" if ":" in self._origin.host else self._origin.host
        authority = f"{host}:{self._origin.port}"
        headers = {"host": authority, **proxy.headers}
        wire.send(_request_head(f"CONNECT {authority}", headers))
        response = _begin_response(wire, "CONNECT")
        if not 200 <= response.status < 300:
            raise OSError(f"the proxy refuses to connect: HTTP {response.status}")

    def _contexts(self) -> TlsContexts:
        if self._tls is None:
            from funcscope.telemetry._http.tls import TlsContexts

            self._tls = TlsContexts(self._origin)
        return self._tls

    def _post_by_library(
        self, proxy: Proxy, path: str, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> Answer:
        if self._library is None:
            from funcscope.telemetry._http.library import LibraryPoster

            self._library = LibraryPoster(self._origin, proxy, self._contexts())
        headers = {"accept-encoding": "identity", **headers}
        return Answer(*self._library.post(path, headers, body, deadline, MAX_ANSWER))

    def _head(self, path: str, headers: Mapping[str, str], length: int) -> bytes:
        origin = self._origin
        defaults = {"host": origin.authority, "accept-encoding": "identity"}
        if origin.proxy is not None and origin.scheme == "http":
            path = f"http://{origin.authority}{path}"
            defaults.update(origin.proxy.headers)
        return _request_head(f"POST {path}", {**defaults, **headers, "content-length": str(length)})


def _request_head(request: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{request} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _send(wire: Wire, head: bytes, body: bytes) -> OSError | None:
    """Send a request; return what went wrong, for an answer may have come before that."""
    try:
        if len(body) <= _MAX_JOINED:
            wire.send(head + body)
        else:
            wire.send(head)
            wire.send(body)
    except (ConnectionError, ssl.SSLError) as error:
        return error
    return None


def _begin_response(wire: Wire, method: str) -> HTTPResponse:
    """Read an answer's head; one that breaks off is a lost connection, and not bad HTTP."""
    # A wire for a socket, of which a response calls `makefile` alone.
    response = HTTPResponse(cast("socket.socket", wire), method=method)
    try:
        start = response.fp.peek(1)
        if not start.startswith(b"HTTP/"[: len(start)]):
            raise BadStatusLine(_protocol_of(start))
        response.begin()
        while 101 < response.status < 200:  # 102 and 103 have another after them
            response.headers = None  # type: ignore[assignment]  # else it has begun
            response.begin()
    except HTTPException as error:
        if wire.has_ended:
            raise ConnectionResetError("the answer broke off") from error
        raise
    return response


def _protocol_of(start: bytes) -> str:
    if start[:1] in (b"\x15", b"\x16"):
        return "but TLS: write https://"
    if start[3:4] == b"\x04":  # a frame of type SETTINGS (RFC 9113 section 6.5)
        return "but HTTP/2, as gRPC has it: use the port for OTLP/HTTP, 4318 as a rule"
    return start.partition(b"\n")[0].decode("latin-1")


def _redirect(origin: Origin, path: str, answer: Answer) -> tuple[Origin, str] | None:
    """
    Find out where a redirect leads; None for an answer that is none, or is not followed.

    307 and 308 alone keep the method (RFC 9110 section 15.4).
    """
    if answer.status not in (307, 308) or not answer.location:
        return None
    location = answer.location.encode("latin-1").decode(errors="replace")  # as browsers do it
    try:
        url = split_url(urljoin(f"{origin.scheme}://{origin.authority}{path}", location))
        if url is None or url.scheme not in ("https", origin.scheme) or not url.netloc.isascii():
            return None
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        return origin.at(url), quote(path, _SAFE_IN_PATH)
    except (TelemetryError, ValueError):  # no address, or a proxy that cannot be used
        return None


def _is_same_server(origin: Origin, other: Origin) -> bool:
    """Tell whether a server may be shown the headers of another, as requests decides it."""
    if (origin.host, origin.scheme, origin.port) == (other.host, "http", 80):
        return (other.scheme, other.port) in {("http", 80), ("https", 443)}
    return origin[:3] == other[:3]
