"""Drain before the process ends: at SIGTERM, and at exit (docs/decisions/044)."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from funcscope.extensions.integration import reset_after_fork, start_detached

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object] | signal.Handlers

_LOOK_S = 0.05
"""How soon a second signal is noticed, at worst."""

_GRACE_S = 0.5
"""What a drain that keeps its budget needs beyond it, at most."""


def drain_at_exit(
    drain: Callable[[float], object], budget_s: float = 2.0, *, at_signal: bool = True
) -> ExitDrain:
    """
    Call `drain` when the process gets SIGTERM, and at exit; so perhaps twice.

    The former action of SIGTERM comes after that: the handler that was there is called,
    or the process dies of the signal, so that its exit status says so. Where the signal is
    ignored, or handled outside Python, it is left alone. While the drain is under way, a
    second signal does not wait for it. From another thread than the main one no handler can
    be set: see `misses_signal`. Where the event loop takes the signal for a callback of the
    app's, or gives it back, the drain comes first all the same.

    A forked child has the handler that was there before, and no drain at a signal: whoever made it
    may end it (`multiprocessing.Pool` does, each time), and waits for that.

    Args:
        drain: Called with the budget, on a thread of its own: a signal handler may interrupt
            code that holds a lock which the drain needs.
        budget_s: How long it may take, in seconds.
        at_signal: Whether SIGTERM is one of both.
    """
    return ExitDrain(drain, budget_s, at_signal=at_signal)


class ExitDrain:
    """
    A drain that is installed, and the thread that waits for it.

    Attributes:
        misses_signal: Whether SIGTERM was to be handled, and ends the process without a word.
    """

    _thread: threading.Thread | None

    def __init__(
        self, drain: Callable[[float], object], budget_s: float, *, at_signal: bool
    ) -> None:
        self._drain = drain
        self._budget_s = budget_s
        self._previous: Handler = signal.SIG_DFL
        self._handler = self._on_signal  # one object, to be found again
        self._pid = os.getpid()
        self._loop: _SignalLoop | None = None
        self.misses_signal = False
        self._begin()
        self.get_ready()
        atexit.register(self.run)
        reset_after_fork(self._leave_to_parent, before=[signal.SIGTERM] if at_signal else ())
        if at_signal:
            self._take_signal()

    def _begin(self) -> None:
        """Have no thread, and nothing for it to do."""
        self._thread = None
        self._under_way: _Gate | None = None
        self._asked = _Gate()
        self._waiting: deque[_Gate] = deque()
        self._is_over = False

    def get_ready(self) -> None:
        """
        Start the thread, unless it is there, as in a forked child at first.

        That is ahead of the interpreter's end, at which Python 3.12 starts none.
        """
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name="funcscope-drain", daemon=True)
            with suppress(RuntimeError):  # too late for it
                start_detached(thread)
                self._thread = thread

    def uninstall(self) -> None:
        """Take all of it away again."""
        atexit.unregister(self.run)
        self._give_signal_back()
        self._is_over = True
        self._asked.open()

    def _take_signal(self) -> None:
        previous = signal.getsignal(signal.SIGTERM)
        try:
            _wakeup_descriptor()
        except ValueError:  # not the main thread, where Python may know no handlers at all
            self.misses_signal = previous in (signal.SIG_DFL, None)
            return
        if previous == signal.SIG_DFL or callable(previous):
            self._loop = _SignalLoop.running(self._come_first)
            self._come_first(previous)  # type: ignore[arg-type]  # an int is no handler there

    def _come_first(self, previous: Handler | None) -> None:
        """Set the handler, and have another one called after it; None for the one there was."""
        if previous is not None:
            self._previous = previous
        signal.signal(signal.SIGTERM, self._handler)

    def _give_signal_back(self) -> None:
        if self._loop is not None:
            self._loop.leave()
        if signal.getsignal(signal.SIGTERM) is self._handler:
            with suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGTERM, self._previous)

    def _leave_to_parent(self) -> None:
        """Be as if this had never been installed, in a forked child; but for its own exit."""
        self._begin()
        self._give_signal_back()
        if self._loop is not None:
            self._loop.forget_descriptor()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        under_way = self._under_way
        if os.getpid() != self._pid:
            pass  # forked a moment ago, or somebody's handler there goes on calling this one
        elif under_way is None:
            self.run()
        else:
            under_way.open()
        if callable(self._previous):
            self._previous(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def run(self) -> None:
        """Drain now, and wait until that is done or the budget is over."""
        is_over = self._under_way = _Gate()
        self._waiting.append(is_over)
        self.get_ready()
        if self._thread is None:
            self._serve_once()
        self._asked.open()
        is_over.wait(self._budget_s + _GRACE_S)
        self._under_way = None

    def _serve(self) -> None:
        while not self._is_over:
            self._asked.wait()
            self._serve_once()

    def _serve_once(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if waiting:
            with suppress(BaseException):  # the process ends: there is nobody to tell
                self._drain(self._budget_s)
        for is_over in waiting:
            is_over.open()


class _Gate:
    """
    Closed until it is opened, once for each wait.

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

    def wait(self, timeout_s: float | None = None) -> None:
        """
        Wait until it is open, so many seconds at most.

        Bit by bit: Python notices a signal between two instructions, and not one that comes after
        the last of them before the wait. Without a time, for threads that get no signals, at once.
        """
        if timeout_s is None:
            self._lock.acquire()
            return
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            if self._lock.acquire(timeout=min(left_s, _LOOK_S)):
                return


