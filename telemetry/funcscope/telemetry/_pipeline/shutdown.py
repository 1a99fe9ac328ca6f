"""Drain before the process ends: at SIGTERM, and at exit."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from funcscope.extensions.integration import reset_after_fork, start_detached

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_LOOK_S = 0.05
"""How soon a second signal is noticed, at worst."""

_GRACE_S = 0.5
"""What a drain that keeps its budget needs beyond it, at most."""


def drain_at_exit(
    drain: Callable[[float], object], budget_s: float = 2.0, *, at_signal: bool = True
) -> Callable[[], None]:
    """
    Call `drain` when the process gets SIGTERM, and at exit; so perhaps twice.

    The former action of SIGTERM comes after that: the handler that was there is called,
    or the process dies of the signal, so that its exit status says so. Where the signal is
    ignored, or handled outside Python, it is left alone. While the drain is under way, a
    second signal does not wait for it. From another thread than the main one no handler can
    be set, and exit alone drains.

    A forked child has the handler that was there before, and no drain at a signal: whoever made it
    may end it (`multiprocessing.Pool` does, each time), and waits for that.

    Args:
        drain: Called with the budget, on a thread of its own: a signal handler may interrupt
            code that holds a lock which the drain needs.
        budget_s: How long it may take, in seconds.
        at_signal: Whether SIGTERM is one of both.

    Returns:
        A call that takes both away again.
    """
    return _Drain(drain, budget_s).install(at_signal=at_signal)


class _Drain:
    def __init__(self, drain: Callable[[float], object], budget_s: float) -> None:
        self._drain = drain
        self._budget_s = budget_s
        self._under_way: _Gate | None = None
        self._previous: Callable[[int, FrameType | None], object] | signal.Handlers | None = None
        self._handler = self._on_signal  # one object, to be found again
        self._pid = os.getpid()
        self._wakeup_descriptor = _NONE

    def install(self, *, at_signal: bool) -> Callable[[], None]:
        atexit.register(self._run)
        if not at_signal:
            return self._uninstall
        reset_after_fork(self._leave_to_parent, before=[signal.SIGTERM])
        previous = signal.getsignal(signal.SIGTERM)
        if previous == signal.SIG_DFL or callable(previous):
            self._previous = previous  # type: ignore[assignment]  # an int is no handler there
            with suppress(ValueError):  # not the main thread
                self._wakeup_descriptor = _let_signals_wake_the_loop()
                signal.signal(signal.SIGTERM, self._handler)
        return self._uninstall

    def _uninstall(self) -> None:
        atexit.unregister(self._run)
        if signal.getsignal(signal.SIGTERM) is self._handler:
            with suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGTERM, self._previous)

    def _leave_to_parent(self) -> None:
        """Be as if this had never been installed, in a forked child; but for its own exit."""
        self._under_way = None
        if signal.getsignal(signal.SIGTERM) is self._handler:
            signal.signal(signal.SIGTERM, self._previous)
        if self._wakeup_descriptor != _NONE:  # it is the parent's loop that would wake
            descriptor = signal.set_wakeup_fd(_NONE)
            if descriptor != self._wakeup_descriptor:
                signal.set_wakeup_fd(descriptor)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        under_way = self._under_way
        if os.getpid() != self._pid:
            pass  # forked a moment ago, or somebody's handler there goes on calling this one
        elif under_way is None:
            self._run()
        else:
            under_way.open()
        if callable(self._previous):
            self._previous(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _run(self) -> None:
        is_over = _Gate()
        self._under_way = is_over

        def drain() -> None:
            with suppress(Exception):  # the process ends: there is nobody to tell
                self._drain(self._budget_s)
            is_over.open()

        thread = threading.Thread(target=drain, name="funcscope-drain", daemon=True)
        try:
            start_detached(thread)
        except RuntimeError:  # too late for a thread
            drain()
        is_over.wait(self._budget_s + _GRACE_S)
        self._under_way = None


class _Gate:
    """
    Closed until it is opened, once.

    Not an `Event`, whose `set` takes a lock that its `wait` holds now and then: a handler that
    interrupts the wait would stop for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let who waits go on."""
        with suppress(RuntimeError):  # open already
            self._lock.release()

    def wait(self, timeout_s: float) -> None:
        """
        Wait until it is open, so many seconds at most.

        Bit by bit: Python notices a signal between two instructions, and not one that comes after
        the last of them before the wait.
        """
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            if self._lock.acquire(timeout=min(left_s, _LOOK_S)):
                return


_NONE = -1
"""Where `set_wakeup_fd` has no file descriptor."""


def _let_signals_wake_the_loop() -> int:
    """
    Have an event loop that is about to wait not do so when a signal comes.

    Python runs handlers between two instructions. A signal that comes after the last one before
    the loop waits in the system (`epoll_wait` and its like) would be noticed when the next event
    comes: in an idle worker never. So `set_wakeup_fd` is for this; asyncio uses it for handlers
    of its own alone, so it gets one, which does nothing.

    Returns:
        The file descriptor that a signal is written to from now on, and was not before.

    Raises:
        ValueError: This is not the main thread.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or _wakeup_descriptor() != _NONE:  # asyncio's already, or somebody else's
        return _NONE
    with suppress(RuntimeError, NotImplementedError):  # no loop runs here; Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _do_nothing)
    return _wakeup_descriptor()


def _wakeup_descriptor() -> int:
    descriptor = signal.set_wakeup_fd(_NONE)
    if descriptor != _NONE:
        signal.set_wakeup_fd(descriptor)
    return descriptor


def _do_nothing() -> None:
    """Be called by the loop, after the handler."""
