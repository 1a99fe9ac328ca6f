"""
Running one orchestration: an episode for each thing that has happened.

The worker's SDK numbers an orchestrator's tasks in the order in which they are asked for, those of
retries as what they follow is told (`DurableOrchestrationContext._add_to_open_tasks`,
`Task.RetryAbleTask`, azure-functions-durable 1.7). Here the same is counted: so each episode tells
one thing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from funcscope.contrib.host._durable.calls import state_of
from funcscope.contrib.host._durable.history import (
    ActionKind,
    EventKind,
    HistoryEvent,
    make_event,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from funcscope.contrib.host._durable.calls import DurableFunctions, Returned
    from funcscope.contrib.host._durable.entities import Entities
    from funcscope.contrib.host._durable.instance import Instance

Action = dict[str, object]

_STATE = "$OutOfProcData$:"  # what an orchestrator that fails puts its state behind
_RETRIED = (ActionKind.CALL_ACTIVITY_WITH_RETRY, ActionKind.CALL_CHILD_WITH_RETRY)
_FAILURES = (EventKind.TASK_FAILED, EventKind.CHILD_FAILED)


@dataclass(slots=True)
class Attempts:
    """
    The attempts of an action with retries.

    Attributes:
        action: What is tried.
        count: How often it was tried.
    """

    action: Action
    count: int = 1

    @property
    def _options(self) -> Mapping[str, float]:
        return cast("Mapping[str, float]", self.action.get("retryOptions") or {})

    @property
    def is_exhausted(self) -> bool:
        """Whether no attempt is left."""
        return self.count >= int(self._options.get("maxNumberOfAttempts", 1))

    @property
    def delay_s(self) -> float:
        """How long the next attempt has to wait, in seconds."""
        first_ms = float(self._options.get("firstRetryIntervalInMilliseconds", 1))
        factor = float(self._options.get("backoffCoefficient") or 1)
        longest_ms = float(self._options.get("maxRetryIntervalInMilliseconds") or 0)
        delay_ms = first_ms * factor ** (self.count - 1)
        return (min(delay_ms, longest_ms) if longest_ms else delay_ms) / 1000


class Surroundings(Protocol):
    """What an orchestration is surrounded by: what else there is in its task hub."""

    @property
    def functions(self) -> DurableFunctions:
        """The app's orchestrators, activities and entities."""
        ...

    @property
    def entities(self) -> Entities:
        """All entities."""
        ...

    async def run_child(
        self, name: str, text: str | None, parent: Instance, instance_id: str, number: int
    ) -> Returned:
        """Run an orchestration of another's, and wait for its end."""
        ...

    async def fetch(self, request: Mapping[str, object]) -> Returned:
        """Send an orchestrator's HTTP request."""
        ...


