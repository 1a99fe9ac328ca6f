"""A collector that misbehaves as it is told, and workers that send to it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.peers import read_head

from funcscope.telemetry._config.otlp_target import OtlpTarget, read_target
from funcscope.telemetry._delivery.batcher import ExportOptions
from funcscope.telemetry._delivery.buffer import WorkerOptions
from funcscope.telemetry._delivery.delivery import Delivery
from funcscope.telemetry._delivery.retry import Backoff
from funcscope.telemetry._otlp.request import RequestBuilder
from funcscope.telemetry._otlp.wire import read_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from funcscope.telemetry._delivery.spool import Spool
    from funcscope.telemetry._otlp.request import EncodedItem

    Behaviour = Callable[["Conversation"], None]


@dataclass(frozen=True)
class Request:
    """A request as it came; `connection` numbers the connections."""

    start: str
    headers: dict[str, str]
    body: bytes
    connection: int
    names: tuple[str, ...] = ()
    """Of the headers, as often as they came."""

    @property
    def numbers(self) -> list[int]:
        """The items of a body that `encode_number` has made; none of another body."""
        encoding = self.headers.get("content-encoding")
        data = zlib.decompress(self.body, zlib.MAX_WBITS | 32) if encoding else self.body
        try:
            scopes = [scope for group in parts(data, 1) for scope in parts(group, 2)]
            return [int.from_bytes(item, "big") for scope in scopes for item in parts(scope, 2)]
        except ValueError:
            return []


def parts(message: bytes, number: int) -> list[bytes]:
    """Return the messages that a field of a message holds."""
    fields = read_fields(message)
    return [value for field, value in fields if field == number and isinstance(value, bytes)]


class Conversation:
    """One request that waits for what a behaviour does with it."""

    def __init__(self, sock: socket.socket, request: Request, released: threading.Event) -> None:
        self.request = request
        self.sock = sock
        self.released = released
        self.goes_on = True

    def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Answer in good HTTP."""
        lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def send(self, data: bytes) -> None:
        """Answer with these bytes."""
        self.sock.sendall(data)

    def close(self) -> None:
        """Close the connection after this."""
        self.goes_on = False


def accept(conversation: Conversation) -> None:
    """Behave well."""
    conversation.answer()


def hang(conversation: Conversation) -> None:
    """Never answer."""
    conversation.released.wait()
    conversation.close()


def trickle(conversation: Conversation) -> None:
    """Answer a byte at a time, for ever."""
    conversation.send(b"HTTP/1.1 200 OK\r\nx: ")
    while not conversation.released.wait(0.02):
        conversation.send(b"y")
    conversation.close()


def slam(conversation: Conversation) -> None:
    """Close the connection without an answer."""
    conversation.close()