_NONE = -1
"""Where `set_wakeup_fd` has no file descriptor."""


class _SignalLoop:
    """
    An event loop that sets handlers of SIGTERM, and is followed in that.

    asyncio (3.14) puts a handler of its own, which does nothing, in the place of the one there is,
    and the default in its place when the callback is removed or the loop is closed.

    Args:
        loop: The loop.
        come_first: Called after each change with the handler that counts from there on; None where
            that is the one from before.
    """

    def __init__(
        self, loop: AbstractEventLoop, come_first: Callable[[Handler | None], object]
    ) -> None:
        self._loop = loop
        self._come_first = come_first
        self._add, self._remove = loop.add_signal_handler, loop.remove_signal_handler
        self._descriptor = _NONE
        self._is_ours = False  # the callback that it has for the signal
        self._is_left = False
        self._wake()
        with suppress(AttributeError):  # a loop in C, such as uvloop's, has no place for them
            setattr(loop, "add_signal_handler", self._on_add)  # noqa: B010  (mypy: a method)
            setattr(loop, "remove_signal_handler", self._on_remove)  # noqa: B010  (the same)

    @classmethod
    def running(cls, come_first: Callable[[Handler | None], object]) -> _SignalLoop | None:
        """Follow the loop that runs here, on the main thread; None where none does."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None:
            with suppress(RuntimeError, NotImplementedError):  # no loop runs here; Windows
                return cls(asyncio.get_running_loop(), come_first)
        return None

    def leave(self) -> None:
        """Follow no longer."""
        self._is_left = True

    def forget_descriptor(self) -> None:
        """Let no signal wake the loop in a forked child: it is its parent's that would wake."""
        if self._descriptor != _NONE:
            descriptor = signal.set_wakeup_fd(_NONE)
            if descriptor != self._descriptor:
                signal.set_wakeup_fd(descriptor)

    def _wake(self) -> None:
        """
        Have the loop that is about to wait not do so when a signal comes.

        Python runs handlers between two instructions. A signal that comes after the last one
        before the loop waits in the system (`epoll_wait` and its like) would be noticed when the
        next event comes: in an idle worker never. So `set_wakeup_fd` is for this; asyncio uses it
        for handlers of its own alone, so it gets one, which does nothing.
        """
        if _wakeup_descriptor() == _NONE:  # else asyncio has set it, or somebody else
            self._add(signal.SIGTERM, _do_nothing)
            self._is_ours, self._descriptor = True, _wakeup_descriptor()

    def _on_add(self, sig: int, *args: Any, **kwargs: Any) -> None:  # as the loop takes them
        self._add(sig, *args, **kwargs)
        if sig == signal.SIGTERM and not self._is_left:
            self._is_ours = False
            self._come_first(signal.getsignal(sig))  # type: ignore[arg-type]  # the loop's own

    def _on_remove(self, sig: int) -> bool:
        is_removed = self._remove(sig)
        if sig != signal.SIGTERM or not is_removed or self._is_left:
            return is_removed
        was_ours, self._is_ours = self._is_ours, False
        if not self._loop.is_closed():
            self._wake()
        self._come_first(None if was_ours else signal.SIG_DFL)
        return not was_ours


def _wakeup_descriptor() -> int:
    """
    Return what signals wake; `_NONE` where they wake nothing.

    Raises:
        ValueError: This is not the main thread.
    """
    descriptor = signal.set_wakeup_fd(_NONE)
    if descriptor != _NONE:
        signal.set_wakeup_fd(descriptor)
    return descriptor


def _do_nothing() -> None:
    """Be called by the loop, after the handler."""
