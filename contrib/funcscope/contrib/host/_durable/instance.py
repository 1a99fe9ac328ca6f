"""An orchestration's instance: what is known of it from outside."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funcscope.contrib.host._durable.history import HistoryEvent, timestamp

if TYPE_CHECKING:
    from funcscope.contrib._local.trace_context import HostTraceContext

RUNNING = ("Pending", "Running", "Suspended")
"""The states of an instance that has not ended."""


@dataclass(slots=True)
class Instance:
    """
    One orchestration.

    Attributes:
        name: The orchestrator's.
        input: JSON, None where it has none.
        context: The trace that the orchestration, and all that it calls, is part of.
        parent: The instance that has started it, and its task's number there.
        inbox: What has happened and was not yet told to the orchestrator.
        ended: Set when it has ended, in whichever way.
        error: Why it has failed.
    """

    id: str
    name: str
    input: str | None
    context: HostTraceContext
    parent: tuple[str, int] | None = None
    status: str = "Pending"
    output: object = None
    error: str = ""
    custom_status: object = None
    created: str = field(default_factory=timestamp)
    updated: str = field(default_factory=timestamp)
    history: list[HistoryEvent] = field(default_factory=list[HistoryEvent])
    inbox: asyncio.Queue[HistoryEvent] = field(default_factory=asyncio.Queue[HistoryEvent])
    is_resumed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Let it run: it is not suspended."""
        self.is_resumed.set()

    @property
    def has_ended(self) -> bool:
        """Whether it has completed, failed or was terminated."""
        return self.status not in RUNNING

    def enter(self, status: str) -> None:
        """Go into a state; one in which it has ended is the last."""
        if self.has_ended:
            return
        self.status, self.updated = status, timestamp()
        if self.has_ended:
            self.ended.set()

    def described(self, *, has_history: bool = False, has_input: bool = True) -> dict[str, object]:
        """Return the status as the extension's HTTP API has it."""
        return {
            "name": self.name,
            "instanceId": self.id,
            "runtimeStatus": self.status,
            "input": parsed(self.input) if has_input else None,
            "customStatus": self.custom_status,
            "output": self.error or self.output,
            "createdTime": self.created,
            "lastUpdatedTime": self.updated,
            **({"historyEvents": self.history} if has_history else {}),
        }


def parsed(text: str | None) -> object:
    """Return what JSON says, and text that is none as it is."""
    if text is None:
        return None
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


def is_json(text: str) -> bool:
    """Tell whether a text is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
