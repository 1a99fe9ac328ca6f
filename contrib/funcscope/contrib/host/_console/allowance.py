"""Not too many in a few seconds."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST: Final = 5
_WITHIN_S: Final = 5.0


class Allowance:
    """
    Allows five of something in any five seconds.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken_at: deque[float] = deque(maxlen=_MOST)

    def take(self) -> bool:
        """Tell whether one more is allowed, which counts then."""
        now, taken = self._clock(), self._taken_at
        if len(taken) == _MOST and now - taken[0] < _WITHIN_S:
            return False
        taken.append(now)
        return True
