"""A user's function as a worker calls it, with the lifecycle around it."""

from __future__ import annotations

import inspect
import logging
from functools import partial, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import wrapt

from funcscope.extensions._errors import (
    INTERRUPTS,
    Faults,
    guarded,
    leave_out_own_frames,
    look,
)
from funcscope.extensions._getters import AttributeReader
from funcscope.extensions._invocation import (
    Function,
    Invocation,
    PartialContext,
    cold_start,
)
from funcscope.extensions._lifecycle.drivers import plan_calls
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions._lifecycle.watch import Watch, limit_s
from funcscope.extensions._microsoft import count_hooks, extension_meta

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions._invocation import Context
    from funcscope.extensions._workers.ids import WorkerIds

    CallWith = Callable[[dict[str, object]], object]
    _Base = wrapt.FunctionWrapper[..., object]
else:
    _Base = wrapt.FunctionWrapper

_logger = logging.getLogger("funcscope.extensions")
_id = AttributeReader("invocation_id", may_lack=True)
_CALL_WITH = "funcscope_call_with"
_mark_async = getattr(inspect, "markcoroutinefunction", None)  # Python 3.12
_NO_REPLACEMENT = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE


class _FunctionProxy(_Base):
    """A registered function; in all but its being called it is the user's own."""

    def __init__(self, function: Callable[..., Any], run: Callable[..., Any]) -> None:
        super().__init__(function, run)
        self._self_run = run  # a Lifecycle's method; wrapt keeps what is named so on the proxy

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call as an invocation; wrapt's own way here looks for an instance that there is not."""
        try:
            return self._self_run(self.__wrapped__, None, args, kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise

    @property
    def call_with(self) -> CallWith:
        """The call with a worker's own dict."""
        return partial(self._self_run, self.__wrapped__, None, ())


def is_wrapped(function: object) -> bool:
    """Whether a lifecycle is around a function."""
    return call_with_of(function) is not None


def call_with_of(function: object) -> CallWith | None:
    """
    Return the call of a wrapped function with a worker's own dict; None for any other function.

    The worker sees in that dict what hooks have put into it.
    """
    if issubclass(type(function), _FunctionProxy):
        return cast("_FunctionProxy", function).call_with
    fields = look(function, "__dict__")
    return cast("dict[str, CallWith]", fields).get(_CALL_WITH) if type(fields) is dict else None


class Lifecycle:
    """
    Turns each call that a worker makes of one function into an invocation.

    Args:
        function: The function.
        wants_context: Whether the user's function has a `context` parameter that the worker
            fills; where it has none, the one that we asked for is taken out again.
        has_context_binding: Whether `context` is a binding's name; then the worker's own
            context is not among the arguments.
        ids: The places of this worker for the invocation's id.
    """

    def __init__(
        self,
        function: Function,
        *,
        wants_context: bool,
        has_context_binding: bool,
        ids: WorkerIds,
    ) -> None:
        self.function = function
        self._key = function.name.lower()
        self._faults = Faults(function.name)
        self._drops_context = not wants_context and not has_context_binding
        self._has_context_binding = has_context_binding
        self._ids = ids
        self._version = -1
        self._watch = Watch(self._faults, limit_s())
        self._plan = plan_calls((), self._faults, self._watch, is_async=function.is_async)
        # Workers themselves set the id of a sync function; of an async one classic does, and the
        # library workers on their native path alone. The thread-local is left alone there: all
        # tasks share the loop's thread.
        self._variable = ids.variable if function.is_async else None

    def wrap(self, function: Callable[..., object]) -> Callable[..., Any]:
        """
        Put the lifecycle around a function.

        The new one has its name, signature and annotations, and is a coroutine or generator
        function if it is, which workers ask about. A function is that at less cost than a proxy,
        where it can be (docs/decisions/002).
        """
        registry.bind(function, self.function.name)
        call = self._call
        if not _is_replaceable(function):
            return _FunctionProxy(function, call)

        @wraps(function)
        def invoke(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(function, None, args, kwargs)
            except BaseException as error:
                leave_out_own_frames(error)
                raise

        vars(invoke)[_CALL_WITH] = partial(call, function, None, ())
        if self.function.is_async and _mark_async is not None:
            _mark_async(invoke)
        return invoke

    def loaded(self) -> None:
        """Call the load hooks of the function's extensions; the app goes on in any case."""
        loaded = partial(registry.loaded, self.function, self._faults)
        guarded(loaded, _logger, "the load hooks of %s did not all run", self.function.name)

    def _call(
        self,
        wrapped: Callable[..., Any],
        _instance: object,
        args: tuple[object, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """
        Call the function, or make its coroutine, as an invocation with the plan that is current.

        One function, as each that runs once per invocation costs 2 to 3 times what it costs in a
        loop (docs/decisions/022).
        """
        function: Callable[..., Any] = wrapped
        try:
            if args:
                function = _by_position(wrapped, args, kwargs)
                kwargs = _named(wrapped, args, kwargs)
            # The worker's context, taken out again where we asked for it.
            context: Context | None = None
            if self._drops_context:
                context = kwargs.pop("context", None)
            elif not self._has_context_binding:
                context = kwargs.get("context")
            if context is None:
                context = self._partial_context()
            version = registry.changes
            try:
                # As `get_application_hooks` and `get_function_hooks` do, without the calls (022)
                # (azure/functions/extension/extension_meta.py, azure-functions 2.3.0).
                app, func = extension_meta._app_exts, extension_meta._func_exts.get(self._key)  # noqa: SLF001
                if app:
                    version += len(app.pre_invocation_app_level)
                if func:
                    version += len(func.pre_invocation)
            except AttributeError:
                version = registry.changes + count_hooks(self._key)
            if version != self._version:
                self._look_up(version)
            read_id = _id.known(type(context)) or _id.inspect(type(context))
            invocation_id = read_id(context)
            if type(invocation_id) is not str:  # a runtime of somebody's
                invocation_id = "" if invocation_id is None else str(invocation_id)
            is_cold_start = bool(cold_start.left) and cold_start.close()
            invocation = Invocation(invocation_id, self.function, kwargs, context, is_cold_start)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever is wrong with us, the app runs)
            return function(**self._own_arguments(kwargs, error))
        drive, observer, name, timed = self._plan
        if timed is not None and self._watch.takes_call():
            observer = timed
        try:
            # A coroutine is returned as it is, as one more is felt, too (022).
            return drive(function, invocation, observer, name, self._faults, self._variable)
        except BaseException as error:
            leave_out_own_frames(error)
            raise

    def _own_arguments(self, kwargs: dict[str, object], error: BaseException) -> dict[str, object]:
        """Report that a call goes on without extensions, and return the function's arguments."""
        self._faults.report("lifecycle", "could not begin", error)
        if self._drops_context:
            kwargs.pop("context", None)
        return kwargs

    def _partial_context(self) -> Context:
        """Find the worker's context elsewhere, or make one of what is known of the call."""
        invocation_id = self._ids.current() or ""
        stored = None if self._ids.contexts is None else self._ids.contexts.get(invocation_id)
        if stored is not None:
            return stored
        return PartialContext(
            invocation_id=invocation_id,
            function_name=self.function.name,
            function_directory=self.function.directory,
            thread_local_storage=self._ids.thread_local,
        )

    def _look_up(self, version: int) -> None:
        """Look the extensions up, as some were registered since the last call."""
        self._watch = Watch(self._faults, limit_s())
        observers = registry.observers(self.function, self._faults)
        is_async = self.function.is_async
        self._plan = plan_calls(observers, self._faults, self._watch, is_async=is_async)
        self._version = version
        registry.report_unmatched()


def _is_replaceable(function: Callable[..., object]) -> bool:
    """Whether another function can be marked as of a function's kind."""
    if type(function) is not FunctionType:
        return False
    flags = function.__code__.co_flags
    if flags & inspect.CO_COROUTINE:
        return _mark_async is not None
    return not flags & _NO_REPLACEMENT


def _named(
    wrapped: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a call by their names."""
    return {**inspect.signature(wrapped).bind_partial(*args).arguments, **kwargs}


def _by_position(
    wrapped: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> Callable[..., object]:
    """
    Return a call with the arguments that came by position, which takes no others.

    Workers call with keywords alone; a runtime of somebody's, or a test, may not. What hooks
    change of the arguments does not reach the function then.
    """
    own = dict(kwargs)

    def call(**_: object) -> object:
        return wrapped(*args, **own)

    return call
