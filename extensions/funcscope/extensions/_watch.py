"""Find extensions that block the event loop, which all invocations share."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING, cast

from funcscope.extensions._hooks import Level
from funcscope.extensions._lifecycle import Step, Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Invocation

SETTING = "FUNCSCOPE_SLOW_HOOK_MS"
DEFAULT_MS = 50.0


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


class Watch:
    """
    Times what runs on the loop, and reports what held it for too long, once by name.

    Args:
        faults: Where to report it.
        limit: How long is too long, in seconds.
        clock: Tells the time in seconds.
    """

    def __init__(
        self, faults: Faults, limit: float, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._faults = faults
        self._limit_s = limit
        self._clock = clock

    def layer(self, layer: Wrapper | Level) -> Wrapper | Level:
        """Return a layer that is timed: a level hook by hook, a wrapper step by step."""
        return self._level(layer) if isinstance(layer, Level) else self._wrapper(layer)

    def _level(self, level: Level) -> Level:
        return Level(level.before.timed(self.timed), level.after.timed(self.timed))

    def _wrapper(self, wrapper: Wrapper) -> Wrapper:
        # What is ours is measured by benchmarks, not in people's apps.
        if getattr(wrapper.around, "__module__", "").startswith("funcscope."):
            return wrapper

        def around(invocation: Invocation) -> Step:
            step = self.timed(wrapper.name, wrapper.around)(invocation)
            return cast("Step", _TimedStep(cast("Step", step), wrapper.name, self))

        return Wrapper(wrapper.name, around)

    def timed(self, name: str, function: Callable[..., object]) -> Callable[..., object]:
        """Return a function that is timed at each call."""

        def call(*args: object) -> object:
            start = self._clock()
            try:
                return function(*args)
            finally:
                if self._clock() - start > self._limit_s:
                    limit = f"{self._limit_s * 1e3:g} ms ({SETTING})"
                    self._faults.report(name, f"held the event loop for more than {limit}")

        return call


class _TimedStep:
    """A step, timed each time that it runs."""

    def __init__(self, step: Step, name: str, watch: Watch) -> None:
        self._step = step
        self._next = watch.timed(name, step.__next__)
        self._send = watch.timed(name, step.send)
        self._throw = watch.timed(name, step.throw)

    def __next__(self) -> object:
        return self._next()

    def send(self, value: object) -> object:
        return self._send(value)

    def throw(self, error: BaseException) -> object:
        return self._throw(error)

    def close(self) -> None:
        self._step.close()
