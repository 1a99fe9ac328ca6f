"""The requests that wait in memory, and those that a collector refuses while it takes others."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from funcscope.telemetry._delivery.batcher import ExportRequest
    from funcscope.telemetry._delivery.retry import Backoff

    Wanted = Callable[[int], bool]
    """Whether a request is wanted, by when it was made."""


class MemoryLimiter:
    """
    The limit of bytes that the encoded requests of all signals share.

    Args:
        limit: How many bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def has_room(self) -> bool:
        """Whether another request may be kept; the one that passes the limit still is."""
        return self.used < self._limit


class RetryBuffer:
    """
    The requests of one signal, first in first out.

    Args:
        memory: What they are counted against.
    """

    def __init__(self, memory: MemoryLimiter) -> None:
        self._memory = memory
        self._requests: deque[ExportRequest] = deque()

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def items(self) -> int:
        """How many items its requests hold."""
        return sum(request.count for request in tuple(self._requests))

    def first(self, is_wanted: Wanted = lambda _: True) -> ExportRequest | None:
        """Return the oldest that is wanted, and keep it."""
        return next(
            (request for request in tuple(self._requests) if is_wanted(request.created_ns)), None
        )

    def put(self, request: ExportRequest) -> None:
        """Add one."""
        self._memory.used += len(request.data)
        self._requests.append(request)

    def remove(self, request: ExportRequest) -> None:
        """Remove one that has been dealt with, unless it was taken away meanwhile."""
        for place, other in enumerate(tuple(self._requests)):
            if other is request:
                del self._requests[place]
                self._memory.used -= len(request.data)
                return


@dataclass(slots=True)
class _Record:
    """How often a request was refused, and lost its turn; until when it waits."""

    refusals: int = 1
    lost_turns: int = 0
    until: float = 0.0


class Quarantine:
    """
    Keeps one request that a collector does not take from holding up the others.

    A request that is refused loses its turn if the next that is tried, another one, is taken. It
    goes to the end of the line then, and waits: longer each time. While a collector takes nothing
    no turn is lost, and where it refuses at random, however often, a request is rather taken than
    it loses a turn: it is tried before the one that would take it. So a request that has lost many
    turns is refused for what it is.

    For one signal and one thread. Requests are known by when they were made, which is in the names
    of spooled ones.

    Args:
        lost_turns: How many a request may lose; refused after that, it is lost itself.
        wait: How long it waits after each refusal.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self, lost_turns: int, wait: Backoff, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_lost_turns = lost_turns
        self._wait = wait
        self._clock = clock
        self._last: int | None = None
        self._records: dict[int, _Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def holds(self, created_ns: int) -> bool:
        """Whether a request has been set aside."""
        return created_ns in self._records

    def due(self) -> frozenset[int]:
        """Return those that may be tried again now."""
        now = self._clock()
        return frozenset(
            created for created, record in self._records.items() if record.until <= now
        )

    def is_lost(self, created_ns: int) -> bool:
        """Whether a request that is refused has had all its turns."""
        record = self._records.get(created_ns)
        return record is not None and record.lost_turns >= self._max_lost_turns

    def next_at(self) -> float:
        """Return when the first of them may be, on the clock."""
        return min((record.until for record in self._records.values()), default=0.0)

    def candidates(self, due: frozenset[int]) -> Sequence[Wanted]:
        """Return what to look for, in this order: others than the last, the last, what is due."""
        if not self._records and self._last is None:
            return (_any,)
        return (
            lambda created_ns: created_ns != self._last and not self.holds(created_ns),
            lambda created_ns: not self.holds(created_ns),
            due.__contains__,
        )

    def refused(self, created_ns: int) -> None:
        """Note that a request was refused for now."""
        self._last = created_ns
        record = self._records.get(created_ns)
        if record is not None:
            record.refusals += 1
            record.until = self._clock() + self._wait.delay_s(record.refusals)

    def passed_by(self, created_ns: int) -> None:
        """Note that a request was taken, or refused for good: the one before loses its turn."""
        self._records.pop(created_ns, None)
        last, self._last = self._last, None
        if last is None or last == created_ns:
            return
        record = self._records.setdefault(last, _Record())
        record.lost_turns += 1
        record.until = self._clock() + self._wait.delay_s(record.refusals)

    def forget(self, created_ns: int) -> None:
        """Drop what is known of a request."""
        self._records.pop(created_ns, None)
        if self._last == created_ns:
            self._last = None

    def retry_now(self) -> None:
        """Let all be tried now, as there may be no later."""
        for record in self._records.values():
            record.until = 0.0


def _any(_created_ns: int) -> bool:
    return True
