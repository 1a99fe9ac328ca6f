"""The worker of one destination: the thread that carries telemetry there (docs/decisions/044)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funcscope.extensions.integration import OnceLog, start_detached
from funcscope.telemetry._delivery.signal import SignalExporter
from funcscope.telemetry._http.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from funcscope.telemetry._delivery.batcher import ExportOptions
    from funcscope.telemetry._delivery.signal import Common

_logger = logging.getLogger("funcscope.telemetry")

_NEVER = float("inf")


@dataclass(slots=True)
class FlushRequest:
    """
    Somebody's request to send everything, until a time, and to save the rest.

    Attributes:
        stop_at: The time, on the monotonic clock.
        is_done: Set once that has been tried.
        is_all_sent: Whether nothing is left then, neither in memory nor in the spool.
        has_thread: Whether a thread is at it; else who waits for it has to do the work.
    """

    stop_at: float
    is_done: threading.Event = field(default_factory=threading.Event)
    is_all_sent: bool = False
    has_thread: bool = True

    def end(self, *, is_all_sent: bool) -> None:
        """Let who waits go on."""
        self.is_all_sent = is_all_sent
        self.is_done.set()


class ExportWorker:
    """
    Encodes and sends the items of one destination's queues, on a daemon thread of its own.

    The thread starts with the first item, in an empty context. It works at each `flush_soon`, when
    a queue has a full request's items, and when an interval is over. What cannot be sent is
    kept in memory, within bounds, or in the spool; see `ExportOptions` and `WorkerOptions`. No
    method raises for what happens on the way, and none but `work_until` and `join` waits.

    Args:
        exports: One for each signal; all of one origin.
        common: What all destinations share.
        name: The thread's.

    Attributes:
        exporters: What exports each signal.
        chores: Called on the thread, each time before it looks what is to be encoded.
        at_start: Called on the thread when it starts.
    """

    _is_flush_due = False
    _is_asleep: bool = False

    def __init__(self, exports: Sequence[ExportOptions], common: Common, name: str) -> None:
        self._options = common.options
        self._name = name
        self._connection = Connection(exports[0].target.origin)
        self.exporters = [
            SignalExporter(export, common, self._connection, self.notify) for export in exports
        ]
        self.chores: list[Callable[[], object]] = []
        self.at_start: list[Callable[[], object]] = []
        self._is_closed = False
        self._begin()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, neither in memory nor in the spool as far as is known."""
        return all(exporter.is_empty for exporter in self.exporters)

    def flush_soon(self) -> None:
        """Send everything now, for the app is idle."""
        if self._thread is None:
            # No thread is started for nothing; what is put wakes it, so this looks but once.
            self._is_asleep = not self.chores and (self._is_asleep or self.is_empty)
            if self._is_asleep:
                return
        elif self._is_flush_due:
            return  # what was put meanwhile is sent in the round that comes
        self._is_flush_due = True
        self.notify()

    def notify(self) -> None:
        """Have the thread look what there is to do."""
        self._is_asleep = False
        if self._thread is None and not self._start():
            return  # too late, or no thread to be had
        if not self._signal.is_set():
            self._signal.set()

    def ask(self, stop_at: float = _NEVER) -> FlushRequest:
        """Have everything sent, and what is left at a time saved in the spool."""
        flush = FlushRequest(stop_at)
        thread = self._thread
        if self._is_closed or thread is threading.current_thread():
            flush.end(is_all_sent=False)
        elif thread is None and self.is_empty:
            flush.end(is_all_sent=True)
        else:
            self._flushes.append(flush)
            flush.has_thread = thread is not None or self._start()
            self._signal.set()
            self._urgent.set()
        return flush

    def work_until(self, deadline: float) -> None:
        """Do what was asked of a thread that cannot be started, for the interpreter is ending."""
        for flush in tuple(self._flushes):
            flush.stop_at = min(flush.stop_at, deadline)
        Context().run(self._guarded_round)

    def stop(self) -> None:
        """End the thread, and drop what is left."""
        self._is_closed = True
        for exporter in self.exporters:
            exporter.drop_all()
        self._signal.set()
        self._urgent.set()

    def join(self, deadline: float) -> None:
        """Wait until the thread has ended, up to a time."""
        if self._thread is None:
            self._connection.close()  # of who worked in its place
        elif self._thread is not threading.current_thread():
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def reset(self) -> None:
        """Be another process's, in a forked child."""
        self._begin()
        self._connection.reset()
        for exporter in self.exporters:
            exporter.reset()

    def _begin(self) -> None:
        """Have no thread, and nothing for it to do but what the queues hold."""
        self._starting: dict[str, threading.Thread] = {}
        self._thread: threading.Thread | None = None
        self._signal = threading.Event()
        self._urgent = threading.Event()
        self._is_asleep = False
        self._is_flush_due = False
        # A request is in one of both from when it is made until it is done.
        self._flushes: deque[FlushRequest] = deque()
        self._serving: Sequence[FlushRequest] = ()
        self._busy_at = time.monotonic()
        self._once = OnceLog(_logger, logging.ERROR)

    def _start(self) -> bool:
        if self._is_closed:
            return False
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        # In one step, and without a lock: others' code runs when a thread is started, and a
        # finalizer that records something may interrupt this one anywhere.
        if self._starting.setdefault("thread", thread) is not thread:
            return True
        try:
            start_detached(thread)
        except RuntimeError:  # the interpreter is ending, and who waits does the work
            self._starting.clear()
            return False
        self._thread = thread
        return True

    def _run(self) -> None:
        for call in self.at_start:
            self._guarded(call)
        while not self._is_closed:
            self._guarded(self._wait_for_work)
            self._guarded_round()
            if not self._flushes:
                self._urgent.wait(self._options.gap_s)
        self._connection.close()
        for flush in tuple(self._flushes):
            flush.end(is_all_sent=False)

    def _guarded(self, call: Callable[[], object]) -> None:
        """Go on whatever is raised; the code of an item may raise `SystemExit`, too."""
        try:
            call()
        except BaseException as error:  # noqa: BLE001  (as the docstring says)
            with suppress(BaseException):  # of an app's log handler
                self._once.log("telemetry could not be sent", key=type(error).__name__, error=error)

    def _guarded_round(self) -> None:
        self._guarded(self._round)

    def _wait_for_work(self) -> None:
        self._signal.wait(self._idle_s())
        self._signal.clear()
        self._urgent.clear()

    def _idle_s(self) -> float | None:
        """Return how long there is nothing to do; None, for ever, once nothing came for a while."""
        if self._flushes or self._is_flush_due:
            return 0.0
        now = time.monotonic()
        if not self.is_empty:
            self._busy_at = now
        elif now - self._busy_at > self._options.pause_after_s:
            for exporter in self.exporters:
                exporter.queue.pause()
            if self.is_empty:
                return None
        return max(0.0, min(exporter.due_at() for exporter in self.exporters) - now)

    def _round(self) -> None:
        """Encode and send what is due."""
        self._serving = [self._flushes.popleft() for _ in range(len(self._flushes))]
        everything = self._is_flush_due or bool(self._serving)
        if self._is_flush_due:  # what wakes it from here on is encoded in this round, too
            self._is_flush_due = False
        saves = any(flush.stop_at < _NEVER for flush in self._serving)
        try:
            self._do_chores()
            for exporter in self.exporters:
                if saves:
                    exporter.retry_now()
                exporter.encode(everything=everything)
            while self._send():
                self._encode_full()
            if saves:
                for exporter in self.exporters:
                    exporter.encode(everything=True)
                    exporter.save()
        finally:
            served, self._serving = self._serving, ()
            for flush in served:
                flush.end(is_all_sent=self.is_empty)

    def _send(self) -> bool:
        """Send one request of each signal, and say whether any has more."""
        going_on = [each.send_one(self._is_stopping, self._on_wait) for each in self.exporters]
        return any(going_on)

    def _do_chores(self) -> None:
        for chore in self.chores:
            self._guarded(chore)

    def _encode_full(self) -> None:
        self._do_chores()
        for exporter in self.exporters:
            exporter.encode()

    def _is_stopping(self) -> bool:
        if self._is_closed:
            return True
        asked = (*self._serving, *tuple(self._flushes))
        return time.monotonic() >= min((flush.stop_at for flush in asked), default=_NEVER)

    def _on_wait(self) -> bool:
        """Go on encoding while a collector keeps us waiting, unless it is time to give up."""
        if self._is_stopping():
            return False
        self._encode_full()
        return True
