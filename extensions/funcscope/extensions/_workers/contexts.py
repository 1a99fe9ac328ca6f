"""
The worker's own contexts, for functions that do not get them as an argument.

A binding named `context`, as all orchestrators and entities have, takes the name of the worker's
argument. The worker makes its context nevertheless, with the host's trace context in it. The
trigger's metadata reaches no function at all.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from funcscope.extensions._errors import leave_out_own_frames
from funcscope.extensions._invocation import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions._invocation import Context, Function
    from funcscope.extensions._runtime import Args, Kwargs, Wrapped

_WITH_METADATA = frozenset({"activityTrigger"})


class ContextCache:
    """
    The contexts of some functions' invocations, for as long as the worker itself has them.

    Args:
        hook: Has the worker make contexts through `store`, and decode inputs through
            `store_metadata`; called when the first function needs that.
    """

    def __init__(self, hook: Callable[[ContextCache], None]) -> None:
        self._hook = hook
        self._names: set[str] = set()
        self._contexts: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._decoded = _Decoded()

    def watch(self, function: Function, *, has_context_binding: bool) -> None:
        """Store a function's contexts from now on, if it does not get them or their metadata."""
        trigger = function.trigger
        needs_metadata = trigger is not None and trigger.type in _WITH_METADATA
        if not (has_context_binding or needs_metadata):
            return
        if not self._names:
            self._hook(self)
        self._names.add(function.name)

    def get(self, invocation_id: str) -> Context | None:
        """Return the context of a running invocation, None where it was not stored."""
        return self._contexts.get(invocation_id)

    def store(self, wrapped: Wrapped, _: object, args: Args, kwargs: Kwargs) -> object:
        """Call the function that makes a context of a request, and store what it returns."""
        context: Any
        try:
            context = wrapped(*args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise
        decoded, self._decoded.metadata = self._decoded.metadata, None
        # A worker's objects may be others one day: its invocation goes on then.
        with suppress(Exception):
            if context.function_name in self._names:
                request = args[0] if args else None
                metadata = getattr(request, "trigger_metadata", None) or decoded
                vars(context)[METADATA] = metadata
                self._contexts[context.invocation_id] = context
        return context

    def store_metadata(self, wrapped: Wrapped, _: object, args: Args, kwargs: Kwargs) -> object:
        """
        Call `_decode_inputs(fi, inputs, trigger_metadata)`, and store the last for the thread.

        On the native paths the request that a context is made of has no metadata; the same thread
        decodes the inputs just before (`native_invocation.py`, azure-functions-runtime 1.3.0).
        """
        self._decoded.metadata = args[2] if len(args) > 2 else kwargs.get("trigger_metadata")
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:
            leave_out_own_frames(error)
            raise


class _Decoded(threading.local):
    """The metadata of the inputs that this thread decoded last."""

    metadata: Mapping[str, object] | None = None
