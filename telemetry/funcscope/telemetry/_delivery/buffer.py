"""The bodies that wait in memory, and those that a collector refuses while it takes others."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from funcscope.telemetry._delivery.batcher import Body
    from funcscope.telemetry._delivery.retry import Backoff

    Wish = Callable[[int], bool]
    """Whether a body is wanted, by when it was made."""


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


@dataclass(slots=True)
class _Record:
    """What is known of a body: how often it was refused, and lost its turn; until when it waits."""

    refusals: int = 1
    turns: int = 0
    until: float = 0.0


class Aside:
    """
    Keeps one body that a collector does not take from holding up the others.

    A body that is refused loses its turn if the next that is tried, which is another one, is taken.
    It goes to the end of the line then, and waits: longer each time. While a collector takes
    nothing no turn is lost, and where it refuses at random, however often, a body is rather taken
    than it loses a turn: it is tried before the one that would take it. So who has lost many turns
    is refused for what it is.

    For one signal and one thread. Bodies are known by when they were made, which is in the names of
    spooled ones.

    Args:
        turns: How many a body may lose; refused after that, it is lost itself.
        wait: How long it waits after each refusal.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self, turns: int, wait: Backoff, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._turns = turns
        self._wait = wait
        self._clock = clock
        self._last: int | None = None
        self._records: dict[int, _Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def holds(self, made_ns: int) -> bool:
        """Whether a body has been set aside."""
        return made_ns in self._records

    def due(self) -> frozenset[int]:
        """Return those that may be tried again now."""
        now = self._clock()
        return frozenset(made for made, record in self._records.items() if record.until <= now)

    def is_lost(self, made_ns: int) -> bool:
        """Whether a body that is refused has had all its turns."""
        record = self._records.get(made_ns)
        return record is not None and record.turns >= self._turns

    def next_at(self) -> float:
        """Return when the first of them may be, on the clock."""
        return min((record.until for record in self._records.values()), default=0.0)

    def wishes(self, due: frozenset[int]) -> Sequence[Wish]:
        """Return what to look for, in this order: others than the last, the last, what is due."""
        if not self._records and self._last is None:
            return (_any,)
        return (
            lambda made_ns: made_ns != self._last and not self.holds(made_ns),
            lambda made_ns: not self.holds(made_ns),
            due.__contains__,
        )

    def refused(self, made_ns: int) -> None:
        """Take note that a body was refused for now."""
        self._last = made_ns
        record = self._records.get(made_ns)
        if record is not None:
            record.refusals += 1
            record.until = self._clock() + self._wait.delay_s(record.refusals)

    def settled(self, made_ns: int) -> None:
        """Take note that a body was taken, or refused for good; the one before loses its turn."""
        self._records.pop(made_ns, None)
        last, self._last = self._last, None
        if last is None or last == made_ns:
            return
        record = self._records.setdefault(last, _Record())
        record.turns += 1
        record.until = self._clock() + self._wait.delay_s(record.refusals)

    def forget(self, made_ns: int) -> None:
        """Know nothing of a body any more."""
        self._records.pop(made_ns, None)
        if self._last == made_ns:
            self._last = None

    def hurry(self) -> None:
        """Let all be tried now, as there may be no later."""
        for record in self._records.values():
            record.until = 0.0


def _any(_made_ns: int) -> bool:
    return True
