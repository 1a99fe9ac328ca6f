"""Calling an orchestrator, an activity or an entity, with the payloads of the extension."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, cast

from funcscope.contrib._local.trace_context import continue_trace
from funcscope.contrib.host._durable.instance import parsed
from funcscope.contrib.host._worker.invocations import InvocationRequest
from funcscope.contrib.host._worker.protocol import function_rpc
from funcscope.contrib.host._worker.triggers import TriggerData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funcscope.contrib._local.trace_context import HostTraceContext
    from funcscope.contrib.host._worker.invocations import Invoker
    from funcscope.contrib.host._worker.worker import LoadedFunction, Outcome

# By trigger: the property of its binding that may give the function another name.
_NAMES = {
    "orchestrationtrigger": "orchestration",
    "activitytrigger": "activity",
    "entitytrigger": "entityName",
}


class Returned(NamedTuple):
    """
    What a function of Durable's has returned, or why it has failed.

    Attributes:
        json: What it returned, as JSON; `null` where it failed.
        error: The exception, `""` where there is none.
    """

    json: str
    error: str


class DurableFunctions:
    """
    The orchestrators, activities and entities of an app, by their names in any case.

    Args:
        functions: All functions of the app.
        invoker: What calls them.
    """

    def __init__(self, functions: Sequence[LoadedFunction], invoker: Invoker) -> None:
        self._invoker = invoker
        self._functions = {
            (kind, _name_of(function, kind)): function
            for function in functions
            if (kind := function.trigger_type.lower()) in _NAMES
        }

    def has(self, kind: str, name: str) -> bool:
        """Tell whether there is such a function; `kind` is its trigger's type."""
        return (kind.lower(), name.lower()) in self._functions

    def names(self, kind: str) -> str:
        """Return the names of all functions of a kind, for people."""
        names = (f.name for (of, _), f in self._functions.items() if of == kind.lower())
        return ", ".join(sorted(names)) or "none"

    async def call(
        self,
        kind: str,
        name: str,
        text: str | None,
        context: HostTraceContext,
        instance_id: str,
    ) -> Returned:
        """
        Call a function in the trace of an orchestration, and wait for what it returns.

        Args:
            kind: Its trigger's type.
            name: Its name.
            text: Its payload, JSON.
            context: The trace, and the span that it is below.
            instance_id: Of the orchestration, or of the entity.
        """
        if not self.has(kind, name):
            problem = f"there is no function {name!r} with {kind}; there are: {self.names(kind)}"
            return Returned("null", problem)
        protos = function_rpc()
        function = self._functions[kind.lower(), name.lower()]
        value = protos.TypedData(string=text) if text is not None else protos.TypedData()
        metadata = {"instanceId": protos.TypedData(string=instance_id)}
        if kind == "activityTrigger":
            metadata["data"] = value
        call = InvocationRequest(
            function=function,
            title=f"{function.trigger_type} {function.name}",
            data=TriggerData(value, metadata),
            context=continue_trace(context.trace_parent, context.state),
        )
        with self._invoker.observe(call) as report:
            outcome = await self._invoker.invoke(call)
            report.result = "succeeded" if outcome.is_ok else "failed"
            report.is_ok = outcome.is_ok
        return Returned(_json_of(outcome), "" if outcome.is_ok else outcome.error or "it failed")


def _name_of(function: LoadedFunction, kind: str) -> str:
    return str(function.trigger.get(_NAMES[kind]) or function.name).lower()


def _json_of(outcome: Outcome) -> str:
    value = outcome.value
    kind = None if value is None else value.WhichOneof("data")
    if value is None or kind is None:
        return "null"
    content: object = getattr(value, kind)
    if kind == "json":
        return str(content)
    return json.dumps(content.decode() if isinstance(content, bytes) else content)


def state_of(text: str) -> dict[str, object]:
    """Return the state that a function returns: an object, in JSON once or twice."""
    value = parsed(text)
    value = parsed(value) if isinstance(value, str) else value
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
