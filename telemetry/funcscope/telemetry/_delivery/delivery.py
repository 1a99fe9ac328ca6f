"""Delivery to all: a worker for each destination, one deadline (docs/decisions/016, 044)."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from funcscope.extensions.integration import reset_after_fork, run_detached
from funcscope.telemetry._delivery.buffer import MemoryLimiter, WorkerOptions
from funcscope.telemetry._delivery.signal import Common
from funcscope.telemetry._delivery.stats import ExportStats
from funcscope.telemetry._delivery.worker import ExportWorker
from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from funcscope.telemetry._config.otlp_target import Origin
    from funcscope.telemetry._delivery.batcher import ExportOptions
    from funcscope.telemetry._delivery.queue import Queue
    from funcscope.telemetry._delivery.signal import SignalExporter
    from funcscope.telemetry._delivery.spool import Spool
    from funcscope.telemetry._delivery.stats import SignalCounts
    from funcscope.telemetry._delivery.worker import FlushRequest

_GRACE_S = 0.25
"""How long a thread that was asked to stop may take for it."""


class Delivery:
    """
    Sends what is recorded, each signal to its destination.

    Signals of one origin share a worker and its connection. A destination that is slow costs
    itself alone: no worker waits for another, and none holds a lock that another needs.

    Args:
        exports: One for each signal.
        stats: Told of everything.
        spool: For what could not be sent; its drops are counted in `stats`.
        options: What is the same for all destinations.

    Attributes:
        stats: The same.
        is_forked: Whether this is a forked child, of which nothing is sent but what it records
            itself.
        flush_soon: Sends everything now, for the app is idle. Where there is one worker it is that
            one's own method: each invocation that leaves the app idle calls it.
        notify: Has the chores done soon.
    """

    def __init__(
        self,
        exports: Sequence[ExportOptions],
        *,
        stats: ExportStats | None = None,
        spool: Spool | None = None,
        options: WorkerOptions | None = None,
    ) -> None:
        self.stats: ExportStats = ExportStats() if stats is None else stats
        self.is_forked: bool = False
        if spool is not None:
            spool.on_drop = self.stats.drop
        options = options or WorkerOptions()
        self._common = Common(options, self.stats, MemoryLimiter(options.memory_bytes), spool)
        self._workers = _make_workers(exports, self._common)
        self._by_signal = {
            exporter.signal: (worker, exporter)
            for worker in self._workers
            for exporter in worker.exporters
        }
        self._is_closed = False
        soon = [worker.flush_soon for worker in self._workers]
        self.flush_soon: Callable[[], object] = soon[0] if len(soon) == 1 else partial(_each, soon)
        # What the chores record is metrics.
        at_chores = [self._by_signal["metrics"][0]] if "metrics" in self._by_signal else []
        self._at_chores = (at_chores or self._workers)[:1]
        self.notify: Callable[[], object] = partial(_each, [w.notify for w in self._at_chores])
        reset_after_fork(self._reset)

    def queue(self, signal: str) -> Queue:
        """
        Return the queue of a signal, whose `put` takes its items.

        Raises:
            TelemetryError: There is no route for the signal.
        """
        return self._find(signal)[1].queue

    def submit(self, signal: str, body: bytes, count: int) -> None:
        """
        Send a protobuf of so many items, next time the signal's worker works.

        Raises:
            TelemetryError: There is no route for the signal.
        """
        worker, exporter = self._find(signal)
        if self._is_closed:
            self.stats.add(signal, "queued", count)
            self.stats.drop(signal, "shutdown", count)
            return
        exporter.submit(body, count)
        worker.notify()

    def drop_unencoded(self, signal: str, number: int, why: str) -> None:
        """Count items that could not be encoded where that is done before `submit`."""
        self.stats.add(signal, "queued", number)
        self.stats.drop(signal, "encode", number, why)

    def do_each_round(self, chore: Callable[[], object]) -> None:
        """Have something done on one of the threads, each time that it has something to do."""
        for worker in self._at_chores:
            worker.chores.append(chore)

    def do_at_start(self, call: Callable[[], object]) -> None:
        """Have something done on each worker's thread when it starts, in a forked child, too."""
        for worker in self._workers:
            worker.at_start.append(call)

    def flush(self, timeout_s: float, signal: str | None = None) -> bool:
        """
        Send everything, and wait for it.

        Args:
            timeout_s: How long to wait, in seconds; the threads go on after that.
            signal: The signal whose destination is waited for; None for all.

        Returns:
            Whether nothing is left, neither in memory nor in the spool.
        """
        deadline = time.monotonic() + timeout_s
        workers = self._workers if signal is None else [self._find(signal)[0]]
        return _wait({worker: worker.ask() for worker in workers}, deadline)

    def drain(self, budget_s: float) -> bool:
        """
        Send what can be sent within a time, and save the rest in the spool.

        For a process that may end after this, or may not: it goes on taking items. Where
        there is no spool, the rest stays in memory.

        Args:
            budget_s: For both, in seconds. Half a second more is taken if a thread is held
                up where nothing can stop it, as in reading certificates from a slow disk: what
                it has is saved by another thread then, which goes on if it is held up, too.

        Returns:
            Whether everything was sent.
        """
        deadline = time.monotonic() + budget_s
        stop_at = deadline - min(0.25, budget_s / 4)  # the rest is for the spool
        asked = {worker: worker.ask(stop_at) for worker in self._workers}
        is_all_sent = _wait(asked, deadline + _GRACE_S)
        stuck = [worker for worker, flush in asked.items() if not flush.is_done.is_set()]
        saves = [exporter.save_in_its_place for worker in stuck for exporter in worker.exporters]
        if saves:
            thread = run_detached(partial(_each, saves), "funcscope-save")
            if thread.is_alive():
                thread.join(_GRACE_S)
        return is_all_sent

    def shutdown(self, budget_s: float) -> bool:
        """
        Take no more, drain, drop what is left then, and end the threads.

        Args:
            budget_s: As for `drain`.

        Returns:
            Whether everything was sent.
        """
        deadline = time.monotonic() + budget_s + 2 * _GRACE_S
        for _, exporter in self._by_signal.values():
            exporter.queue.close()
        is_all_sent = self._is_closed or self.drain(budget_s)
        self._is_closed = True
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join(deadline)
        return is_all_sent

    def snapshot(self) -> Mapping[str, SignalCounts]:
        """Return what became of everything so far."""
        return self.stats.snapshot()

    def _find(self, signal: str) -> tuple[ExportWorker, SignalExporter]:
        try:
            return self._by_signal[signal]
        except KeyError:
            raise TelemetryError(
                f"signal {signal!r} has no route: use one of {', '.join(self._by_signal)}"
            ) from None

    def _reset(self) -> None:
        """Be another process's, in a forked child."""
        self.is_forked = True
        self._common.reset()
        for worker in self._workers:
            worker.reset()


def _make_workers(exports: Iterable[ExportOptions], common: Common) -> Sequence[ExportWorker]:
    by_origin: dict[Origin, list[ExportOptions]] = {}
    for export in exports:
        by_origin.setdefault(export.target.origin, []).append(export)
    return [
        ExportWorker(group, common, f"funcscope-export-{number}")
        for number, group in enumerate(by_origin.values(), 1)
    ]


def _each(calls: Iterable[Callable[[], object]]) -> None:
    for call in calls:
        call()


def _wait(asked: Mapping[ExportWorker, FlushRequest], deadline: float) -> bool:
    """Wait for all up to a time; tell whether everything was sent."""
    without = [worker for worker, flush in asked.items() if not flush.has_thread]
    for left, worker in zip(range(len(without), 0, -1), without, strict=True):
        now = time.monotonic()  # one that hangs leaves the others their parts of the time
        worker.work_until(now + max(0.0, deadline - now) / left)
    for flush in asked.values():
        flush.is_done.wait(max(0.0, deadline - time.monotonic()))
    return all(flush.is_all_sent for flush in asked.values())
