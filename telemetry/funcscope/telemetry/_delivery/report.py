"""What the log gets to know about one signal's delivery: a line for each change, no more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from funcscope.telemetry._delivery.stats import ITEMS

if TYPE_CHECKING:
    from funcscope.telemetry._config.otlp_target import OtlpTarget
    from funcscope.telemetry._delivery.stats import Counts, SignalCounts

_logger = logging.getLogger("funcscope.telemetry")

_MAX_PROBLEMS = 32


class Report:
    """
    Says when a collector goes and comes back, and each other problem once.

    Args:
        target: The collector.
        counts: Asked for what was kept and dropped meanwhile.
    """

    def __init__(self, target: OtlpTarget, counts: Counts) -> None:
        self._target = target
        self._counts = counts
        self._items = ITEMS[target.signal]
        self._at_open: SignalCounts | None = None
        self._said: set[str] = set()

    def opened(self, reason: str) -> None:
        """Say that nothing is sent for now, and why."""
        self._at_open = self._now()
        _logger.warning(
            "%s are kept, for %s is not available (%s); it is tried again from time to time",
            self._items,
            self._target.endpoint,
            reason,
        )

    def closed(self) -> None:
        """Say that all is well again, and what became of what was recorded meanwhile."""
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

    def refused(self, reason: str) -> None:
        """Say what the collector does not like."""
        self._once(f"were refused by {self._target.endpoint}, and dropped: {reason}")

    def partial(self, rejected: int, message: str) -> None:
        """Say that a collector took a body, but not all of it, or with a warning."""
        taken = "taken in part" if rejected else "taken with a warning"
        self._once(f"were {taken} by {self._target.endpoint}: {message or 'it does not say why'}")

    def not_encoded(self, error: Exception | None) -> None:
        """Say that items were dropped because the encoder cannot encode them."""
        self._once(f"cannot be encoded, and were dropped: {error!r}")

    def _once(self, problem: str) -> None:
        if problem not in self._said and len(self._said) < _MAX_PROBLEMS:
            self._said.add(problem)
            _logger.warning("%s %s", self._items, problem)

    def _now(self) -> SignalCounts:
        return self._counts.snapshot()[self._target.signal]
