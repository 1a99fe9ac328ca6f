"""How long children wait for what they recorded to be sent, where one after another does."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from mmap import mmap

_TIME = struct.Struct("d")


class Patience:
    """
    Tells how long to wait: long, but for a while after somebody has waited that long in vain.

    A function may start a hundred children one after another. If a collector hangs, the first of
    them waits for it, and not each: what one has found out is known to all that are forked from
    the process that shares this.

    Args:
        long_s: How long to wait, in seconds.
        short_s: How long where it was in vain.
        holds_s: For how long that counts.
        clock: The same in all processes, in seconds.
    """

    def __init__(
        self,
        long_s: float,
        short_s: float,
        holds_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._long_s = long_s
        self._short_s = short_s
        self._holds_s = holds_s
        self._clock = clock
        self._until: bytearray | mmap = bytearray(_TIME.size)

    def share(self) -> None:
        """Have the children that are forked from now on know of each other, where that works."""
        with suppress(Exception):
            self._until = import_module("mmap").mmap(-1, _TIME.size)

    def wait_s(self) -> float:
        """Return how long to wait now."""
        (until,) = _TIME.unpack_from(self._until)
        return self._short_s if self._clock() < until else self._long_s

    def waited(self, wait_s: float, *, is_done: bool) -> None:
        """Take note of how a wait of so many seconds has ended."""
        # A short one says nothing of a slow collector, and who is done may have had nothing.
        if not is_done and wait_s >= self._long_s:
            _TIME.pack_into(self._until, 0, self._clock() + self._holds_s)
