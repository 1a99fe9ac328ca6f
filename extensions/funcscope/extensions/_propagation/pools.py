"""Carry an invocation into the calls that `multiprocessing.pool.ThreadPool` makes."""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from funcscope.extensions._propagation.carried import ContextCall

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
_NAMES = {"func", "callback", "error_callback"}
"""The arguments that are called, by position and name (multiprocessing/pool.py, 3.10 to 3.14)."""


def carry_into_pools(
    carried: Callable[[], tuple[Context, Invocation] | None],
) -> Mapping[str, Callable[[Method], Method]]:
    """
    Return, by its name, what changes a method of `ThreadPool` into one that carries invocations.

    Args:
        carried: Returns the context and invocation to carry a call into; None where there is none.
    """

    def making(change: Change) -> Callable[[Method], Method]:
        def make(original: Method) -> Method:
            def method(self: object, /, *args: Any, **kwargs: Any) -> Any:
                current = carried()
                if current is not None:
                    with suppress(Exception):  # it is for the original to judge its arguments
                        args, kwargs = change(current[1], args, kwargs)
                return original(self, *args, **kwargs)

            return method

        return make

    return {
        **dict.fromkeys(_EAGER, making(_change_calls)),
        **dict.fromkeys(_LAZY, making(_change_items)),
    }


def _change_calls(invocation: Invocation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Have the call and its callbacks run in the invocation."""
    return (
        [_carry(invocation, arg) if at in _CALLS else arg for at, arg in enumerate(args)],
        {name: _carry(invocation, arg) if name in _NAMES else arg for name, arg in kwargs.items()},
    )


def _change_items(invocation: Invocation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Have the call run in the invocation, and its items be taken there."""
    changed = {"func": _carry, "iterable": _iterate}
    return (
        [change(invocation, arg) for change, arg in zip(changed.values(), args, strict=False)]
        + list(args[2:]),
        {name: changed.get(name, _leave)(invocation, arg) for name, arg in kwargs.items()},
    )


def _leave(_: Invocation, arg: object) -> object:
    return arg


def _carry(invocation: Invocation, call: object) -> object:
    """Return a callable that runs in the invocation; anything else as it is."""
    return ContextCall(copy_context(), invocation, call) if callable(call) else call


def _iterate(invocation: Invocation, iterable: Any) -> Iterable[object]:  # an app's own
    """Take items in the invocation, on whichever thread of the pool does so."""
    context = copy_context()

    def items() -> Generator[object]:
        iterator, end = ContextCall(context, invocation, iter)(iterable), object()
        take = ContextCall(context, invocation, next)
        while (item := take(iterator, end)) is not end:
            yield item

    return cast("Iterable[object]", items())
