"""The part of a program in which a span is current, in whichever order and contexts it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry.context import Context

from funcscope.telemetry._context import SPAN_KEY, attach_context, current_context

if TYPE_CHECKING:
    from opentelemetry.trace import Span

SCOPE_KEY = "funcscope-span-scope"
"""Where a context has its innermost scope."""


class SpanScope:
    """
    Makes a span current, until it is closed.

    OpenTelemetry's token of a context can be given back in that context alone, and puts back what
    was current when it was taken, whatever has ended since. A generator's steps run in whichever
    context asks for the next one, and generators in step end in any order. So a scope knows what
    was current before it, is found in the context, and takes itself out of the scopes that are
    open there; where it is not among them, there is nothing to put back.

    Args:
        span: The span.
        parent: What else is current with it; None for what is current now.
    """

    __slots__ = ("_previous",)

    def __init__(self, span: Span, parent: Context | None = None) -> None:
        self._previous: Context | None = current_context()
        known = self._previous if parent is None else parent
        attach_context(Context({**known, SPAN_KEY: span, SCOPE_KEY: self}))

    def close(self) -> None:
        """Make current again what was, where this is still current; once."""
        previous, self._previous = self._previous, None  # or what follows one another piles up
        scope = _innermost(current_context())
        if previous is None or scope is None:
            return
        if scope is self:
            attach_context(previous)
            return
        while scope is not None and (outer := scope._previous) is not None:  # noqa: SLF001
            within = _innermost(outer)
            if within is self:
                scope._previous = previous  # noqa: SLF001
                return
            scope = within


def _innermost(context: Context) -> SpanScope | None:
    return cast("SpanScope | None", context.get(SCOPE_KEY))
