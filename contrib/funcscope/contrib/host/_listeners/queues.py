"""Queue triggers: a listener for each function that a storage queue starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._bindings.patterns import resolve_settings
from funcscope.contrib.host._bindings.payloads import queue_data
from funcscope.contrib.host._listeners.calls import call_function
from funcscope.contrib.host._listeners.messages import MessageListener

if TYPE_CHECKING:
    from funcscope.contrib.host._listeners.listener import Listener, RunningApp
    from funcscope.contrib.host._storage.queues import StorageQueue, TakenMessage
    from funcscope.contrib.host._worker.worker import LoadedFunction

_POISON = "-poison"
_LONGEST = 63  # the service's limit for the name of a queue


def queue_listener(running: RunningApp, function: LoadedFunction) -> Listener:
    """
    Make the listener of a function with a queue trigger.

    Raises:
        StorageError: Its queue is not connected.
    """
    storage, trigger = running.storage, function.trigger
    account = storage.account_of(trigger)
    name = resolve_settings(str(trigger.get("queueName") or ""), storage.settings)
    queue = storage.queue(account, name)

    async def handle(message: TakenMessage, body: bytes) -> bool:
        return await call_function(running, function, queue_data(message, body, trigger))

    listener = MessageListener(
        f"queue {queue.name!r} of function {function.name!r}",
        queue,
        _poison_of(queue),
        handle,
        storage.queue_options,
        running.console,
    )
    storage.on_message(queue, listener.wake)
    return listener


def _poison_of(queue: StorageQueue) -> StorageQueue | None:
    """Return the poison queue; a poison queue has none, nor has one whose name gets too long."""
    name = queue.name + _POISON
    if queue.name.endswith(_POISON) or len(name) > _LONGEST:
        return None
    return queue.beside(name)
