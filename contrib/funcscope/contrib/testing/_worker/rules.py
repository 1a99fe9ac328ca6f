"""
On which thread and in which context each worker calls a function.

Checked in the sources of the classic worker 4.34 and of azure-functions-runtime 1.3.0
(`dispatcher.py`; `handle_event.py`, `utils/executor.py`, `bindings/context.py`), and by running
both. Where the library worker is installed, `_library` uses it instead of what stands here for it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from funcscope.contrib.testing._errors import TestingError
from funcscope.contrib.testing._worker.declared import hints_of
from funcscope.contrib.testing._worker.outgoing import (
    OutgoingType,
    annotation_problem,
    check_outgoing,
    has_implicit_output,
    outgoing_type,
)
from funcscope.extensions import Function
from funcscope.extensions.integration import (
    Lifecycle,
    WorkerIds,
    is_installed,
    qualified_name,
    replace_thread_local,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.contrib.testing._worker.call import HostCall
    from funcscope.contrib.testing._worker.declared import AppFunction

TASK_ID = "__azure_function_invocation_id__"


@dataclass(frozen=True, slots=True)
class RegisteredFunction:
    """
    A function in a worker's registry, with the fields of its `FunctionInfo` that a call needs.

    Attributes:
        func: The function, with extensions around it.
        requires_context: Whether the worker passes `context`.
        is_async: Whether the worker awaits the function.
        has_return: Whether the function may return something.
        output_types: What its output bindings take, by their names.
        return_type: What its result has to be; None where it has none.
    """

    func: Callable[..., Any]
    requires_context: bool
    is_async: bool
    has_return: bool
    output_types: Mapping[str, OutgoingType]
    return_type: OutgoingType | None


class Rules(Protocol):
    """The rules of one worker: how it registers a function, and how it calls one."""

    def register(self, declared: AppFunction) -> RegisteredFunction:
        """Take a function in, with extensions around it where funcscope is installed."""
        ...

    def context(self, declared: AppFunction, call: HostCall) -> Any:
        """Make the `context` argument."""
        ...

    def enter(self, call: HostCall, *, is_async: bool) -> None:
        """Prepare the request's task, on the event loop, before a function runs."""
        ...

    def run_sync(self, call: HostCall, context: Any, function: Any, args: dict[str, Any]) -> object:
        """Call a sync function, on a thread of the pool."""
        ...

    def check_outgoing(self, value: object, outgoing: OutgoingType) -> None:
        """Convert an output to a message, for the errors of that."""
        ...


class StandIn:
    """Registration and the `context` argument, as in both kinds of worker."""

    variable: ContextVar[str | None] | None = None

    def __init__(self) -> None:
        # Where a worker keeps it, with what funcscope puts in its place there.
        place: Any = SimpleNamespace(_invocation_id_local=threading.local())
        if is_installed():
            replace_thread_local(place, "_invocation_id_local", self.variable)
        self.thread_local: threading.local = place._invocation_id_local  # noqa: SLF001
        self._ids = WorkerIds(self.thread_local, self.variable, self._of_task())

    def _of_task(self) -> Callable[[], str | None] | None:
        return None

    def register(self, declared: AppFunction) -> RegisteredFunction:
        """Take a function in as both workers do, which check its parameters first."""
        hints = hints_of(declared.function)
        parameters = set(inspect.signature(declared.function).parameters)
        bound = {*declared.inputs, *declared.outputs}
        if parameters - {"context"} != bound - {"context"}:
            differing = ", ".join(sorted((parameters ^ bound) - {"context"}))
            raise TestingError(
                f"no worker loads function {declared.name!r}: "
                f"its parameters and bindings differ in {differing}"
            )
        _check_annotations(declared, hints)
        function = declared.function
        wants_context = "context" in parameters and "context" not in bound
        if is_installed():
            function = self._wrapped(declared, wants_context=wants_context)
        return RegisteredFunction(
            func=function,
            requires_context=wants_context or (is_installed() and "context" not in bound),
            is_async=inspect.iscoroutinefunction(declared.function),
            has_return=has_return(declared),
            **_outgoing(declared),
        )

    def check_outgoing(self, value: object, outgoing: OutgoingType) -> None:
        """Convert an output to a message, for the errors of that."""
        check_outgoing(value, outgoing)

    def _wrapped(self, declared: AppFunction, *, wants_context: bool) -> Callable[..., Any]:
        function = Function(
            name=declared.name,
            directory=declared.directory,
            is_async=inspect.iscoroutinefunction(declared.function),
            qualified_name=qualified_name(declared.function),
            bindings=declared.bindings,
        )
        has_context_binding = any(binding.name == "context" for binding in declared.bindings)
        lifecycle = Lifecycle(
            function,
            wants_context=wants_context,
            has_context_binding=has_context_binding,
            ids=self._ids,
        )
        wrapped = lifecycle.wrap(declared.function)
        lifecycle.loaded()
        return wrapped

    def context(self, declared: AppFunction, call: HostCall) -> Any:
        """Make the `context` argument, with what `azure.functions.Context` declares."""
        return WorkerContext(
            invocation_id=call.invocation_id,
            function_name=declared.name,
            function_directory=declared.directory,
            thread_local_storage=self.thread_local,
            trace_context=call.trace_context,
            retry_context=call.retry_context,
        )


