"""Calls that run on another thread, in the invocation that they were made in."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from funcscope.extensions._errors import leave_out_own_frames
from funcscope.extensions._runtime import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from funcscope.extensions._invocation import Invocation


class ContextCall:
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
        """Make the call, in a copy of the context."""
        try:
            return self._context.copy().run(
                run_in_invocation, self._invocation, self._call, *args, **kwargs
            )
        except BaseException as error:
            leave_out_own_frames(error)
            raise


def run_in_invocation(
    invocation: Invocation, call: Callable[..., object], /, *args: object, **kwargs: object
) -> object:
    """
    Make a call on this thread with the worker's thread-local set, and put that back after.

    On the event loop's thread, which all tasks share, the thread-local is left alone. What the call
    raises passes as it is, without a frame of ours.
    """
    storage, previous = None, None
    try:
        if running_loop() is None:
            storage = invocation.context.thread_local_storage
        if storage is not None:
            previous = cast("str | None", getattr(storage, "invocation_id", None))
            storage.invocation_id = invocation.id
    except Exception:  # noqa: BLE001  (an app's call does not depend on the worker's log stream)
        storage = None
    try:
        return call(*args, **kwargs)
    except BaseException as error:
        leave_out_own_frames(error)
        raise
    finally:
        if storage is not None:
            with suppress(Exception):
                storage.invocation_id = previous
