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
from funcscope.extensions.integration import (
    adopt,
    frames_in_flight,
    guarded,
    in_flight,
    log_quietly,
    look,
)
from funcscope.telemetry._context import INVOCATION_SPAN
from funcscope.telemetry._spans.readable import unfinished_span
from funcscope.telemetry._values.exceptions import stack_text
from funcscope.telemetry._values.limits import text_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import FrameType

    from opentelemetry.sdk.trace import Span

    from funcscope.extensions import Invocation
    from funcscope.telemetry._recording.active import ActiveSession

    Tell = Callable[[Iterable[Invocation], str], object]

_DUE, _TOLD = object(), object()
"""Keys of an invocation's state: when it is to be told of, and who does."""
_UNTOLD = "it is not told of %r, which is about to be killed"

_logger = logging.getLogger("funcscope.telemetry")
# The other one's records are not exported.
_invocations_logger = logging.getLogger("funcscope.invocations")


class TimeoutWatch:
    """
    Looks for invocations whose time-out is near.

    Args:
        after_s: How long an invocation has run when it is told of, in seconds.
        left_s: How long it may still run then.
        tell: Is given them, and how they will end.
        clock: Seconds that go on evenly.
    """

    def __init__(
        self,
        after_s: float,
        left_s: float,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._after_s = after_s
        self._ending = f"its time-out ends it in {left_s:.1f} s"
        self._tell = tell
        self._clock = clock
        self._looked_at_s = float("-inf")

    def look(self) -> float:
        """Tell of those that are due; return in how many seconds the next may be."""
        now_ns, now_s = time.time_ns(), self._clock()
        due = {each: self._due_s(each, now_s, now_ns) for each in in_flight()}
        self._looked_at_s = now_s
        if told := [invocation for invocation, due_s in due.items() if due_s <= now_s]:
            self._tell(told, self._ending)
        return min([self._after_s, *(due_s - now_s for due_s in due.values() if due_s > now_s)])

    def run(self) -> None:
        """Look whenever one may be due."""
        while True:
            wait_s = self._after_s
            try:
                wait_s = self.look()
            except Exception:
                _logger.exception("invocations whose time-out is near are not told of")
            time.sleep(wait_s)

    def _due_s(self, invocation: Invocation, now_s: float, now_ns: int) -> float:
        """Return when an invocation is due: its start is the span's, however that clock jumps."""
        span = _open_span(invocation)
        began_s = now_s if span is None else now_s - (now_ns - (span.start_time or 0)) / 1e9
        began_s = min(max(began_s, self._looked_at_s), now_s)
        return cast("float", invocation.state.setdefault(_DUE, began_s + self._after_s))


def tell_of(active: ActiveSession, invocations: Iterable[Invocation], ending: str) -> None:
    """
    Send the spans of invocations as they are so far, and warn of each; of none twice.

    The spans come first, as a handler of the app's that takes the warnings may block. All of it is
    sent soon.

    Args:
        active: The telemetry that has started.
        invocations: Those that are about to be killed; only of spans that are ours to send.
        ending: How they will end.
    """
    put = None if active.pipeline is None else active.pipeline.put_unfinished
    if put is None:
        return
    spans = {
        invocation: span
        for invocation in invocations
        if (span := _open_span(invocation)) is not None and _claim(invocation)
    }
    for invocation, span in spans.items():
        send = partial(_send, active, invocation, span, put)
        guarded(partial(Context().run, send), _logger, _UNTOLD, invocation)
    frames = _frames() if spans else {}
    for invocation, span in spans.items():
        warn = partial(_warn, invocation, span, frames.get(invocation, ()), ending)
        guarded(partial(Context().run, warn), _logger, _UNTOLD, invocation)
    if spans and active.send_soon is not None:
        active.send_soon()


def _frames() -> Mapping[Invocation, Sequence[FrameType]]:
    """Return where functions are; of none where that cannot be told."""
    try:
        return frames_in_flight()
    except Exception as error:  # noqa: BLE001  (an event loop that is not asyncio's)
        log_quietly(_logger, logging.WARNING, "where functions are cannot be told", error=error)
        return {}


def _open_span(invocation: Invocation) -> Span | None:
    """Return an invocation's span if it is recorded and has not ended; a foreign one is not."""
    span = invocation.state.get(INVOCATION_SPAN)
    is_open = isinstance(span, ReadableSpan) and span.end_time is None
    return cast("Span", span) if is_open else None


def _claim(invocation: Invocation) -> bool:
    claim = object()
    return invocation.state.setdefault(_TOLD, claim) is claim


def _enter(invocation: Invocation) -> bool:
    """Be in an invocation from now on, for the worker's log stream, too; False if it has ended."""
    storage: Any = look(invocation.context, "thread_local_storage")
    if storage is not None:
        storage.invocation_id = invocation.id  # Microsoft's recipe for threads
    adopt(invocation.id)
    return current_invocation() is invocation


def _send(
    active: ActiveSession,
    invocation: Invocation,
    span: Span,
    put: Callable[[ReadableSpan], object],
) -> None:
    if not _enter(invocation):
        return
    if active.awaits_outcome:
        active.decide(invocation, span, 0.0, has_failed=True)
    put(unfinished_span(span, time.time_ns()))


def _warn(invocation: Invocation, span: Span, frames: Sequence[FrameType], ending: str) -> None:
    if not (_enter(invocation) and _invocations_logger.isEnabledFor(logging.WARNING)):
        return
    ran_s = (time.time_ns() - (span.start_time or 0)) / 1e9
    args = invocation.function_name, ran_s, ending
    stack = stack_text(frames, text_limit()) if frames else None
    message = "%s has run for %.1f s, and %s"
    _invocations_logger.handle(
        _invocations_logger.makeRecord(
            _invocations_logger.name, logging.WARNING, __file__, 0, message, args, None, sinfo=stack
        )
    )
