"""The one thread that carries telemetry to its collectors."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextvars import Context
from typing import TYPE_CHECKING

from funcscope.telemetry._delivery.buffer import Memory
from funcscope.telemetry._delivery.options import CourierOptions
from funcscope.telemetry._delivery.signal import Lane
from funcscope.telemetry._delivery.stats import Counts
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._http.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from funcscope.telemetry._config.otlp_target import Origin
    from funcscope.telemetry._delivery.options import Route
    from funcscope.telemetry._delivery.queue import Queue
    from funcscope.telemetry._delivery.spool import Spool
    from funcscope.telemetry._delivery.stats import SignalCounts

_logger = logging.getLogger("funcscope.telemetry")

_GRACE_S = 0.25
"""What a thread that was told to stop gets to do so."""

_NEVER = float("inf")


class _Errand:
    """What a thread waits for the courier to do: send all, until a time, and save the rest."""

    __slots__ = ("is_all_sent", "is_done", "stop_at")

    def __init__(self, stop_at: float = _NEVER) -> None:
        self.stop_at = stop_at
        self.is_done = threading.Event()
        self.is_all_sent = False


class Courier:
    """
    Encodes and sends what is put into its queues, on a daemon thread of its own.

    The thread starts with the first item, in an empty context. It works at each `wake`, when
    a queue has a full body's items, and when an interval is over. What cannot be sent is
    kept in memory, within bounds, or in the spool; see `Route` and `CourierOptions`. No
    method raises for what happens on the way, and none but `flush`, `drain` and `shutdown`
    waits.

    Args:
        routes: One for each signal.
        counts: Told of everything.
        spool: For what could not be sent; its drops are counted in `counts`.
        options: What is the same for all signals.
    """

    _is_awake = False
    is_forked: bool = False
    """Whether this is a forked child, of which nothing is sent but what it records itself."""

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        counts: Counts | None = None,
        spool: Spool | None = None,
        options: CourierOptions | None = None,
    ) -> None:
        self.counts: Counts = Counts() if counts is None else counts
        self._spool = spool
        if spool is not None:
            spool.on_drop = self.counts.drop
        self._options = options or CourierOptions()
        self._connections: dict[Origin, Connection] = {}
        memory = Memory(self._options.memory_bytes)
        self._lanes = {route.target.signal: self._lane(route, memory) for route in routes}
        self._is_closed = False
        self._chores: list[Callable[[], object]] = []
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def queue(self, signal: str) -> Queue:
        """
        Return the queue of a signal, whose `put` takes its items.

        Raises:
            TelemetryError: There is no route for the signal.
        """
        return self._lane_of(signal).queue

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
        lane = self._lane_of(signal)
        if self._is_closed:
            self.counts.add(signal, "queued", count)
            self.counts.drop(signal, "shutdown", count)
            return
        lane.submit(body, count)
        self.nudge()

    def wake(self) -> None:
        """Send everything now, for the app is idle."""
        if self._is_awake and self._thread is not None:
            return  # what was put meanwhile is sent in the round that comes
        self._is_awake = True
        self.nudge()

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
        return self._run_errand(_Errand(), timeout_s)

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
        errand = _Errand(time.monotonic() + budget_s - reserve_s)
        is_all_sent = self._run_errand(errand, budget_s + _GRACE_S)
        if not errand.is_done.is_set():
            for lane in self._lanes.values():
                lane.rescue()
        return is_all_sent

    def shutdown(self, budget_s: float) -> bool:
        """
        Take no more, drain, drop what is left then, and end the thread.

        Args:
            budget_s: As for `drain`.

        Returns:
            Whether everything was sent.
        """
        for lane in self._lanes.values():
            lane.queue.close()
        is_all_sent = self._is_closed or self.drain(budget_s)
        self._is_closed = True
        for lane in self._lanes.values():
            lane.give_up()
        self._signal.set()
        return is_all_sent

    def snapshot(self) -> Mapping[str, SignalCounts]:
        """Return what became of everything so far."""
        return self.counts.snapshot()

    def _lane(self, route: Route, memory: Memory) -> Lane:
        origin = route.target.origin
        connection = self._connections.setdefault(origin, Connection(origin))
        return Lane(route, connection, memory, self._spool, self.counts, self._options, self.nudge)

    def _lane_of(self, signal: str) -> Lane:
        try:
            return self._lanes[signal]
        except KeyError:
            raise TelemetryError(
                f"signal {signal!r} has no route: use one of {', '.join(self._lanes)}"
            ) from None

    def _begin(self) -> None:
        """Have no thread, and nothing for it to do but what the queues hold."""
        self._starting: dict[str, threading.Thread] = {}
        self._thread: threading.Thread | None = None
        self._signal = threading.Event()
        self._urgent = threading.Event()
        self._is_awake = False
        self._errands: list[_Errand] = []
        self._stop_at = _NEVER
        self._busy_at = time.monotonic()
        self._has_failed = False

    def _reset(self) -> None:
        """Be another process, in a forked child."""
        self._begin()
        self.is_forked = True
        self.counts.reset()
        if self._spool is not None:
            self._spool.reset()
        for connection in self._connections.values():
            connection.reset()
        memory = Memory(self._options.memory_bytes)
        for lane in self._lanes.values():
            lane.reset(memory)

    def nudge(self) -> None:
        """Have the thread look what there is to do."""
        if self._thread is None and not self._start():
            return  # nothing to carry, too late, or no thread to be had
        if not self._signal.is_set():
            self._signal.set()

    def _start(self) -> bool:
        if not self._lanes or self._is_closed:
            return False
        thread = threading.Thread(target=self._run, name="funcscope-courier", daemon=True)
        # In one step, and without a lock: others' code runs when a thread is started, and a
        # finalizer that records something may interrupt this one anywhere.
        if self._starting.setdefault("thread", thread) is not thread:
            return True
        try:
            # In an empty context: it outlives the invocation that happens to start it.
            Context().run(thread.start)
        except RuntimeError:  # the interpreter is ending, and `drain` does the work
            self._starting.clear()
            return False
        self._thread = thread
        return True

    def _run_errand(self, errand: _Errand, timeout_s: float) -> bool:
        thread = self._thread
        if self._is_closed or thread is threading.current_thread():
            errand.is_done.set()
            return False
        if thread is None and all(lane.is_empty for lane in self._lanes.values()):
            errand.is_done.set()
            return True
        self._errands.append(errand)
        self._stop_at = min(self._stop_at, errand.stop_at)
        if thread is None and not self._start():
            Context().run(self._round)
        self._signal.set()
        self._urgent.set()
        errand.is_done.wait(timeout_s)
        return errand.is_all_sent

    def _run(self) -> None:
        while not self._is_closed:
            self._signal.wait(self._idle_s())
            self._signal.clear()
            self._urgent.clear()
            try:
                self._round()
            except Exception:
                if not self._has_failed:
                    _logger.exception("telemetry could not be carried")
                self._has_failed = True
            if not self._errands:
                self._urgent.wait(self._options.gap_s)
        for connection in self._connections.values():
            connection.close()
        for errand in self._errands:
            errand.is_done.set()

    def _idle_s(self) -> float | None:
        """Say how long there is nothing to do; for ever once nothing has come for a while."""
        if self._errands or self._is_awake:
            return 0.0
        now = time.monotonic()
        lanes = self._lanes.values()
        if not all(lane.is_empty for lane in lanes):
            self._busy_at = now
        elif now - self._busy_at > self._options.park_after_s:
            for lane in lanes:
                lane.queue.park()
            if all(lane.is_empty for lane in lanes):
                return None
        return max(0.0, min(lane.due_at() for lane in lanes) - now)

    def _round(self) -> None:
        """Encode and send what is due."""
        errands, self._errands = self._errands, []
        is_awake = self._is_awake
        if is_awake:  # what wakes it from here on is packed in this round, too
            self._is_awake = False
        everything = is_awake or bool(errands)
        lanes = list(self._lanes.values())
        try:
            self._do_chores()
            for lane in lanes:
                if any(errand.stop_at < _NEVER for errand in errands):
                    lane.hurry()
                lane.pack(everything=everything)
            while self._send_from(lanes):
                self._pack_full()
        finally:
            self._finish(errands)

    def _send_from(self, lanes: Sequence[Lane]) -> bool:
        """Send one body of each signal, and say whether any has more."""
        going_on = [lane.send_one(self._is_stopping, self._on_wait) for lane in lanes]
        return any(going_on)

    def _finish(self, errands: list[_Errand]) -> None:
        if not errands:
            return
        if any(errand.stop_at < _NEVER for errand in errands):
            for lane in self._lanes.values():
                lane.pack(everything=True)
                lane.save()
        is_all_sent = all(lane.is_empty for lane in self._lanes.values())
        self._stop_at = min((errand.stop_at for errand in self._errands), default=_NEVER)
        for errand in errands:
            errand.is_all_sent = is_all_sent
            errand.is_done.set()

    def _do_chores(self) -> None:
        for chore in self._chores:
            chore()

    def _pack_full(self) -> None:
        self._do_chores()
        for lane in self._lanes.values():
            lane.pack()

    def _is_stopping(self) -> bool:
        return time.monotonic() >= self._stop_at

    def _on_wait(self) -> bool:
        """Go on encoding while a collector keeps us waiting, unless it is time to give up."""
        if self._is_stopping():
            return False
        self._pack_full()
        return True
