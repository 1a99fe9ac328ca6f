"""A call that runs elsewhere, in the invocation that it was made in."""

from __future__ import annotations

# The public one raises where there is none, at ten times the cost.
from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage]
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from funcscope.extensions._invocation import Invocation


class Carried:
    """
    A callable that runs in an invocation and its context, from whatever threads it is called.

    Args:
        context: A copy of the context to run in; each call gets a copy of its own, as a context
            cannot be entered twice at a time.
        invocation: The invocation.
        call: What to call.
    """

    __slots__ = ("_call", "_context", "_invocation")

    def __init__(
        self, context: Context, invocation: Invocation, call: Callable[..., object]
    ) -> None:
        self._context = context
        self._invocation = invocation
        self._call = call

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call it."""
        return self._context.copy().run(within, self._invocation, self._call, *args, **kwargs)


def within(
    invocation: Invocation, call: Callable[..., object], /, *args: object, **kwargs: object
) -> object:
    """
    Run a call on this thread with the worker's thread-local set, and put it back after.

    On the event loop's thread, which all tasks share, the thread-local is left alone.
    """
    storage = invocation.context.thread_local_storage
    if storage is None or _get_running_loop() is not None:
        return call(*args, **kwargs)
    before = cast("str | None", getattr(storage, "invocation_id", None))
    storage.invocation_id = invocation.id
    try:
        return call(*args, **kwargs)
    finally:
        storage.invocation_id = before


def on_new_thread(invocation: Invocation, call: Callable[[], object]) -> None:
    """Do what `within` does where nothing has to be put back, as the thread ends with the call."""
    storage = invocation.context.thread_local_storage
    if storage is not None:
        storage.invocation_id = invocation.id
    call()
