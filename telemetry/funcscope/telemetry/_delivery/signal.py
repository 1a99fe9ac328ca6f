"""One signal's way from its queue to its collector; only the courier's thread walks it."""

from __future__ import annotations

import operator
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry._delivery.batcher import Body, Packer, compressed
from funcscope.telemetry._delivery.buffer import Aside, Memory, Outbox
from funcscope.telemetry._delivery.queue import Queue, WeighedQueue
from funcscope.telemetry._delivery.retry import (
    CircuitBreaker,
    Delivered,
    Refused,
    Unavailable,
    outcome_of,
    outcome_of_error,
)
from funcscope.telemetry._delivery.stats import Holdings, Report
from funcscope.telemetry._http.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._delivery.options import CourierOptions, Route
    from funcscope.telemetry._delivery.retry import Outcome
    from funcscope.telemetry._delivery.spool import Spool, SpooledBody
    from funcscope.telemetry._delivery.stats import Counts
    from funcscope.telemetry._http.connection import Connection

_CHILD_INTERVAL_S = 0.1
_MAX_SUBMITTED = 64
_LOOK_S = 30.0  # how often the spool is searched for what other processes left
_USER_AGENT = "OTel-OTLP-Exporter-Python/funcscope"


class _Parcel(NamedTuple):
    """A body to send, and where it came from."""

    body: Body
    spooled: SpooledBody | None


