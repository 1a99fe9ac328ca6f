"""Making invocations of requests, seen by the console and by the traces."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from funcscope.contrib._local.trace_context import new_id
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._traces.traces import HostRequest
from funcscope.contrib.host._worker.protocol import function_rpc
from funcscope.contrib.host._worker.tracebacks import app_traceback
from funcscope.contrib.host._worker.worker import Outcome
from funcscope.telemetry.integration import redact

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from funcscope.contrib._local.trace_context import HostTraceContext
    from funcscope.contrib.host._retry_policy import RetryState
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._traces.traces import Observer
    from funcscope.contrib.host._worker.protocol import TypedData
    from funcscope.contrib.host._worker.triggers import TriggerData
    from funcscope.contrib.host._worker.worker import AppWorker, LoadedFunction

_ERROR, _INFO = 40, 20  # levels of the logging module


@dataclass(slots=True)
class RequestResult:
    """
    The result of a request, which its maker fills in before the invocation ends.

    Attributes:
        problem: Why the host could not give the function's answer, `""` where it could.
    """

    result: str = "cancelled"
    is_ok: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class InvocationRequest:
    """
    A request for an invocation, with the payload of its trigger.

    Attributes:
        title: The request's name, such as `GET /api/hello`; without a query.
        context: The trace context that the host gives to the function.
        retry: Which attempt it is, None for a function without a retry policy.
    """

    function: LoadedFunction
    title: str
    data: TriggerData
    context: HostTraceContext
    invocation_id: str = field(default_factory=new_id)
    retry: RetryState | None = None

    @property
    def inputs(self) -> dict[str, TypedData]:
        """Values for all of the function's inputs: empty ones for those beside the trigger."""
        protos = function_rpc()
        names = [str(b["name"]) for b in self.function.bindings if _is_input(b)]
        values = {name: protos.TypedData() for name in names}
        return {**values, self._trigger_name: self.data.value}

    @property
    def _trigger_name(self) -> str:
        return str(self.function.trigger["name"])


class Bindings(Protocol):
    """What the bindings beside a function's trigger are connected to."""

    async def read(self, function: LoadedFunction, data: TriggerData) -> Mapping[str, TypedData]:
        """
        Read the inputs; those that are not connected are left out.

        Raises:
            HostError: One cannot be read; the message names it.
        """
        ...

    async def write(self, function: LoadedFunction, data: TriggerData, outcome: Outcome) -> Outcome:
        """Write the outputs, and return the outcome, a failure where that cannot be done."""
        ...


class Invoker:
    """Invokes functions through a worker, in full view."""

    def __init__(
        self,
        worker: AppWorker,
        directory: Path,
        console: HostConsole,
        observer: Observer,
        bindings: Bindings,
    ) -> None:
        self._bindings = bindings
        self._worker = worker
        self._directory = directory
        self._console = console
        self._observer = observer
        self._count = 0  # of what runs
        self._errors: dict[str, str] = {}  # of failed invocations until their requests end

    @contextmanager
    def observe(self, call: InvocationRequest) -> Generator[RequestResult, None, None]:
        """Show the observer a call, and its result when the block ends."""
        start = time.perf_counter()
        request = HostRequest(
            invocation_id=call.invocation_id,
            trace_id=call.context.trace_id,
            span_id=call.context.span_id,
            title=call.title,
            function=call.function.name,
            trigger=call.function.trigger_type,
            parent_id=call.context.parent_id,
            trace_state=call.context.state,
            is_sampled=call.context.is_sampled,
            started_ns=time.time_ns(),
            is_alone=not self._count,
        )
        report = RequestResult()
        self._observer(request)
        self._count += 1
        try:
            yield report
        finally:
            self._count -= 1
            duration_s = time.perf_counter() - start
            error = self._errors.pop(call.invocation_id, "")
            ended = replace(request, **asdict(report), duration_s=duration_s, error=error)
            self._observer(ended)

    async def invoke(self, call: InvocationRequest) -> Outcome:
        """Call the function, and log it as `func start` does."""
        name, start = f"Functions.{call.function.name}", time.perf_counter()
        function = call.function.name
        self._console.log_call(f"Executing '{name}' (Id={call.invocation_id})", function=function)
        outcome = await self._call(call)
        verdict = "Succeeded" if outcome.is_ok else "Failed"
        duration = f"Duration={(time.perf_counter() - start) * 1000:.0f}ms"
        message = f"Executed '{name}' ({verdict}, Id={call.invocation_id}, {duration})"
        level = _INFO if outcome.is_ok else _ERROR
        self._console.log_call(message, function=function, level=level)
        if not outcome.is_ok:
            self._errors[call.invocation_id] = redact(outcome.error)
            trace = app_traceback(outcome.stack_trace, self._directory)
            self._console.log_failure(redact(trace or outcome.error), function=function)
        return outcome

    async def _call(self, call: InvocationRequest) -> Outcome:
        try:
            inputs = await self._bindings.read(call.function, call.data)
        except HostError as error:
            return Outcome(is_ok=False, value=None, outputs={}, error=str(error), stack_trace="")
        outcome = await self._worker.invoke(
            call.function,
            {**call.inputs, **inputs},
            invocation_id=call.invocation_id,
            trace_parent=call.context.trace_parent,
            trace_state=call.context.state,
            metadata=call.data.metadata,
            retry=call.retry,
        )
        return await self._bindings.write(call.function, call.data, outcome)


def _is_input(binding: Mapping[str, object]) -> bool:
    return str(binding.get("direction", "")).lower() == "in"
