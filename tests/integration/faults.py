"""A receiver of OTLP that misbehaves as it is told, and knows what it took without an answer."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.patience import PATIENCE_S

from funcscope.contrib.host import Batch, ReceivedLog, TelemetryStore
from funcscope.contrib.host._traces.otlp import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Behaviour = Callable[["Exchange"], None]

_POLL_S = 0.02
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@dataclass(frozen=True)
class Request:
    """A request that came: where to, when on the monotonic clock, and what it brought."""

    path: str
    at: float
    body: bytes
    batch: Batch


class Exchange:
    """One request that waits for what a behaviour does with it."""

    def __init__(self, receiver: FaultyReceiver, sock: socket.socket, request: Request) -> None:
        self.receiver = receiver
        self.request = request
        self.goes_on = True
        self._socket = sock
        self._is_taken = False

    def take(self) -> None:
        """Keep what the request brought; unanswered, until there is an answer."""
        self._is_taken = True
        self.receiver.report_status(self.request.batch, False)
        self.receiver.store.add(self.request.batch)

    def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Answer in good HTTP, if there is still someone to read it."""
        if self.is_left():
            self.goes_on = False
            return
        lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.receiver.report_status(self.request.batch, True)
        try:
            self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        except OSError:
            self.note_unread()
            raise

    def note_unread(self) -> None:
        """Take back that there was an answer: nobody has read it."""
        if self._is_taken:
            self.receiver.report_status(self.request.batch, False)

    def is_left(self) -> bool:
        """Tell whether the client has gone, which had to wait too long."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send(self, data: bytes) -> None:
        """Answer with these bytes."""
        self._socket.sendall(data)

    def hang(self) -> None:
        """Never answer."""
        self.receiver.released.wait()
        self.goes_on = False

    def reset(self) -> None:
        """Break the connection with a TCP RST."""
        self.goes_on = False
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        os.close(self._socket.detach())


def accept(exchange: Exchange) -> None:
    """Behave well."""
    exchange.take()
    exchange.answer()


def hang(exchange: Exchange) -> None:
    """Take what came, and never answer."""
    exchange.take()
    exchange.hang()


def reset(exchange: Exchange) -> None:
    """Break each connection."""
    exchange.reset()


def garble(exchange: Exchange) -> None:
    """Answer with what is not HTTP."""
    exchange.send(b"220 mail.example ESMTP\r\n\r\n")
    exchange.goes_on = False


def answering(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Make a behaviour that takes nothing, and always answers so."""
    return lambda exchange: exchange.answer(status, body, **headers)


def at_first(behaviour: Behaviour) -> Behaviour:
    """Make a behaviour that holds for the first request of each signal; the others go well."""
    seen: set[str] = set()

    def behave(exchange: Exchange) -> None:
        is_first = exchange.request.path not in seen
        seen.add(exchange.request.path)
        (behaviour if is_first else accept)(exchange)

    return behave


def dying_at(number: int) -> Behaviour:
    """Make a behaviour that takes so many spans, and dies instead of answering for the last."""

    def behave(exchange: Exchange) -> None:
        exchange.take()
        if exchange.request.batch.spans and len(exchange.receiver.store.spans) >= number:
            exchange.receiver.vanish()
            exchange.reset()
        else:
            exchange.answer()

    return behave


class FaultyReceiver:
    """
    Receives OTLP/HTTP on a port of its own, which nobody listens on until `listen`.

    It holds the port from beginning to end, so that no other process gets it meanwhile.

    Attributes:
        behaviour: What to do with each request.
        store: What it took, be it answered or not.
        unanswered: Of that, what was never answered.
        requests: All that came.
    """

    def __init__(self) -> None:
        self.behaviour: Behaviour = accept
        self.store = TelemetryStore()
        self.unanswered: list[Batch] = []
        self.requests: list[Request] = []
        self.released = threading.Event()
        self.changed = threading.Condition()
        self.connections: set[socket.socket] = set()
        self._server: _Server | None = None
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]

    @property
    def endpoint(self) -> str:
        """The URL for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_listening(self) -> bool:
        """Whether it is there."""
        return self._server is not None

    def listen(self) -> None:
        """Be there."""
        server = self._server = _Server(("127.0.0.1", self.port), partial(_Handler, self))
        threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True).start()

    def vanish(self) -> None:
        """Be gone: connections are closed, and new ones refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        for sock in tuple(self.connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def recover(self) -> None:
        """Be there, and behave well from now on."""
        self.behaviour = accept
        if self._server is None:
            self.listen()

    def stop(self) -> None:
        """Let go of those who wait for an answer, and be gone."""
        self.released.set()
        self.vanish()
        self._held.close()

    def handle(self, exchange: Exchange) -> None:
        """Do what is to be done with a request."""
        with self.changed:
            self.requests.append(exchange.request)
            self.changed.notify_all()
        self.behaviour(exchange)

    def report_status(self, batch: Batch, is_answered: bool) -> None:
        """Note of a batch that was taken whether there was an answer."""
        with self.changed:
            if is_answered:
                self.unanswered = [other for other in self.unanswered if other is not batch]
            else:
                self.unanswered.append(batch)

    def wait_for(self, condition: Callable[[list[Request]], bool]) -> None:
        """Wait until what has come is so."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self.requests), PATIENCE_S)

    def wait_for_requests(self, number: int) -> None:
        """Wait until so many have come."""
        self.wait_for(lambda requests: len(requests) >= number)

    def doubled(self) -> tuple[Counter[object], Counter[object]]:
        """Count what came more than once, and how often it was taken without an answer."""
        taken = keys(self.store.spans) + keys(self.store.logs)
        unanswered = sum((keys(b.spans) + keys(b.logs) for b in self.unanswered), Counter())
        return taken - Counter(list(taken)), unanswered


def keys(items: Iterable[Any]) -> Counter[object]:
    """Count spans by their ids, and log records by what sets them apart in our app."""
    return Counter(
        (i.trace_id, i.span_id, i.body, i.time_ns) if isinstance(i, ReceivedLog) else i.span_id
        for i in items
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a test does not wait for those who hang
    request_queue_size = 64

    def server_bind(self) -> None:
        """Share the port with who holds it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Stay silent about clients that go away, and about going away."""
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, receiver: FaultyReceiver, *args: Any) -> None:  # the base class's
        self._receiver = receiver
        self._last: Exchange | None = None
        super().__init__(*args)  # handles the requests, too

    def handle(self) -> None:
        self._receiver.connections.add(self.connection)
        try:
            super().handle()
        except ConnectionResetError:  # as when what was sent last has not been read
            if self._last is not None:
                self._last.note_unread()
            raise
        finally:
            self._receiver.connections.discard(self.connection)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = Request(self.path, time.monotonic(), body, decode(self.path, body))
        exchange = self._last = Exchange(self._receiver, self.connection, request)
        self._receiver.handle(exchange)
        self.close_connection = not exchange.goes_on
