"""
Durable Functions 2.x on real library workers, which have durabletask run orchestrators.

The package does not go with 1.x, so `make test` gives it an environment of its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.environments import needs, python_beside

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

PYTHON = python_beside("durable-next")
# azure-functions 2.3.0 warns of what it does itself when it reads what an activity is given.
ENVIRON = {"PYTHONWARNINGS": "default"}
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
STARTER = f"00-{TRACE_ID}-cccccccccccccccc-01"

pytestmark = [pytest.mark.library_worker, needs("durable-next")]


def orchestration(name: str, given: object, functions: dict[str, str]) -> dict[str, Any]:
    """Say what is to be run."""
    return {"name": name, "instance": f"of {name}", "given": given, "functions": functions}


def said(result: Any, function: str) -> list[str]:
    """Return what a function's exported records say, but for failures and the SDK's own."""
    return [
        log.body
        for log in result.logs
        if log.scope == "root" and log.attributes.get("faas.name") == function
    ]


def events(result: Any, function: str = "") -> list[Any]:
    """Return the events that tell of failures, of one function or of all."""
    return [
        log
        for log in result.logs
        if log.event_name == "faas.invocation.exception"
        and function in ("", log.attributes["faas.name"])
    ]


def failures(result: Any) -> list[tuple[str, str]]:
    """Return the functions of which a failure is told, and its kind."""
    return [
        (log.attributes["faas.name"], log.attributes["exception.type"]) for log in events(result)
    ]


@pytest.mark.parametrize("path", ["protobuf", "native_sync"])
def test_replays(run: Runner, path: str) -> None:
    """An app of 1.x goes on: its orchestrators' past is not told again, and each failure once."""
    given = {"fan": ["a", "b", "bad"], "steps": ["a", "bad", "c"], "tidy": ["a", "b"]}
    wanted = [orchestration(name, texts, {"work": "work_on"}) for name, texts in given.items()]
    result = run(
        "v2_durable_fan", [], path=path, orchestrations=wanted, python=PYTHON, env=ENVIRON,
        host_stream=True, keeps_opentelemetry=True,
    )  # fmt: skip
    fan, steps, tidy = result.played
    streamed = [message for message, _ in result.host_stream]
    activities = {
        s.attributes["faas.invocation_id"]: s for s in result.spans if s.name == "work_on"
    }
    called = [call for played in result.played for call in played["calls"]]

    assert (fan["status"], steps["status"], tidy["status"]) == ("Failed", "Completed", "Completed")
    assert (steps["output"], [p["episodes"] for p in result.played]) == (["A", "C"], [4, 4, 3])
    assert {parent for p in result.played for parent in p["parents"]} == {STARTER}
    assert "function_app.py" in fan["stack"]
    assert "/funcscope/" not in fan["stack"], "no frame of ours"

    assert said(result, "fan") == ["fanning out"]
    assert said(result, "steps") == ["step a", "step bad", "step bad failed", "step c"]
    assert said(result, "tidy") == ["tidied up"]
    assert streamed.count("fanning out") == 4, "the host's stream gets what it gets without us"
    assert streamed.count("tidied up") == 3

    error, failed = ("work_on", "ValueError"), ("fan", "durabletask.task.TaskFailedError")
    assert failures(result) == [error, failed, error]
    (of_fan,) = events(result, "fan")
    assert of_fan.attributes["durabletask.task.instance_id"] == "of fan"
    assert {log.trace_id for log in result.logs if log.attributes.get("faas.name")} == {TRACE_ID}

    assert sorted(s.name for s in result.spans if s.name != "work_on") == ["own", "stage"]
    assert {s.trace_id for s in result.spans} == {TRACE_ID}
    for call in called:
        if call["function"] == "work_on":
            span = activities.pop(call["id"])
            assert span.parent_id == call["parent"]
            assert span.attributes["durabletask.task.name"] == "work"
            assert span.attributes["durabletask.task.instance_id"].startswith("of ")
            assert (span.status == "ERROR") is not call["ok"]
    assert activities == {}
    assert not [n for n in ("WARNING", "ERROR") if f"{n}:funcscope" in result.stderr]


