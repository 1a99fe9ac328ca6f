"""Whether an event loop runs on this thread, asked once per thread, pool call and id."""

from __future__ import annotations

import asyncio
from asyncio import events
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _look_up() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


# The public one raises where there is none, at ten times the cost.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = getattr(
    events, "_get_running_loop", _look_up
)
"""Return the event loop that runs on this thread; None where none does."""
