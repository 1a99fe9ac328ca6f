"""
Messages of a queue, from when they are taken until they are deleted or given up.

The rules are those of azure-sdk-for-net, `QueueListener.cs` and `QueueProcessor.cs`. The one
difference is the time for which a message is taken: half a minute in the place of ten, as a local
host is killed often, and its messages shall come back soon (decision 057).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.host._listeners.backoff import PollBackoff
from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from funcscope.contrib.host._storage.options import QueueOptions
    from funcscope.contrib.host._storage.queues import StorageQueue, TakenMessage
    from funcscope.contrib.host._traces.console import HostConsole

    Handler: TypeAlias = Callable[[TakenMessage, bytes], Awaitable[bool]]
    """Handles a message with its body, and tells whether that has worked."""

TAKEN_S = 30
_RENEWED_S = 10.0


class MessageListener:
    """
    Takes a queue's messages and has them handled, several at once.

    Args:
        name: As messages name it.
        queue: Where they come from.
        poison: Where those go that have failed too often; None leaves them where they are.
        handle: Handles one.
        options: How many, how often, how long.
        console: Where to say what goes wrong.
    """

    def __init__(
        self,
        name: str,
        queue: StorageQueue,
        poison: StorageQueue | None,
        handle: Handler,
        options: QueueOptions,
        console: HostConsole,
    ) -> None:
        self.name = name
        self._queue = queue
        self._poison = poison
        self._handle = handle
        self._options = options
        self._trouble = Trouble(name, console)
        self._console = console
        self._in_progress: set[asyncio.Task[None]] = set()
        self._is_woken = asyncio.Event()

    async def send(self, body: bytes) -> None:
        """Put a message into the queue, and look for it at once."""
        await self._queue.send(body)
        self.wake()

    def wake(self) -> None:
        """Look for messages at once: there is a new one."""
        self._is_woken.set()

    async def run(self) -> None:
        """Take messages until this is cancelled, and finish those that were taken."""
        backoff = PollBackoff(self._options.max_polling_interval_s)
        try:
            while True:
                if await self._take():
                    backoff.reset()
                    await self._wait_for_room()
                else:
                    await self._wait(backoff)
        finally:
            while self._in_progress:
                await asyncio.wait(self._in_progress)

    async def _take(self) -> bool:
        """Take a batch of messages and begin with each; tell whether there were any."""
        taking = asyncio.ensure_future(self._queue.receive(self._options.batch_size, TAKEN_S))
        try:
            messages = await asyncio.shield(taking)
        except asyncio.CancelledError:
            await self._give_back(taking)
            raise
        except StorageError as error:
            self._trouble.say(error)
            return False
        self._trouble.is_over()
        for message in messages:
            task = asyncio.create_task(self._process(message))
            self._in_progress.add(task)
            task.add_done_callback(self._in_progress.discard)
        return bool(messages)

    async def _wait(self, backoff: PollBackoff) -> None:
        try:
            await asyncio.wait_for(self._is_woken.wait(), backoff.next_s())
        except asyncio.TimeoutError:
            return
        self._is_woken.clear()
        backoff.reset()

    async def _give_back(self, taking: asyncio.Future[list[TakenMessage]]) -> None:
        """Make messages visible again that were taken while the host was told to stop."""
        try:
            for message in await taking:
                await self._queue.hide(message, 0)
        except StorageError as error:
            self._trouble.say(error)

    async def _wait_for_room(self) -> None:
        while len(self._in_progress) > self._options.new_batch_threshold:
            await asyncio.wait(self._in_progress, return_when=asyncio.FIRST_COMPLETED)

    async def _process(self, message: TakenMessage) -> None:
        try:
            body = self._queue.body_of(message)
            if body is None:
                self._warn(
                    f"message {message.id} is not base64: host.json's messageEncoding "
                    "may say 'none'"
                )
                await self._give_up(message)
            elif message.dequeue_count > self._options.max_dequeue_count:
                await self._give_up(message)
            else:
                await self._try(message, body)
        except StorageError as error:
            self._trouble.say(error)  # and the message comes back when its time is over
        except Exception as error:  # noqa: BLE001 -- likewise, and the other messages go on
            self._warn(f"message {message.id} was not handled: {type(error).__name__}: {error}")

    async def _try(self, message: TakenMessage, body: bytes) -> None:
        held = HeldMessage(self._queue, message)
        async with held:
            is_ok = await self._handle(message, body)
        if is_ok:
            await self._queue.delete(held.message)
        elif message.dequeue_count >= self._options.max_dequeue_count:
            await self._give_up(held.message)
        else:
            await self._queue.hide(held.message, self._options.visibility_timeout_s)

    async def _give_up(self, message: TakenMessage) -> None:
        if self._poison is None:
            return
        self._warn(
            f"message {message.id} is given up at attempt {message.dequeue_count}, and moved to "
            f"the queue {self._poison.name!r}"
        )
        await self._poison.send_text(message.text)
        await self._queue.delete(message)

    def _warn(self, text: str) -> None:
        self._console.log(f"{self.name}: {text}", level=logging.WARNING)


class HeldMessage:
    """
    A message that stays invisible as long as the block runs, however long that is.

    Args:
        queue: Where it was taken.
        message: As it was taken.
        every_s: How often it is renewed, in seconds.

    Attributes:
        message: With the receipt of the last renewal.
    """

    def __init__(
        self, queue: StorageQueue, message: TakenMessage, every_s: float = _RENEWED_S
    ) -> None:
        self._queue = queue
        self._every_s = every_s
        self.message = message
        self._is_done = asyncio.Event()

    async def __aenter__(self) -> None:
        self._renewing = asyncio.create_task(self._renew())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._is_done.set()
        await self._renewing  # a renewal in progress changes the receipt

    async def _renew(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._is_done.wait(), self._every_s)
            except asyncio.TimeoutError:
                if not await self._has_renewed():
                    return
            else:
                return

    async def _has_renewed(self) -> bool:
        """Renew; False where the message is no longer ours."""
        try:
            renewed = await self._queue.hide(self.message, TAKEN_S)
        except StorageError:
            return True  # the next renewal may work, and comes before the time is over
        if renewed is not None:
            self.message = renewed
        return renewed is not None


class Trouble:
    """
    Says once that storage does not do what it was asked, and once that it does again.

    Args:
        name: The listener, as messages name it.
        console: Where to say so.
    """

    def __init__(self, name: str, console: HostConsole) -> None:
        self._name = name
        self._console = console
        self._said = ""

    def say(self, error: StorageError) -> None:
        """Say what is wrong, unless that was said before."""
        if str(error) != self._said:
            self._said = str(error)
            self._console.log(f"{self._name}: {error}; trying again", level=logging.WARNING)

    def is_over(self) -> None:
        """Say that it works again, where something was wrong."""
        if self._said:
            self._said = ""
            self._console.log(f"{self._name}: storage answers again")
