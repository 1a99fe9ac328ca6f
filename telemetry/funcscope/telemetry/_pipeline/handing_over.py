"""What the SDK's processors of ours do alike: they hand over to the courier."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[object, bool], object]
    Flush = Callable[[float], bool]
    Close = Callable[[], object]

SHUTDOWN_S = 10.0
"""How long a provider that the app shuts down waits for what it has; the SDK waits 30 s."""


class HandingOver:
    """
    What both processors do alike.

    Args:
        put: Takes a span or a record, and whether it tells of an error.
        flush: Sends what was taken, within seconds; tells whether that was all.
        close: Lets `put` take no more.
    """

    def __init__(self, put: Put, flush: Flush, close: Close) -> None:
        self._put = put
        self._flush = flush
        self._close = close

    def shutdown(self) -> None:
        """Send what was taken, and take no more."""
        self._flush(SHUTDOWN_S)
        self._close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what was taken."""
        return self._flush(timeout_millis / 1000)
