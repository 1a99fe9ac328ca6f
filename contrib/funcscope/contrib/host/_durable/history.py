"""
Events of an orchestration's history, as the Durable extension sends them to a worker.

Names and numbers are those of azure-functions-durable 1.7 (`models/history/HistoryEventType.py`),
and of what `TaskOrchestrationExecutor.py` reads of each event.
"""

from __future__ import annotations

from datetime import datetime, timezone
from enum import IntEnum
from typing import TypeAlias

HistoryEvent: TypeAlias = "dict[str, object]"


class EventKind(IntEnum):
    """The kinds of events that this hub makes."""

    EXECUTION_STARTED = 0
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    CHILD_CREATED = 7
    CHILD_COMPLETED = 8
    CHILD_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_SENT = 14
    EVENT_RAISED = 15


class ActionKind(IntEnum):
    """The kinds of actions that an orchestrator asks for (`models/actions/ActionType.py`)."""

    CALL_ACTIVITY = 0
    CALL_ACTIVITY_WITH_RETRY = 1
    CALL_CHILD = 2
    CALL_CHILD_WITH_RETRY = 3
    CONTINUE_AS_NEW = 4
    CREATE_TIMER = 5
    WAIT_FOR_EVENT = 6
    CALL_ENTITY = 7
    CALL_HTTP = 8
    SIGNAL_ENTITY = 9


def make_event(kind: EventKind, number: int = -1, **fields: object) -> HistoryEvent:
    """
    Make an event that happens now.

    Args:
        kind: Its kind.
        number: The task's, of events that begin one.
        fields: What else it says, by the extension's names.
    """
    return {
        "EventType": int(kind),
        "EventId": number,
        "IsPlayed": False,
        "Timestamp": timestamp(),
        **fields,
    }


def timestamp(moment: datetime | None = None) -> str:
    """Return a moment, or now, as the extension writes it."""
    moment = moment or datetime.now(timezone.utc)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