class OrchestrationRun:
    """
    Runs one instance to its end.

    Args:
        instance: The instance.
        hub: What calls functions, starts children and reaches entities.
    """

    def __init__(self, instance: Instance, hub: Surroundings) -> None:
        self._instance = instance
        self._hub = hub
        self._tasks: set[asyncio.Task[None]] = set()
        self._waits: set[asyncio.Task[None]] = set()  # those of them that run no function
        self._timers: dict[int, asyncio.Task[None]] = {}
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._next_number = 0
        self._known = 0  # actions that were taken up already
        self._attempts: dict[int, Attempts] = {}
        self._retry_timers: dict[int, Attempts] = {}
        self._timer_numbers: dict[int, int] = {}  # by the action's place among all

    async def run(self) -> None:
        """Run until the orchestrator has ended, or is terminated."""
        self._instance.enter("Running")
        started = self._started()
        while not self._instance.has_ended:
            await self._episode(started)
            if self._instance.has_ended:
                break
            started = await self._instance.inbox.get()
            await self._instance.is_resumed.wait()
            if self._instance.has_ended:
                break
        for task in (*self._waits, *self._timers.values()):
            task.cancel()
        # Functions that run are not interrupted, though nobody waits for what they return.
        await asyncio.gather(*self._tasks, *self._timers.values(), return_exceptions=True)

    def _started(self) -> HistoryEvent:
        instance = self._instance
        return make_event(
            EventKind.EXECUTION_STARTED,
            Name=instance.name,
            Input=instance.input,
            Version="",
            OrchestrationInstance={"InstanceId": instance.id, "ExecutionId": instance.id},
        )

    async def _episode(self, event: HistoryEvent) -> None:
        """Tell the orchestrator what has happened, and take up what it asks for."""
        history = self._instance.history
        for past in history:
            past["IsPlayed"] = True
        follow_up = self._follow_up(event)
        history += [make_event(EventKind.ORCHESTRATOR_STARTED), event]
        returned = await self._call()
        if self._instance.has_ended:  # terminated meanwhile
            return
        state = state_of(returned.json) if not returned.error else _state_of_failure(returned.error)
        self._instance.custom_status = state.get("customStatus")
        if returned.error:
            self._fail(returned.error, state)
            return
        follow_up()
        actions = list(flat(state.get("actions")))
        if state.get("isDone") is True:
            self._end(state, actions)
            return
        for index in range(self._known, len(actions)):
            self._take_up(actions[index], index)
        self._known = max(self._known, len(actions))
        self._cancel_timers(actions)
        history.append(make_event(EventKind.ORCHESTRATOR_COMPLETED))

    def _follow_up(self, event: HistoryEvent) -> Callable[[], None]:
        """
        Number what the SDK numbers as it is told of an event, and return what begins it.

        That is the timer before the next attempt, even after the last one, and the attempt itself.
        """
        if event["EventType"] in _FAILURES:
            attempts = self._attempts.get(cast("int", event["TaskScheduledId"]))
            if attempts is not None:
                return partial(self._wait_to_retry, attempts, self._number())
        elif event["EventType"] == EventKind.TIMER_FIRED:
            attempts = self._retry_timers.pop(cast("int", event["TimerId"]), None)
            if attempts is not None and not attempts.is_exhausted:
                return partial(self._retry, attempts, self._number())
        return _nothing

    def _wait_to_retry(self, attempts: Attempts, number: int) -> None:
        fire_at = datetime.now(timezone.utc) + timedelta(seconds=attempts.delay_s)
        self._retry_timers[number] = attempts
        self._start_timer(number, fire_at)

    def _retry(self, attempts: Attempts, number: int) -> None:
        attempts.count += 1
        self._attempts[number] = attempts
        self._start(attempts.action, number)

    def _number(self) -> int:
        number, self._next_number = self._next_number, self._next_number + 1
        return number

    async def _call(self) -> Returned:
        instance = self._instance
        payload = {
            "history": instance.history,
            "instanceId": instance.id,
            "isReplaying": len(instance.history) > 2,
            "parentInstanceId": instance.parent[0] if instance.parent else None,
            "input": instance.input,
            "upperSchemaVersion": 1,
        }
        return await self._hub.functions.call(
            "orchestrationTrigger",
            instance.name,
            json.dumps(payload),
            instance.context,
            instance.id,
        )

    def _take_up(self, action: Action, index: int) -> None:
        """Begin what the orchestrator has newly asked for."""
        kind = action["actionType"]
        if kind == ActionKind.WAIT_FOR_EVENT:  # it has a name and no number
            return
        number = self._number()
        if kind in _RETRIED:
            self._attempts[number] = Attempts(action)
        elif kind == ActionKind.CREATE_TIMER:
            self._timer_numbers[index] = number
        self._start(action, number)

    def _start(self, action: Action, number: int) -> None:
        kind = action["actionType"]
        if kind in (ActionKind.CALL_ACTIVITY, ActionKind.CALL_ACTIVITY_WITH_RETRY):
            self._schedule(EventKind.TASK_SCHEDULED, number, Name=action["functionName"])
            self._spawn(self._run_activity(action, number))
        elif kind in (ActionKind.CALL_CHILD, ActionKind.CALL_CHILD_WITH_RETRY):
            self._schedule(EventKind.CHILD_CREATED, number, Name=action["functionName"])
            self._wait_for(self._run_child(action, number))
        elif kind == ActionKind.CREATE_TIMER:
            self._start_timer(number, _moment(str(action["fireAt"])))
        elif kind == ActionKind.CALL_HTTP:
            self._schedule(EventKind.TASK_SCHEDULED, number, Name="BuiltIn::HttpActivity")
            self._wait_for(self._run_http(action, number))
        elif kind in (ActionKind.CALL_ENTITY, ActionKind.SIGNAL_ENTITY):
            self._send(action, number)

    def _schedule(self, kind: EventKind, number: int, **fields: object) -> None:
        self._instance.history.append(make_event(kind, number, **fields))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _wait_for(self, work: Coroutine[None, None, None]) -> None:
        task = self._spawn(work)
        self._waits.add(task)
        task.add_done_callback(self._waits.discard)

    async def _run_activity(self, action: Action, number: int) -> None:
        name = str(action["functionName"])
        text = cast("str | None", action.get("input"))
        returned = await self._hub.functions.call(
            "activityTrigger", name, text, self._instance.context, self._instance.id
        )
        self._tell(EventKind.TASK_COMPLETED, EventKind.TASK_FAILED, name, number, returned)

    async def _run_child(self, action: Action, number: int) -> None:
        name = str(action["functionName"])
        text = cast("str | None", action.get("input"))
        child_id = cast("str | None", action.get("instanceId"))
        returned = await self._hub.run_child(
            name, text, self._instance, child_id or f"{self._instance.id}:{number}", number
        )
        self._tell(EventKind.CHILD_COMPLETED, EventKind.CHILD_FAILED, name, number, returned)

    async def _run_http(self, action: Action, number: int) -> None:
        returned = await self._hub.fetch(cast("Mapping[str, object]", action["httpRequest"]))
        name = "BuiltIn::HttpActivity"
        self._tell(EventKind.TASK_COMPLETED, EventKind.TASK_FAILED, name, number, returned)

    def _tell(
        self, completed: EventKind, failed: EventKind, name: str, number: int, returned: Returned
    ) -> None:
        """Put a task's result into the inbox."""
        if returned.error:
            reason = f"function {name!r} failed"
            event = make_event(
                failed, TaskScheduledId=number, Reason=reason, Details=returned.error
            )
        else:
            event = make_event(completed, TaskScheduledId=number, Result=returned.json)
        self._instance.inbox.put_nowait(event)

    def _start_timer(self, number: int, fire_at: datetime) -> None:
        self._schedule(EventKind.TIMER_CREATED, number, FireAt=timestamp(fire_at))
        self._timers[number] = asyncio.create_task(self._wait(number, fire_at))

    async def _wait(self, number: int, fire_at: datetime) -> None:
        # Until the clock says so: a machine may have slept meanwhile.
        while (left_s := (fire_at - datetime.now(timezone.utc)).total_seconds()) > 0:
            await asyncio.sleep(min(left_s, 60))
        event = make_event(EventKind.TIMER_FIRED, TimerId=number, FireAt=timestamp(fire_at))
        self._instance.inbox.put_nowait(event)

    def _cancel_timers(self, actions: list[Action]) -> None:
        """Stop timers that the orchestrator has cancelled: their actions say so from then on."""
        for index, number in list(self._timer_numbers.items()):
            if actions[index].get("isCanceled"):
                del self._timer_numbers[index]
                self._timers.pop(number).cancel()

    def _send(self, action: Action, number: int) -> None:
        """Send an operation to an entity; what it returns comes as an event of the request's id."""
        is_signal = action["actionType"] == ActionKind.SIGNAL_ENTITY
        request = self._hub.entities.send(
            str(action["instanceId"]),
            str(action["operation"]),
            cast("str | None", action.get("input")),
            self._instance.context,
            answer_to=None if is_signal else self._instance.inbox.put_nowait,
            parent=self._instance.id,
        )
        self._schedule(
            EventKind.EVENT_SENT,
            number,
            InstanceId=action["instanceId"],
            Name="op",
            Input=json.dumps(request),
        )

    def _end(self, state: Mapping[str, object], actions: list[Action]) -> None:
        anew = [a for a in actions if a["actionType"] == ActionKind.CONTINUE_AS_NEW]
        for index in range(self._known, len(actions)):
            if actions[index]["actionType"] == ActionKind.SIGNAL_ENTITY:
                self._take_up(actions[index], index)
        if not anew:
            self._instance.output = state.get("output")
            self._instance.enter("Completed")
            return
        self._instance.input = cast("str | None", anew[-1].get("input"))
        self._instance.history.clear()
        self._begin_anew()
        self._instance.inbox = _with_first(self._started(), self._instance.inbox)

    def _fail(self, error: str, state: Mapping[str, object]) -> None:
        self._instance.error = str(state.get("error") or error)
        self._instance.enter("Failed")


def _nothing() -> None:
    """Begin nothing: the event is of no attempt."""


def flat(actions: object) -> Iterator[Action]:
    """Yield the actions of a state in order, those within others too."""
    for item in cast("list[object]", actions) if isinstance(actions, list) else []:
        if isinstance(item, list):
            yield from flat(cast("list[object]", item))
        elif isinstance(item, dict):
            action = cast("Action", item)
            if "compoundActions" in action:
                yield from flat(action["compoundActions"])
            else:
                yield action


def _state_of_failure(error: str) -> dict[str, object]:
    """Return the state in the exception of an orchestrator that has failed."""
    _, label, text = error.partition(_STATE)
    if not label:
        return {}
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return {}
    return state_of(json.dumps(value))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _with_first(
    event: HistoryEvent, inbox: asyncio.Queue[HistoryEvent]
) -> asyncio.Queue[HistoryEvent]:
    """Return an inbox that begins with an event; of what waits, events from outside stay."""
    anew: asyncio.Queue[HistoryEvent] = asyncio.Queue()
    anew.put_nowait(event)
    while not inbox.empty():
        waiting = inbox.get_nowait()
        if waiting["EventType"] == EventKind.EVENT_RAISED:
            anew.put_nowait(waiting)
    return anew
