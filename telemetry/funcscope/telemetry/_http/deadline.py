"""A time that nothing may pass, whatever the other side does, and a name looked up within it."""

from __future__ import annotations

import selectors
import socket
import threading
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING

from funcscope.extensions.integration import run_detached

if TYPE_CHECKING:
    from collections.abc import Callable

    Addresses = list[tuple[int, int, int, str, tuple[object, ...]]]
    """Families, kinds, protocols, names and addresses, as `getaddrinfo` has them."""

POLL_S = 0.05
"""How often `on_wait` is asked while a socket is not ready."""


# `poll` is one system call; `epoll` is four, at each of which a busy app takes the interpreter
# for 5 ms. Windows has neither.
Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def _go_on() -> bool:
    return True


class Phase(Enum):
    """How far a request has come; the values end "timed out while …"."""

    CONNECTING = "connecting"
    SENDING = "sending"
    WAITING = "waiting for the answer"


class GivenUpError(TimeoutError):
    """The wait ended because `on_wait` said so, and not by the other side."""


class Deadline:
    """
    Bounds all the waits of one request together, and knows how far it has come.

    Attributes:
        at: When it ends, on the monotonic clock.
        on_wait: Called every `POLL_S` while waiting, to work or to give up: false does.
        phase: What is being waited for.
    """

    __slots__ = ("_asks_at", "_began_at", "at", "on_wait", "phase")

    def __init__(self, at: float, on_wait: Callable[[], bool] = _go_on) -> None:
        self.at: float = at
        self.on_wait: Callable[[], bool] = on_wait
        self.phase: Phase = Phase.CONNECTING
        self._began_at = monotonic()
        self._asks_at = self._began_at + POLL_S

    @classmethod
    def within(cls, timeout_s: float, on_wait: Callable[[], bool] = _go_on) -> Deadline:
        """Make one that ends so many seconds from now."""
        return cls(monotonic() + timeout_s, on_wait)

    @property
    def left_s(self) -> float:
        """How long the request may take from here on."""
        return self.at - monotonic()

    @property
    def spent_s(self) -> float:
        """How long the request has taken so far."""
        return monotonic() - self._began_at

    def share(self, parts: int) -> Deadline:
        """Make one for the next of some parts that have the rest of the time together."""
        now = monotonic()
        shared = Deadline(now + max(0.0, self.at - now) / parts, self.on_wait)
        shared._asks_at = self._asks_at
        return shared

    def check(self) -> float:
        """
        Return how long a wait may last now, in seconds.

        Raises:
            TimeoutError: It has passed, or `on_wait` gives up.
        """
        now = monotonic()
        if now >= self.at:
            raise TimeoutError(f"timed out while {self.phase.value}")
        if now >= self._asks_at:
            if not self.on_wait():
                raise GivenUpError("given up")
            now = monotonic()
            self._asks_at = now + POLL_S
        return max(0.0, min(self.at, self._asks_at) - now)

    def wait(self, sock: socket.socket, events: int) -> None:
        """
        Wait until a socket is ready.

        Args:
            sock: One that does not block.
            events: `selectors.EVENT_READ` or `EVENT_WRITE`.

        Raises:
            TimeoutError: It is not ready in time, or `on_wait` gives up.
        """
        with Selector() as selector:
            selector.register(sock, events)
            while not selector.select(self.check()):
                pass


class Lookup:
    """
    Looks a name up, on a thread of its own, which alone the system may hold up.

    A name server that does not answer costs `getaddrinfo` tens of seconds: by default 5 s for each
    of two tries of each server (resolv.conf(5)), and nothing that we set changes that.

    Args:
        host: The name, or an address.
        port: The port to connect to.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._is_done = threading.Event()
        self._addresses: Addresses = []
        self._error: Exception | None = None
        run_detached(self._run, "funcscope-lookup")

    def wait(self, deadline: Deadline) -> Addresses:
        """
        Wait for the addresses.

        Raises:
            OSError: There are none, or not in time: then it goes on, and may be waited for again.
        """
        while not self._is_done.wait(deadline.check()):
            pass
        if self._error is not None:
            raise self._error
        return self._addresses

    @property
    def is_done(self) -> bool:
        """Whether the look-up is over."""
        return self._is_done.is_set()

    def _run(self) -> None:
        # As bytes: for a text, Python loads what encodes international names, 1 ms of a cold start.
        name = self._host.encode() if self._host.isascii() else self._host
        try:
            self._addresses = list(socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  (a host that no codec takes is a UnicodeError)
            self._error = error
        self._is_done.set()
