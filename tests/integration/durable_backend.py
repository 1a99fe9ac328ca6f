"""
Stands in for the host's Durable extension of 2.x: functions are called for work items.

Histories are kept by durabletask's own backend for tests, called in this process. Payloads are as
`ProtobufUtils.cs` of azure-functions-durable-extension makes them: protobuf in base64.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from durabletask.internal import helpers  # type: ignore[import-not-found]
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing import InMemoryOrchestrationBackend  # type: ignore[import-not-found]
from google.protobuf.wrappers_pb2 import StringValue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Call = dict[str, Any]
Outcome = dict[str, Any]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"  # the orchestration's
STARTER = "cccccccccccccccc"  # the span that has started it
CONTEXT = pb.TraceContext(traceParent=f"00-{TRACE_ID}-{STARTER}-01")
OTHER = pb.TraceContext(traceParent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


class DurableExtension:
    """
    Runs one orchestration, and those that it starts.

    Args:
        invoke: Has the worker call a function.
        functions: The functions whose names are not those of their activities or entities.
    """

    def __init__(
        self, invoke: Callable[[Call], Awaitable[Outcome]], functions: dict[str, str], _: bool
    ) -> None:
        self.invoke = invoke
        self.functions = functions
        self.backend: Any = InMemoryOrchestrationBackend()
        self.calls: list[Outcome] = []
        self.episodes = 0
        self.parents: set[str] = set()

    async def play(self, name: str, instance: str, given: Any) -> dict[str, Any]:
        """Run an orchestration to its end."""
        start = pb.CreateInstanceRequest(
            name=name, instanceId=instance, input=StringValue(value=json.dumps(given))
        )
        self.backend.StartInstance(start, None)
        items = self.backend.GetWorkItems(
            pb.GetWorkItemsRequest(), SimpleNamespace(is_active=lambda: True)
        )
        asked = pb.GetInstanceRequest(instanceId=instance, getInputsAndOutputs=True)
        running = pb.ORCHESTRATION_STATUS_RUNNING, pb.ORCHESTRATION_STATUS_PENDING
        while True:
            state = self.backend.GetInstance(asked, None).orchestrationState
            if state.orchestrationStatus not in running:
                break
            await self.work(await asyncio.to_thread(next, items))
        status = pb.OrchestrationStatus.Name(state.orchestrationStatus)
        output = state.output.value
        return {
            "status": status.removeprefix("ORCHESTRATION_STATUS_").title(),
            "output": json.loads(output) if output else None,
            "failure": state.failureDetails.errorMessage,
            "stack": state.failureDetails.stackTrace.value,
            "episodes": self.episodes,
            "parents": sorted(self.parents),
            "calls": self.calls,
        }

    async def work(self, item: Any) -> None:
        """Have a function called for a work item, and complete it with what that returns."""
        kind, token = item.WhichOneof("request"), item.completionToken
        request = getattr(item, kind)
        if kind == "orchestratorRequest":
            done = await self.episode(request)
            done.completionToken = token
            self.backend.CompleteOrchestratorTask(done, None)
        elif kind == "activityRequest":
            self.backend.CompleteActivityTask(await self.activity(request), None)
        else:
            batch, infos = helpers.convert_to_entity_batch_request(request)
            result = await self.entity(batch)
            result.completionToken = token
            result.operationInfos.extend(infos)
            self.backend.CompleteEntityTask(result, None)

    async def episode(self, request: Any) -> Any:
        """Have an orchestrator go on."""
        started = [
            event.executionStarted
            for event in (*request.pastEvents, *request.newEvents)
            if event.HasField("executionStarted")
        ]
        for event in started:
            event.parentTraceContext.CopyFrom(CONTEXT)
        self.episodes += 1
        outcome = await self.call(started[-1].name, encoded(request), {})
        done = decoded(pb.OrchestratorResponse(), outcome["value"])
        for action in done.actions:
            said = getattr(action, action.WhichOneof("orchestratorActionType"))
            if "parentTraceContext" in said.DESCRIPTOR.fields_by_name:
                self.parents.add(said.parentTraceContext.traceParent)
        return done

    async def activity(self, request: Any) -> Any:
        """Call an activity."""
        instance = request.orchestrationInstance.instanceId
        given = {"string": request.input.value}
        outcome = await self.call(request.name, given, {"instanceId": {"string": instance}})
        response = pb.ActivityResponse(instanceId=instance, taskId=request.taskId)
        if outcome["ok"]:
            response.result.value = outcome["value"]
        else:
            failed = response.failureDetails
            failed.errorType, failed.errorMessage = "Exception", outcome["error"]
        return response

    async def entity(self, batch: Any) -> Any:
        """Call an entity, with operations of this trace, and from the second on of another."""
        for number, operation in enumerate(batch.operations):
            operation.traceContext.CopyFrom(OTHER if number else CONTEXT)
        name = batch.instanceId.split("@")[1]
        outcome = await self.call(name, encoded(batch), {})
        return decoded(pb.EntityBatchResult(), outcome["value"])

    async def call(self, name: str, data: dict[str, Any], metadata: dict[str, Any]) -> Outcome:
        """Have a function called, in the orchestration's trace."""
        span = f"{len(self.calls) + 1:016x}"
        call = {
            "function": self.functions.get(name, name),
            "id": str(uuid.uuid4()),
            "event": {"data": data, "metadata": metadata},
            "trace_parent": f"00-{TRACE_ID}-{span}-01",
        }
        outcome = await self.invoke(call)
        said = {"parent": span, "ok": outcome["ok"], "error": outcome["error"]}
        self.calls.append({**call, **said})
        return outcome


def encoded(request: Any) -> dict[str, str]:
    """Make a request what the extension sends."""
    return {"string": base64.b64encode(request.SerializeToString()).decode()}


def decoded(response: Any, text: str) -> Any:
    """Read what the worker answers."""
    response.ParseFromString(base64.b64decode(text))
    return response
