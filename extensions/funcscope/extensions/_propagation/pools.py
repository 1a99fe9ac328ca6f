"""Carry an invocation into the calls that `multiprocessing.pool.ThreadPool` makes."""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from funcscope.extensions._propagation.carried import Carried

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from contextvars import Context

    from funcscope.extensions._invocation import Invocation

    Method = Callable[..., Any]  # of a pool: each returns something else
    Arguments = tuple[tuple[Any, ...], dict[str, Any]]
    Change = Callable[[Invocation, tuple[Any, ...], dict[str, Any]], Arguments]

_EAGER = ("apply_async", "map", "map_async", "starmap", "starmap_async")
_LAZY = ("imap", "imap_unordered")
_CALLS = {0, 3, 4}
"""Where all that have them take `func`, `callback` and `error_callback` (multiprocessing/pool.py,
CPython 3.10 to 3.14)."""
_NAMES = {"func", "callback", "error_callback"}


def carry_into_pools(
    carried: Callable[[], tuple[Context, Invocation] | None],
) -> Mapping[str, Callable[[Method], Method]]:
    """
    Return what makes a method of `ThreadPool` one that carries, by its name.

    Args:
        carried: Tells what a call is to be carried into, if there is anything.
    """

    def making(change: Change) -> Callable[[Method], Method]:
        def make(original: Method) -> Method:
            def method(self: object, /, *args: Any, **kwargs: Any) -> Any:
                found = carried()
                if found is not None:
                    with suppress(Exception):  # it is for the original to judge what it gets
                        args, kwargs = change(found[1], args, kwargs)
                return original(self, *args, **kwargs)

            return method

        return make

    return {
        **dict.fromkeys(_EAGER, making(_change_calls)),
        **dict.fromkeys(_LAZY, making(_change_items)),
    }


def _change_calls(invocation: Invocation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Have what is called, and called back, run in the invocation."""
    return (
        [_carry(invocation, arg) if at in _CALLS else arg for at, arg in enumerate(args)],
        {name: _carry(invocation, arg) if name in _NAMES else arg for name, arg in kwargs.items()},
    )


def _change_items(invocation: Invocation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Have what is called run in the invocation, and what is taken be taken there."""
    changed = {"func": _carry, "iterable": _iterate}
    return (
        [change(invocation, arg) for change, arg in zip(changed.values(), args, strict=False)]
        + list(args[2:]),
        {name: changed.get(name, _leave)(invocation, arg) for name, arg in kwargs.items()},
    )


def _leave(_: Invocation, arg: object) -> object:
    return arg


def _carry(invocation: Invocation, call: object) -> object:
    """Return a callable that runs in the invocation; what is none stays as it is."""
    return Carried(copy_context(), invocation, call) if callable(call) else call


def _iterate(invocation: Invocation, iterable: Any) -> Iterable[object]:  # an app's own
    """Take items, which a thread of the pool does when it gets there, in the invocation."""
    context = copy_context()

    def items() -> Generator[object]:
        iterator, end = Carried(context, invocation, iter)(iterable), object()
        take = Carried(context, invocation, next)
        while (item := take(iterator, end)) is not end:
            yield item

    return cast("Iterable[object]", items())
