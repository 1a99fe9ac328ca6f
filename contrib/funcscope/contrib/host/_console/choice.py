"""
Which requests are written as trees, and which as lines.

docs/decisions/061 says why.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from funcscope.contrib.host._console.allowance import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.contrib.host._traces.traces import Trace

MODES: Final = ("auto", "all", "errors", "slow", "none")
"""What `--traces` takes."""

SLOW_S: Final = 1.0
"""From how long on a request is slow."""


class TreeChoice:
    """
    Decides for each trace whether it is written as a tree.

    By `auto`, it is where it failed, was slow, or ran alone, but not more than a few in a few
    seconds: one request is seen whole, and many are a line each. By `errors`, every trace that
    failed is a tree; by `slow`, every one that failed or was slow.

    Args:
        mode: One of `MODES`.
        clock: Monotonic seconds.
    """

    def __init__(self, mode: str = "auto", clock: Callable[[], float] = time.monotonic) -> None:
        self.mode = mode
        self._allowance = Allowance(clock)

    def wants_tree(self, trace: Trace) -> bool:
        """Tell whether a trace is written as a tree; in `auto` mode, that counts as written."""
        if self.mode in ("all", "none"):
            return self.mode == "all"
        is_failed = trace.is_failed
        if self.mode == "errors":
            return is_failed
        is_slow = trace.duration_s >= SLOW_S
        if self.mode == "slow":
            return is_failed or is_slow
        return (is_failed or is_slow or not trace.is_crowded) and self._allowance.take()
