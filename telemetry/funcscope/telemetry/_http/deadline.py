"""A time that nothing may pass, whatever the other side does."""

from __future__ import annotations

import selectors
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

POLL_S = 0.05
"""How often `on_wait` is asked while a socket is not ready."""


# `poll` is one system call; `epoll` is four, at each of which a busy app takes the interpreter
# for 5 ms. Windows has neither.
Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def _go_on() -> bool:
    return True


class Deadline:
    """
    Bounds all the waits of one request together.

    Attributes:
        at: When it ends, on the monotonic clock.
        on_wait: Called every `POLL_S` while waiting, to work or to give up: false does.
    """

    __slots__ = ("_asks_at", "at", "on_wait")

    def __init__(self, at: float, on_wait: Callable[[], bool] = _go_on) -> None:
        self.at: float = at
        self.on_wait: Callable[[], bool] = on_wait
        self._asks_at = monotonic() + POLL_S

    @classmethod
    def within(cls, timeout_s: float, on_wait: Callable[[], bool] = _go_on) -> Deadline:
        """Make one that ends so many seconds from now."""
        return cls(monotonic() + timeout_s, on_wait)

    def share(self, parts: int) -> Deadline:
        """Make one for the next of some parts that have the rest of the time together."""
        now = monotonic()
        shared = Deadline(now + max(0.0, self.at - now) / parts, self.on_wait)
        shared._asks_at = self._asks_at
        return shared

    def check(self) -> float:
        """
        Say how long a wait may last now.

        Raises:
            TimeoutError: It has passed, or `on_wait` gives up.
        """
        now = monotonic()
        if now >= self.at:
            raise TimeoutError("no answer in time")
        if now >= self._asks_at:
            if not self.on_wait():
                raise TimeoutError("given up")
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
