"""The life of an app's listeners: from when requests are served until the host stops."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from funcscope.contrib.host._listeners.listener import Listener
    from funcscope.contrib.host._traces.console import HostConsole


class Listeners:
    """
    Runs listeners on the event loop, each in a task of its own.

    Args:
        console: Gets a line for a listener that ends by an error; the others go on.
    """

    def __init__(self, console: HostConsole) -> None:
        self._console = console
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: list[asyncio.Task[None]] = []  # those of them that are not told to stop

    def start(self, listeners: Iterable[Listener]) -> None:
        """Start to listen; called on the event loop."""
        tasks = [asyncio.create_task(self._run(listener)) for listener in listeners]
        self._tasks += tasks
        self._listening += tasks

    def stop(self) -> None:
        """Have them take nothing more, however often; `drain` waits for what is in flight."""
        tasks, self._listening = self._listening, []
        for task in tasks:  # once: another cancellation would end the wait for what is in flight
            task.cancel()

    async def drain(self) -> None:
        """Wait until all have ended."""
        tasks, self._tasks = self._tasks, []
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, listener: Listener) -> None:
        try:
            await listener.run()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others go on
            message = f"{listener.name} starts no more functions: {type(error).__name__}: {error}"
            self._console.log(message, level=logging.ERROR)
