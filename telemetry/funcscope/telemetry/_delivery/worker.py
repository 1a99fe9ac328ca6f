"""The one thread that carries telemetry to its collectors (docs/decisions/016)."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import Context
from typing import TYPE_CHECKING

from funcscope.extensions.integration import OnceLog, reset_after_fork, start_detached
from funcscope.telemetry._delivery.buffer import MemoryLimiter
from funcscope.telemetry._delivery.options import WorkerOptions
from funcscope.telemetry._delivery.signal import SignalExporter
from funcscope.telemetry._delivery.stats import ExportStats
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._http.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from funcscope.telemetry._config.otlp_target import Origin
    from funcscope.telemetry._delivery.options import ExportOptions
    from funcscope.telemetry._delivery.queue import Queue
    from funcscope.telemetry._delivery.spool import Spool
    from funcscope.telemetry._delivery.stats import SignalCounts

_logger = logging.getLogger("funcscope.telemetry")

_GRACE_S = 0.25
"""How long a thread that was asked to stop may take for it."""

_NEVER = float("inf")


class _FlushRequest:
    """A thread's request to send everything, until a time, and to save the rest."""

    __slots__ = ("is_all_sent", "is_done", "stop_at")

    def __init__(self, stop_at: float = _NEVER) -> None:
        self.stop_at = stop_at
        self.is_done = threading.Event()
        self.is_all_sent = False


