"""The functions of running invocations where they are: on threads, and in tasks that wait."""

from __future__ import annotations

import asyncio
import sys
from itertools import chain
from traceback import walk_stack
from typing import TYPE_CHECKING, Any

from funcscope.extensions._lifecycle.drivers import drive, drive_async, drive_awaiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import FrameType

    from funcscope.extensions._invocation import Invocation

_DRIVERS = {each.__code__ for each in (drive, drive_async, drive_awaiting)}
_LOOP = asyncio.BaseEventLoop.run_forever.__code__


def frames_in_flight() -> dict[Invocation, Sequence[FrameType]]:
    """
    Return the frames of the running functions, the outermost first, by their invocations.

    Nothing is noted when a function is called: its driver's frame tells whose it is. An async
    function that waits is shown down to what it awaits: a task or future of its own is not
    followed, nor are tasks of another event loop than asyncio's.
    """
    found: dict[Invocation, Sequence[FrameType]] = {}
    tops = sys._current_frames().values()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    threads = [[frame for frame, _ in walk_stack(top)] for top in tops]
    for frames in chain(threads, _waiting(threads)):
        for place, frame in enumerate(frames):
            if frame.f_code in _DRIVERS:
                found.setdefault(frame.f_locals["invocation"], frames[:place][::-1])
    return found


def _waiting(threads: Iterable[Sequence[FrameType]]) -> Iterator[list[FrameType]]:
    """List the frames of each task, the innermost first, of the loops that run on threads."""
    for frame in chain.from_iterable(threads):
        if frame.f_code is _LOOP:
            for task in asyncio.all_tasks(frame.f_locals["self"]):
                yield list(_awaited(task.get_coro()))[::-1]


def _awaited(waits: Any) -> Iterator[FrameType]:
    """List the frames of a coroutine, or of a generator in its place, and of what it awaits."""
    while frame := getattr(waits, "cr_frame", getattr(waits, "gi_frame", None)):
        yield frame
        waits = getattr(waits, "cr_await", getattr(waits, "gi_yieldfrom", None))
