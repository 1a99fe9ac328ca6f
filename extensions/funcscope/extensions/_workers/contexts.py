"""
The worker's own contexts, where the function does not get them as an argument.

A binding named `context`, as all orchestrators and entities have, takes the name of the worker's
argument. The worker makes its context nevertheless, with the host's trace context in it. The
trigger's metadata reaches no function at all.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from funcscope.extensions._invocation import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions._invocation import Context, Function

    Wrapped = Callable[..., object]
    Wrapper = Callable[[Wrapped, object, tuple[Any, ...], Mapping[str, Any]], object]

_WITH_METADATA = frozenset({"activityTrigger"})


class Contexts:
    """
    Keeps the contexts of some functions' invocations, as long as the worker itself keeps them.

    Args:
        hook: Hooks what makes them, with `keep`, and what decodes inputs, with `note_metadata`;
            called when the first function needs that.
    """

    def __init__(self, hook: Callable[[Contexts], None]) -> None:
        self._hook = hook
        self._names: set[str] = set()
        self._kept: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._decoded = _Decoded()

    def watch(self, function: Function, *, has_context_binding: bool) -> None:
        """Keep a function's contexts from now on, if it has no other way to what they say."""
        trigger = function.trigger
        is_told = trigger is not None and trigger.type in _WITH_METADATA
        if not (has_context_binding or is_told):
            return
        if not self._names:
            self._hook(self)
        self._names.add(function.name)

    def of(self, invocation_id: str) -> Context | None:
        """Return the context of a running invocation, None where it was not kept."""
        return self._kept.get(invocation_id)

    def keep(
        self,
        wrapped: Wrapped,
        _instance: object,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> object:
        """Call what makes a context of a request, and keep it."""
        context = cast("Any", wrapped(*args, **kwargs))
        decoded, self._decoded.metadata = self._decoded.metadata, None
        # A worker's objects may be others one day: its invocation goes on then.
        with suppress(Exception):
            if context.function_name in self._names:
                request = args[0] if args else None
                metadata = getattr(request, "trigger_metadata", None) or decoded
                vars(context)[METADATA] = metadata
                self._kept[context.invocation_id] = context
        return context

    def note_metadata(
        self,
        wrapped: Wrapped,
        _instance: object,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> object:
        """
        Call `_decode_inputs(fi, inputs, trigger_metadata)`, and note the last.

        On the native paths the request that a context is made of has no metadata; the same thread
        decodes the inputs just before (`native_invocation.py`, azure-functions-runtime 1.3.0).
        """
        self._decoded.metadata = args[2] if len(args) > 2 else kwargs.get("trigger_metadata")
        return wrapped(*args, **kwargs)


class _Decoded(threading.local):
    """The metadata of what this thread decoded last."""

    metadata: Mapping[str, object] | None = None