def test_sub_orchestrations_and_entities(run: Runner, call: Caller) -> None:
    """What durabletask adds is told alike, and the SDK's own extension is one of plain hooks."""
    wanted = [
        orchestration("parent", "x", {"counter": "Counter"}),
        orchestration("again", 1, {}),
        orchestration("unreadable", 1, {}),
    ]
    result = run(
        "v2_durable_next", [call("hooks")], path="native", orchestrations=wanted, python=PYTHON,
        env=ENVIRON, host_stream=True, keeps_opentelemetry=True,
    )  # fmt: skip
    parent, _, unreadable = result.played
    streamed = [message for message, _ in result.host_stream]
    names = ("answer", "Counter", "adding")
    spans = sorted((s for s in result.spans if s.name in names), key=lambda s: s.start_ns)
    add, batch = (s for s in spans if s.name == "Counter")
    first = next(s for s in spans if s.name == "adding")

    assert parent["output"] == ["X", 2]
    assert unreadable["status"] == "Failed"
    assert said(result, "child") == ["the child asks", "the child knows"]
    assert said(result, "parent") == ["asking the child", "it failed", "tidied up"]
    assert said(result, "again") == ["round 1", "end of round 1", "round 2", "end of round 2"]
    instances = {
        log.attributes["durabletask.task.instance_id"]
        for log in result.logs
        if log.attributes.get("faas.name") == "child"
    }
    assert instances == {"child-1"}
    assert {span.trace_id for span in spans} == {TRACE_ID}
    assert {s.attributes["durabletask.task.instance_id"] for s in spans if s.name == "answer"} == {
        "child-1", "of again",
    }  # fmt: skip

    for span in (add, batch):
        assert span.attributes["durabletask.task.name"] == "Counter"
        assert span.attributes["durabletask.task.instance_id"] == "@counter@K1"
        assert span.attributes["code.function.name"] == "function_app.Counter"
    assert add.attributes["durabletask.task.operation"] == "add"
    assert "durabletask.task.operation" not in batch.attributes
    assert first.parent_id == add.span_id, "an operation runs in its batch's span"
    assert (add.status, batch.status, batch.status_message) == ("UNSET", "ERROR", "no such count")
    assert (add.links, [link.trace_id for link in batch.links]) == ((), [
        "4bf92f3577b34da6a3ce929d0e0e4736",
    ])  # fmt: skip
    assert failures(result) == [
        ("Counter", "LookupError"),
        ("unreadable",
         "durabletask.internal.json_encode_output_exception.JsonEncodeOutputException"),
    ]  # fmt: skip
    (of_entity,) = events(result, "Counter")
    assert of_entity.attributes["durabletask.task.instance_id"] == "@counter@K1"
    assert streamed.count("no such count") == 1, "the SDK logs it"
    told = [log for log in result.logs if "no such count" in str(log.attributes) + str(log.body)]
    assert len(told) == 1, "and that is not told once more"

    hooks = [log.body for log in result.messages(0) if "Lifecycle" in log.body]
    assert hooks == ["_DurableClientLifecycleExtension: post_invocation_app_level"]
    assert result.leaks == []


SCRIPT = """
import asyncio, json, socket
import azure.durable_functions as df
from durabletask import worker
from durabletask.testing import InMemoryOrchestrationBackend
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from funcscope.contrib.durable import install

class Backend(InMemoryOrchestrationBackend):
    def StartInstance(self, request, context):
        print(json.dumps(request.parentTraceContext.traceParent))
        return super().StartInstance(request, context)

async def start(address):
    binding = {"taskHubName": "hub", "rpcBaseUrl": address, "creationUrls": {},
               "managementUrls": {}, "requiredQueryStringParameters": ""}
    client = df.DurableFunctionsClient(json.dumps(binding))
    with use_span(NonRecordingSpan(SpanContext(0xA, 0xB, False, TraceFlags(1)))):
        await client.schedule_new_orchestration("fan")
    await client.close()

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
backend = Backend(port=port)
backend.start()
asyncio.run(start(f"http://127.0.0.1:{port}"))
backend.stop()

context = worker._RuntimeOrchestrationContext
own = context.__init__
del worker.TaskHubGrpcWorker._execute_entity_batch
install()
print(json.dumps(context.__init__ is own))
"""


def test_clients_and_an_sdk_that_does_not_fit() -> None:
    """What a client starts is below the current span; without what we hook, nothing is hooked."""
    done = subprocess.run([PYTHON, "-c", SCRIPT], capture_output=True, text=True, check=False)
    started, is_untouched = map(json.loads, done.stdout.split())

    assert started == f"00-{0xA:032x}-{0xB:016x}-01"
    assert is_untouched
    assert "does not fit: durabletask has no _execute_entity_batch" in done.stderr
