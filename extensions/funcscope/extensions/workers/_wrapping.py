"""A user's function as a worker calls it, with the lifecycle around it."""

from __future__ import annotations

import inspect
import itertools
import logging
from typing import TYPE_CHECKING, cast

import wrapt

from funcscope.extensions._async_hooks import drive_awaiting
from funcscope.extensions._errors import Faults
from funcscope.extensions._hooks import Level, drive_hooks, drive_hooks_async
from funcscope.extensions._invocation import Context, Function, Invocation, PartialContext
from funcscope.extensions._lifecycle import Wrapper, drive, drive_async
from funcscope.extensions._registry import registry
from funcscope.extensions._watch import Watch, limit_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

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
        self._version = -1
        self._plan = _Plan((), None)
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
        kwargs: dict[str, object],
    ) -> object:
        invocation = self._begin(wrapped, args, kwargs)
        plan = self._current_plan()
        if plan.levels is not None:
            return drive_hooks(wrapped, invocation, plan.levels)
        return drive(wrapped, invocation, plan.wrappers, self._faults)

    async def _call_async(
        self,
        wrapped: Callable[..., object],
        _instance: object,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> object:
        function = cast("Callable[..., Awaitable[object]]", wrapped)
        invocation = self._begin(wrapped, args, kwargs)
        plan = self._current_plan()
        call = next(self._calls)
        if call < _WATCHED_FIRST or call % _WATCHED_EVERY == 0:
            plan = plan.watched
        token = self._ids.enter_task(invocation.id)
        try:
            if plan.awaited is not None:
                return await drive_awaiting(function, invocation, plan.awaited, self._faults)
            if plan.levels is not None:
                return await drive_hooks_async(function, invocation, plan.levels)
            return await drive_async(function, invocation, plan.wrappers, self._faults)
        finally:
            self._ids.leave_task(token)

    def _begin(
        self,
        wrapped: Callable[..., object],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Invocation:
        if args:  # workers call with keywords alone: a runtime of somebody's, or a test
            kwargs.update(inspect.signature(wrapped).bind_partial(*args).arguments)
        context = self._context(kwargs)
        is_cold_start = next(_started) == 0
        return Invocation(context.invocation_id, self.function, kwargs, context, is_cold_start)

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
            watch = Watch(self._faults, limit_s()) if self.function.is_async else None
            self._plan = _Plan(registry.layers(self.function, self._faults), watch)
            self._version = version
            registry.report_unmatched()
        return self._plan


_WATCHED_FIRST, _WATCHED_EVERY = 16, 64
"""Which calls of an async function are looked at for hooks that block the loop."""


class _Plan:
    """
    What runs around a function's calls; the first of these that is not None applies.

    Attributes:
        awaited: All of it, outermost first, where hooks have to be awaited.
        levels: The standard hooks, where there is nothing else.
        wrappers: All of it, outermost first.
        watched: The same plan, timed, for calls on the event loop.
    """

    __slots__ = ("awaited", "levels", "watched", "wrappers")

    def __init__(self, layers: Sequence[Wrapper | Level], watch: Watch | None) -> None:
        levels = [layer for layer in layers if isinstance(layer, Level)]
        self.awaited = layers if any(level.are_async for level in levels) else None
        self.levels = levels if len(levels) == len(layers) else None
        self.wrappers = tuple(
            Wrapper("standard hooks", layer.around) if isinstance(layer, Level) else layer
            for layer in layers
        )
        self.watched = self if watch is None else _Plan([watch.layer(x) for x in layers], None)


def qualified_name(function: Callable[..., object]) -> str:
    """Return `module.qualname` of a function, as far as it has them."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if module else str(name)
