"""Flushes: when the app is idle, within a time, and of what the SDK's processors took."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Put = Callable[[object, bool], object]
    Flush = Callable[[float], bool]
    Close = Callable[[], object]

_logger = logging.getLogger("funcscope.telemetry")

MIN_INTERVAL_S = 0.1
"""Between two flushes at least; calls that follow each other closely share one."""

SHUTDOWN_S = 10.0
"""How long a provider that the app shuts down waits for what it has; the SDK waits 30 s."""


class Delivery:
    """
    Has everything sent when no invocation is in flight.

    A function app may be suspended once it is idle, with whatever waits in a batch. Under
    load nothing is flushed: batches are sent as they fill.

    Args:
        flushes: What to call on a thread of its own, such as a provider's `force_flush`; each
            may block.
        wake: What to call at once; it must not block.
    """

    def __init__(
        self,
        flushes: Sequence[Callable[[], object]],
        wake: Callable[[], object] | None = None,
    ) -> None:
        self._flushes = flushes
        self._wake = wake
        self._lock = threading.Lock()
        self._is_idle = threading.Event()
        self._thread: threading.Thread | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    @property
    def idle(self) -> Callable[[], object]:
        """What has everything sent, as no invocation is in flight; it does not wait for that."""
        return self._flush_all if self._flushes or self._wake is None else self._wake

    def _flush_all(self) -> None:
        if self._wake is not None:
            self._wake()
        if self._flushes:
            if self._thread is None:
                self._start_thread()
            if not self._is_idle.is_set():  # waking what is awake costs more than asking
                self._is_idle.set()

    def _reset(self) -> None:
        """Forget in a forked child the thread that its parent has."""
        self._lock = threading.Lock()
        self._is_idle = threading.Event()
        self._thread = None

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="funcscope-delivery", daemon=True)
        with self._lock:
            if self._thread is not None:
                return
            self._thread = thread
        # In an empty context: it outlives the invocation that happens to start it.
        Context().run(thread.start)

    def _run(self) -> None:
        while True:
            self._is_idle.wait()
            self._is_idle.clear()
            for flush in self._flushes:
                attempt(flush)
            time.sleep(MIN_INTERVAL_S)


def flush_within(flushes: Sequence[Callable[[], object]], timeout_s: float) -> bool:
    """
    Flush now, all at once, and go on when that is done or the time is over.

    On threads, since the SDK's `force_flush` (1.45) waits for its exporter, whatever timeout
    it is given.

    Args:
        flushes: What to call, such as a provider's `force_flush`; each may block.
        timeout_s: How long to wait for all of them, in seconds.

    Returns:
        Whether all are done.
    """
    deadline = time.monotonic() + timeout_s
    threads = [
        threading.Thread(target=attempt, args=(flush,), name="funcscope-flush", daemon=True)
        for flush in flushes
    ]
    for thread in threads:
        # In an empty context: what sends is no part of an invocation.
        Context().run(thread.start)
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    is_done = not any(thread.is_alive() for thread in threads)
    if not is_done:
        _logger.warning("telemetry could not be sent within %s s", timeout_s)
    return is_done


def attempt(call: Callable[[], object]) -> None:
    """Call what sends; what is wrong with it is logged."""
    try:
        call()
    except Exception:
        _logger.exception("telemetry could not be sent")


class Flusher:
    """
    Calls what sends on a thread of its own, for all who ask for it meanwhile.

    The SDK's `force_flush` (1.45) waits for its exporter, whatever timeout it is given. Here who
    asks may go on when its time is over, and however many ask of an exporter that hangs, they
    are one thread.

    Args:
        flush: What to call; it may block.
    """

    def __init__(self, flush: Callable[[], object]) -> None:
        self._flush = flush
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._waiting: list[threading.Event] = []
        self._thread: threading.Thread | None = None

    def ask(self) -> threading.Event:
        """Have all sent that there is by now; what is returned is set once that has been tried."""
        is_done = threading.Event()
        thread = threading.Thread(target=self._run, name="funcscope-flush", daemon=True)
        with self._lock:
            self._waiting.append(is_done)
            if is_first := self._thread is None:
                self._thread = thread
        if is_first:
            # In an empty context: it outlives the invocation that happens to start it.
            Context().run(thread.start)
        self._asked.set()
        return is_done

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            with self._lock:
                waiting, self._waiting = self._waiting, []
            attempt(self._flush)
            for is_done in waiting:
                is_done.set()


class HandingOver:
    """
    What the processors of spans and of log records do alike: they hand over to the courier.

    Args:
        put: Takes a span or a record, and whether it tells of an error.
        flush: Sends what was taken, within seconds; tells whether that was all.
        close: Lets `put` take no more.
    """

    def __init__(self, put: Put, flush: Flush, close: Close) -> None:
        self._put = put
        self._flush = flush
        self._close = close

    def shutdown(self) -> None:
        """Send what was taken, and take no more."""
        self._flush(SHUTDOWN_S)
        self._close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what was taken."""
        return self._flush(timeout_millis / 1000)
