"""
Invocations that are about to be killed are told of: their spans so far, and where they are.

docs/decisions/046 says why.
"""

from __future__ import annotations

import logging
import time
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.trace import ReadableSpan

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import adopt, frames_in_flight, guarded, in_flight, look
from funcscope.telemetry._context import INVOCATION_SPAN
from funcscope.telemetry._spans.readable import unfinished_span
from funcscope.telemetry._values.exceptions import stack_text
from funcscope.telemetry._values.limits import text_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import FrameType

    from opentelemetry.sdk.trace import Span

    from funcscope.extensions import Invocation
    from funcscope.telemetry._recording.active import ActiveSession

_DUE, _TOLD = object(), object()
_UNTOLD = "what is about to be killed is not told of"

_logger = logging.getLogger("funcscope.telemetry")
_exported_logger = logging.getLogger("funcscope.invocations")  # as the other one's records are not


def watch(
    after_s: float,
    tell: Callable[[Iterable[Invocation]], object],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[float]:
    """
    Tell of invocations that have run so long; yield in how many seconds the next may have.

    They began when their spans did, as far as that clock has not jumped since the last look.
    """
    looked_at_s = float("-inf")
    while True:
        now_ns, now_s = time.time_ns(), clock()
        due_s: dict[Invocation, float] = {}
        for invocation in in_flight():
            span = _open_span(invocation)
            ran_s = 0.0 if span is None else (now_ns - (span.start_time or 0)) / 1e9
            began_s = min(max(now_s - ran_s, looked_at_s), now_s)
            first_due_s = invocation.state.setdefault(_DUE, began_s + after_s)
            due_s[invocation] = cast("float", first_due_s)
        guarded(partial(tell, [i for i, at_s in due_s.items() if at_s <= now_s]), _logger, _UNTOLD)
        looked_at_s = now_s
        yield min([after_s, *(at_s - now_s for at_s in due_s.values() if at_s > now_s)])


def tell_of(active: ActiveSession | None, ending: str, invocations: Iterable[Invocation]) -> None:
    """
    Send the spans of invocations as they are so far, and warn of each; of none twice.

    The spans come first, as a handler of the app's that takes the warnings may block.
    """
    if active is None or active.spans is None or active.spans.redacting is None:
        return  # they are not ours to send
    spans: dict[Invocation, Span] = {}
    for invocation in invocations:
        span, claim = _open_span(invocation), object()
        if span is not None and invocation.state.setdefault(_TOLD, claim) is claim:
            spans[invocation] = span
            send = partial(_send, active, invocation, span)
            guarded(partial(Context().run, send), _logger, _UNTOLD)
    frames: dict[Invocation, Sequence[FrameType]] = {}
    if spans:
        guarded(lambda: frames.update(frames_in_flight()), _logger, "functions are not found")
    for invocation, span in spans.items():
        warn = partial(_warn, invocation, span, frames.get(invocation, ()), ending)
        guarded(partial(Context().run, warn), _logger, _UNTOLD)
    if spans and active.send_soon is not None:
        active.send_soon()


def _open_span(invocation: Invocation) -> Span | None:
    """Return an invocation's span if it is recorded and has not ended."""
    span = invocation.state.get(INVOCATION_SPAN)
    is_open = isinstance(span, ReadableSpan) and span.end_time is None
    return cast("Span", span) if is_open else None


def _enter(invocation: Invocation) -> bool:
    """Be in an invocation from now on, for the worker's log stream, too; False if it has ended."""
    storage: Any = look(invocation.context, "thread_local_storage")
    if storage is not None:
        storage.invocation_id = invocation.id  # Microsoft's recipe for threads
    adopt(invocation.id)
    return current_invocation() is invocation


def _send(active: ActiveSession, invocation: Invocation, span: Span) -> None:
    if active.spans is not None and _enter(invocation):
        if active.awaits_outcome:
            active.decide(invocation, span, 0.0, has_failed=True)
        active.spans.put_unfinished(unfinished_span(span, time.time_ns()))


def _warn(invocation: Invocation, span: Span, frames: Sequence[FrameType], ending: str) -> None:
    logger, level = _exported_logger, logging.WARNING
    if _enter(invocation) and logger.isEnabledFor(level):
        ran_s = (time.time_ns() - (span.start_time or 0)) / 1e9
        args = invocation.function_name, ran_s, ending
        stack = stack_text(frames, text_limit()) if frames else None
        text = "%s has run for %.1f s, and %s"
        made = logger.makeRecord(logger.name, level, __file__, 0, text, args, None, sinfo=stack)
        logger.handle(made)
