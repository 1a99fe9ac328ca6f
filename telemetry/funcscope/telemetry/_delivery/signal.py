"""The export of one signal from its queue to its collector, on its worker's thread."""

from __future__ import annotations

import operator
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from funcscope.telemetry._delivery.batcher import Batcher, ExportRequest, compressed
from funcscope.telemetry._delivery.buffer import Quarantine, RetryBuffer
from funcscope.telemetry._delivery.queue import Queue, WeighedQueue
from funcscope.telemetry._delivery.retry import (
    Accepted,
    CircuitBreaker,
    Rejected,
    Retryable,
    classify_error,
    classify_response,
)
from funcscope.telemetry._delivery.stats import DeliveryLog, Pending
from funcscope.telemetry._http.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._delivery.batcher import ExportOptions
    from funcscope.telemetry._delivery.buffer import MemoryLimiter, WorkerOptions
    from funcscope.telemetry._delivery.retry import ExportOutcome
    from funcscope.telemetry._delivery.spool import Spool, SpooledRequest, SpoolRefusal
    from funcscope.telemetry._delivery.stats import ExportStats
    from funcscope.telemetry._http.connection import Connection

_CHILD_INTERVAL_S = 0.1
_MAX_SUBMITTED = 64
_LOOK_S = 30.0  # how often the spool is searched for what other processes left
_USER_AGENT = "OTel-OTLP-Exporter-Python/funcscope"


class Common(NamedTuple):
    """
    The common ground of all signals and destinations.

    Attributes:
        options: The options of all.
        stats: Told of everything.
        memory: The limit of what is kept in it.
        spool: Where goes what could not be sent; None for nowhere.
    """

    options: WorkerOptions
    stats: ExportStats
    memory: MemoryLimiter
    spool: Spool | None

    def reset(self) -> None:
        """Be another process's, in a forked child."""
        for part in (self.stats, self.memory, self.spool):
            if part is not None:
                part.reset()


class _Attempt(NamedTuple):
    """A request to send, and where it came from."""

    request: ExportRequest
    spooled: SpooledRequest | None


