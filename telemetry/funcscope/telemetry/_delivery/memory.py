"""The bodies that wait in memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.telemetry._delivery.body import Body
    from funcscope.telemetry._delivery.buffer import Wish


class Memory:
    """
    How many bytes the bodies of all signals may have together.

    Args:
        limit: That many.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def has_room(self) -> bool:
        """Whether another body may be kept; the one that passes the limit still is."""
        return self.used < self._limit


class Outbox:
    """
    The bodies of one signal, first in first out.

    Args:
        memory: What they are counted against.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._bodies: deque[Body] = deque()

    def __len__(self) -> int:
        return len(self._bodies)

    @property
    def items(self) -> int:
        """How many items they hold."""
        return sum(body.count for body in tuple(self._bodies))

    def first(self, wish: Wish = lambda _: True) -> Body | None:
        """Return the oldest that is wanted, and keep it."""
        return next((body for body in tuple(self._bodies) if wish(body.made_ns)), None)

    def put(self, body: Body) -> None:
        """Add one."""
        self._memory.used += len(body.data)
        self._bodies.append(body)

    def remove(self, body: Body) -> None:
        """Remove one that has been dealt with, unless it was taken away meanwhile."""
        for place, other in enumerate(tuple(self._bodies)):
            if other is body:
                del self._bodies[place]
                self._memory.used -= len(body.data)
                return

    def pop(self) -> Body | None:
        """Remove the oldest, and return it."""
        try:
            body = self._bodies.popleft()
        except IndexError:
            return None
        self._memory.used -= len(body.data)
        return body