@dataclass
class WorkerContext:
    """The `context` argument; extensions may set attributes of their own."""

    invocation_id: str
    function_name: str
    function_directory: str
    thread_local_storage: threading.local
    trace_context: SimpleNamespace
    retry_context: SimpleNamespace


class Classic(StandIn):
    """
    The classic worker, `azure_functions_worker` 4.x.

    The id is the task's, which tasks hand on, and in the pool's thread the thread-local's. With
    `PYTHON_ENABLE_OPENTELEMETRY` the host's context is attached where the function runs.
    """

    def _of_task(self) -> Callable[[], str | None]:
        return lambda: task_id() or getattr(self.thread_local, "invocation_id", None)

    def enter(self, call: HostCall, *, is_async: bool) -> None:
        """Give the task the id, and an async function the host's context."""
        setattr(asyncio.current_task(), TASK_ID, call.invocation_id)
        self.thread_local.invocation_id = call.invocation_id
        if is_async:
            attach_host_context(call)

    def run_sync(self, call: HostCall, context: Any, function: Any, args: dict[str, Any]) -> object:
        """Call a function with its id in the thread-local alone; the context is never detached."""
        __tracebackhide__ = True
        context.thread_local_storage.invocation_id = call.invocation_id
        try:
            attach_host_context(call)
            return function(**args)
        finally:
            context.thread_local_storage.invocation_id = None


class Library(StandIn):
    """
    A library worker, `azure_functions_runtime` or `azure_functions_runtime_v1` 1.x.

    The id of a sync function is in a context variable and in the thread-local; of an async one in
    neither, on the path by protobuf. The host's context is attached on the task alone, which a
    sync function does not see.
    """

    def __init__(self) -> None:
        self.variable = ContextVar("invocation_id", default=None)
        super().__init__()

    def enter(self, call: HostCall, *, is_async: bool) -> None:  # noqa: ARG002  (it makes no difference)
        """Attach the host's context on the task."""
        attach_host_context(call)
        self.thread_local.invocation_id = call.invocation_id

    def run_sync(self, call: HostCall, context: Any, function: Any, args: dict[str, Any]) -> object:
        """Call a function with its id in both places."""
        __tracebackhide__ = True
        assert self.variable is not None  # noqa: S101  (for type checkers)
        context.thread_local_storage.invocation_id = call.invocation_id
        token = self.variable.set(call.invocation_id)
        try:
            return function(**args)
        finally:
            self.variable.reset(token)
            context.thread_local_storage.invocation_id = None


class WorkerTask(asyncio.Task[Any]):
    """A task that has the id of the one that started it, as the workers' `ContextEnabledTask`."""

    def __init__(self, coro: Any, **options: Any) -> None:
        super().__init__(coro, **options)
        started_in = task_id()
        if started_in is not None:
            setattr(self, TASK_ID, started_in)


def task_id() -> str | None:
    """Return the id of the running task; None outside any."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    return getattr(task, TASK_ID, None)


def has_return(declared: AppFunction) -> bool:
    """Tell whether a worker takes a function's result: by `$return`, or by its trigger's type."""
    return any(b.name == "$return" or has_implicit_output(b.type) for b in declared.bindings)


def _check_annotations(declared: AppFunction, hints: Mapping[str, object]) -> None:
    for binding in declared.bindings:
        if binding.name == "$return" or binding.name not in hints:
            continue
        problem = annotation_problem(binding, hints[binding.name])
        if problem is not None:
            raise TestingError(f"no worker loads function {declared.name!r}: {problem}")


def _outgoing(declared: AppFunction) -> dict[str, Any]:
    """Return the types of a function's outputs, as `functions.py` of the workers reads them."""
    hints = hints_of(declared.function)
    by_name = {b.name: b.type for b in declared.bindings}
    implicit = next((b.type for b in declared.bindings if has_implicit_output(b.type)), None)
    kind = by_name.get("$return", implicit)
    return {
        "output_types": {n: outgoing_type(by_name[n], hints.get(n)) for n in declared.outputs},
        "return_type": None if kind is None else OutgoingType(kind, hints.get("return")),
    }


def attach_host_context(call: HostCall) -> None:
    """Attach the host's trace context and leave it there, where the worker is told to."""
    if os.environ.get("PYTHON_ENABLE_OPENTELEMETRY", "").strip().lower() not in ("1", "true"):
        return
    from opentelemetry.context import attach
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {"traceparent": call.trace_parent, "tracestate": call.trace_state}
    attach(TraceContextTextMapPropagator().extract(carrier))
