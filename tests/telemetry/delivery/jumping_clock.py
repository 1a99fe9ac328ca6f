"""
A process whose clocks jump when they are told to, and of which nodes are forked: see `node`.

    python -m tests.telemetry.delivery.jumping_clock ADDRESS

All of its clocks do, for they are replaced before anything of ours has looked at one. Waits of the
system itself, such as those of locks and sockets, are as long as ever.
"""

from __future__ import annotations

import importlib
import sys
import threading  # noqa: F401  (it keeps the true clock)
import time


class JumpingClock:
    """
    The clocks of this process.

    Attributes:
        true_s: The monotonic clock as it was.
    """

    def __init__(self) -> None:
        self.true_s = time.monotonic
        self._monotonic_s = 0.0
        self._wall_ns = 0

    def install(self) -> None:
        """Take the place of the clocks that the product reads."""
        monotonic, wall_ns = time.monotonic, time.time_ns
        time.monotonic = lambda: monotonic() + self._monotonic_s
        time.time_ns = lambda: wall_ns() + self._wall_ns
        time.time = lambda: (wall_ns() + self._wall_ns) / 1e9

    def jump(self, monotonic_s: float, wall_s: float) -> None:
        """Let time pass, or the wall clock be set."""
        self._monotonic_s += monotonic_s
        self._wall_ns += int(wall_s * 1e9)


if __name__ == "__main__":
    clock = JumpingClock()
    clock.install()
    importlib.import_module("tests.telemetry.delivery.node").serve(sys.argv[1], clock)
