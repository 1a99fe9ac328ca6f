"""
Lines that are not written while many requests run.

docs/decisions/061 says why.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_HELD: Final = 5_000


class Folding:
    """
    Keeps a function's log lines back while many requests run, if their traces have them as well.

    Whether they have is not known before the first log records came: until then lines are held.

    Args:
        is_crowded: Tells whether many requests run.
    """

    def __init__(self, is_crowded: Callable[[], bool] = lambda: False) -> None:
        self.is_crowded = is_crowded
        self._lock = threading.Lock()
        self._held: list[Callable[[], object]] = []
        self._has_records = False
        self._folded = 0

    def fold(self, write: Callable[[], object]) -> None:
        """Write a line now, or when it turns out that nothing else shows it."""
        if not self.is_crowded():
            write()
            return
        with self._lock:
            if self._has_records:
                self._folded += 1
                return
            self._held.append(write)
            is_full = len(self._held) > _MOST_HELD
        if is_full:
            self.release()

    def note_records(self) -> None:
        """Note that log records came: the traces have what was logged."""
        with self._lock:
            self._has_records = True
            self._folded += len(self._held)
            self._held.clear()

    def release(self) -> None:
        """Write what is held."""
        with self._lock:
            held, self._held = self._held, []
        for write in held:
            write()

    def take_count(self) -> int:
        """Return how many lines were left out since this was last asked."""
        with self._lock:
            count, self._folded = self._folded, 0
        return count
