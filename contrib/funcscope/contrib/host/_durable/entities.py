"""
Entities: a state each, and operations one after the other.

Payloads are those that `DurableEntityContext.from_json` and `EntityState.to_json` of
azure-functions-durable 1.7 read and write.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

from funcscope.contrib._local.trace_context import HostTraceContext, new_id
from funcscope.contrib.host._durable.calls import state_of
from funcscope.contrib.host._durable.history import EventKind, HistoryEvent, make_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.contrib.host._durable.calls import DurableFunctions, Returned
    from funcscope.contrib.host._traces.console import HostConsole

Request: TypeAlias = "dict[str, object]"


@dataclass(slots=True)
class Operation:
    """
    An operation that waits for its entity.

    Attributes:
        request: What the entity is told.
        context: The trace that it is part of.
        answer_to: Gets what it returns, as an event; None for a signal.
    """

    request: Request
    context: HostTraceContext
    answer_to: Callable[[HistoryEvent], None] | None


@dataclass(slots=True)
class Entity:
    """
    One entity.

    Attributes:
        state: JSON, None where it has none.
        exists: Whether it has been made, and not been destroyed.
        waiting: Its operations.
        runner: What performs these; None where there are none.
    """

    name: str
    key: str
    state: str | None = None
    exists: bool = False
    waiting: list[Operation] = field(default_factory=list[Operation])
    runner: asyncio.Task[None] | None = None


class Entities:
    """
    All entities.

    Args:
        functions: What calls them.
        console: Where to say which operations fail.
    """

    def __init__(self, functions: DurableFunctions, console: HostConsole) -> None:
        self._functions = functions
        self._console = console
        self._entities: dict[str, Entity] = {}

    def find(self, name: str, key: str) -> Entity | None:
        """Return an entity that exists; None where there is none."""
        entity = self._entities.get(_id(name, key))
        return entity if entity is not None and entity.exists else None

    @property
    def running(self) -> list[asyncio.Task[None]]:
        """What performs operations now."""
        return [e.runner for e in self._entities.values() if e.runner is not None]

    def send(
        self,
        entity_id: str,
        operation: str,
        text: str | None,
        context: HostTraceContext,
        *,
        answer_to: Callable[[HistoryEvent], None] | None = None,
        parent: str = "",
    ) -> Request:
        """
        Have an entity perform an operation, and return the request.

        Args:
            entity_id: `@name@key`.
            operation: Its name.
            text: Its input, JSON; an entity gets it as a string in JSON (`get_input`).
            context: The trace that it is part of.
            answer_to: Gets what it returns, as an event of the request's id.
            parent: The instance of the orchestration that calls it.
        """
        _, name, key = entity_id.split("@", 2)
        request: Request = {
            "op": operation,
            "name": operation,
            "id": new_id(),
            "signal": answer_to is None,
            "input": json.dumps(text) if text is not None else "null",
            "parent": parent,
        }
        entity = self._entities.setdefault(_id(name, key), Entity(name, key))
        entity.waiting.append(Operation(request, context, answer_to))
        if entity.runner is None:
            entity.runner = asyncio.create_task(self._run(entity))
        return request

    async def _run(self, entity: Entity) -> None:
        """Perform operations in batches until none waits."""
        try:
            while entity.waiting:
                batch, entity.waiting = entity.waiting, []
                await self._perform(entity, batch)
        finally:
            entity.runner = None

    async def _perform(self, entity: Entity, batch: list[Operation]) -> None:
        payload = {
            "self": {"name": entity.name, "key": entity.key},
            "exists": entity.exists,
            "state": entity.state,
            "batch": [operation.request for operation in batch],
        }
        returned = await self._functions.call(
            "entityTrigger",
            entity.name,
            json.dumps(payload),
            batch[0].context,
            f"@{entity.name}@{entity.key}",
        )
        state = state_of(returned.json)
        if not returned.error:
            entity.exists = bool(state.get("entityExists"))
            entity.state = cast("str | None", state.get("entityState")) if entity.exists else None
        results = cast("list[dict[str, object]]", state.get("results") or [])
        for number, operation in enumerate(batch):
            result = results[number] if number < len(results) else {}
            self._tell_failure(entity, operation, result, returned)
            if operation.answer_to is not None:
                operation.answer_to(_answer(operation.request, result, returned))

    def _tell_failure(
        self, entity: Entity, operation: Operation, result: dict[str, object], returned: Returned
    ) -> None:
        """Say that an operation has failed: its invocation succeeds, and a signal has no caller."""
        why = returned.error or (str(result.get("result")) if result.get("isError") else "")
        if why:
            self._console.log(
                f"operation {operation.request['name']!r} of entity '@{entity.name}@{entity.key}' "
                f"failed: {' '.join(why.split())}",
                level=logging.ERROR,
            )


def _id(name: str, key: str) -> str:
    return f"@{name.lower()}@{key}"


def _answer(request: Request, result: dict[str, object], returned: Returned) -> HistoryEvent:
    """Make the event by which an orchestration gets what an operation has returned."""
    if returned.error:
        answer = {"result": json.dumps(returned.error), "exceptionType": "Exception"}
    else:
        answer = {"result": str(result.get("result", "null"))}
        if result.get("isError"):
            answer["exceptionType"] = "Exception"
    return make_event(EventKind.EVENT_RAISED, Name=request["id"], Input=json.dumps(answer))
