"""Log records below the exported level, kept until it is known whether their invocation fails."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from functools import wraps
from typing import TYPE_CHECKING, cast

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

_KEY = object()
_FAR = 8
"""How many frames there may be between `Logger._log` and what handles its record: wrappers'."""


class LogBuffer:
    """
    Keeps records of running invocations.

    Args:
        capacity: How many to keep of each invocation; the oldest go first, and are counted. So
            they do where all together have more than 16 MiB.
        export: Takes a record in the end.
    """

    def __init__(self, capacity: int, export: Export) -> None:
        self._capacity = capacity
        self._export = export

    def keep(self, record: LogSnapshot) -> None:
        """Keep a record of the running invocation; outside of any there is nothing to wait for."""
        invocation = current_invocation()
        if invocation is None:
            return
        kept = invocation.state.get(_KEY)
        if kept is None:
            kept = invocation.state.setdefault(_KEY, _Kept(self._capacity, self._export))
        cast("_Kept", kept).add(record)


class _Kept:
    """One invocation's records."""

    def __init__(self, capacity: int, export: Export) -> None:
        self._lock = threading.RLock()  # a signal's handler may log, too
        self._records: deque[LogSnapshot] = deque()
        self._capacity = capacity
        self._export = export
        self._size = 0
        self._dropped = 0
        self._has_failed: bool | None = None

    def add(self, record: LogSnapshot) -> None:
        """Keep one, as long as the outcome is open; threads may outlive it."""
        with self._lock:
            has_failed = self._has_failed
            if has_failed is None:
                self._records.append(record)
                self._size += record.size
                while len(self._records) > self._capacity or self._size > MAX_QUEUE_BYTES:
                    self._size -= self._records.popleft().size
                    self._dropped += 1
        if has_failed:
            self._export(record)

    def settle(self, *, has_failed: bool) -> None:
        """Export all, or none."""
        with self._lock:
            self._has_failed = has_failed
            records = list(self._records)
            self._records.clear()
        if not has_failed or not records:
            return
        if self._dropped:
            first = records[0]
            attributes = {**(first.attributes or {}), BUFFER_DROPPED: self._dropped}
            records[0] = first._replace(attributes=attributes)
        for record in records:
            self._export(record)


def settle(invocation: Invocation, *, has_failed: bool) -> None:
    """Export what was kept of an invocation if it failed, and forget it otherwise."""
    kept = cast("_Kept | None", invocation.state.get(_KEY))
    if kept is not None:
        kept.settle(has_failed=has_failed)


def forget(invocation: Invocation) -> None:
    """Forget what was kept of an invocation, in a forked child: it is its parent's to settle."""
    invocation.state.pop(_KEY, None)


class LetThrough:
    """
    Has loggers make records for the buffer that they would not make otherwise.

    Such a record goes to the buffer and to nothing else: what handlers get stays as it was. It is
    told from others by how it came: its logger is not enabled for its level, now that it is
    handled; the last time that this thread asked it was let through for the buffer; and it was made
    by the logger's own `_log`, and not handed over, as by a queue's listener.

    Args:
        is_wanted: Tells whether a logger's records of a level go to the buffer.
    """

    def __init__(self, is_wanted: Wants) -> None:
        self._asked = _Asked()
        self._is_wanted = is_wanted
        self._is_enabled: Callable[[logging.Logger, int], bool] | None = None

    def start(self) -> None:
        """Do so from now on."""
        self._is_enabled = original = logging.Logger.isEnabledFor
        lets_through = self._lets_through

        @wraps(original)
        def is_enabled_for(self: logging.Logger, level: int) -> bool:
            return original(self, level) or lets_through(self, level)

        setattr(logging.Logger, "isEnabledFor", is_enabled_for)  # noqa: B010  (for mypy)

    def takes(self, logger: logging.Logger, record: logging.LogRecord) -> bool:
        """Tell whether a record that is handled right now is for the buffer alone."""
        asked = self._asked
        if asked.logger is not logger or asked.level != record.levelno:
            return False
        if self._is_enabled is None or self._is_enabled(logger, record.levelno):
            return False
        if not _is_made_by_its_logger(record):
            return False
        asked.logger = None
        return True

    def _lets_through(self, logger: logging.Logger, level: int) -> bool:
        try:
            if (
                logger.disabled
                or logger.manager.disable >= level
                or not self._is_wanted(logger, level)
            ):
                return False
        except Exception:  # noqa: BLE001  (a log call never fails because of us)
            return False
        self._asked.logger, self._asked.level = logger, level
        return True


class _Asked(threading.local):
    """What this thread's logger was last let through for the buffer alone."""

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
