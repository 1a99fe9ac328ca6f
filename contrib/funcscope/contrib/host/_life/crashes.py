"""
How often a worker's process may end by itself.

Azure's host starts it again, too, until it has failed three times within 30 minutes
(azure-functions-host, `RpcFunctionInvocationDispatcher.cs`).
"""

from __future__ import annotations

from collections import deque

MOST = 3
WITHIN_S = 60.0
_PAUSES_S = (0.0, 1.0)


class Crashes:
    """The last crashes; without a clock: times are passed in."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST)

    def add(self, now: float) -> float | None:
        """
        Count a crash.

        Returns:
            How long to wait before the next start, None where it is enough.
        """
        self._times.append(now)
        recent = [time for time in self._times if now - time < WITHIN_S]
        return None if len(recent) == MOST else _PAUSES_S[len(recent) - 1]

    def forget(self) -> None:
        """Begin to count anew: the app has changed."""
        self._times.clear()
