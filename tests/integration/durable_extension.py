"""
Stands in for the host's Durable extension: it keeps histories, and has functions called.

Each completion of an activity is told in an episode of its own, so that an orchestrator replays as
often as it can. Events are the SDK's own `HistoryEvent`s, sent as the extension sends them.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from azure.durable_functions.models.actions.ActionType import (  # type: ignore[import-untyped]
    ActionType,
)
from azure.durable_functions.models.history import (  # type: ignore[import-untyped]
    HistoryEvent,
    HistoryEventType,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

Call = dict[str, Any]
Outcome = dict[str, Any]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"  # the orchestration's

_STARTED = datetime(2026, 1, 1, tzinfo=timezone.utc)


class DurableExtension:
    """
    Runs one orchestration.

    Args:
        invoke: Has the worker call a function.
        functions: The name of the function that each activity is.
        marks_played: Whether events say that they were played; some backends' do not.
    """

    def __init__(
        self,
        invoke: Callable[[Call], Awaitable[Outcome]],
        functions: dict[str, str],
        marks_played: bool = True,
    ) -> None:
        self.invoke = invoke
        self.functions = functions
        self.marks_played = marks_played
        self.history: list[HistoryEvent] = []
        self.calls: list[Outcome] = []
        self.episodes = 0

    async def play(self, name: str, instance: str, given: Any) -> dict[str, Any]:
        """Run an orchestration to its end."""
        state = await self.episode(name, instance, [self.started(name, instance, given)])
        scheduled = 0
        while state is not None and not state["isDone"]:
            actions = list(flat(state["actions"]))
            new, scheduled = list(enumerate(actions))[scheduled:], len(actions)
            assert new, "the orchestrator waits for what it has not asked for"
            for number, action in new:
                self.add(HistoryEventType.TASK_SCHEDULED, number, Name=action["functionName"])
            self.add(HistoryEventType.ORCHESTRATOR_COMPLETED)
            made = (self.activity(action, instance, number) for number, action in new)
            for done in await asyncio.gather(*made):
                state = await self.episode(name, instance, [done])
                if state is None or state["isDone"]:
                    break
        return {
            "status": "Failed" if state is None else "Completed",
            "output": None if state is None else state.get("output"),
            "episodes": self.episodes,
            "calls": self.calls,
        }

    async def episode(
        self, name: str, instance: str, events: list[HistoryEvent]
    ) -> dict[str, Any] | None:
        """Have the orchestrator go on with what is new; None where it fails."""
        if self.marks_played:
            for event in self.history:
                event._is_played = True
        if self.episodes and self.history[-1].event_type != HistoryEventType.ORCHESTRATOR_COMPLETED:
            self.add(HistoryEventType.ORCHESTRATOR_COMPLETED)
        self.episodes += 1
        self.add(HistoryEventType.ORCHESTRATOR_STARTED)
        self.history.extend(events)
        payload = {
            "history": [sent(event) for event in self.history],
            "instanceId": instance,
            "isReplaying": self.episodes > 1,
            "parentInstanceId": None,
            "input": self.history[1].Input,
            "upperSchemaVersion": 1,
        }
        outcome = await self.call(name, {"string": json.dumps(payload)}, {}, number=0)
        return json.loads(outcome["value"]) if outcome["ok"] else None

    async def activity(self, action: dict[str, Any], instance: str, number: int) -> HistoryEvent:
        """Call an activity, and return what the history has of it."""
        assert action["actionType"] == ActionType.CALL_ACTIVITY
        metadata = {"data": {"string": action["input"]}, "instanceId": {"string": instance}}
        function = self.functions[action["functionName"]]
        data = {"string": action["input"]}
        outcome = await self.call(function, data, metadata, number=number + 1)
        if outcome["ok"]:
            completed = HistoryEventType.TASK_COMPLETED
            return self.event(completed, TaskScheduledId=number, Result=outcome["value"])
        return self.event(
            HistoryEventType.TASK_FAILED,
            TaskScheduledId=number,
            Reason=f"Activity function {action['functionName']!r} failed",
            Details=outcome["error"],
        )

    async def call(
        self, function: str, data: dict[str, Any], metadata: dict[str, Any], *, number: int
    ) -> Outcome:
        """Have a function called, in the orchestration's trace."""
        span = f"{self.episodes:08x}{number:08x}"
        call = {
            "function": function,
            "id": str(uuid.uuid4()),
            "event": {"data": data, "metadata": metadata},
            "trace_parent": f"00-{TRACE_ID}-{span}-01",
        }
        outcome = await self.invoke(call)
        self.calls.append({**call, "parent": span, "ok": outcome["ok"], "error": outcome["error"]})
        return outcome

    def started(self, name: str, instance: str, given: Any) -> HistoryEvent:
        """Make the event that an orchestration starts with."""
        return self.event(
            HistoryEventType.EXECUTION_STARTED,
            Name=name,
            Input=json.dumps(given),
            Version="",
            OrchestrationInstance={"InstanceId": instance, "ExecutionId": "e"},
        )

    def add(self, kind: HistoryEventType, number: int = -1, **said: Any) -> None:
        """Append an event."""
        self.history.append(self.event(kind, number, **said))

    def event(self, kind: HistoryEventType, number: int = -1, **said: Any) -> HistoryEvent:
        """Make an event that happens in this episode."""
        at = _STARTED + timedelta(seconds=self.episodes)
        return HistoryEvent(kind, number, False, at.isoformat(), **said)


def sent(event: HistoryEvent) -> dict[str, Any]:
    """Return an event as the extension sends it."""
    return {
        "EventType": int(event.event_type),
        "EventId": event.event_id,
        "IsPlayed": event.is_played,
        "Timestamp": event.timestamp.isoformat(),
        **{name: value for name, value in vars(event).items() if not name.startswith("_")},
    }


def flat(actions: list[Any]) -> Iterator[dict[str, Any]]:
    """Return the actions of a state in order, those within others too."""
    for action in actions:
        if isinstance(action, list):
            yield from flat(action)
        elif "compoundActions" in action:
            yield from flat(action["compoundActions"])
        else:
            yield action
