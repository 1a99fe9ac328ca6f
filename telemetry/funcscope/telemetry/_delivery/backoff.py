"""When to try again, and when not to try at all."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_DOUBLINGS = 32  # beyond, the longest wait has been reached for certain


class Backoff(NamedTuple):
    """
    Waits that double, each with full jitter: anything from none to the whole of it.

    So processes that failed together do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Attributes:
        first_s: The longest wait after the first failure.
        longest_s: The longest wait of all.
        random: Draws from 0 to 1.
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    random: Callable[[], float] = random.random

    def delay_s(self, failures: int) -> float:
        """Draw how long to wait after so many failures in a row, one at least."""
        ceiling = self.first_s * 2.0 ** min(failures - 1, _MAX_DOUBLINGS)
        return self.random() * min(self.longest_s, ceiling)


class CircuitBreaker:
    """
    Keeps from a collector that does not work, but for one probe each time a wait is over.

    Args:
        threshold: How many failures in a row open it.
        backoff: How long to wait after each.
        on_open: Called with the reason, once each time it opens.
        on_close: Called once each time it closes again.
        longest_retry_after_s: How much of a `Retry-After` is honoured.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        threshold: int,
        backoff: Backoff,
        *,
        on_open: Callable[[str], object] = lambda _: None,
        on_close: Callable[[], object] = lambda: None,
        longest_retry_after_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._backoff = backoff
        self._on_open = on_open
        self._on_close = on_close
        self._longest_retry_after_s = longest_retry_after_s
        self._clock = clock
        self._failures = 0
        self.is_open: bool = False
        self.ready_at: float = 0.0
        self._asked_until = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed, open or not."""
        return self._failures > 0

    def is_ready(self) -> bool:
        """Whether an attempt may be made now; its end is to be told, and then the next asked."""
        return self._clock() >= self.ready_at

    def hurry(self) -> None:
        """Allow one attempt now, as there may be no later; what the collector asks for holds."""
        self.ready_at = min(self.ready_at, self._asked_until)

    def succeeded(self) -> None:
        """Take note that the collector answered."""
        was_open, self.is_open = self.is_open, False
        self._failures, self.ready_at = 0, 0.0
        if was_open:
            self._on_close()

    def failed(self, reason: str, retry_after_s: float | None = None) -> None:
        """
        Take note that it did not.

        Args:
            reason: Why, for the log.
            retry_after_s: How long it asks to be left alone: the least to wait.
        """
        self._failures += 1
        asked_s = min(retry_after_s or 0.0, self._longest_retry_after_s)
        now = self._clock()
        self._asked_until = now + asked_s
        self.ready_at = now + max(self._backoff.delay_s(self._failures), asked_s)
        if self._failures >= self._threshold and not self.is_open:
            self.is_open = True
            self._on_open(reason)
