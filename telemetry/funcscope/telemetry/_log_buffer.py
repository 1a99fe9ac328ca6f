"""Log records below the exported level, kept until it is known whether their invocation fails."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextvars import Context, copy_context
from functools import wraps
from typing import TYPE_CHECKING, cast

from funcscope.extensions import current_invocation
from funcscope.telemetry._log_fields import frozen, thawed
from funcscope.telemetry._names import BUFFER_DROPPED
from funcscope.telemetry._record_fields import complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions import Invocation

    Export = Callable[[logging.LogRecord], object]
    Wants = Callable[[logging.Logger, int], bool]

_KEY = object()


class LogBuffer:
    """
    Keeps records of running invocations, each with the context that it was made in.

    Args:
        capacity: How many to keep of each invocation; the oldest go first, and are counted.
        export: Takes a record that `frozen` made.
    """

    def __init__(self, capacity: int, export: Export) -> None:
        self._capacity = capacity
        self._export = export

    def keep(self, record: logging.LogRecord) -> None:
        """Keep a record of the running invocation; outside of any there is nothing to wait for."""
        invocation = current_invocation()
        if invocation is None:
            return
        kept = invocation.state.get(_KEY)
        if kept is None:
            kept = invocation.state.setdefault(_KEY, _Kept(self._capacity, self._export))
        cast("_Kept", kept).add(thawed(frozen(record)))


class _Kept:
    """One invocation's records."""

    def __init__(self, capacity: int, export: Export) -> None:
        self._lock = threading.Lock()
        self._records: deque[tuple[Context, logging.LogRecord]] = deque(maxlen=capacity)
        self._export = export
        self._count = 0
        self._has_failed: bool | None = None

    def add(self, record: logging.LogRecord) -> None:
        """Keep one, as long as the outcome is open; threads may outlive it."""
        with self._lock:
            has_failed = self._has_failed
            if has_failed is None:
                self._records.append((copy_context(), record))
                self._count += 1
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
        dropped = self._count - len(records)
        if dropped:
            records[0][1].__dict__[BUFFER_DROPPED] = dropped
        for context, record in records:
            context.run(self._export, record)


def settle(invocation: Invocation, *, has_failed: bool) -> None:
    """Export what was kept of an invocation if it failed, and forget it otherwise."""
    kept = cast("_Kept | None", invocation.state.get(_KEY))
    if kept is not None:
        kept.settle(has_failed=has_failed)


class _Asked(threading.local):
    """What this thread's logger was last let through for the buffer alone."""

    logger: logging.Logger | None = None
    level = logging.NOTSET


def let_through(keep: Export, is_wanted: Wants) -> None:
    """
    Have loggers make records for the buffer that they would not make otherwise.

    Such a record goes to the buffer and to nothing else: what handlers get stays as it was.

    Args:
        keep: Takes such a record.
        is_wanted: Tells whether a logger's records of a level go to the buffer.
    """
    asked = _Asked()

    def asking(original: Callable[[logging.Logger, int], bool]) -> Callable[..., bool]:
        @wraps(original)
        def is_enabled_for(self: logging.Logger, level: int) -> bool:
            if original(self, level):
                return True
            if self.disabled or self.manager.disable >= level or not is_wanted(self, level):
                return False
            asked.logger, asked.level = self, level
            return True

        return is_enabled_for

    def handling(
        original: Callable[[logging.Logger, logging.LogRecord], None],
    ) -> Callable[..., None]:
        @wraps(original)
        def handle(self: logging.Logger, record: logging.LogRecord) -> None:
            if asked.logger is not self or asked.level != record.levelno:
                original(self, record)
                return
            asked.logger = None
            found = self.filter(record)  # Python 3.12 lets filters return another record
            if found:
                record = found if isinstance(found, logging.LogRecord) else record
                complete(record)
                keep(record)

        return handle

    for name, make in (("isEnabledFor", asking), ("handle", handling)):
        setattr(logging.Logger, name, make(getattr(logging.Logger, name)))
