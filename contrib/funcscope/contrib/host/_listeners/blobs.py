"""
Blob triggers: containers are listed again and again, and each new blob becomes a message.

As in the Functions host, one queue has the messages of all functions, so that attempts, poison
messages and hosts that are killed are the business of `MessageListener` alone. Source:
azure-sdk-for-net, `BlobTriggerExecutor.cs` and `BlobQueueTriggerExecutor.cs`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from funcscope.contrib.host._bindings.patterns import BlobPattern, resolve_settings
from funcscope.contrib.host._bindings.payloads import blob_data, is_deferred
from funcscope.contrib.host._listeners.backoff import PollBackoff
from funcscope.contrib.host._listeners.calls import call_function
from funcscope.contrib.host._listeners.messages import MessageListener, Trouble
from funcscope.contrib.host._storage.blobs import BlobStore, split_url
from funcscope.contrib.host._storage.errors import StorageError
from funcscope.contrib.host._storage.queues import StorageQueue
from funcscope.contrib.host._storage.receipts import BlobReceipts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib.host._listeners.listener import Listener, RunningApp
    from funcscope.contrib.host._storage.blobs import BlobEntry
    from funcscope.contrib.host._storage.queues import TakenMessage
    from funcscope.contrib.host._worker.worker import LoadedFunction

_POISON = "webjobs-blobtrigger-poison"
_TOLD_AT_ONCE = 8
_MOST_AT_ONCE = 32  # messages in one answer of the service


@dataclass(frozen=True, slots=True)
class _BlobTrigger:
    function: LoadedFunction
    blobs: BlobStore
    pattern: BlobPattern

    @property
    def id(self) -> str:
        return f"Host.Functions.{self.function.name}"

    @property
    def name(self) -> str:
        return f"blobs {self.pattern.path!r} of function {self.function.name!r}"

    def message(self, container: str, name: str, kind: str, etag: str) -> bytes:
        """Return the message that starts the function with a blob."""
        fields = {
            "Type": "BlobTrigger",
            "FunctionId": self.id,
            "BlobType": kind,
            "ContainerName": container,
            "BlobName": name,
            "ETag": etag,
        }
        return json.dumps(fields).encode()


class BlobTriggers:
    """The functions of an app that blobs start, and the queue that they share."""

    def __init__(self, running: RunningApp) -> None:
        self._running = running
        self._triggers: dict[str, _BlobTrigger] = {}
        self._messages: MessageListener | None = None

    def listener(self, function: LoadedFunction) -> Listener | None:
        """
        Make what looks for a function's blobs; None where Event Grid tells of them.

        Raises:
            StorageError: Its storage, or the host's own, is not connected; or its path is none.
        """
        storage, binding = self._running.storage, function.trigger
        path = resolve_settings(str(binding.get("path") or ""), storage.settings)
        trigger = _BlobTrigger(function, BlobStore(storage.account_of(binding)), BlobPattern(path))
        messages = self.messages()
        self._triggers[trigger.id] = trigger
        if str(binding.get("source") or "").lower() == "eventgrid":
            tell = partial(_tell, messages, trigger)
            self._running.blob_events[function.name.lower()] = tell
            return None
        receipts = BlobReceipts(BlobStore(storage.host_account()), storage.host_id, trigger.id)
        return BlobListener(trigger, receipts, messages, self._running)

    def messages(self) -> MessageListener:
        """Return the listener of the queue that they share."""
        if self._messages is None:
            storage = self._running.storage
            blobs = storage.blob_options
            batch = min(blobs.at_once, _MOST_AT_ONCE)
            options = replace(
                storage.queue_options,
                batch_size=batch,
                new_batch_threshold=blobs.at_once - batch,
                max_dequeue_count=blobs.poison_threshold,
                encoding="base64",
            )
            account = storage.host_account()
            queue = StorageQueue(account, f"azure-webjobs-blobtrigger-{storage.host_id}")
            self._messages = MessageListener(
                "blob triggers", queue, queue.beside(_POISON), self._handle, options,
                self._running.console,
            )  # fmt: skip
        return self._messages

    def all(self) -> list[Listener]:
        """Return the shared listener, where there is a blob trigger."""
        return [self._messages] if self._messages is not None else []

    async def _handle(self, _: TakenMessage, body: bytes) -> bool:
        """Call the function that a message names, unless its blob is gone or has changed."""
        told = cast("dict[str, str]", json.loads(body))
        trigger = self._triggers.get(told["FunctionId"])
        if trigger is None:
            return True
        binding = trigger.function.trigger
        blob = await trigger.blobs.read(
            told["ContainerName"], told["BlobName"], has_content=not is_deferred(binding)
        )
        if blob is None or blob.entry.etag != told["ETag"]:
            return True  # one that has changed is found again, and has a message of its own
        data = blob_data(blob, binding, trigger.pattern.match(blob.entry.name) or {})
        return await call_function(self._running, trigger.function, data)


class BlobListener:
    """
    Looks for the blobs of one function, and puts a message for each new one into the queue.

    Args:
        trigger: The function, and where its blobs are.
        receipts: Which blobs it was told of.
        messages: The listener of the queue.
        running: The app.
    """

    def __init__(
        self,
        trigger: _BlobTrigger,
        receipts: BlobReceipts,
        messages: MessageListener,
        running: RunningApp,
    ) -> None:
        self.name = trigger.name
        self._trigger = trigger
        self._receipts = receipts
        self._messages = messages
        self._trouble = Trouble(trigger.name, running.console)
        self._interval_s = running.storage.queue_options.max_polling_interval_s
        self._known: set[str] | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Look again and again until this is cancelled; what was begun is finished."""
        backoff = PollBackoff(self._interval_s)
        while True:
            looking = asyncio.ensure_future(self._look())
            try:
                has_found = await asyncio.shield(looking)
            except asyncio.CancelledError:
                self._is_stopping = True
                await looking
                raise
            if has_found:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    async def _look(self) -> bool:
        """List the container once; tell whether there was something new."""
        has_found = False
        try:
            known = await self._known_receipts()
            current = {self._receipts.name_of(blob): blob for blob in await self._matching()}
            known &= current.keys()
            new = [blob for receipt, blob in current.items() if receipt not in known]
            for start in range(0, len(new), _TOLD_AT_ONCE):
                if not self._is_stopping:
                    some = new[start : start + _TOLD_AT_ONCE]
                    told = await asyncio.gather(*(self._tell(blob, known) for blob in some))
                    has_found = any(told) or has_found
            self._trouble.is_over()
        except StorageError as error:
            self._trouble.say(error)
        return has_found

    async def _matching(self) -> list[BlobEntry]:
        pattern = self._trigger.pattern
        listed = await self._trigger.blobs.list(pattern.container, pattern.prefix)
        return [blob for blob in listed if pattern.match(blob.name) is not None]

    async def _known_receipts(self) -> set[str]:
        if self._known is None:
            self._known = await self._receipts.complete_ones()
        return self._known

    async def _tell(self, blob: BlobEntry, known: set[str]) -> bool:
        """Put a message for a blob into the queue, unless another host does; then remember it."""
        if not await self._receipts.claim(blob):
            if await self._receipts.is_complete(blob):
                known.add(self._receipts.name_of(blob))
            return False
        message = self._trigger.message(blob.container, blob.name, blob.kind, blob.etag)
        await self._messages.send(message)
        await self._receipts.complete(blob)
        known.add(self._receipts.name_of(blob))
        return True


async def _tell(
    messages: MessageListener, trigger: _BlobTrigger, event: Mapping[str, object]
) -> None:
    """Put a message for an event's blob into the queue; no path chooses, as in the host."""
    data = cast("dict[str, object]", event["data"])
    container, name = split_url(str(data["url"]))
    await messages.send(
        trigger.message(container, name, str(data["blobType"]), f'"{data["eTag"]}"')
    )
