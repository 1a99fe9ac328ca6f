"""What is done once, while no lock is held."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 10.0
"""How long a thread waits for another one that is at it."""


class Once:
    """
    Has one thread do something, and others wait for that.

    What is done may run anybody's code, which may wait for what those threads hold: so they wait
    for a time, and go on without it then. The thread that is at it goes on at once when it comes
    again on the way. What fails is tried again by whoever comes next.
    """

    def __init__(self, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._turns: dict[str, _Turn] = {}

    def do(self, call: Callable[[], object]) -> None:
        """Call it, unless that was done or is being done."""
        mine = _Turn(os.getpid(), threading.get_ident(), threading.Event())
        turn = self._turns.setdefault("turn", mine)  # in one step, so that one thread is the first
        if turn.process != mine.process:  # it was begun before this process was forked
            turn = self._turns["turn"] = mine
        if turn is mine:
            try:
                call()
            except BaseException:
                self._turns.clear()
                raise
            finally:
                mine.is_over.set()
        elif turn.thread != mine.thread:
            turn.is_over.wait(self._wait_s)


class _Turn(NamedTuple):
    """Who does it."""

    process: int
    thread: int
    is_over: threading.Event
