"""
Invoking a function again as its retry policy says (`docs/decisions/058`).

Which triggers have policies: https://learn.microsoft.com/azure/azure-functions/functions-bindings-error-pages;
the others retry in their own way, or not at all. The loop is that of azure-webjobs-sdk
`FunctionExecutorExtensions.cs`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from funcscope.contrib._local.trace_context import continue_trace, new_id
from funcscope.contrib.host._retry_policy import FOR_EVER, RetryState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funcscope.contrib.host._retry_policy import RetryPolicy
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.invocations import InvocationRequest, Invoker
    from funcscope.contrib.host._worker.worker import LoadedFunction, Outcome

_RETRYABLE = frozenset({"cosmosdbtrigger", "eventhubtrigger", "kafkatrigger", "timertrigger"})


class Retrier:
    """
    Invokes functions until they succeed, or their retry policies say that it is enough.

    Each attempt is a request of its own, with its own invocation id, in the trace of the first.
    """

    def __init__(self, invoker: Invoker, console: HostConsole) -> None:
        self._invoker = invoker
        self._console = console
        self._is_stopping = asyncio.Event()

    def explain(self, functions: Sequence[LoadedFunction]) -> None:
        """Name the functions whose policy has no effect."""
        for function in functions:
            if function.retry is not None and _policy_of(function) is None:
                self._console.say(
                    f"function {function.name!r} has a retry policy, which a "
                    f"{function.trigger_type} does not follow: remove it",
                    style="yellow",
                )

    def stop(self) -> None:
        """Try nothing again from now on; what waits for its next attempt is given up."""
        self._is_stopping.set()

    async def run(self, call: InvocationRequest) -> Outcome:
        """Invoke the function, seen as a request, and again after each failure."""
        policy = _policy_of(call.function)
        if policy is None:
            return await self._attempt(call)
        count, attempt = 0, replace(call, retry=RetryState(0, policy.max_retries))
        outcome = await self._attempt(attempt)
        for count, delay_s in enumerate(policy.delays_s(), 1):
            if outcome.is_ok or not await self._wait(attempt, count, delay_s, policy):
                return outcome
            attempt = _again(call, outcome, RetryState(count, policy.max_retries))
            outcome = await self._attempt(attempt)
        if count and not outcome.is_ok:
            self._log(f"{_name(call)} failed after {_retries(count)}: it is not tried again")
        return outcome

    async def _attempt(self, call: InvocationRequest) -> Outcome:
        with self._invoker.observe(call) as report:
            outcome = await self._invoker.invoke(call)
            report.result = "succeeded" if outcome.is_ok else "failed"
            report.is_ok = outcome.is_ok
        return outcome

    async def _wait(
        self, call: InvocationRequest, count: int, delay_s: float, policy: RetryPolicy
    ) -> bool:
        """Wait before a retry; return False where the host stops first."""
        number = (
            str(count) if policy.max_retries == FOR_EVER else f"{count} of {policy.max_retries}"
        )
        if not self._is_stopping.is_set():
            self._log(
                f"{_name(call)} failed: retry {number} in {_duration(delay_s)}", logging.WARNING
            )
            try:
                await asyncio.wait_for(self._is_stopping.wait(), delay_s)
            except asyncio.TimeoutError:
                return True
        self._log(f"{_name(call)} failed, and the app stops: retry {number} is given up")
        return False

    def _log(self, message: str, level: int = logging.ERROR) -> None:
        self._console.log(message, level=level)


def _policy_of(function: LoadedFunction) -> RetryPolicy | None:
    return function.retry if function.trigger_type.lower() in _RETRYABLE else None


def _again(call: InvocationRequest, outcome: Outcome, state: RetryState) -> InvocationRequest:
    """Make the request for the next attempt."""
    of_all = "" if state.max_count == FOR_EVER else f" of {state.max_count}"
    return replace(
        call,
        title=f"{call.title}, retry {state.count}{of_all}",
        context=continue_trace(call.context.trace_parent, call.context.state),
        invocation_id=new_id(),
        retry=replace(state, error=outcome.error, stack_trace=outcome.stack_trace),
    )


def _name(call: InvocationRequest) -> str:
    return f"'Functions.{call.function.name}'"


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _retries(count: int) -> str:
    return "1 retry" if count == 1 else f"{count} retries"
