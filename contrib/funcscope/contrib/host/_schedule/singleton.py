"""
One host of several runs a timer: the one that has its lease.

As in the Functions host (azure-webjobs-sdk, `SingletonListener.cs`), the others wait for it, and
begin where that host has ended. Here, a timer runs although storage does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from funcscope.contrib.host._listeners.listener import Listener
    from funcscope.contrib.host._traces.console import HostConsole

_RENEWED_S = 5.0  # three times within a lease


class HostLease(Protocol):
    """What only one has; all methods raise StorageError where that cannot be told."""

    async def acquire(self) -> bool:
        """Take it; False where another has it."""
        ...

    async def renew(self) -> bool:
        """Keep it, or take it where it could not be told before; False where another has it."""
        ...

    async def release(self) -> None:
        """Leave it to others."""
        ...


class SingletonListener:
    """
    A listener that runs while this host has a lease.

    Args:
        listener: What runs; again from its start where the lease was lost in between.
        lease: The lease.
        console: Where to say who runs it.
        every_s: How often the lease is renewed, and asked for, in seconds.
    """

    def __init__(
        self,
        listener: Listener,
        lease: HostLease,
        console: HostConsole,
        every_s: float = _RENEWED_S,
    ) -> None:
        self.name = listener.name
        self._listener = listener
        self._lease = lease
        self._console = console
        self._every_s = every_s

    async def run(self) -> None:
        """Run the listener until this is cancelled, or it ends."""
        while True:
            await self._acquire()
            running = asyncio.ensure_future(self._listener.run())
            keeping = asyncio.ensure_future(self._keep())
            try:
                await asyncio.wait({running, keeping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                running.cancel()
                await asyncio.wait({running})  # what is in flight is finished under the lease
                keeping.cancel()
                await self._release()
            if not running.cancelled():
                return running.result()
            self._log(f"{self.name} stops here: another host has its lease", logging.WARNING)

    async def _acquire(self) -> None:
        has_waited = False
        try:
            while not await self._lease.acquire():
                if not has_waited:
                    self._log(f"{self.name} waits: another host runs it, or was just killed")
                has_waited = True
                await asyncio.sleep(self._every_s)
        except StorageError as error:
            self._log(f"{self.name} may run on other hosts, too: {error}", logging.WARNING)
        if has_waited:
            self._log(f"{self.name} runs on this host from now on")

    async def _keep(self) -> None:
        """Keep the lease until it is lost."""
        is_ours = True
        while is_ours:
            await asyncio.sleep(self._every_s)
            try:
                is_ours = await self._lease.renew()
            except StorageError:
                continue  # which may answer again, and tells then

    async def _release(self) -> None:
        try:
            await self._lease.release()
        except StorageError:
            return  # it ends by itself

    def _log(self, message: str, level: int = logging.INFO) -> None:
        self._console.log(message, level=level)
