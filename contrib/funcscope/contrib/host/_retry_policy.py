"""
Retry policies: what an app says of them, and how long each attempt waits.

The names are those of `function.json` and of the protocol's `RpcRetryOptions`. What is required
and how delays grow is the host's: azure-functions-host `src/WebJobs.Script/Utility.cs`
(`ValidateRetryOptions`), azure-webjobs-sdk `RandomizedExponentialBackoffStrategy.cs`.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.timespan import parse_timespan
from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from funcscope.contrib.host._worker.protocol import Protos

FOR_EVER = -1
_SPREAD = 0.2
_NEEDED = {
    "fixeddelay": ("delayInterval", "delayInterval"),
    "exponentialbackoff": ("minimumInterval", "maximumInterval"),
}


def _jitter() -> float:
    return random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 -- no secret


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    How often a failed invocation is tried again, and after which delay.

    Attributes:
        max_retries: Retries after the first attempt, -1 for ever.
        minimum: The first delay.
        maximum: The longest one; the same as `minimum` where the delay is fixed.
    """

    max_retries: int
    minimum: timedelta
    maximum: timedelta

    def check(self) -> None:
        """
        Check what the host in Azure would check.

        Raises:
            HostError: It would load no function with this policy.
        """
        if self.max_retries < FOR_EVER:
            raise HostError(f"it is tried again {self.max_retries} times: use -1 for ever, or more")
        if self.minimum > self.maximum:
            raise HostError("the minimum interval is more than the maximum")

    def message(self, protos: Protos) -> Protos:
        """Return the protocol's message."""
        if self.minimum == self.maximum:
            return protos.RpcRetryOptions(
                max_retry_count=self.max_retries,
                retry_strategy="fixed_delay",
                delay_interval=self.minimum,
            )
        return protos.RpcRetryOptions(
            max_retry_count=self.max_retries,
            retry_strategy="exponential_backoff",
            minimum_interval=self.minimum,
            maximum_interval=self.maximum,
        )

    def delays_s(self, jitter: Callable[[], float] = _jitter) -> Iterator[float]:
        """Yield the delay before each retry, in seconds, for as many as there are."""
        delays = self._growing(jitter)
        return (
            delays if self.max_retries == FOR_EVER else itertools.islice(delays, self.max_retries)
        )

    def _growing(self, jitter: Callable[[], float]) -> Iterator[float]:
        first, longest = self.minimum.total_seconds(), self.maximum.total_seconds()
        delay, factor = first, 1.0
        while 0 < delay < longest:
            yield delay
            delay, factor = first + jitter() * factor * first, factor * 2
        yield from itertools.repeat(longest if delay else 0.0)


@dataclass(frozen=True, slots=True)
class RetryState:
    """
    What an attempt is told: the `retry_context` of the function's context.

    Attributes:
        count: Retries so far, 0 in the first attempt.
        max_count: The policy's `max_retries`.
        error: Type and message of the last attempt's exception, `""` in the first.
        stack_trace: Its traceback.
    """

    count: int
    max_count: int
    error: str = ""
    stack_trace: str = ""

    def message(self, protos: Protos) -> Protos:
        """Return the protocol's message."""
        state = protos.RetryContext(retry_count=self.count, max_retry_count=self.max_count)
        if self.error or self.stack_trace:
            failure = protos.RpcException(message=self.error, stack_trace=self.stack_trace)
            state.exception.CopyFrom(failure)
        return state


def policy_from_message(options: Protos) -> RetryPolicy:
    """Read what the worker says of a v2 function."""
    if options.retry_strategy == options.fixed_delay:
        delay = options.delay_interval.ToTimedelta()
        return RetryPolicy(options.max_retry_count, delay, delay)
    return RetryPolicy(
        options.max_retry_count,
        options.minimum_interval.ToTimedelta(),
        options.maximum_interval.ToTimedelta(),
    )


def policy_from_json(retry: object) -> RetryPolicy:
    """
    Read the `retry` of a `function.json`.

    Raises:
        HostError: Something is missing or wrong; the message does not say in which file.
    """
    if not isinstance(retry, dict):
        raise HostError(f"'retry' is {retry!r}: it must be an object with a 'strategy'")
    fields = cast("dict[str, object]", retry)
    needed = _NEEDED.get(str(fields.get("strategy")).lower())
    if needed is None:
        raise HostError(
            f"'strategy' of 'retry' is {fields.get('strategy')!r}: "
            "use 'fixedDelay' or 'exponentialBackoff'"
        )
    minimum, maximum = (_interval(fields, name) for name in needed)
    return RetryPolicy(_count(fields.get("maxRetryCount")), minimum, maximum)


def hint_of(stack_trace: str) -> str:
    """
    Return what to do where a worker could not read a policy, `""` where something else is wrong.

    It refuses the whole app then, and names neither function nor setting. Source: `loader.py` of
    azure-functions-runtime 1.3.0.
    """
    if ", in build_retry_protos" not in stack_trace:
        return ""
    return (
        "An @app.retry is wrong: its strategy is 'fixed_delay' with a delay_interval, or "
        "'exponential_backoff' with a minimum_interval and a maximum_interval; max_retry_count is "
        "a number, and intervals are written '00:00:10'"
    )


def _count(value: object) -> int:
    text = str(value)
    if text == str(FOR_EVER) or text.isdecimal():
        return int(text)
    raise HostError(
        f"'maxRetryCount' of 'retry' is {value!r}: use a number of retries, or -1 for ever"
    )


def _interval(fields: dict[str, object], name: str) -> timedelta:
    value = fields.get(name)
    interval = parse_timespan(value) if isinstance(value, str) else None
    if interval is None or interval.total_seconds() < 0:
        raise HostError(f"{name!r} of 'retry' is {value!r}: use a time such as '00:00:10'")
    return interval