class ExportWorker:
    """
    Encodes and sends the items of its queues, on a daemon thread of its own.

    The thread starts with the first item, in an empty context. It works at each `flush_soon`, when
    a queue has a full request's items, and when an interval is over. What cannot be sent is
    kept in memory, within bounds, or in the spool; see `ExportOptions` and `WorkerOptions`. No
    method raises for what happens on the way, and none but `flush`, `drain` and `shutdown`
    waits.

    Args:
        exports: One for each signal.
        stats: Told of everything.
        spool: For what could not be sent; its drops are counted in `stats`.
        options: What is the same for all signals.
    """

    _is_flush_due = False
    is_forked: bool = False
    """Whether this is a forked child, of which nothing is sent but what it records itself."""

    def __init__(
        self,
        exports: Sequence[ExportOptions],
        *,
        stats: ExportStats | None = None,
        spool: Spool | None = None,
        options: WorkerOptions | None = None,
    ) -> None:
        self.stats: ExportStats = ExportStats() if stats is None else stats
        self._spool = spool
        if spool is not None:
            spool.on_drop = self.stats.drop
        self._options = options or WorkerOptions()
        self._connections: dict[Origin, Connection] = {}
        memory = MemoryLimiter(self._options.memory_bytes)
        self._exporters = {
            export.target.signal: self._make_exporter(export, memory) for export in exports
        }
        self._is_closed = False
        self._chores: list[Callable[[], object]] = []
        self._begin()
        reset_after_fork(self._reset)

    def queue(self, signal: str) -> Queue:
        """
        Return the queue of a signal, whose `put` takes its items.

        Raises:
            TelemetryError: There is no route for the signal.
        """
        return self._exporter_of(signal).queue

    def submit(self, signal: str, body: bytes, count: int) -> None:
        """
        Send a protobuf that is encoded already, next time the thread works.

        Args:
            signal: One that has a route.
            body: The protobuf.
            count: How many items it holds.

        Raises:
            TelemetryError: There is no route for the signal.
        """
        exporter = self._exporter_of(signal)
        if self._is_closed:
            self.stats.add(signal, "queued", count)
            self.stats.drop(signal, "shutdown", count)
            return
        exporter.submit(body, count)
        self.notify()

    def flush_soon(self) -> None:
        """Send everything now, for the app is idle."""
        if self._is_flush_due and self._thread is not None:
            return  # what was put meanwhile is sent in the round that comes
        self._is_flush_due = True
        self.notify()

    def do_each_round(self, chore: Callable[[], object]) -> None:
        """Have something done on the thread, each time before it looks what is to be encoded."""
        self._chores.append(chore)

    def flush(self, timeout_s: float) -> bool:
        """
        Send everything, and wait for it.

        Args:
            timeout_s: How long to wait, in seconds; the thread goes on after that.

        Returns:
            Whether nothing is left, neither in memory nor in the spool.
        """
        return self._request_flush(_FlushRequest(), timeout_s)

    def drain(self, budget_s: float) -> bool:
        """
        Send what can be sent within a time, and save the rest in the spool.

        For a process that may end after this, or may not: it goes on taking items. Where
        there is no spool, the rest stays in memory.

        Args:
            budget_s: For both, in seconds. A quarter second more is taken if the thread is
                held up where nothing can stop it, as in reading certificates from a slow disk.

        Returns:
            Whether everything was sent.
        """
        reserve_s = min(0.25, budget_s / 4)  # for the spool
        flush = _FlushRequest(time.monotonic() + budget_s - reserve_s)
        is_all_sent = self._request_flush(flush, budget_s + _GRACE_S)
        if not flush.is_done.is_set():
            for exporter in self._exporters.values():
                exporter.save_from_caller()
        return is_all_sent

    def shutdown(self, budget_s: float) -> bool:
        """
        Take no more, drain, drop what is left then, and end the thread.

        Args:
            budget_s: As for `drain`.

        Returns:
            Whether everything was sent.
        """
        for exporter in self._exporters.values():
            exporter.queue.close()
        is_all_sent = self._is_closed or self.drain(budget_s)
        self._is_closed = True
        for exporter in self._exporters.values():
            exporter.drop_all()
        self._signal.set()
        return is_all_sent

    def snapshot(self) -> Mapping[str, SignalCounts]:
        """Return what became of everything so far."""
        return self.stats.snapshot()

    def _make_exporter(self, export: ExportOptions, memory: MemoryLimiter) -> SignalExporter:
        origin = export.target.origin
        connection = self._connections.setdefault(origin, Connection(origin))
        return SignalExporter(
            export, connection, memory, self._spool, self.stats, self._options, self.notify
        )

    def _exporter_of(self, signal: str) -> SignalExporter:
        try:
            return self._exporters[signal]
        except KeyError:
            raise TelemetryError(
                f"signal {signal!r} has no route: use one of {', '.join(self._exporters)}"
            ) from None

    def _begin(self) -> None:
        """Have no thread, and nothing for it to do but what the queues hold."""
        self._starting: dict[str, threading.Thread] = {}
        self._thread: threading.Thread | None = None
        self._signal = threading.Event()
        self._urgent = threading.Event()
        self._is_flush_due = False
        self._flushes: list[_FlushRequest] = []
        self._stop_at = _NEVER
        self._busy_at = time.monotonic()
        self._once = OnceLog(_logger, logging.ERROR)

    def _reset(self) -> None:
        """Be another process, in a forked child."""
        self._begin()
        self.is_forked = True
        self.stats.reset()
        if self._spool is not None:
            self._spool.reset()
        for connection in self._connections.values():
            connection.reset()
        memory = MemoryLimiter(self._options.memory_bytes)
        for exporter in self._exporters.values():
            exporter.reset(memory)

    def notify(self) -> None:
        """Have the thread look what there is to do."""
        if self._thread is None and not self._start():
            return  # nothing to carry, too late, or no thread to be had
        if not self._signal.is_set():
            self._signal.set()

    def _start(self) -> bool:
        if not self._exporters or self._is_closed:
            return False
        thread = threading.Thread(target=self._run, name="funcscope-courier", daemon=True)
        # In one step, and without a lock: others' code runs when a thread is started, and a
        # finalizer that records something may interrupt this one anywhere.
        if self._starting.setdefault("thread", thread) is not thread:
            return True
        try:
            start_detached(thread)
        except RuntimeError:  # the interpreter is ending, and `drain` does the work
            self._starting.clear()
            return False
        self._thread = thread
        return True

    def _request_flush(self, flush: _FlushRequest, timeout_s: float) -> bool:
        thread = self._thread
        if self._is_closed or thread is threading.current_thread():
            flush.is_done.set()
            return False
        if thread is None and all(exporter.is_empty for exporter in self._exporters.values()):
            flush.is_done.set()
            return True
        self._flushes.append(flush)
        self._stop_at = min(self._stop_at, flush.stop_at)
        if thread is None and not self._start():
            Context().run(self._round)
        self._signal.set()
        self._urgent.set()
        flush.is_done.wait(timeout_s)
        return flush.is_all_sent

    def _run(self) -> None:
        while not self._is_closed:
            self._signal.wait(self._idle_s())
            self._signal.clear()
            self._urgent.clear()
            try:
                self._round()
            except Exception as error:  # noqa: BLE001  (whatever it is, the thread goes on)
                self._once.log("telemetry could not be carried", error=error)
            if not self._flushes:
                self._urgent.wait(self._options.gap_s)
        for connection in self._connections.values():
            connection.close()
        for flush in self._flushes:
            flush.is_done.set()

    def _idle_s(self) -> float | None:
        """Return how long there is nothing to do; None, for ever, once nothing came for a while."""
        if self._flushes or self._is_flush_due:
            return 0.0
        now = time.monotonic()
        exporters = self._exporters.values()
        if not all(exporter.is_empty for exporter in exporters):
            self._busy_at = now
        elif now - self._busy_at > self._options.pause_after_s:
            for exporter in exporters:
                exporter.queue.pause()
            if all(exporter.is_empty for exporter in exporters):
                return None
        return max(0.0, min(exporter.due_at() for exporter in exporters) - now)

    def _round(self) -> None:
        """Encode and send what is due."""
        flushes, self._flushes = self._flushes, []
        is_flush_due = self._is_flush_due
        if is_flush_due:  # what wakes it from here on is encoded in this round, too
            self._is_flush_due = False
        everything = is_flush_due or bool(flushes)
        exporters = list(self._exporters.values())
        try:
            self._do_chores()
            for exporter in exporters:
                if any(flush.stop_at < _NEVER for flush in flushes):
                    exporter.retry_now()
                exporter.encode(everything=everything)
            while self._send_from(exporters):
                self._encode_full()
        finally:
            self._finish(flushes)

    def _send_from(self, exporters: Sequence[SignalExporter]) -> bool:
        """Send one request of each signal, and say whether any has more."""
        going_on = [exporter.send_one(self._is_stopping, self._on_wait) for exporter in exporters]
        return any(going_on)

    def _finish(self, flushes: list[_FlushRequest]) -> None:
        if not flushes:
            return
        if any(flush.stop_at < _NEVER for flush in flushes):
            for exporter in self._exporters.values():
                exporter.encode(everything=True)
                exporter.save()
        is_all_sent = all(exporter.is_empty for exporter in self._exporters.values())
        self._stop_at = min((flush.stop_at for flush in self._flushes), default=_NEVER)
        for flush in flushes:
            flush.is_all_sent = is_all_sent
            flush.is_done.set()

    def _do_chores(self) -> None:
        for chore in self._chores:
            chore()

    def _encode_full(self) -> None:
        self._do_chores()
        for exporter in self._exporters.values():
            exporter.encode()

    def _is_stopping(self) -> bool:
        return time.monotonic() >= self._stop_at

    def _on_wait(self) -> bool:
        """Go on encoding while a collector keeps us waiting, unless it is time to give up."""
        if self._is_stopping():
            return False
        self._encode_full()
        return True
