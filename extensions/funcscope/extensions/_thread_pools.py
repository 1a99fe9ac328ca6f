"""Carry an invocation into the calls that `multiprocessing.pool.ThreadPool` makes."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from funcscope.extensions._carried import Carried, within

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from funcscope.extensions._invocation import Invocation

    Method = Callable[..., Any]  # of a pool: each returns something else

_EAGER = ("apply_async", "map", "map_async", "starmap", "starmap_async")
_LAZY = ("imap", "imap_unordered")


def carry_into_pools(
    carried: Callable[[], Invocation | None],
) -> Mapping[str, Callable[[Method], Method]]:
    """
    Return what makes a method of `ThreadPool` one that carries, by its name.

    Args:
        carried: Tells the invocation to carry, if there is one.
    """

    def eager(original: Method) -> Method:
        def method(self: object, func: Method, *args: Any, **kwargs: Any) -> Any:
            invocation = carried()
            if invocation is None:
                return original(self, func, *args, **kwargs)

            def carry(call: object) -> object:
                return Carried(copy_context(), invocation, call) if callable(call) else call

            # `callback` and `error_callback` are the fourth and fifth argument of all that
            # have them (multiprocessing/pool.py, CPython 3.10 to 3.14).
            for name in kwargs.keys() & {"callback", "error_callback"}:
                kwargs[name] = carry(kwargs[name])
            return original(self, carry(func), *args[:2], *map(carry, args[2:]), **kwargs)

        return method

    def lazy(original: Method) -> Method:
        def method(self: object, func: Method, iterable: Any, *args: Any, **kwargs: Any) -> Any:
            invocation = carried()
            if invocation is not None:
                func = Carried(copy_context(), invocation, func)
                iterable = _iterate(invocation, iterable)
            return original(self, func, iterable, *args, **kwargs)

        return method

    return {**dict.fromkeys(_EAGER, eager), **dict.fromkeys(_LAZY, lazy)}


def _iterate(invocation: Invocation, iterable: Iterable[object]) -> Iterable[object]:
    """Take items, which a thread of the pool does, in the invocation."""
    context, iterator = copy_context(), iter(iterable)

    def items() -> Generator[object]:
        end = object()
        while (item := context.run(within, invocation, next, iterator, end)) is not end:
            yield item

    return cast("Iterable[object]", items())
