"""Decide at an invocation's end whether to keep its spans and log records, all or none."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, cast

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import lock_of, reset_after_fork
from funcscope.telemetry._values.limits import MAX_QUEUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions import Invocation

    Put = Callable[[object, bool], object]
    Weigh = Callable[[object], int]
    # With what counts it if it is left out, and how many bytes it has.
    _Item = tuple[Put, Callable[[], object], object, bool, int]

_KEY = object()
_LIMIT = (1 << 64) - 1  # a trace id's lower half, as OpenTelemetry's ratio sampler takes it
MOST_HELD = 5000
"""How many spans and log records of one invocation wait for its end at most, for each place that
they are sent to."""


class KeptInvocations:
    """
    Keeps what failed, what was slow, and a part of the rest.

    Args:
        ratio: Of the rest, from 0 to 1: by trace id, so that services which decide so keep the
            same traces.
        slower_s: What ran longer is kept; None where that is no reason.
        max_bytes: How many bytes wait of all invocations together at most.
    """

    def __init__(
        self, ratio: float, slower_s: float | None = None, max_bytes: int = MAX_QUEUE_BYTES
    ) -> None:
        self._bound = round(ratio * (_LIMIT + 1))
        self._slower_s = slower_s
        self._lock = lock_of(self, make=threading.RLock)  # a finalizer may record something within
        self._left_out: dict[str, int] = {}
        self._destinations: Counter[str] = Counter()
        self._most = MOST_HELD
        self._max_bytes = max_bytes
        self._bytes = 0
        reset_after_fork(self._begin_again)

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many spans and log records were left out, by signal, of however many places."""
        with self._lock:
            return dict(self._left_out)

    def holding(self, signal: str, put: Put, weigh: Weigh | None = None) -> Put:
        """
        Return what takes items of a signal in `put`'s place; of all its places, each has one.

        Args:
            signal: Which signal.
            put: Takes what is kept.
            weigh: Tells how many bytes an item has, about; None where they are not counted.
        """
        self._destinations[signal] += 1
        is_counted = self._destinations[signal] == 1
        self._most = MOST_HELD * max(self._destinations.values())

        def leave_out() -> None:
            if is_counted:
                self._leave_out(signal)

        def hold(item: object, is_error: bool) -> None:  # noqa: FBT001  (as `put`)
            invocation = current_invocation()
            if invocation is None:
                put(item, is_error)
                return
            held = invocation.state.get(_KEY)
            if held is None:
                held = invocation.state.setdefault(_KEY, _Held(self._release))
            weight = 0 if weigh is None else weigh(item)
            has_room = not weight or self._reserve(weight)
            waiting = put, leave_out, item, is_error, weight
            outcome = cast("_Held", held).add(waiting, self._most if has_room else 0)
            if outcome is None:
                return
            if weight and has_room:
                self._release(weight)
            if outcome:
                put(item, is_error)
            else:
                leave_out()

        return hold

    def settle(
        self, invocation: Invocation, trace_id: int, duration_s: float, *, has_failed: bool
    ) -> None:
        """Decide on an invocation that has ended; what comes later of it follows."""
        is_slow = self._slower_s is not None and duration_s > self._slower_s
        is_kept = has_failed or is_slow or trace_id & _LIMIT < self._bound
        held = cast("_Held", invocation.state.setdefault(_KEY, _Held(self._release)))
        for put, leave_out, item, is_error, weight in held.settle(is_kept=is_kept):
            if weight:
                self._release(weight)
            if is_kept:
                put(item, is_error)
            else:
                leave_out()

    def _begin_again(self) -> None:
        self._left_out = {}
        self._bytes = 0

    def _reserve(self, weight: int) -> bool:
        with self._lock:
            has_room = self._bytes + weight <= self._max_bytes
            self._bytes += weight if has_room else 0
        return has_room

    def _release(self, weight: int) -> None:
        with self._lock:
            self._bytes = max(0, self._bytes - weight)

    def _leave_out(self, signal: str) -> None:
        with self._lock:
            self._left_out[signal] = self._left_out.get(signal, 0) + 1


def keep_all(invocation: Invocation) -> None:
    """
    Keep all that is recorded of an invocation in this process, a child of the one that it runs in.

    A child does not see how the invocation ends, and ends before it: nothing of one that is kept
    may be missing (docs/decisions/028).
    """
    invocation.state[_KEY] = _Held(is_kept=True)


class _Held:
    """One invocation's spans and log records."""

    def __init__(
        self, release: Callable[[int], object] = int, *, is_kept: bool | None = None
    ) -> None:
        self._release = release
        # A finalizer may record something within. In a forked child, `keep_all` puts another here.
        self._lock = threading.RLock()
        self._items: list[_Item] = []
        self._is_kept = is_kept

    def __del__(self) -> None:
        """Give back the room of what nobody has settled."""
        self._release(sum(weight for *_, weight in self._items))

    def add(self, item: _Item, most: int) -> bool | None:
        """Hold an item; return the decision where there is one, and False where it is too much."""
        with self._lock:
            if self._is_kept is not None:
                return self._is_kept
            if len(self._items) >= most:
                return False
            self._items.append(item)
            return None

    def settle(self, *, is_kept: bool) -> list[_Item]:
        """Note the decision, and hand out what waited for it."""
        with self._lock:
            self._is_kept = is_kept
            items, self._items = self._items, []
            return items
