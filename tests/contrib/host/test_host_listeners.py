"""Listeners start functions by themselves from when the app is served until the host stops."""

from __future__ import annotations

import asyncio
import io

from rich.console import Console

from funcscope.contrib.host._listeners.lifetime import Listeners
from funcscope.contrib.host._traces.console import HostConsole


class Slow:
    """A listener with one call in flight, which needs `finish` before it ends."""

    name = "queue 'orders' of function 'save'"

    def __init__(self) -> None:
        self.is_stopping, self.finish = asyncio.Event(), asyncio.Event()
        self.has_finished = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.is_stopping.set()
            await self.finish.wait()
            self.has_finished = True


class Broken:
    """A listener that ends by an error."""

    name = "queue 'lost' of function 'drop'"

    async def run(self) -> None:
        raise ValueError("no such queue")


def silent() -> tuple[HostConsole, io.StringIO]:
    """Make a console that writes into a buffer."""
    written = io.StringIO()
    return HostConsole(Console(file=written, width=200)), written


def test_what_is_in_flight_is_finished_before_the_end() -> None:
    """Stops are told to listeners at once, and over when their calls are."""

    async def scenario() -> Slow:
        listeners, slow = Listeners(silent()[0]), Slow()
        listeners.start([slow])
        await asyncio.sleep(0)  # its task begins
        listeners.stop()
        await slow.is_stopping.wait()
        listeners.stop()  # as each part of the host does that is told to stop
        drained = asyncio.create_task(listeners.drain())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not drained.done()
        slow.finish.set()
        await drained
        return slow

    assert asyncio.run(scenario()).has_finished


def test_a_listener_that_fails_is_named_and_the_others_go_on() -> None:
    """One that ends by an error costs the app that one, with a line that says which and why."""
    console, written = silent()

    async def scenario() -> None:
        listeners, slow = Listeners(console), Slow()
        listeners.start([Broken(), slow])
        while not written.getvalue():
            await asyncio.sleep(0)
        assert not slow.is_stopping.is_set()
        slow.finish.set()
        listeners.stop()
        await listeners.drain()

    asyncio.run(scenario())

    line = "queue 'lost' of function 'drop' starts no more functions: ValueError: no such queue"
    assert line in written.getvalue()