def answering(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Make a behaviour that always answers so."""
    return lambda conversation: conversation.answer(status, body, **headers)


class Collector:
    """
    A server on loopback that can be stopped and started again on its port.

    Attributes:
        behaviours: What to do with the next requests, in turn.
        behaviour: What to do with those after them.
        requests: All that were read.
        reads: Whether requests are read at all.
    """

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = []
        self.behaviour: Behaviour = accept
        self.requests: list[Request] = []
        self.accepted: list[int] = []
        self.reads = True
        self.host = "127.0.0.1"
        self.connections = 0
        self.changed = threading.Condition()
        self.wrap: Callable[[socket.socket], socket.socket] = lambda sock: sock
        self.released = threading.Event()
        self._server: socket.socket | None = None
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = 0

    def start(self) -> None:
        """Listen, on the port that it had before."""
        self.released.clear()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._server = socket.create_server((self.host, self.port), family=family)
        self.port = self._server.getsockname()[1]
        self._spawn(self._accept, self._server)

    def stop(self) -> None:
        """Refuse connections, and drop those there are."""
        self.released.set()
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._sockets, self._threads = [], []

    def wait_for(self, number: int) -> list[Request]:
        """Wait until so many requests were read, and return all."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= number, PATIENCE_S)
            return list(self.requests)

    def target(self, signal: str = "traces", **changes: object) -> OtlpTarget:
        """Return where to send a signal."""
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}"}
        return read_target(signal, environ, [])._replace(**changes)  # type: ignore[arg-type]  # given by name

    def delivered(self) -> Counter[int]:
        """Count the items of the requests that were answered with 200."""
        return Counter(self.accepted)

    def _spawn(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            self._sockets.append(sock)
            self.connections += 1
            self._spawn(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if not self.reads:
                self.released.wait()
            # Python leaves a TLS socket open that it cannot make, as of a client that has gone.
            if sock.recv(1, socket.MSG_PEEK):
                sock = self.wrap(sock)
            while self._serve_one(sock, number):
                pass
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def _serve_one(self, sock: socket.socket, number: int) -> bool:
        request = read_request(sock, number)
        if request is None:
            return False
        with self.changed:
            self.requests.append(request)
            behaviour = self.behaviours.pop(0) if self.behaviours else self.behaviour
            if behaviour is accept:
                self.accepted += request.numbers
            self.changed.notify_all()
        conversation = Conversation(sock, request, self.released)
        behaviour(conversation)
        return conversation.goes_on


def read_request(sock: socket.socket, connection: int) -> Request | None:
    """Read one HTTP request; nothing where the client has gone."""
    head = read_head(sock)
    if head is None:
        return None
    start, lines, headers, body = head
    while len(body) < int(headers.get("content-length", "0")):
        chunk = sock.recv(65536)
        if not chunk:
            return None
        body += chunk
    names = tuple(line.partition(":")[0].lower() for line in lines)
    return Request(start, headers, body, connection, names)


def encode_number(item: object) -> EncodedItem:
    """Encode a whole number in four bytes, and nothing else."""
    if not isinstance(item, int):
        raise TypeError(f"{item!r} is no number")
    return item.to_bytes(4, "big"), None, None


def request_of(*numbers: int) -> bytes:
    """Make a request of whole numbers."""
    builder = RequestBuilder()
    for number in numbers:
        builder.add(*encode_number(number))
    return builder.build()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Give a collector that listens."""
    server = Collector()
    server.start()
    yield server
    server.stop()


class DeadlineClock:
    """The monotonic clock of all deadlines: a test can let their time be over."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def jump(self) -> None:
        """Let all requests that are under way time out."""
        self._ahead_s += PATIENCE_S

    def timing_out(self, behaviour: Behaviour) -> Behaviour:
        """Make a behaviour whose requests time out at once, and those of others never do."""

        def behave(conversation: Conversation) -> None:
            self.jump()
            behaviour(conversation)

        return behave


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> DeadlineClock:
    """Give the clock that deadlines are measured on."""
    made = DeadlineClock()
    monkeypatch.setattr("funcscope.telemetry._http.deadline.monotonic", made)
    return made


@pytest.fixture
def make_worker(collector: Collector) -> Iterator[Callable[..., Delivery]]:
    """Make workers of spans that send to the collector, quick to try again."""
    workers: list[Delivery] = []

    def make(
        *,
        spool: Spool | None = None,
        options: WorkerOptions | None = None,
        signals: Iterable[str] = ("traces",),
        timeout_s: float = PATIENCE_S,
        compression: str = "none",
        encode: Callable[[object], EncodedItem] = encode_number,
        **export_options: object,
    ) -> Delivery:
        exports = [
            ExportOptions(
                collector.target(signal, timeout_s=timeout_s, compression=compression),
                encode,
                **export_options,  # type: ignore[arg-type]  # given by name
            )
            for signal in signals
        ]
        worker = Delivery(exports, spool=spool, options=options or quick())
        workers.append(worker)
        return worker

    yield make
    collector.stop()
    for worker in workers:
        worker.shutdown(0)


def quick(**changes: object) -> WorkerOptions:
    """Return options with short waits."""
    options = WorkerOptions(backoff=Backoff(0.01, 0.05), gap_s=0.001)
    return options._replace(**changes)  # type: ignore[arg-type]  # given by name


def flush_until_sent(worker: Delivery) -> bool:
    """Flush again and again, for a flush does not wait for a breaker."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if worker.flush(PATIENCE_S):
            return True
        time.sleep(0.005)
    return False
