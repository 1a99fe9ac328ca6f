"""
Decide at an invocation's end whether to export its spans and log records, all or none.

docs/decisions/017 and docs/decisions/047 say why.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, cast

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import lock_of, reset_after_fork
from funcscope.telemetry._logs.buffer import OutcomeBuffer
from funcscope.telemetry._values.limits import MAX_QUEUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import SpanContext

    from funcscope.extensions import Invocation

    Put = Callable[[object, bool], object]
    Weigh = Callable[[object], int]
    _PutAfter = Callable[[object, bool, object], object]
    # With what takes it after a threshold, and what counts it if it is sampled out.
    _Item = tuple[_PutAfter, Callable[[], object], object, bool]
    _Buffer = OutcomeBuffer[_Item]

_KEY, _THRESHOLD = object(), object()
MAX_ITEMS = 5000
"""How many spans and log records of one invocation wait for its end at most, for each place that
they are sent to."""


class TailSampler:
    """
    Samples what failed, what was slow, and a ratio of all others.

    Args:
        ratio: Of the others, from 0 to 1: by the trace's randomness, so that instances and services
            which decide so sample the same traces. Spans tell of it.
        slower_s: Longer invocations are sampled, in seconds; None where that is no reason.
        max_bytes: How many bytes wait of all invocations together at most.
    """

    def __init__(
        self, ratio: float, slower_s: float | None = None, max_bytes: int = MAX_QUEUE_BYTES
    ) -> None:
        # Not at the top: they are made of the SDK, which `import funcscope.auto` leaves alone.
        from funcscope.telemetry._spans.readable import note_stage
        from funcscope.telemetry._spans.sampling import Ratio

        self._note_stage = note_stage
        self._ratio, self._all = Ratio.of(ratio), Ratio(0)
        self._slower_s = slower_s
        self._lock = lock_of(self, make=threading.RLock)  # a finalizer may record something within
        self._sampled_out: dict[str, int] = {}
        self._destinations: Counter[str] = Counter()
        self._max_items = MAX_ITEMS
        self._max_bytes = max_bytes
        self._bytes = 0
        reset_after_fork(self._begin_again)

    @property
    def sampled_out(self) -> Mapping[str, int]:
        """How many spans and log records were sampled out, by signal, of however many places."""
        with self._lock:
            return dict(self._sampled_out)

    def buffering(self, signal: str, put: Put, weigh: Weigh | None = None) -> Put:
        """
        Return what takes items of a signal in `put`'s place; of all its places, each has one.

        Args:
            signal: Which signal.
            put: Takes what is sampled.
            weigh: Tells how many bytes an item has, about; None where they are not counted.
        """
        self._destinations[signal] += 1
        is_counted = self._destinations[signal] == 1
        self._max_items = MAX_ITEMS * max(self._destinations.values())

        def sample_out() -> None:
            if is_counted:
                self._count_out(signal)

        def put_after(item: object, is_error: bool, threshold: object) -> None:  # noqa: FBT001
            if signal == "traces" and isinstance(threshold, int):
                self._note_stage(item, threshold)
            put(item, is_error)

        def buffer(item: object, is_error: bool) -> None:  # noqa: FBT001  (as `put`)
            invocation = current_invocation()
            if invocation is None:
                put(item, is_error)
                return
            waiting = cast("_Buffer | None", invocation.state.get(_KEY))
            if waiting is None:
                waiting = cast("_Buffer", invocation.state.setdefault(_KEY, self._new_buffer()))
            size = 0 if weigh is None else weigh(item)
            has_room = not size or self._reserve(size)
            decision: bool | None = bool(waiting.decision)
            if has_room:
                decision = waiting.add((put_after, sample_out, item, is_error), size)
            if decision is None:
                return
            if has_room:
                self._give_back(size)
            if decision:
                put_after(item, is_error, invocation.state.get(_THRESHOLD))
            else:
                sample_out()

        return buffer

    def decide(
        self, invocation: Invocation, span: SpanContext, duration_s: float, *, has_failed: bool
    ) -> None:
        """Decide on an invocation; what comes later of it follows, and one that is kept stays."""
        is_slow = self._slower_s is not None and duration_s > self._slower_s
        buffer = cast("_Buffer", invocation.state.setdefault(_KEY, self._new_buffer()))
        is_kept = has_failed or is_slow or bool(buffer.decision)
        # Where there is no trace, nothing says which part it would be in.
        ratio = self._all if is_kept or not span.is_valid else self._ratio
        is_sampled = ratio.samples(span.trace_id, span.trace_state)
        invocation.state[_THRESHOLD] = ratio.threshold  # before what comes later asks for it
        for put_after, sample_out, item, is_error in buffer.decide(is_sampled):
            if is_sampled:
                put_after(item, is_error, ratio.threshold)
            else:
                sample_out()

    def _new_buffer(self) -> _Buffer:
        return OutcomeBuffer(self._max_items, on_release=self._give_back)

    def _begin_again(self) -> None:
        self._sampled_out = {}
        self._bytes = 0

    def _reserve(self, size: int) -> bool:
        with self._lock:
            has_room = self._bytes + size <= self._max_bytes
            self._bytes += size if has_room else 0
        return has_room

    def _give_back(self, size: int) -> None:
        if size:
            with self._lock:
                self._bytes = max(0, self._bytes - size)

    def _count_out(self, signal: str) -> None:
        with self._lock:
            self._sampled_out[signal] = self._sampled_out.get(signal, 0) + 1


def sample_all(invocation: Invocation) -> None:
    """
    Sample all that is recorded of an invocation in this process, a child of the one it runs in.

    A child does not see how the invocation ends, and ends before it: nothing of one that is sampled
    may be missing (docs/decisions/028).
    """
    buffer: _Buffer = OutcomeBuffer(0, decision=True)
    invocation.state[_KEY] = buffer
