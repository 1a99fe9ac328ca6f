"""Items of one signal that wait to be encoded (docs/decisions/026)."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    DropPolicy = Literal["keep_errors", "oldest", "newest"]
    DropReason = Literal["queue_full", "shutdown"]

_NO_ROOM_NEEDED = 0
_PATIENCE = 32
_RARELY = 64


class Queue:
    """
    Takes items from any thread, in well under a microsecond, and never blocks or raises.

    A busy app has the interpreter for 5 ms (`sys.getswitchinterval()`) each time that the thread
    which takes items has to wait for it, and would drop what that thread could have sent. So a
    `put` offers it the interpreter once the queue is half full; now and then only, while nothing
    is taken: to offer it may cost 5 ms, too, and a destination that hangs is not helped.

    Items are kept without a lock, for `deque.append` and `popleft` are atomic; counting what
    is dropped takes a reentrant one. So a signal handler or a finalizer that interrupts a
    `put` can put, too. Threads that put at the same moment may pass the capacity by one item
    each.

    Args:
        capacity: How many items it holds.
        policy: What goes first when it is full: the `oldest`; the `newest`, which is not let
            in; or with `keep_errors` the oldest that is no error, and the oldest error only
            to let in another.
        batch_size: How many items make it call `on_batch_ready`.
        on_batch_ready: Called by `put`, quickly, while there are more; and by the first after
            `pause`.
    """

    def __init__(
        self,
        capacity: int,
        policy: DropPolicy,
        *,
        batch_size: int,
        on_batch_ready: Callable[[], object] = lambda: None,
    ) -> None:
        self._capacity = capacity
        self._keeps_errors = policy == "keep_errors"
        self._is_least_new = policy == "newest"
        self._batch_size = min(batch_size, capacity)
        self._offer_from = max(batch_size, capacity // 2)
        self._on_batch_ready = on_batch_ready
        self._is_closed = False
        self.reset()

    def __len__(self) -> int:
        return len(self._others) + len(self._errors)

    @property
    def dropped(self) -> dict[DropReason, int]:
        """How many items were dropped, by reason."""
        with self._lock:
            return {reason: number for reason, number in self._dropped.items() if number}

    def put(self, item: object, is_error: bool = False) -> bool:  # noqa: FBT001, FBT002  (hot path)
        """Add an item; what the policy says is dropped if there is no room. Tell if it is in."""
        size = len(self._others) + len(self._errors)
        if size >= self._check_from and not self._admits(size, is_error):
            return False
        if is_error and self._keeps_errors:
            self._errors.append(item)
        else:
            self._others.append(item)
        return True

    def take(self, number: int) -> list[object]:
        """Remove up to so many items: the errors that are kept apart, then the oldest."""
        items: list[object] = []
        self._unanswered = 0
        for waiting in (self._errors, self._others):
            try:
                while len(items) < number:
                    items.append(waiting.popleft())
            except IndexError:
                pass
        return items

    def pause(self) -> None:
        """Have the next `put` call `on_batch_ready`, however few items there are."""
        self._check_from = _NO_ROOM_NEEDED

    def close(self) -> None:
        """Take no more: what is put from now on is dropped, and counted."""
        self._is_closed = True
        self._check_from = _NO_ROOM_NEEDED

    def reset(self) -> None:
        """Forget all items, in a forked child: they are its parent's to send."""
        self._others: deque[object] = deque()
        self._errors: deque[object] = deque()
        self._lock = threading.RLock()
        self._dropped: dict[DropReason, int] = {"queue_full": 0, "shutdown": 0}
        self._unanswered = 0  # offers since something was taken
        self.pause()

    def _admits(self, size: int, is_error: bool) -> bool:  # noqa: FBT001  (hot path)
        """Handle a size from which a `put` has more to do; False where the item may not come in."""
        if self._is_closed:
            self._count("shutdown", 1)
            return False
        self._check_from = self._batch_size
        if size >= self._capacity:
            if self._is_least(is_error):
                self._count("queue_full", 1)
                return False
            self._make_room()
        self._on_batch_ready()
        if size >= self._offer_from:
            self._unanswered += 1
            if self._unanswered <= _PATIENCE or not self._unanswered % _RARELY:
                time.sleep(0)  # lets the thread that takes items have the interpreter, if it waits
        return True

    def _is_least(self, is_error: bool) -> bool:  # noqa: FBT001  (hot path)
        """Tell whether a new item is what goes first."""
        return self._is_least_new or (self._keeps_errors and not is_error and not self._others)

    def _make_room(self) -> None:
        dropped = 0
        # Asked anew each time: a size that was read while others put may be far too large.
        while len(self._others) + len(self._errors) >= self._capacity:
            dropped += self._drop_first() is not None
        if dropped:
            self._count("queue_full", dropped)

    def _drop_first(self) -> object | None:
        try:
            return (self._others or self._errors).popleft()
        except IndexError:  # another thread was quicker
            return None

    def _count(self, reason: DropReason, number: int) -> None:
        with self._lock:
            self._dropped[reason] += number


class WeighedQueue(Queue):
    """
    A queue that holds so many bytes, too.

    What items weigh is added up without waiting for anybody, so it may be off by what threads put
    at the same moment, until the queue is empty again.

    Args:
        max_bytes: How many bytes they may have together; one that has more is let in alone.
        weigh: Tells how many an item has, about.
        others: As for `Queue`.
    """

    _bytes: int = 0

    def __init__(
        self, *args: Any, max_bytes: int, weigh: Callable[[object], int], **others: Any
    ) -> None:
        self._max_bytes = max_bytes
        self._weigh = weigh
        super().__init__(*args, **others)

    def put(self, item: object, is_error: bool = False) -> bool:  # noqa: FBT001, FBT002  (as `Queue`)
        """Add an item; what the policy says is dropped if there is no room."""
        weight = self._weigh(item)
        if self._bytes + weight > self._max_bytes and not self._has_room_for(weight, is_error):
            return False
        self._bytes += weight
        is_in = super().put(item, is_error)
        if not is_in:
            self._bytes -= weight
        return is_in

    def take(self, number: int) -> list[object]:
        """Remove up to so many items, as `Queue` does."""
        items = super().take(number)
        self._bytes = max(0, self._bytes - sum(map(self._weigh, items))) if len(self) else 0
        return items

    def reset(self) -> None:
        """Forget all items, in a forked child."""
        super().reset()
        self._bytes = 0

    def _has_room_for(self, weight: int, is_error: bool) -> bool:  # noqa: FBT001  (as `put`)
        """Drop what goes first until there is room, and tell whether that is not the new item."""
        while self._bytes + weight > self._max_bytes and len(self):
            is_least = self._is_least(is_error)
            if is_least or self._drop_first() is not None:
                self._count("queue_full", 1)
            if is_least:
                return False
        return True

    def _drop_first(self) -> object | None:
        item = super()._drop_first()
        if item is not None:
            self._bytes -= self._weigh(item)
        return item
