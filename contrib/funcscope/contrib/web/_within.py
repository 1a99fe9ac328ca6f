"""Running what is awaited in another context, step by step and on the task that awaits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator
    from contextvars import Context

T = TypeVar("T")


class Within(Generic[T]):
    """
    Awaits something in a context.

    Args:
        context: The context; nothing else may run in it meanwhile.
        awaitable: What is awaited, once.
    """

    def __init__(self, context: Context, awaitable: Awaitable[T]) -> None:
        self._context = context
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, T]:
        """Hand on what it waits for, and what comes of that."""
        run = self._context.run
        steps: Any = run(self._awaitable.__await__)
        try:
            waits_for = run(next, steps)
            while True:
                try:
                    came = yield waits_for
                except GeneratorExit:
                    run(steps.close)
                    raise
                except BaseException as error:  # noqa: BLE001  (all of them are handed on)
                    waits_for = run(steps.throw, error)
                else:
                    waits_for = run(steps.send, came)
        except StopIteration as stop:
            value: T = stop.value
            return value


class IteratorWithin(Generic[T]):
    """
    Iterates something in a context.

    Args:
        context: The context; nothing else may run in it meanwhile.
        iterator: What is iterated.
    """

    def __init__(self, context: Context, iterator: AsyncIterator[T]) -> None:
        self._context = context
        self._iterator = iterator

    def __getattr__(self, name: str) -> object:
        """Have what the iterator has, such as `aclose`."""
        return getattr(self._iterator, name)

    def __aiter__(self) -> IteratorWithin[T]:
        return self

    def __anext__(self) -> Within[T]:
        return Within(self._context, self._context.run(self._iterator.__anext__))


class CallWithin:
    """
    Calls a coroutine function in a context.

    Args:
        context: The context; nothing else may run in it meanwhile.
        function: The function.
    """

    def __init__(self, context: Context, function: Callable[..., Awaitable[object]]) -> None:
        self._context = context
        self._function = function

    def __getattr__(self, name: str) -> object:
        """Have what the function has."""
        return getattr(self._function, name)

    async def __call__(self, *args: object, **kwargs: object) -> object:
        """Call it."""
        return await Within(self._context, self._context.run(self._function, *args, **kwargs))
