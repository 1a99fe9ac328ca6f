"""The requests that wait in memory, and those that a collector refuses while it takes others."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry._delivery.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from funcscope.telemetry._delivery.batcher import ExportRequest

    Wanted = Callable[[int], bool]
    """Whether a request is wanted, by when it was made."""


class WorkerOptions(NamedTuple):
    """
    Options of the export workers, the same for all destinations.

    Attributes:
        memory_bytes: How much encoded telemetry is kept in memory, of all signals; the request
            that passes it is kept, too, and one of each signal. After that items stay in their
            queues.
        failures_to_open: After how many failures in a row a signal's breaker opens.
        backoff: How long to wait after each.
        gap_s: Between two rounds at least; wakes that follow each other closely share one.
        lost_turns: How many turns a request may lose that is refused while others are taken: see
            `Quarantine`.
        quarantine: How long it waits after each refusal; with 16 turns more than an hour in all.
        pause_after_s: After so long with nothing to do, the thread sleeps until it is woken.
    """

    memory_bytes: int = 16 * 1024 * 1024
    failures_to_open: int = 3
    backoff: Backoff = Backoff()
    lost_turns: int = 16
    quarantine: Backoff = Backoff(1.0, 600.0, random=lambda: 1.0)
    gap_s: float = 0.1
    pause_after_s: float = 30.0


class MemoryLimiter:
    """
    The limit of bytes that the encoded requests of all signals share, whichever thread has them.

    Args:
        limit: How many bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.reset()

    def reset(self) -> None:
        """Begin at nothing, in a forked child."""
        self._lock = threading.RLock()  # reentrant, as `ExportStats` has it
        self.used = 0

    def add(self, size: int) -> None:
        """Count bytes that are kept; a negative number of those that are no longer."""
        with self._lock:
            self.used += size

    def has_room(self) -> bool:
        """Whether another request may be kept; the one that passes the limit still is."""
        return self.used < self._limit


class RetryBuffer:
    """
    The requests of one signal, first in first out; from any thread.

    Args:
        memory: What they are counted against.
    """

    def __init__(self, memory: MemoryLimiter) -> None:
        self._memory = memory
        # By their identity: each of its operations that is used here is one step.
        self._requests: dict[int, ExportRequest] = {}

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def items(self) -> int:
        """How many items its requests hold."""
        return sum(request.count for request in tuple(self._requests.values()))

    def first(self, is_wanted: Wanted = lambda _: True) -> ExportRequest | None:
        """Return the oldest that is wanted, and keep it."""
        requests = tuple(self._requests.values())
        return next((request for request in requests if is_wanted(request.created_ns)), None)

    def put(self, request: ExportRequest) -> None:
        """Add one."""
        self._memory.add(len(request.data))
        self._requests[id(request)] = request

    def remove(self, request: ExportRequest) -> bool:
        """Remove one that has been dealt with; False where it was taken away meanwhile."""
        if self._requests.pop(id(request), None) is None:
            return False
        self._memory.add(-len(request.data))
        return True


_SHARE = 9
"""How many times as long as an attempt took its request waits for the next, at least."""


@dataclass(slots=True)
class _Record:
    """How often a request was refused, and lost its turn; until when it waits; what it costs."""

    refusals: int = 1
    lost_turns: int = 0
    until: float = 0.0
    cost_s: float = 0.0


class Quarantine:
    """
    Keeps requests that a collector does not take from holding up the others.

    A request that is refused loses its turn if the next that is tried, another one, is taken. It
    goes to the end of the line then, and waits: longer each time. While a collector takes nothing
    no turn is lost, and where it refuses at random, however often, a request is rather taken than
    it loses a turn: it is tried before the one that would take it. So a request that has lost many
    turns is refused for what it is.

    Requests are tried in laps: none again before each has been, or the longest wait is over. One
    that is refused late again, as by a time-out, waits so long that it holds up the others for a
    tenth of the time at most.

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
        self._lap: set[int | None] = set()  # what was refused in it
        self._lap_ends_at = 0.0
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
        """Return what to look for, in this order: what is new in this lap, others, what is due."""
        if self._lap and self._clock() >= self._lap_ends_at:
            self._lap &= {self._last}
        if not self._records and not self._lap:
            return (_any,)
        return (
            lambda created_ns: created_ns not in self._lap and not self.holds(created_ns),
            lambda created_ns: created_ns != self._last and not self.holds(created_ns),
            lambda created_ns: not self.holds(created_ns),
            due.__contains__,
        )

    def refused(self, created_ns: int, cost_s: float = 0.0, *, is_busy: bool = False) -> None:
        """
        Note that a request was refused for now.

        Args:
            created_ns: When it was made.
            cost_s: How long that took.
            is_busy: Whether the collector has too much to do, as it says: the turns that the
                request has lost do not count any more.
        """
        self._last = created_ns
        record = self._records.get(created_ns)
        if record is not None:
            record.refusals += 1
            record.lost_turns = 0 if is_busy else record.lost_turns
            record.cost_s = cost_s
            self._let_wait(record)
            return
        if created_ns in self._lap:  # all have been tried
            self._lap.clear()
        if not self._lap:
            self._lap_ends_at = self._clock() + self._wait.longest_s
        self._lap.add(created_ns)

    def passed_by(self, created_ns: int) -> None:
        """Note that a request was taken, or refused for good: the one before loses its turn."""
        self._records.pop(created_ns, None)
        self._lap.discard(created_ns)
        last, self._last = self._last, None
        if last is None or last == created_ns:
            return
        record = self._records.setdefault(last, _Record())
        record.lost_turns += 1
        self._lap.discard(last)
        self._let_wait(record)

    def forget(self, created_ns: int) -> None:
        """Drop what is known of a request."""
        self._records.pop(created_ns, None)
        self._lap.discard(created_ns)
        if self._last == created_ns:
            self._last = None

    def retry_now(self) -> None:
        """Let all be tried now, as there may be no later."""
        for record in self._records.values():
            record.until = 0.0

    def _let_wait(self, record: _Record) -> None:
        wait_s = max(self._wait.delay_s(record.refusals), record.cost_s * _SHARE)
        record.until = self._clock() + wait_s


def _any(_created_ns: int) -> bool:
    return True
