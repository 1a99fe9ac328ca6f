"""Counts of queued, sent and dropped items by signal, and the log lines of delivery."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from funcscope.extensions.integration import OnceLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.telemetry._config.otlp_target import OtlpTarget
    from funcscope.telemetry._delivery.queue import DropReason

    Step = Literal["queued", "sent", "retried", "spooled"]
    Reason = Literal[
        "queue_full",
        "refused",
        "partial",
        "encode",
        "spool_full",
        "spool_age",
        "spool_torn",
        "spool_io",
        "memory_full",
        "shutdown",
    ]

_logger = logging.getLogger("funcscope.telemetry")

ITEMS = MappingProxyType({"traces": "spans", "logs": "log records", "metrics": "data points"})
"""The name of each signal's items, for people."""

_MAX_PROBLEMS = 32


class SignalCounts(NamedTuple):
    """
    Counts of one signal's items in this process, by what became of them.

    Attributes:
        queued: All that were recorded, dropped ones included.
        waiting: Those in memory: in the queue, or encoded.
        sent: Those that a collector took; of earlier processes too, from the spool.
        retried: Those that were sent once more, or from the spool, each time counted.
        spooled: Those that were written to the spool.
        dropped: Those that are lost, by reason.
    """

    queued: int = 0
    waiting: int = 0
    sent: int = 0
    retried: int = 0
    spooled: int = 0
    dropped: Mapping[str, int] = MappingProxyType({})


class Pending(NamedTuple):
    """
    Items of a signal that wait in memory, and those that its queue has dropped.

    Attributes:
        in_queue: How many items are in the queue.
        encoded: How many are encoded, and in memory.
        missed: How many the queue dropped, by reason.
    """

    in_queue: int = 0
    encoded: int = 0
    missed: Mapping[DropReason, int] = MappingProxyType({})


class ExportStats:
    """Counts from any thread."""

    def __init__(self) -> None:
        self._watched: dict[str, Callable[[], Pending]] = {}
        self.reset()

    def reset(self) -> None:
        """Begin at nothing, in a forked child: its parent counts its own."""
        # Reentrant: a signal handler may interrupt its own thread here, and record something.
        self._lock = threading.RLock()
        self._steps: Counter[tuple[str, str]] = Counter()
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._why: dict[tuple[str, str], str] = {}

    def watch(self, signal: str, pending: Callable[[], Pending]) -> None:
        """Ask for what a signal's queue has, whenever somebody wants to know."""
        self._watched[signal] = pending

    def add(self, signal: str, step: Step, number: int) -> None:
        """Count items that got so far."""
        with self._lock:
            self._steps[signal, step] += number

    def drop(self, signal: str, reason: Reason, number: int, why: str = "") -> None:
        """
        Count items that are lost.

        Args:
            signal: `traces`, `logs` or `metrics`.
            reason: The kind of loss.
            number: How many.
            why: More on it for the summary, such as what the collector answered.
        """
        if number <= 0:
            return
        with self._lock:
            self._dropped[signal, reason] += number
            if why:
                self._why[signal, reason] = why

    def snapshot(self) -> Mapping[str, SignalCounts]:
        """Return the counts of each signal that has any, or a queue."""
        with self._lock:
            steps, dropped = self._steps.copy(), self._dropped.copy()
        signals = {*self._watched, *(signal for signal, _ in (*steps, *dropped))}
        return MappingProxyType(
            {signal: self._signal_counts(signal, steps, dropped) for signal in sorted(signals)}
        )

    def summary(self) -> str | None:
        """Summarize in one line what was dropped, and why; None where nothing was."""
        with self._lock:
            why = dict(self._why)
        parts = [
            f"{number} {ITEMS.get(signal, signal)} ({reason}"
            + (f": {why[signal, reason]})" if (signal, reason) in why else ")")
            for signal, counts in self.snapshot().items()
            for reason, number in counts.dropped.items()
        ]
        return "telemetry dropped: " + ", ".join(parts) if parts else None

    def _signal_counts(
        self, signal: str, steps: Counter[tuple[str, str]], dropped: Counter[tuple[str, str]]
    ) -> SignalCounts:
        pending = self._watched.get(signal, Pending)()
        lost = Counter(
            {reason: number for (name, reason), number in dropped.items() if name == signal}
        )
        for reason, number in pending.missed.items():
            lost[reason] += number
        return SignalCounts(
            queued=steps[signal, "queued"] + pending.in_queue + sum(pending.missed.values()),
            waiting=pending.in_queue + pending.encoded,
            sent=steps[signal, "sent"],
            retried=steps[signal, "retried"],
            spooled=steps[signal, "spooled"],
            dropped=MappingProxyType(dict(sorted(lost.items()))),
        )


class DeliveryLog:
    """
    Logs that a collector goes or comes back, and each other problem once.

    Args:
        target: The collector.
        stats: Asked for what was kept and dropped meanwhile.
    """

    def __init__(self, target: OtlpTarget, stats: ExportStats) -> None:
        self._target = target
        self._stats = stats
        self._items = ITEMS[target.signal]
        self._at_open: SignalCounts | None = None
        self._once = OnceLog(_logger, limit=_MAX_PROBLEMS)

    def opened(self, reason: str) -> None:
        """Log that the breaker has opened, and why."""
        self._at_open = self._now()
        _logger.warning(
            "%s are kept, for %s is not available (%s); it is tried again from time to time",
            self._items,
            self._target.endpoint,
            reason,
        )

    def closed(self) -> None:
        """Log that the breaker has closed, and what became of the items recorded meanwhile."""
        now = self._now()
        before = self._at_open or now
        _logger.info(
            "%s are sent to %s again; meanwhile %d were kept in the spool, %d are in memory, "
            "and %d were dropped",
            self._items,
            self._target.endpoint,
            now.spooled - before.spooled,
            now.waiting,
            sum(now.dropped.values()) - sum(before.dropped.values()),
        )

    def rejected(self, reason: str) -> None:
        """Log why the collector has rejected a request."""
        self._warn(f"were refused by {self._target.endpoint}, and dropped: {reason}")

    def partial(self, rejected: int, message: str) -> None:
        """Log that the collector has accepted a request in part, or with a warning."""
        taken = "taken in part" if rejected else "taken with a warning"
        self._warn(f"were {taken} by {self._target.endpoint}: {message or 'it does not say why'}")

    def not_encoded(self, error: BaseException) -> None:
        """Log why items could not be encoded, and were dropped."""
        self._warn(f"cannot be encoded, and were dropped: {error!r}")

    def _warn(self, problem: str) -> None:
        self._once.log("%s %s", self._items, problem)

    def _now(self) -> SignalCounts:
        return self._stats.snapshot()[self._target.signal]