class Lane:
    """
    Encodes one signal's items, and sends or keeps what comes of it.

    Args:
        route: How, and where to.
        connection: To the target; other signals may use it, too.
        memory: What is kept in it is counted against.
        spool: For what could not be sent.
        counts: Told of everything.
        options: The courier's.
        on_crowd: Called when the queue has a full body's items.
    """

    def __init__(
        self,
        route: Route,
        connection: Connection,
        memory: Memory,
        spool: Spool | None,
        counts: Counts,
        options: CourierOptions,
        on_crowd: Callable[[], object],
    ) -> None:
        self.signal = route.target.signal
        self._route = route
        self._connection = connection
        self._spool = spool
        self._counts = counts
        self._options = options
        self._headers = _headers(route)
        self._report = Report(route.target, counts)
        self.queue = _queue(route, on_crowd)
        self._interval_s = route.interval_s
        self._begin(memory)
        counts.watch(self.signal, self._holdings)

    def _begin(self, memory: Memory) -> None:
        self._memory = memory
        self._outbox = Outbox(memory)
        self._submitted: deque[Body] = deque()
        # A rescue from another thread must not save what this one is saving. No lock: the spool
        # logs, and a disk may take its time.
        self._saving: dict[int, object] = {}
        self._packer: Packer | None = self._make_packer()
        self._packed_at: float = time.monotonic()
        self._look_at = 0.0
        self._has_spooled = self._spool is not None
        self._tried: set[int] = set()
        self._aside = Aside(self._options.turns, self._options.aside)
        self._breaker: CircuitBreaker = CircuitBreaker(
            self._options.failures_to_open,
            self._options.backoff,
            on_open=self._report.opened,
            on_close=self._report.closed,
        )

    def reset(self, memory: Memory) -> None:
        """
        Forget in a forked child what its parent has to send, in the spool, too.

        What the child records is sent soon, as it may be ended at any time.
        """
        self.queue.reset()
        self._begin(memory)
        self._has_spooled = False
        self._interval_s = min(self._interval_s, _CHILD_INTERVAL_S)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, neither in memory nor in the spool as far as is known."""
        has_bodies = self._submitted or self._outbox or self._has_spooled or self._aside
        return not (len(self.queue) or has_bodies)

    def submit(self, data: bytes, count: int) -> None:
        """Take a body that is encoded, from any thread."""
        self._counts.add(self.signal, "queued", count)
        body = compressed(self.signal, data, count, self._route.target.compression)
        self._submitted.append(body)
        while len(self._submitted) > _MAX_SUBMITTED:
            self._counts.drop(self.signal, "memory_full", self._submitted.popleft().count)

    def due_at(self) -> float:
        """Return when there is something to do next, on the monotonic clock."""
        is_crowded = len(self.queue) >= self._route.max_items and self._has_room()
        if is_crowded or self._submitted:
            return 0.0
        pack_at = self._packed_at + self._interval_s
        if self._has_spooled or self._outbox.first(lambda made: not self._aside.holds(made)):
            return min(pack_at, self._breaker.ready_at)
        if self._aside:
            return min(pack_at, max(self._breaker.ready_at, self._aside.next_at()))
        return pack_at

    def pack(self, *, everything: bool = False) -> None:
        """
        Encode what waits, as far as there is room for the bodies.

        Where there is none, items stay in the queue, which drops by its policy.

        Args:
            everything: Whether to encode what fills no body, too; so it is once the interval
                is over.
        """
        if len(self.queue) or self._submitted:
            self._make_room()
        while self._submitted:
            self._keep_submitted(self._submitted.popleft())
        now = time.monotonic()
        waiting = len(self.queue)
        if everything or now - self._packed_at >= self._interval_s:
            self._packed_at = now
        else:
            waiting -= waiting % self._route.max_items
        if self._packer is not None and waiting:
            taken = self._packer.pack(self.queue, waiting, self._has_room)
            self._counts.add(self.signal, "queued", taken)

    def send_one(self, is_stopping: Callable[[], bool], on_wait: Callable[[], bool]) -> bool:
        """
        Send the oldest body there is, if it is time to; say whether it is worth going on.

        Args:
            is_stopping: Whether no further request may begin.
            on_wait: Called while the collector keeps us waiting; false gives up.
        """
        if is_stopping() or not self._breaker.is_ready():
            return False
        parcel = self._next()
        if parcel is None:
            return False
        if parcel.spooled or parcel.body.made_ns in self._tried:
            self._counts.add(self.signal, "retried", parcel.body.count)
        self._tried.add(parcel.body.made_ns)
        outcome = self._attempt(parcel.body, on_wait)
        if isinstance(outcome, Unavailable):
            return self._keep_back(parcel, outcome)
        self._settle(parcel, outcome)
        return True

    def hurry(self) -> None:
        """Try once more, however short a while ago an attempt failed."""
        self._breaker.hurry()
        self._aside.hurry()

    def save(self) -> None:
        """Write what waits in memory to the spool, if there is one."""
        while (body := self._outbox.first(self._is_not_being_saved)) is not None:
            mine = object()
            if self._saving.setdefault(body.made_ns, mine) is not mine:
                continue  # another thread was first
            try:
                if self._outbox.first(partial(operator.eq, body.made_ns)) is None:
                    continue  # it was saved meanwhile
                if not self._store(body):
                    return
                self._outbox.remove(body)
                self._tried.discard(body.made_ns)
            finally:
                del self._saving[body.made_ns]

    def rescue(self) -> None:
        """Encode and save what waits, from another thread, since the courier's is held up."""
        self._packer = self._make_packer()
        self.pack(everything=True)
        self.save()

    def give_up(self) -> None:
        """Drop what is left in memory."""
        while self._submitted:
            self._outbox.put(self._submitted.popleft())
        while items := self.queue.take(self._route.capacity):
            self._counts.add(self.signal, "queued", len(items))
            self._counts.drop(self.signal, "shutdown", len(items))
        while (body := self._outbox.first(self._is_not_being_saved)) is not None:
            self._outbox.remove(body)
            self._counts.drop(self.signal, "shutdown", body.count)

    def _is_not_being_saved(self, made_ns: int) -> bool:
        return made_ns not in self._saving

    def _make_packer(self) -> Packer | None:
        make_encoder = self._route.make_encoder
        if make_encoder is None:
            return None
        return Packer(self._route, make_encoder, self._keep, self._count_not_encoded)

    def _has_room(self) -> bool:
        has_disk = self._spool is not None and self._spool.is_writable
        return has_disk or self._memory.has_room()

    def _holdings(self) -> Holdings:
        encoded = self._outbox.items + sum(body.count for body in tuple(self._submitted))
        return Holdings(len(self.queue), encoded, self.queue.dropped)

    def _keep(self, body: Body) -> None:
        """Keep a body in memory; on disk where the collector is in trouble or memory is full."""
        has_memory = self._memory.has_room()
        if (self._breaker.is_failing or not has_memory) and self._store(body):
            return
        if has_memory or self._spool is None:  # there was room when its first item was taken
            self._outbox.put(body)
        else:
            self._counts.drop(self.signal, "spool_io", body.count)

    def _make_room(self) -> None:
        """Drop what was set aside if memory is full: of all it has, that is taken least likely."""
        while not self._has_room():
            body = self._outbox.first(self._aside.holds)
            if body is None:
                return
            self._outbox.remove(body)
            self._aside.forget(body.made_ns)
            self._counts.drop(self.signal, "memory_full", body.count)

    def _keep_submitted(self, body: Body) -> None:
        if self._has_room():
            self._keep(body)
        else:
            self._counts.drop(self.signal, "memory_full", body.count)

    def _store(self, body: Body) -> bool:
        if self._spool is None or not self._spool.put(body):
            return False
        self._counts.add(self.signal, "spooled", body.count)
        self._has_spooled = True
        return True

    def _next(self) -> _Parcel | None:
        """Take what the spool has before what memory has: it is older."""
        now = time.monotonic()
        due = self._aside.due()
        wishes = self._aside.wishes(due)
        if self._spool is not None and (self._has_spooled or due or now >= self._look_at):
            for wish in wishes:
                spooled = self._spool.take(self.signal, wish)
                if spooled is not None:
                    return _Parcel(spooled.body, spooled)
            self._has_spooled, self._look_at = False, now + _LOOK_S
        for wish in wishes:
            body = self._outbox.first(wish)
            if body is not None:
                return _Parcel(body, None)
        for made_ns in due:  # it is nowhere: another process has sent it, or will
            self._aside.forget(made_ns)
        return None

    def _attempt(self, body: Body, on_wait: Callable[[], bool]) -> Outcome:
        target, headers = self._route.target, self._headers
        if body.encoding:
            headers = (*headers, ("content-encoding", body.encoding))
        deadline = Deadline.within(target.timeout_s, on_wait)
        try:
            return outcome_of(self._connection.post(target.path, headers, body.data, deadline))
        except Exception as error:  # noqa: BLE001  (a host that no codec takes is a UnicodeError)
            return outcome_of_error(error)

    def _keep_back(self, parcel: _Parcel, outcome: Unavailable) -> bool:
        """Keep a body that was not taken, and say whether it is worth to go on with others."""
        made_ns = parcel.body.made_ns
        if outcome.may_be_the_body and self._aside.is_lost(made_ns):
            self._remove(parcel)
            self._aside.forget(made_ns)
            reason = f"{outcome.reason}, again and again while others are taken"
            self._count_outcome(parcel.body, Refused(reason))
            return True
        if parcel.spooled is not None and self._spool is not None:
            self._spool.release(parcel.spooled)
            self._has_spooled = True
        if outcome.may_be_the_body:
            self._aside.refused(made_ns)
            if self._aside.holds(made_ns):
                return True  # it says nothing about the others
        self._breaker.failed(outcome.reason, outcome.retry_after_s)
        self.save()
        return False

    def _settle(self, parcel: _Parcel, outcome: Delivered | Refused) -> None:
        self._remove(parcel)
        self._aside.settled(parcel.body.made_ns)
        self._count_outcome(parcel.body, outcome)
        self._breaker.succeeded()

    def _remove(self, parcel: _Parcel) -> None:
        if parcel.spooled is not None and self._spool is not None:
            self._spool.remove(parcel.spooled)
        else:
            self._outbox.remove(parcel.body)
        self._tried.discard(parcel.body.made_ns)

    def _count_outcome(self, body: Body, outcome: Delivered | Refused) -> None:
        if isinstance(outcome, Refused):
            self._counts.drop(self.signal, "refused", body.count, outcome.reason)
            self._report.refused(outcome.reason)
            return
        rejected = min(outcome.rejected, body.count)
        self._counts.add(self.signal, "sent", body.count - rejected)
        self._counts.drop(self.signal, "partial", rejected, outcome.message)
        if rejected or outcome.message:
            self._report.partial(rejected, outcome.message)

    def _count_not_encoded(self, number: int, error: Exception | None) -> None:
        self._counts.drop(self.signal, "encode", number)
        self._report.not_encoded(error)


def _queue(route: Route, on_crowd: Callable[[], object]) -> Queue:
    crowd = route.max_items
    if route.capacity_bytes is None:
        return Queue(route.capacity, route.policy, crowd=crowd, on_crowd=on_crowd)
    return WeighedQueue(
        route.capacity,
        route.policy,
        max_bytes=route.capacity_bytes,
        weigh=route.weigh,
        crowd=crowd,
        on_crowd=on_crowd,
    )


def _headers(route: Route) -> tuple[tuple[str, str], ...]:
    """Return what every request has; the app's own headers win."""
    headers = {
        "content-type": "application/x-protobuf",
        "user-agent": _USER_AGENT,
        **dict(route.target.headers),
    }
    return tuple(headers.items())
