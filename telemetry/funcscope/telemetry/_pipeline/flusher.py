"""Wait within a time for what sends without one."""

from __future__ import annotations

import os
import threading
from contextvars import Context
from typing import TYPE_CHECKING

from funcscope.telemetry._pipeline.flush import attempt

if TYPE_CHECKING:
    from collections.abc import Callable


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
