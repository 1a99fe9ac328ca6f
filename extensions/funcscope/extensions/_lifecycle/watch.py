"""Find extensions that block the event loop, which all invocations share."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING, cast

from funcscope.extensions._lifecycle.hooks import Call, Level
from funcscope.extensions._lifecycle.observers import Step, Wrapper, is_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Invocation

SETTING = "FUNCSCOPE_SLOW_HOOK_MS"
DEFAULT_MS = 50.0
WATCHED_CALLS = 16
"""For how many calls each extension is timed by itself: at first, and after a slow one."""


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


def what_is_wrong(environ: Mapping[str, str]) -> str | None:
    """Say what is wrong with the setting; None where nothing is."""
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
    Times what runs on the loop, and reports what held it for too long, once by name.

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
        """Tell whether each extension is to be timed by itself in the next call."""
        if self._calls_left <= 0:
            return False
        self._calls_left -= 1
        return True

    def check(self, start: float) -> None:
        """Look at how long all extensions together have held the loop since `start`."""
        if self.clock() - start > self._limit_s:
            self._calls_left = WATCHED_CALLS

    def layer(self, layer: Wrapper | Level) -> Wrapper | Level:
        """Return a layer that is timed: a level hook by hook, a wrapper step by step."""
        if isinstance(layer, Level):
            before, after = self._calls(layer.before), self._calls(layer.after)
            return layer._replace(before=before, after=after)
        if is_ours(layer):
            return layer
        return Wrapper(layer.name, self._around(layer))

    def _calls(self, calls: tuple[Call, ...]) -> tuple[Call, ...]:
        return tuple((self._timed(name, hook), logger, name) for hook, logger, name in calls)

    def _around(self, wrapper: Wrapper) -> Callable[[Invocation], Step]:
        def around(invocation: Invocation) -> Step:
            step = self._timed(wrapper.name, wrapper.around)(invocation)
            if not is_step(step):
                return cast("Step", step)  # whoever runs it says so
            return cast("Step", _TimedStep(cast("Step", step), wrapper.name, self._timed))

        return around

    def _timed(self, name: str, function: Callable[..., object]) -> Callable[..., object]:
        """Return a function that is timed at each call."""

        def call(*args: object) -> object:
            start = self.clock()
            try:
                return function(*args)
            finally:
                if self.clock() - start > self._limit_s:
                    limit = f"{self._limit_s * 1e3:g} ms ({SETTING})"
                    self._faults.report(name, f"held the event loop for more than {limit}")

        return call


def is_ours(layer: Wrapper | Level) -> bool:
    """Tell whether a layer is funcscope's, and measured by benchmarks, not in people's apps."""
    if isinstance(layer, Level):
        return False
    return getattr(layer.around, "__module__", "").startswith("funcscope.")


class _TimedStep:
    """A step, timed each time that it runs."""

    def __init__(
        self,
        step: Step,
        name: str,
        timed: Callable[[str, Callable[..., object]], Callable[..., object]],
    ) -> None:
        self._step = step
        self._name = name
        self._timed = timed

    def __next__(self) -> object:
        return self._timed(self._name, self._step.__next__)()

    def send(self, result: object) -> object:
        return self._timed(self._name, self._step.send)(result)

    def throw(self, error: BaseException) -> object:
        return self._timed(self._name, self._step.throw)(error)

    def close(self) -> None:
        self._step.close()
