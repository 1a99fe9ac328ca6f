"""Waiting between polls that find nothing."""

from __future__ import annotations

import random


class PollBackoff:
    """
    Delays that double from 0.1 s up to a maximum, each a little random.

    As in azure-sdk-for-net, `RandomizedExponentialBackoffStrategy.cs`: a fifth more or less.
    """

    def __init__(self, maximum_s: float) -> None:
        self._maximum_s = maximum_s
        self._delay_s = _LEAST_S

    def reset(self) -> None:
        """Begin anew, as something has been found."""
        self._delay_s = _LEAST_S

    def next_s(self) -> float:
        """Return how long to wait now, in seconds."""
        delay_s = self._delay_s * random.uniform(0.8, 1.2)  # noqa: S311 -- no secret
        self._delay_s = min(self._delay_s * 2, self._maximum_s)
        return min(delay_s, self._maximum_s)


_LEAST_S = 0.1
