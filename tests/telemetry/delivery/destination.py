"""Collectors that misbehave as they are told, die and return, and know what they took."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.patience import PATIENCE_S
from tests.telemetry.delivery.conftest import read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
_SLOW_S = 0.03


@dataclass
class Reception:
    """
    One request that came.

    Attributes:
        signal: What it brought.
        node: Who sent it.
        numbers: The items.
        taken: Those of them that the collector has.
        is_answered: Whether it said so, and the client was there to hear it.
        is_whole: Whether it said all of it; what begins with 200 may count as taken or not.
    """

    signal: str
    node: int
    numbers: list[int]
    taken: list[int] = field(default_factory=list)
    is_answered: bool = False
    is_whole: bool = True


class Exchange:
    """A request that waits for what becomes of it."""

    def __init__(self, sock: socket.socket, reception: Reception, is_over: threading.Event) -> None:
        self._sock = sock
        self._is_over = is_over
        self.reception = reception
        self.goes_on = True

    def take(self, skip: int = 0) -> None:
        """Have all items but the first few."""
        self.reception.taken = self.reception.numbers[skip:]

    def answer(
        self, status: int, body: bytes = b"", length: int | None = None, **headers: str
    ) -> None:
        """Answer, if there is someone to hear it; the length may be a lie."""
        self.goes_on = not self.is_left()
        if not self.goes_on:
            return
        lines = [f"HTTP/1.1 {status} Whatever"]
        lines.append(f"content-length: {len(body) if length is None else length}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.reception.is_answered = True  # before anybody can have read it
        self._sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.goes_on = length is None

    def is_left(self) -> bool:
        """Whether the client has gone, or everything is over."""
        try:
            return self._is_over.is_set() or not self._sock.recv(
                1, socket.MSG_PEEK | socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send(self, data: bytes) -> None:
        """Answer with these bytes, and no more."""
        self.goes_on = False
        self._sock.sendall(data)

    def stay(self, data: bytes = b"") -> None:
        """Say nothing, or a little again and again, until the client goes."""
        self.goes_on = False
        while not self.is_left():
            self._sock.sendall(data)
            time.sleep(0.005)

    def reset(self) -> None:
        """Break the connection with a TCP RST."""
        self.goes_on = False
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        os.close(self._sock.detach())


def accept(exchange: Exchange) -> None:
    """Behave well."""
    exchange.take()
    exchange.answer(200)


def take_a_part(exchange: Exchange) -> None:
    """Leave the first item out, and say that it is one."""
    exchange.take(1)
    exchange.answer(200, b"\x0a\x02\x08\x01")


def take_slowly(exchange: Exchange) -> None:
    """Behave well, after a while."""
    exchange.take()
    time.sleep(_SLOW_S)
    exchange.answer(200)


def take_and_answer_nonsense(exchange: Exchange) -> None:
    """Say 200, and then what is no OTLP."""
    exchange.take()
    exchange.answer(200, b"\xff\xff<html>")


def take_and_lie_about_the_length(exchange: Exchange) -> None:
    """Say 200, and that more follows than does."""
    exchange.take()
    exchange.answer(200, b"short", length=1000)


def take_and_hang(exchange: Exchange) -> None:
    """Never answer."""
    exchange.take()
    exchange.stay()


def take_and_trickle(exchange: Exchange) -> None:
    """Answer a byte at a time, for ever."""
    exchange.take()
    exchange.reception.is_answered, exchange.reception.is_whole = True, False
    exchange.send(b"HTTP/1.1 200 OK\r\nx: ")
    exchange.stay(b"y")


def take_and_reset(exchange: Exchange) -> None:
    """Break the connection with a TCP RST instead of an answer."""
    exchange.take()
    exchange.reset()


def take_and_close(exchange: Exchange) -> None:
    """Close the connection instead of an answer."""
    exchange.take()
    exchange.goes_on = False


def close_early(exchange: Exchange) -> None:
    """Take nothing, and close the connection."""
    exchange.goes_on = False


def speak_another_protocol(exchange: Exchange) -> None:
    """Answer with what is not HTTP."""
    exchange.send(b"220 mail.example ESMTP\r\n\r\n")


def answering(status: int, **headers: str) -> Callable[[Exchange], None]:
    """Make a behaviour that takes nothing, and answers so."""
    return lambda exchange: exchange.answer(status, b"\x12\x02no", None, **headers)


BEHAVIOURS: Mapping[str, Callable[[Exchange], None]] = {
    "200": accept,
    "200, a part": take_a_part,
    "200, slowly": take_slowly,
    "200, nonsense": take_and_answer_nonsense,
    "200, wrong length": take_and_lie_about_the_length,
    "400": answering(400),
    "413": answering(413),
    "302": answering(302, location="/elsewhere"),
    "429": answering(429),
    "429, later": answering(429, retry_after="5"),
    "502": answering(502),
    "503": answering(503),
    "503, later": answering(503, retry_after="Fri, 31 Dec 2100 23:59:59 GMT"),
    "closes": close_early,
    "not HTTP": speak_another_protocol,
    "hangs": take_and_hang,
    "trickles": take_and_trickle,
    "takes and resets": take_and_reset,
    "takes and closes": take_and_close,
}  # fmt: skip
"""What a collector does with a request."""


class Destination:
    """
    A collector on a port of its own, which it keeps while it is dead.

    Attributes:
        plan: What becomes of the next requests; those after them are taken.
        receptions: All that came, in order.
    """

    def __init__(self) -> None:
        self.plan: list[str] = []
        self.receptions: list[Reception] = []
        self.is_up = False
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._held.bind(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._held.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._is_over = threading.Event()

    def return_(self) -> None:
        """Listen."""
        if self.is_up:
            return
        self.is_up = True
        self._is_over = threading.Event()
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(self._held.getsockname())
        server.listen(64)
        self._spawn(self._accept, server)
        self._sockets.append(server)

    def die(self) -> None:
        """Break all connections, and refuse new ones."""
        self.is_up = False
        self._is_over.set()
        for sock in tuple(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in tuple(self._threads):
            thread.join(PATIENCE_S)
        self._sockets, self._threads = [], []

    def close(self) -> None:
        """Die for good."""
        self.die()
        self._held.close()

    def _spawn(self, work: Callable[[socket.socket], None], sock: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(sock,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        with server, contextlib.suppress(OSError):
            while True:
                sock, _ = server.accept()
                self._sockets.append(sock)
                self._spawn(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            while not self._is_over.is_set() and self._serve_one(sock):
                pass

    def _serve_one(self, sock: socket.socket) -> bool:
        request = read_request(sock, 0)
        if request is None:
            return False
        signal = request.start.split()[1].rpartition("/")[2]
        reception = Reception(signal, int(request.headers["x-node"]), request.numbers)
        exchange = Exchange(sock, reception, self._is_over)
        behaviour = self.plan.pop(0) if self.plan else "200"
        self.receptions.append(reception)
        BEHAVIOURS[behaviour](exchange)
        return exchange.goes_on
