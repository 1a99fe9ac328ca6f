"""Ground for all rooms: calls and log lines once in a process, threads without a context."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from asyncio import events
from contextvars import Context
from typing import TYPE_CHECKING, NamedTuple

from funcscope.extensions._errors import log_quietly

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from typing import Any

    # The parameters of wrapt's wrappers, whatever they wrap.
    Wrapped = Callable[..., Any]
    Args = tuple[Any, ...]
    Kwargs = Mapping[str, Any]

WAIT_S = 10.0
"""How long a thread waits for another one that runs what `Once` is given."""


class OnceLog:
    """
    Logs each problem once, where nothing may be raised.

    Args:
        logger: The logger.
        level: The level of its records.
        limit: How many problems are logged at most; None for any number.

    Attributes:
        logged: The keys of what was logged.
    """

    def __init__(
        self, logger: logging.Logger, level: int = logging.WARNING, *, limit: int | None = None
    ) -> None:
        self._logger = logger
        self._level = level
        self._limit = limit
        self.logged: set[Hashable] = set()

    def log(
        self,
        message: str,
        *args: Hashable,
        key: Hashable | None = None,
        error: BaseException | None = None,
    ) -> None:
        """
        Log a problem, unless it was logged before.

        Args:
            message: The text, with `%s` for each of `args`.
            args: Texts, or objects that become one.
            key: The identity of the problem; None for the message and its arguments.
            error: The exception to show the traceback of.
        """
        known = (message, *args) if key is None else key
        if known in self.logged or (self._limit is not None and len(self.logged) >= self._limit):
            return
        self.logged.add(known)
        log_quietly(self._logger, self._level, message, *args, error=error, stacklevel=3)


class Latch:
    """
    A flag that one caller alone closes, on any thread and without a lock.

    Attributes:
        left: Holds an item until it is closed: for who asks so often that a call costs too much.
    """

    def __init__(self) -> None:
        self.left: list[bool] = [True]

    @property
    def is_closed(self) -> bool:
        """Whether somebody has closed it."""
        return not self.left

    def close(self) -> bool:
        """Close it for good; True for the one call that does."""
        try:
            return self.left.pop()  # in one step
        except IndexError:
            return False


class Once:
    """
    Has one thread call something, and others wait until it has returned.

    The call may run foreign code, which may wait for what those threads hold: so they wait for a
    time, and go on without it then. The thread that is at it goes on at once when it comes again on
    the way. A call that raises is tried again by whoever comes next.
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
    """One thread's call."""

    process: int
    thread: int
    is_over: threading.Event


def start_detached(thread: threading.Thread) -> None:
    """
    Start a thread in an empty context: it belongs to no invocation, and outlives the first.

    Raises:
        RuntimeError: The interpreter is ending, and starts no thread any more.
    """
    Context().run(thread.start)


def run_detached(call: Callable[[], object], name: str) -> threading.Thread:
    """
    Make a call on a daemon thread, in an empty context.

    It is made here, before this returns, where the interpreter is ending and starts no thread.
    """
    thread = threading.Thread(target=call, name=name, daemon=True)
    try:
        start_detached(thread)
    except RuntimeError:
        call()
    return thread


def _ask_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


# The public one raises where there is none, at ten times the cost.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = getattr(
    events, "_get_running_loop", _ask_loop
)
"""Return the event loop that runs on this thread; None where none does."""
