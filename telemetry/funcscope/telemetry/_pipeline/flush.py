"""
Flushes on threads of their own: when the app is idle, and for those who wait within a time.

docs/decisions/005 says why.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from funcscope.extensions.integration import (
    lock_of,
    log_quietly,
    start_detached,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._delivery.delivery import Delivery

_logger = logging.getLogger("funcscope.telemetry")

IDLE_INTERVAL_S = 0.1
"""Between two flushes because the app is idle; invocations that follow closely share one."""

HURRIED_IDLE_INTERVAL_S = 0.02
"""The same where the process may be killed at any time (docs/decisions/055)."""

HURRIED_S = 0.2
"""How long a span or log record waits at most under load there, unless the app says so."""

SHUTDOWN_S = 10.0
"""How long a provider that the app shuts down waits for what it has; the SDK waits 30 s."""


def idle_interval_s(settings: Settings) -> float:
    """Return how many seconds are between two such flushes."""
    return HURRIED_IDLE_INTERVAL_S if settings.is_hurried else IDLE_INTERVAL_S


class FlushThread:
    """
    Calls what sends on a thread of its own, for all who ask for it meanwhile.

    The SDK's `force_flush` (1.45) waits for its exporter, whatever timeout it is given. Here who
    asks may go on when its time is over, and however many ask of an exporter that hangs, they
    are one thread.

    Args:
        flush: What to call on the thread; it may block, and what it raises is logged.
        min_interval_s: Seconds between the end of one call and the next, at least.
        at_once: What whoever notifies calls itself before that; it must not block.
        name: The thread's.
    """

    def __init__(
        self,
        flush: Callable[[], object],
        min_interval_s: float = 0.0,
        at_once: Callable[[], object] | None = None,
        *,
        name: str = "funcscope-flush",
    ) -> None:
        self._flush = flush
        self._min_interval_s = min_interval_s
        self._at_once = at_once
        self._name = name
        self._lock = lock_of(self)
        self._begin()
        if hasattr(os, "register_at_fork"):  # for good: there are a few in a process
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Have neither thread nor anybody who waits, as at first and in a forked child."""
        self._is_asked = threading.Event()
        self._waiting: deque[threading.Event] = deque()
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Have it flushed soon, without waiting: called whenever the app is idle."""
        if self._at_once is not None:
            self._at_once()
        if self._thread is None:
            self.get_ready()
        if not self._is_asked.is_set():  # setting it again costs more than asking
            self._is_asked.set()

    def ask(self) -> threading.Event:
        """Have all sent that there is by now; what is returned is set once that has been tried."""
        is_done = threading.Event()
        self._waiting.append(is_done)
        self.notify()
        return is_done

    def get_ready(self) -> None:
        """Start the thread, ahead of the interpreter's end: Python 3.12 starts none then."""
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        with self._lock:
            if self._thread is not None:
                return
            self._thread = thread
        try:
            start_detached(thread)
        except RuntimeError:
            self._thread = None

    def help_out(self) -> None:
        """Do what was asked on this thread, where no other one could be started."""
        if self._thread is None:
            self._serve()

    def _run(self) -> None:
        while True:
            self._is_asked.wait()
            self._is_asked.clear()  # before it is looked who waits: who comes later asks again
            self._serve()
            time.sleep(self._min_interval_s)

    def _serve(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        attempt(self._flush)
        for is_done in waiting:
            is_done.set()


class QueueProcessor:
    """
    Puts what has ended into an export queue: the common part of both processors that do.

    Args:
        put: Takes an item, and whether it tells of an error.
        delivery: Sends what was taken.
        signal: `traces` or `logs`.

    Attributes:
        put: The same, for items that need no look at them.
    """

    def __init__(
        self, put: Callable[[object, bool], object], delivery: Delivery, signal: str
    ) -> None:
        self.put = put
        self._flush = partial(delivery.flush, signal=signal)
        self._close = delivery.queue(signal).close

    def shutdown(self) -> None:
        """Send what was taken, and take no more."""
        self._flush(SHUTDOWN_S)
        self._close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what was taken."""
        return self._flush(timeout_millis / 1000)


def attempt(call: Callable[[], object]) -> None:
    """Call what sends; what is wrong with it is logged."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001  (`SystemExit` would end a thread without a word)
        with suppress(BaseException):
            log_quietly(_logger, logging.ERROR, "telemetry could not be sent", error=error)


def attempt_each(calls: Iterable[Callable[[], object]]) -> None:
    """Call one after another, whatever is wrong with those before."""
    for call in calls:
        attempt(call)


def wait_for(flushes: Iterable[threading.Event], deadline_s: float) -> bool:
    """Wait until all flushes are done, up to a time of `time.monotonic`; tell whether they are."""
    return all(is_done.wait(max(0.0, deadline_s - time.monotonic())) for is_done in flushes)