class SignalExporter:
    """
    Encodes one signal's items, and sends or keeps what comes of it.

    Args:
        options: How, and where to.
        common: What all signals share.
        connection: To the target; other signals may use it, too.
        on_batch_ready: Called when the queue has a full request's items.
    """

    def __init__(
        self,
        options: ExportOptions,
        common: Common,
        connection: Connection,
        on_batch_ready: Callable[[], object],
    ) -> None:
        self.signal = options.target.signal
        self._options = options
        self._worker_options, self._stats, self._memory, self._spool = common
        self._connection = connection
        self._headers = _headers(options)
        self._log = DeliveryLog(options.target, self._stats)
        self.queue = _queue(options, on_batch_ready)
        self._interval_s = options.interval_s
        self._begin()
        self._stats.watch(self.signal, self._pending)

    def _begin(self) -> None:
        self._buffer = RetryBuffer(self._memory)
        self._submitted: deque[ExportRequest] = deque()
        # `save_in_its_place` must not save what this thread is saving. No lock: the spool
        # logs, and a disk may take its time.
        self._saving: dict[int, object] = {}
        self._batcher = self._make_batcher()
        self._encoded_at: float = time.monotonic()
        self._owed = 0  # items that waited when everything was asked for
        self._look_at = 0.0
        self._has_spooled = self._spool is not None
        self._tried: set[int] = set()
        worker_options = self._worker_options
        self._quarantine = Quarantine(worker_options.lost_turns, worker_options.quarantine)
        self._breaker: CircuitBreaker = CircuitBreaker(
            worker_options.failures_to_open,
            worker_options.backoff,
            on_open=self._log.opened,
            on_close=self._log.closed,
        )

    def reset(self) -> None:
        """
        Forget in a forked child what its parent has to send, in the spool, too.

        What the child records is sent soon, as it may be ended at any time.
        """
        self.queue.reset()
        self._begin()
        self._has_spooled = False
        self._interval_s = min(self._interval_s, _CHILD_INTERVAL_S)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, neither in memory nor in the spool as far as is known."""
        has_requests = self._submitted or self._buffer or self._has_spooled or self._quarantine
        return not (len(self.queue) or has_requests)

    def submit(self, data: bytes, count: int) -> None:
        """Take a request that is encoded, from any thread."""
        self._stats.add(self.signal, "queued", count)
        request = compressed(self.signal, data, count, self._options.target.compression)
        self._submitted.append(request)
        if len(self._submitted) > _MAX_SUBMITTED and (oldest := self._take_submitted()):
            self._stats.drop(self.signal, "memory_full", oldest.count)

    def due_at(self) -> float:
        """Return when there is something to do next, on the monotonic clock."""
        is_batch_ready = len(self.queue) >= self._options.max_items and self._has_room()
        if is_batch_ready or self._submitted:
            return 0.0
        encode_at = self._encoded_at + self._interval_s
        if self._has_spooled or self._buffer.first(
            lambda created: not self._quarantine.holds(created)
        ):
            return min(encode_at, self._breaker.ready_at)
        if self._quarantine:
            return min(encode_at, max(self._breaker.ready_at, self._quarantine.next_at()))
        return encode_at

    def encode(self, *, everything: bool = False) -> None:
        """
        Encode what waits, as far as there is room for the requests.

        Where there is none, items stay in the queue, which drops by its policy.

        Args:
            everything: Whether to encode what fills no request, too; so it is once the interval
                is over.
        """
        self._encode(self._batcher, everything=everything)

    def send_one(self, is_stopping: Callable[[], bool], on_wait: Callable[[], bool]) -> bool:
        """
        Send the oldest request there is, if it is time to; say whether it is worth going on.

        Args:
            is_stopping: Whether no further request may begin.
            on_wait: Called while the collector keeps us waiting; false gives up.
        """
        if is_stopping() or not self._breaker.is_ready():
            return False
        attempt = self._next()
        if attempt is None:
            return False
        if attempt.spooled or attempt.request.created_ns in self._tried:
            self._stats.add(self.signal, "retried", attempt.request.count)
        self._tried.add(attempt.request.created_ns)
        outcome = self._post(attempt.request, on_wait)
        if isinstance(outcome, Retryable):
            return self._keep_back(attempt, outcome)
        self._complete(attempt, outcome)
        return True

    def retry_now(self) -> None:
        """Try once more, however short a while ago an attempt failed."""
        self._breaker.retry_now()
        self._quarantine.retry_now()

    def save(self) -> None:
        """Write what waits in memory to the spool, if there is one."""
        while (request := self._buffer.first(self._is_not_being_saved)) is not None:
            mine = object()
            if self._saving.setdefault(request.created_ns, mine) is not mine:
                continue  # another thread was first
            try:
                if self._buffer.first(partial(operator.eq, request.created_ns)) is None:
                    continue  # it was saved meanwhile
                if self._store(request):
                    return
                self._buffer.remove(request)
                self._tried.discard(request.created_ns)
            finally:
                del self._saving[request.created_ns]

    def save_in_its_place(self) -> None:
        """Encode and save what waits, on another thread than the worker's, which is held up."""
        self._encode(self._make_batcher(), everything=True)
        self.save()

    def drop_all(self) -> None:
        """Drop what is left in memory."""
        while (submitted := self._take_submitted()) is not None:
            self._buffer.put(submitted)
        while items := self.queue.take(self._options.capacity):
            self._stats.add(self.signal, "queued", len(items))
            self._stats.drop(self.signal, "shutdown", len(items))
        while (request := self._buffer.first(self._is_not_being_saved)) is not None:
            if self._buffer.remove(request):
                self._stats.drop(self.signal, "shutdown", request.count)

    def _encode(self, batcher: Batcher | None, *, everything: bool) -> None:
        if len(self.queue) or self._submitted:
            self._make_room()
        while (request := self._take_submitted()) is not None:
            self._keep_submitted(request)
        now = time.monotonic()
        waiting = len(self.queue)
        if everything or now - self._encoded_at >= self._interval_s:
            self._encoded_at, self._owed = now, waiting
        else:
            waiting = max(waiting - waiting % self._options.max_items, min(self._owed, waiting))
        if batcher is not None and waiting:
            taken = batcher.encode(self.queue, waiting, self._has_room)
            self._owed = max(0, self._owed - taken)
            self._stats.add(self.signal, "queued", taken)

    def _take_submitted(self) -> ExportRequest | None:
        try:
            return self._submitted.popleft()
        except IndexError:  # there is none, or another thread was quicker
            return None

    def _is_not_being_saved(self, created_ns: int) -> bool:
        return created_ns not in self._saving

    def _make_batcher(self) -> Batcher | None:
        encode = self._options.encode
        if encode is None:
            return None
        return Batcher(self._options, encode, self._keep, self._count_not_encoded)

    def _has_room(self) -> bool:
        has_disk = self._spool is not None and self._spool.is_writable
        return has_disk or self._has_memory()

    def _has_memory(self) -> bool:
        """Whether a request may be kept: always the first, whatever other destinations have."""
        return not self._buffer or self._memory.has_room()

    def _pending(self) -> Pending:
        encoded = self._buffer.items + sum(request.count for request in tuple(self._submitted))
        return Pending(len(self.queue), encoded, self.queue.dropped)

    def _keep(self, request: ExportRequest) -> None:
        """Keep a request in memory; on disk where the collector is in trouble or memory is full."""
        has_memory = self._has_memory()
        is_needed = self._breaker.is_failing or not has_memory
        refusal = self._store(request) if is_needed else "spool_io"
        if refusal is None:
            return
        if has_memory or self._spool is None:  # there was room when its first item was taken
            self._buffer.put(request)
        else:
            self._stats.drop(self.signal, refusal, request.count)

    def _make_room(self) -> None:
        """Drop what was set aside if memory is full: of all it has, that is taken least likely."""
        while not self._has_room():
            request = self._buffer.first(self._quarantine.holds)
            if request is None:
                return
            self._quarantine.forget(request.created_ns)
            if self._buffer.remove(request):
                self._stats.drop(self.signal, "memory_full", request.count)

    def _keep_submitted(self, request: ExportRequest) -> None:
        if self._has_room():
            self._keep(request)
        else:
            self._stats.drop(self.signal, "memory_full", request.count)

    def _store(self, request: ExportRequest) -> SpoolRefusal | None:
        if self._spool is None:
            return "spool_io"
        refusal = self._spool.put(request, self._options.target)
        if refusal is None:
            self._stats.add(self.signal, "spooled", request.count)
            self._has_spooled = True
        return refusal

    def _next(self) -> _Attempt | None:
        """Take what the spool has before what memory has: it is older."""
        now = time.monotonic()
        due = self._quarantine.due()
        candidates = self._quarantine.candidates(due)
        looks = self._spool is not None and (self._has_spooled or due or now >= self._look_at)
        for is_wanted in candidates:
            if looks and self._spool is not None:
                # One look at the folder is enough for all of them.
                is_first = is_wanted is candidates[0]
                spooled = self._spool.take(self._options.target, is_wanted, looks=is_first)
                if spooled is not None:
                    return _Attempt(spooled.request, spooled)
            request = self._buffer.first(is_wanted)
            if request is not None:
                return _Attempt(request, None)
        if looks:
            self._has_spooled, self._look_at = False, now + _LOOK_S
        for created_ns in due:  # it is nowhere: another process has sent it, or will
            self._quarantine.forget(created_ns)
        return None

    def _post(self, request: ExportRequest, on_wait: Callable[[], bool]) -> ExportOutcome:
        target, headers = self._options.target, self._headers
        if request.encoding:
            headers = (*headers, ("content-encoding", request.encoding))
        deadline = Deadline.within(target.timeout_s, on_wait)
        try:
            return classify_response(
                self._connection.post(target.path, headers, request.data, deadline)
            )
        except Exception as error:  # noqa: BLE001  (a host that no codec takes is a UnicodeError)
            return classify_error(error, deadline)

    def _keep_back(self, attempt: _Attempt, outcome: Retryable) -> bool:
        """Keep a request that was not taken, and say whether it is worth to go on with others."""
        created_ns = attempt.request.created_ns
        if outcome.may_be_the_request and self._quarantine.is_lost(created_ns):
            self._quarantine.forget(created_ns)
            reason = f"{outcome.reason}, again and again while others are taken"
            self._part_with(attempt, Rejected(reason))
            return True
        if attempt.spooled is not None and self._spool is not None:
            self._spool.release(attempt.spooled)
            self._has_spooled = True
        if outcome.may_be_the_request or outcome.is_busy:
            self._quarantine.refused(created_ns, outcome.cost_s, is_busy=outcome.is_busy)
            if outcome.may_be_the_request and self._quarantine.holds(created_ns):
                return True  # it says nothing about the others
        self._breaker.failed(outcome.reason, outcome.retry_after_s)
        self.save()
        return False

    def _complete(self, attempt: _Attempt, outcome: Accepted | Rejected) -> None:
        self._quarantine.passed_by(attempt.request.created_ns)
        self._part_with(attempt, outcome)
        self._breaker.succeeded()

    def _part_with(self, attempt: _Attempt, outcome: Accepted | Rejected) -> None:
        """Part with a request, and count it unless that was done by who took it away meanwhile."""
        self._tried.discard(attempt.request.created_ns)
        if attempt.spooled is not None and self._spool is not None:
            self._spool.remove(attempt.spooled)
        elif not self._buffer.remove(attempt.request):
            return
        self._count_outcome(attempt.request, outcome)

    def _count_outcome(self, request: ExportRequest, outcome: Accepted | Rejected) -> None:
        if isinstance(outcome, Rejected):
            self._stats.drop(self.signal, "refused", request.count, outcome.reason)
            self._log.rejected(outcome.reason)
            return
        rejected = min(outcome.rejected, request.count)
        self._stats.add(self.signal, "sent", request.count - rejected)
        self._stats.drop(self.signal, "partial", rejected, outcome.message)
        if rejected or outcome.message:
            self._log.partial(rejected, outcome.message)

    def _count_not_encoded(self, number: int, error: BaseException) -> None:
        self._stats.drop(self.signal, "encode", number)
        self._log.not_encoded(error)


def _queue(options: ExportOptions, on_batch_ready: Callable[[], object]) -> Queue:
    weighing: dict[str, Any] = {}
    if options.capacity_bytes is not None:
        weighing = {"max_bytes": options.capacity_bytes, "weigh": options.weigh}
    return (WeighedQueue if weighing else Queue)(
        options.capacity,
        options.policy,
        batch_size=options.max_items,
        on_batch_ready=on_batch_ready,
        **weighing,
    )


def _headers(options: ExportOptions) -> tuple[tuple[str, str], ...]:
    """Return what every request has; the app's own headers win."""
    headers = {
        "content-type": "application/x-protobuf",
        "user-agent": _USER_AGENT,
        **dict(options.target.headers),
    }
    return tuple(headers.items())
