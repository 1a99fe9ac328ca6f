"""Log records below the exported level, which wait until their invocation's outcome is known."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from functools import wraps
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from funcscope.extensions import current_invocation
from funcscope.telemetry._semconv import BUFFER_DROPPED
from funcscope.telemetry._values.limits import MAX_QUEUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from funcscope.extensions import Invocation
    from funcscope.telemetry._logs.records import LogSnapshot

    Export = Callable[[LogSnapshot], object]
    Wants = Callable[[logging.Logger, int], bool]
    _Buffered = tuple["OutcomeBuffer[LogSnapshot]", Export]

ItemT = TypeVar("ItemT")

_KEY = object()
_FAR = 7
"""How many frames there may be between `Logger._log` and what handles its record: wrappers'."""


class OutcomeBuffer(Generic[ItemT]):
    """
    Buffers spans or log records of one invocation until its outcome is known.

    Its threads may outlive the invocation: items they add later follow the decision.

    Args:
        max_items: How many items it holds.
        max_bytes: How many bytes it holds; None where those are not counted here.
        drops_oldest: Whether a full one drops its oldest items; otherwise it refuses new ones.
        on_release: Called with a number of bytes that it holds no longer.
        decision: The decision, where it is made beforehand.

    Attributes:
        decision: Whether its items are exported; None while the outcome is open.
        dropped: How many of the oldest items were dropped.
    """

    def __init__(
        self,
        max_items: int,
        max_bytes: int | None = None,
        *,
        drops_oldest: bool = False,
        on_release: Callable[[int], object] = int,
        decision: bool | None = None,
    ) -> None:
        # Reentrant: a signal's handler may log within, and a finalizer record something.
        self._lock = threading.RLock()
        self._items: deque[tuple[ItemT, int]] = deque()
        self._size = 0
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._drops_oldest = drops_oldest
        self._on_release = on_release
        self.decision = decision
        self.dropped = 0

    def __del__(self) -> None:
        """Release the bytes of items that nobody has decided on."""
        self._on_release(self._size)

    def add(self, item: ItemT, size: int = 0) -> bool | None:
        """Hold an item and return None; otherwise the decision, and False where it is refused."""
        with self._lock:
            if self.decision is not None:
                return self.decision
            if not self._drops_oldest and len(self._items) >= self._max_items:
                return False
            self._items.append((item, size))
            self._size += size
            while self._drops_oldest and self._is_too_full():
                self._size -= self._items.popleft()[1]
                self.dropped += 1
        return None

    def decide(self, decision: bool) -> list[ItemT]:  # noqa: FBT001  (one argument)
        """Note the decision, and hand out all items."""
        with self._lock:
            self.decision = decision
            items = [item for item, _ in self._items]
            self._items.clear()
            size, self._size = self._size, 0
        self._on_release(size)
        return items

    def _is_too_full(self) -> bool:
        is_over = self._max_bytes is not None and self._size > self._max_bytes
        return is_over or len(self._items) > self._max_items


class LogBuffer:
    """
    Buffers records of running invocations, which are exported if those fail.

    Args:
        capacity: How many of each invocation; the oldest are dropped first, and counted. So they
            are where all together have more than 16 MiB.
        export: Takes a record in the end.
    """

    def __init__(self, capacity: int, export: Export) -> None:
        self._capacity = capacity
        self._export = export

    def add(self, record: LogSnapshot) -> None:
        """Buffer a record of the running invocation; outside of any nothing is waited for."""
        invocation = current_invocation()
        if invocation is None:
            return
        buffered = invocation.state.get(_KEY)
        if buffered is None:
            new: _Buffered
            new = OutcomeBuffer(self._capacity, MAX_QUEUE_BYTES, drops_oldest=True), self._export
            buffered = invocation.state.setdefault(_KEY, new)
        buffer, _ = cast("_Buffered", buffered)
        if buffer.add(record, record.size):
            self._export(record)


def release(invocation: Invocation, *, has_failed: bool) -> None:
    """Export the buffered records of an invocation if it failed, and drop them otherwise."""
    buffered = cast("_Buffered | None", invocation.state.get(_KEY))
    if buffered is None:
        return
    buffer, export = buffered
    records = buffer.decide(has_failed)
    if not has_failed or not records:
        return
    if buffer.dropped:
        attributes = {**(records[0].attributes or {}), BUFFER_DROPPED: buffer.dropped}
        records[0] = records[0]._replace(attributes=attributes)
    for record in records:
        export(record)


def discard(invocation: Invocation) -> None:
    """Drop the buffered records of an invocation, in a forked child: its parent releases them."""
    invocation.state.pop(_KEY, None)


class BufferEnabler:
    """
    Enables loggers, for the buffer alone, for records that they would not make otherwise.

    Such a record goes to the buffer and to nothing else: what handlers get stays as it was. It is
    known from others by how it came: its logger is not enabled for its level, now that it is
    handled; it was enabled for the buffer the last time that this thread asked; and the record was
    made by the logger's own `_log`, and not handed over, as by a queue's listener.

    Args:
        is_wanted: Returns whether a logger's records of a level go to the buffer.
    """

    def __init__(self, is_wanted: Wants) -> None:
        self._last = _LastEnabled()
        self._is_wanted = is_wanted
        self._is_enabled = original = logging.Logger.isEnabledFor
        enable_for_buffer = self._enable_for_buffer

        @wraps(original)
        def is_enabled_for(self: logging.Logger, level: int) -> bool:
            return original(self, level) or enable_for_buffer(self, level)

        setattr(logging.Logger, "isEnabledFor", is_enabled_for)  # noqa: B010  (for mypy)

    def has_enabled(self, logger: logging.Logger, record: logging.LogRecord) -> bool:
        """Return whether a record that is handled right now is for the buffer alone."""
        last = self._last
        if (
            last.logger is not logger
            or last.level != record.levelno
            or self._is_enabled(logger, record.levelno)
            or not _is_made_by_its_logger(record)
        ):
            return False
        last.logger = None
        return True

    def _enable_for_buffer(self, logger: logging.Logger, level: int) -> bool:
        try:
            if (
                logger.disabled
                or logger.manager.disable >= level
                or not self._is_wanted(logger, level)
            ):
                return False
        except Exception:  # noqa: BLE001  (a log call never fails because of us)
            return False
        self._last.logger, self._last.level = logger, level
        return True


class _LastEnabled(threading.local):
    """The logger and level that this thread has last enabled for the buffer alone."""

    logger: logging.Logger | None = None
    level = logging.NOTSET


def _is_made_by_its_logger(record: logging.LogRecord) -> bool:
    """Tell whether `Logger._log` has made the record that it hands to `handle` (CPython 3.10+)."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  (as `logging` does)
    for _ in range(_FAR):
        if frame is None:
            return False
        if frame.f_code.co_name == "_log":
            return frame.f_locals.get("record", record) is record
        frame = frame.f_back
    return False
