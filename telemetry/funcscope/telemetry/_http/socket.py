"""A socket whose every operation has a part in one deadline."""

from __future__ import annotations

import errno
import io
import os
import re
import socket
import ssl
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Protocol, TypeVar

from funcscope.telemetry._http.deadline import Selector

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from funcscope.telemetry._http.deadline import Addresses, Deadline

_CHUNK = 16 * 1024
_MAX_EARLY = 64 * 1024
_GO_ON = (b"HTTP/1.1 1", b"HTTP/1.1 2", b"HTTP/1.0 2")
"""How answers begin that refuse nothing: the rest of the body is still wanted."""

_Result = TypeVar("_Result")

_INTERIM = re.compile(rb"\A(?:HTTP/1\.1 1[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n)+")
"""Answers that another follows, 101 apart (RFC 9110 section 15.2)."""

_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class Wire:
    """
    A connected socket that never blocks by itself.

    `socket.settimeout` bounds each operation, so that a server which sends a byte now and
    then holds a client for ever; here all of them share the deadline.

    Args:
        sock: A connected socket; closed with this object.
        deadline: For what is done next; replaced for each request.

    Attributes:
        received: How many bytes came, since whoever counts set it.
        has_ended: Whether the other side says that no more will come.
        is_cut_short: Whether an answer refused the rest before all was sent.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self.deadline = deadline
        self.received = 0
        self.has_ended = False
        self.is_cut_short = False
        self._early = b""

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on."""
        # Deferred: a socket that does not block cannot shake hands at once.
        secured = context.wrap_socket(
            self._sock, server_hostname=host, do_handshake_on_connect=False
        )
        self._sock = secured
        self._persist(secured.do_handshake, EVENT_READ)

    def send(self, data: bytes) -> None:
        """Send all of it, or until an answer comes that refuses it unread."""
        view = memoryview(data)
        while view and not self.is_cut_short:
            view = view[self._send_some(view) :]

    def receive_into(self, buffer: Buffer) -> int:
        """Receive some bytes; none at the end."""
        if self._early:
            view = memoryview(buffer)
            count = min(len(view), len(self._early))
            view[:count], self._early = self._early[:count], self._early[count:]
            return count
        count = self._persist(lambda: self._sock.recv_into(buffer), EVENT_READ)
        self.received += count
        self.has_ended = not count
        return count

    def makefile(self, _mode: str = "rb", /) -> io.BufferedReader:
        """Make the file that `http.client.HTTPResponse` reads; closing it closes nothing else."""
        return io.BufferedReader(_Reader(self.receive_into))

    def is_stale(self) -> bool:
        """Whether the other side has closed it, or speaks out of turn."""
        with Selector() as selector:
            selector.register(self._sock, EVENT_READ)
            return bool(selector.select(0))

    def close(self) -> None:
        """Close it, whatever its state."""
        self._sock.close()

    def _send_some(self, data: memoryview) -> int:
        self.deadline.check()
        try:
            return self._sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            self.deadline.wait(self._sock, EVENT_READ | EVENT_WRITE)
        self._listen()
        return 0

    def _listen(self) -> None:
        """Take what comes while sending: a refusal ends that, 100 and 200 do not."""
        try:
            chunk = self._sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return  # only the other side's TLS spoke, or it has room again
        if not chunk:
            raise ConnectionResetError("the connection was closed while sending")
        self.received += len(chunk)
        self._early = _INTERIM.sub(b"", self._early + chunk)
        goes_on = any(self._early.startswith(start[: len(self._early)]) for start in _GO_ON)
        self.is_cut_short = not goes_on or len(self._early) > _MAX_EARLY

    def _persist(self, operation: Callable[[], _Result], event: int) -> _Result:
        while True:
            self.deadline.check()
            try:
                return operation()
            except ssl.SSLWantReadError:
                self.deadline.wait(self._sock, EVENT_READ)
            except ssl.SSLWantWriteError:
                self.deadline.wait(self._sock, EVENT_WRITE)
            except (BlockingIOError, InterruptedError):
                self.deadline.wait(self._sock, event)


def connect(addresses: Addresses, deadline: Deadline) -> Wire:
    """
    Connect to the first of a host's addresses that answers.

    Raises:
        OSError: None answers in time.
    """
    failure: OSError | None = None
    for left, (family, kind, protocol, _, address) in zip(
        range(len(addresses), 0, -1), addresses, strict=True
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            _connect(sock, address, deadline.share(left))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Wire(sock, deadline)
        except OSError as error:
            sock.close()
            failure = error
    raise failure or OSError("the host has no address")


def _connect(sock: socket.socket, address: _Address, deadline: Deadline) -> None:
    sock.settimeout(0)
    code = sock.connect_ex(address)
    if code in _UNDER_WAY:
        deadline.wait(sock, EVENT_WRITE)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


_Address = tuple[object, ...]


class _ReceiveInto(Protocol):
    def __call__(self, buffer: Buffer, /) -> int: ...


class _Reader(io.RawIOBase):
    def __init__(self, receive_into: _ReceiveInto) -> None:
        self._receive_into = receive_into

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        return self._receive_into(buffer)
