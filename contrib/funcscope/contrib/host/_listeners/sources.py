"""Which listeners an app needs, and what starts no function here."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.host._bindings.emulated import explain_unemulated
from funcscope.contrib.host._listeners.blobs import BlobTriggers
from funcscope.contrib.host._listeners.queues import queue_listener
from funcscope.contrib.host._schedule.source import make_timers
from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from funcscope.contrib.host._listeners.listener import Listener, RunningApp
    from funcscope.contrib.host._worker.worker import LoadedFunction

    _Maker: TypeAlias = Callable[[LoadedFunction], Listener | None]


def make_listeners(running: RunningApp) -> list[Listener]:
    """Make all listeners of an app; the functions that none can be made for are named."""
    blobs = BlobTriggers(running)
    makers: Mapping[str, _Maker] = {
        "blobtrigger": blobs.listener,
        "queuetrigger": partial(queue_listener, running),
    }
    unconnected: dict[str, list[str]] = defaultdict(list)
    listeners: list[Listener] = []
    for function in running.functions:
        make = makers.get(function.trigger_type.lower())
        try:
            listener = make and make(function)
            listeners += [] if listener is None else [listener]
        except StorageError as error:
            unconnected[str(error)].append(function.name)
    unemulated = explain_unemulated(running.functions)
    if unemulated:
        running.console.say(unemulated, style="yellow")
    for reason, names in unconnected.items():
        running.console.say(_explain(names, reason), style="yellow")
    return [*listeners, *blobs.all(), *make_timers(running)]


def _explain(names: Iterable[str], reason: str) -> str:
    return f"{', '.join(names)}: started by admin requests alone, as {reason}"
