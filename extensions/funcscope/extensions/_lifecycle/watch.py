"""Find extensions that block the event loop, which all invocations share."""

from __future__ import annotations

import os
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from funcscope.extensions._lifecycle.hooks import HookObserver
from funcscope.extensions._lifecycle.observers import NamedObserver, StepObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Invocation
    from funcscope.extensions._lifecycle.hooks import Call
    from funcscope.extensions._lifecycle.observers import Observer

SETTING = "FUNCSCOPE_SLOW_HOOK_MS"
DEFAULT_MS = 50.0
WATCHED_CALLS = 16
"""For how many calls each extension is timed by itself: the first, and those after a slow one."""


def limit_s(environ: Mapping[str, str] = os.environ) -> float:
    """
    Return how long an extension may hold the event loop, in seconds.

    `FUNCSCOPE_SLOW_HOOK_MS` sets it, in milliseconds; what is no positive number is ignored.
    """
    try:
        limit = float(environ.get(SETTING, DEFAULT_MS))
    except ValueError:
        limit = DEFAULT_MS
    return (limit if limit > 0 else DEFAULT_MS) / 1e3


def setting_problem(environ: Mapping[str, str]) -> str | None:
    """Return a sentence on a wrong setting; None where it is right."""
    text = environ.get(SETTING, "").strip()
    if not text:
        return None
    try:
        is_right = 0 < float(text) < float("inf")
    except ValueError:
        is_right = False
    return None if is_right else f"{SETTING}={text!r} is not known: use a number above 0"


class Watch:
    """
    Times extensions on the event loop, and reports those that hold it for too long, once by name.

    Timing each extension costs more than most of them do. So each is timed by itself in a
    function's first calls; from then on all are timed together, and each by itself again for a
    while once they took too long.

    Args:
        faults: Where to report it.
        limit: How long is too long, in seconds.
        clock: Tells the time in seconds.
    """

    def __init__(
        self, faults: Faults, limit: float, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.clock = clock
        self._faults = faults
        self._limit_s = limit
        self._calls_left = WATCHED_CALLS

    def takes_call(self) -> bool:
        """Whether each extension is to be timed by itself in the next call."""
        if self._calls_left <= 0:
            return False
        self._calls_left -= 1
        return True

    def check(self, start: float) -> None:
        """Look at how long all extensions together have held the loop since `start`."""
        if self.clock() - start > self._limit_s:
            self._calls_left = WATCHED_CALLS

    def timed(self, named: NamedObserver) -> NamedObserver:
        """Return an extension that is timed by itself; those of funcscope stay as they are."""
        name, observer = named
        if isinstance(observer, HookObserver):
            before, after = self._calls(observer.before), self._calls(observer.after)
            return NamedObserver(name, HookObserver(before, after, self._faults))
        if isinstance(observer, StepObserver) and not _is_own(observer):
            check = partial(self._name, name)
            return NamedObserver(name, TimedObserver(observer, self.clock, check))
        return named

    def _calls(self, calls: tuple[Call, ...]) -> tuple[Call, ...]:
        return tuple((self._timed(hook, name), logger, name) for hook, logger, name in calls)

    def _name(self, extension: str, start: float) -> None:
        """Report an extension that has held the loop since `start` for too long."""
        if self.clock() - start > self._limit_s:
            limit = f"{self._limit_s * 1e3:g} ms ({SETTING})"
            self._faults.report(extension, f"held the event loop for more than {limit}")

    def _timed(self, hook: Callable[..., object], name: str) -> Callable[..., object]:
        """Return a hook that is timed at each call."""

        def timed(*args: object) -> object:
            start = self.clock()
            try:
                return hook(*args)
            finally:
                self._name(name, start)

        return timed


class TimedObserver:
    """
    An observer of which each part is timed.

    Args:
        observer: The observer.
        clock: Tells the time in seconds.
        check: Is given the time that a part began at, right after it.
    """

    __slots__ = ("_begin", "_check", "_clock", "_end")

    def __init__(
        self, observer: Observer[Any], clock: Callable[[], float], check: Callable[[float], None]
    ) -> None:
        self._begin = observer.begin
        self._end = observer.end
        self._clock = clock
        self._check = check

    def begin(self, invocation: Invocation) -> Any:  # the observer's own token
        """Begin, timed."""
        start = self._clock()
        try:
            return self._begin(invocation)
        finally:
            self._check(start)

    def end(
        self, invocation: Invocation, token: Any, result: object, error: BaseException | None = None
    ) -> None:
        """End, timed."""
        start = self._clock()
        try:
            self._end(invocation, token, result, error)
        finally:
            self._check(start)


def _is_own(observer: StepObserver) -> bool:
    """Whether an extension is funcscope's, which benchmarks measure, and not people's apps."""
    return getattr(observer.around, "__module__", "").startswith("funcscope.")
