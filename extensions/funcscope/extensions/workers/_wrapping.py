"""A user's function as a worker calls it, with the lifecycle around it."""

from __future__ import annotations

import inspect
import itertools
import logging
from typing import TYPE_CHECKING, cast

import wrapt

from funcscope.extensions._async_hooks import drive_awaiting
from funcscope.extensions._errors import Faults
from funcscope.extensions._hooks import Level
from funcscope.extensions._invocation import Context, Function, Invocation, PartialContext
from funcscope.extensions._lifecycle import Wrapper, drive, drive_async
from funcscope.extensions._registry import registry
from funcscope.extensions._watch import Watch, limit_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from funcscope.extensions.workers._ids import InvocationIds

    _Base = wrapt.FunctionWrapper[..., object]
else:
    _Base = wrapt.FunctionWrapper

_logger = logging.getLogger("funcscope.extensions")
_started = itertools.count()  # the process's, as a cold start is


class InvocationWrapper(_Base):
    """
    A registered function; in all but its being called it is the user's own.

    As a transparent proxy it keeps name, signature, annotations, and whether it is a
    coroutine or generator function, which the worker asks about.
    """


class Lifecycle:
    """
    Turns each call that a worker makes of one function into an invocation.

    Args:
        function: What is called.
        wants_context: Whether the user's function has a `context` parameter that the worker
            fills; where it has none, the one that we asked for is taken out again.
        has_context_binding: Whether `context` is a binding's name; then the worker's own
            context cannot be had.
        ids: Where this worker's log stream looks for the invocation id.
    """

    def __init__(
        self,
        function: Function,
        *,
        wants_context: bool,
        has_context_binding: bool,
        ids: InvocationIds,
    ) -> None:
        self.function = function
        self._faults = Faults(function.name)
        self._drops_context = not wants_context and not has_context_binding
        self._has_context_binding = has_context_binding
        self._ids = ids
        self._version: tuple[int, ...] = ()
        self._plan = _Plan((), self._faults)
        self._calls = itertools.count()

    def wrap(self, function: Callable[..., object]) -> InvocationWrapper:
        """Put the lifecycle around a function."""
        registry.bind(function, self.function.name)
        if inspect.iscoroutinefunction(function):
            return InvocationWrapper(function, self._call_async)
        return InvocationWrapper(function, self._call)

    def loaded(self) -> None:
        """Tell the extensions that the function was loaded."""
        registry.loaded(self.function, self._faults)

    def _call(
        self,
        wrapped: Callable[..., object],
        _instance: object,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> object:
        invocation = self._begin(wrapped, args, kwargs)
        return drive(wrapped, invocation, self._current_plan().wrappers, self._faults)

    async def _call_async(
        self,
        wrapped: Callable[..., object],
        _instance: object,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> object:
        function = cast("Callable[..., Awaitable[object]]", wrapped)
        invocation = self._begin(wrapped, args, kwargs)
        plan = self._current_plan()
        with self._ids.in_task(invocation.id):
            if plan.layers is not None:
                return await drive_awaiting(function, invocation, plan.layers, self._faults)
            call = next(self._calls)
            is_watched = call < _WATCHED_FIRST or call % _WATCHED_EVERY == 0
            wrappers = plan.watched if is_watched else plan.wrappers
            return await drive_async(function, invocation, wrappers, self._faults)

    def _begin(
        self,
        wrapped: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> Invocation:
        arguments = dict(kwargs)
        if args:  # workers call with keywords alone: a runtime of somebody's, or a test
            arguments.update(inspect.signature(wrapped).bind_partial(*args).arguments)
        context = self._context(arguments)
        return Invocation(
            id=context.invocation_id,
            function=self.function,
            args=arguments,
            context=context,
            is_cold_start=next(_started) == 0,
        )

    def _context(self, arguments: dict[str, object]) -> Context:
        """Find the worker's context, taking it from the arguments where we asked for it."""
        if not self._has_context_binding:
            take = arguments.pop if self._drops_context else arguments.get
            given = take("context", None)
            if given is not None:
                return cast("Context", given)
        return PartialContext(
            invocation_id=self._ids.current() or "",
            function_name=self.function.name,
            function_directory=self.function.directory,
            thread_local_storage=self._ids.thread_local,
        )

    def _current_plan(self) -> _Plan:
        """Look the extensions up again only when some were registered since the last call."""
        version = registry.version(self.function.name)
        if version != self._version:
            self._plan = _Plan(registry.layers(self.function, self._faults), self._faults)
            self._version = version
            registry.report_unmatched()
        return self._plan


_WATCHED_FIRST, _WATCHED_EVERY = 16, 64
"""Which calls of an async function are looked at for hooks that block the loop."""


class _Plan:
    """
    What runs around a function's calls.

    Attributes:
        wrappers: All of it, outermost first.
        watched: The same, timed, for calls on the event loop.
        layers: The same, where hooks have to be awaited; None where none has.
    """

    __slots__ = ("layers", "watched", "wrappers")

    def __init__(self, layers: Sequence[Wrapper | Level], faults: Faults) -> None:
        watch = Watch(faults, limit_s())
        awaits = any(isinstance(layer, Level) and layer.are_async for layer in layers)
        timed = [
            watch.level(layer) if isinstance(layer, Level) else watch.wrapper(layer)
            for layer in layers
        ]
        self.layers = timed if awaits else None
        self.wrappers = _as_wrappers(layers)
        self.watched = _as_wrappers(timed)


def _as_wrappers(layers: Sequence[Wrapper | Level]) -> tuple[Wrapper, ...]:
    return tuple(
        Wrapper("standard hooks", layer.around) if isinstance(layer, Level) else layer
        for layer in layers
    )


def qualified_name(function: Callable[..., object]) -> str:
    """Return `module.qualname` of a function, as far as it has them."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if module else str(name)
