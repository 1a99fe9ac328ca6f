"""Durable Functions on real workers, with the tests in the place of the host's extension."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

durable = pytest.importorskip("azure.durable_functions")
TaskOrchestrationExecutor = durable.orchestrator.TaskOrchestrationExecutor

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

# azure-functions 2.3.0 warns of what it does itself when it reads an activity's input.
ENVIRON = {"PYTHONWARNINGS": "default"}
DOCS = Path(__file__).parents[2] / "docs"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def orchestration(name: str, given: list[str], **more: Any) -> dict[str, Any]:
    """Say what is to be run."""
    functions = more.pop("functions", {"work": "work_on"})
    return {"name": name, "instance": "i-1", "given": given, "functions": functions, **more}


def bodies(result: Any, function: str) -> list[str]:
    """Return what a function's exported records say."""
    return [log.body for log in result.logs if log.attributes.get("faas.name") == function]


@pytest.mark.parametrize("app", ["v2_durable_fan", "v1_durable"])
@pytest.mark.parametrize("marks_played", [True, False])
def test_fan_out(run: Runner, path: str, app: str, marks_played: bool) -> None:
    """Three activities have a span each, and a failing one ends the orchestration; all once."""
    if not (marks_played or hasattr(TaskOrchestrationExecutor, "_find_new_events_start_index")):
        pytest.skip("this SDK knows by `IsPlayed` alone what it replays")
    name, work = "Fan" if app == "v1_durable" else "fan", "work_on"
    wanted = orchestration(name, ["a", "b", "bad"], marks_played=marks_played)
    result = run(app, [], path=path, orchestrations=[wanted], env=ENVIRON)
    (played,) = result.played
    activities = {call["id"]: call for call in played["calls"] if call["function"] == work}
    failures = [log for log in result.logs if log.event_name == "faas.invocation.exception"]

    assert played["status"] == "Failed"
    assert played["episodes"] == 4, "the orchestrator replayed three times"
    assert len(activities) == 3
    assert {s.attributes["faas.invocation_id"] for s in result.spans} == set(activities)
    assert len(result.spans) == 3
    assert {span.trace_id for span in result.spans} == {TRACE_ID}
    for span in result.spans:
        call = activities[span.attributes["faas.invocation_id"]]
        assert span.parent_id == call["parent"]
        assert span.attributes["durabletask.task.instance_id"] == "i-1"
        assert span.attributes["durabletask.task.name"] == "work"
        assert (span.status == "ERROR") is not call["ok"]
    assert bodies(result, name)[0] == "fanning out"
    assert [log.attributes["faas.name"] for log in failures] == [work, name]
    assert {log.trace_id for log in failures} == {TRACE_ID}
    assert failures[1].attributes["durabletask.task.instance_id"] == "i-1"
    assert not any("OutOfProcData" in str(log.attributes) + str(log.body) for log in failures)
    assert len(bodies(result, name)) == 2, "the past is not told again"
    told = [log for log in result.logs if "cannot work on bad" in str(log.attributes)]
    assert len(told) == 2, [log.body for log in told]


def test_steps(run: Runner, path: str) -> None:
    """What an orchestrator logs between steps comes once, in order; so does a caught failure."""
    wanted = orchestration("steps", ["a", "bad", "c"])
    result = run("v2_durable_fan", [], path=path, orchestrations=[wanted], env=ENVIRON)
    (played,) = result.played
    failures = [log for log in result.logs if log.event_name == "faas.invocation.exception"]
    own = [log for log in result.logs if log.attributes.get("faas.name") == "steps"]

    assert (played["status"], played["output"]) == ("Completed", ["A", "C"])
    assert played["episodes"] == 4
    assert [log.body for log in own] == ["step a", "step bad", "step bad failed", "step c"]
    assert [log.attributes["faas.name"] for log in failures] == ["work_on"]
    for log in own:
        assert log.trace_id == TRACE_ID
        assert log.attributes["durabletask.task.instance_id"] == "i-1"


def test_what_is_dropped_while_it_waits(run: Runner, path: str) -> None:
    """A `finally:`, a stage and a span around what is waited for are told of when they end."""
    wanted = orchestration("tidy", ["a", "b"])
    result = run("v2_durable_fan", [], path=path, orchestrations=[wanted], env=ENVIRON)
    (played,) = result.played

    assert (played["status"], played["episodes"]) == ("Completed", 3)
    assert bodies(result, "tidy") == ["tidied up"]
    assert len(bodies(result, "work_on")) == 2
    names = sorted(s.name for s in result.spans if "faas.invocation_id" not in s.attributes)
    assert names == ["own", "stage"]


def test_no_generator(run: Runner, path: str) -> None:
    """An orchestrator that yields nothing logs, and has no span."""
    wanted = orchestration("at_once", [])
    result = run("v2_durable_fan", [], path=path, orchestrations=[wanted], env=ENVIRON)

    assert result.played[0]["output"] == "done"
    assert bodies(result, "at_once") == ["nothing to wait for"]
    assert result.spans == ()


def batch(*operations: str) -> dict[str, Any]:
    """Make an entity's payload, as the extension sends it."""
    return {
        "self": {"name": "Counter", "key": "K1"},
        "exists": False,
        "state": None,
        "batch": [
            {"name": name, "input": json.dumps("2"), "isSignal": False} for name in operations
        ],
    }


@pytest.mark.parametrize(
    ("app", "name"), [("v2_durable_fan", "counter"), ("v1_durable", "Counter")]
)
def test_entities(run: Runner, call: Caller, host: Any, path: str, app: str, name: str) -> None:
    """An entity's batch is one span in the host's trace; what fails in it shows once."""
    calls = [call(name, input=batch(*names)) for names in (["add"], ["add", "fail", "add"])]
    result = run(app, calls, path=path, env=ENVIRON)
    good, bad = result.span(0), result.span(1)
    failures = [log for log in result.logs if log.event_name == "faas.invocation.exception"]

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    for span in (good, bad):
        assert (span.trace_id, span.parent_id) == host
        assert span.kind == "INTERNAL"
        assert span.attributes["durabletask.task.name"] == "Counter"
        assert span.attributes["durabletask.task.instance_id"] == "@counter@K1"
        assert span.attributes["code.function.name"].endswith((".counter", ".count"))
    assert good.attributes["durabletask.task.operation"] == "add"
    assert "durabletask.task.operation" not in bad.attributes
    assert (good.status, bad.status) == ("UNSET", "ERROR")
    assert (bad.status_message, bad.attributes["error.type"]) == ("no such count", "LookupError")
    assert [log.attributes["faas.invocation_id"] for log in failures] == [calls[1]["id"]]
    assert [log.span_id for log in failures] == [bad.span_id]
    assert failures[0].attributes["durabletask.task.instance_id"] == "@counter@K1"
    assert failures[0].attributes["exception.stacktrace"].count("raise LookupError") == 1
    errors = [r["isError"] for r in json.loads(result.outcomes[1]["value"])["results"]]
    assert errors == [False, True, False], "the other operations are done"


def test_same_answers_without_us(run: Runner, path: str) -> None:
    """What goes back to the extension is the same with funcscope's extensions switched off."""
    seen = []
    for disabled in ("", "TelemetryExtension"):
        wanted = [orchestration("steps", ["a", "bad"]), orchestration("fan", ["a", "b"])]
        env = {**ENVIRON, "FUNCSCOPE_DISABLE": disabled}
        result = run("v2_durable_fan", [], path=path, orchestrations=wanted, env=env)
        seen.append([(p["status"], p["output"], p["episodes"]) for p in result.played])

    assert seen[0] == seen[1]
    assert [output for _, output, _ in seen[0]] == [["A"], ["A", "B"]]


def test_how_to(run: Runner, path: str, tmp_path: Path) -> None:
    """The how-to's orchestrator logs each line once; with the filter in the host's stream too."""
    page = (DOCS / "how-to" / "durable.md").read_text()
    module, filtering = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    app = tmp_path / "v2_docs"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    head, tail = module.split("app = df.DFApp()")
    code = f"{head}\n{filtering}\napp = df.DFApp(){tail}"
    (app / "function_app.py").write_text(code.replace("logging.info(", "logger.info(", 1))
    wanted = orchestration("process", ["paint", "brush"], functions={"ship": "ship"})
    result = run(app, [], path=path, orchestrations=[wanted], env=ENVIRON, host_stream=True)
    streamed = [message for message, _ in result.host_stream]

    assert result.played[0]["output"] == ["paint", "brush"]
    assert bodies(result, "process") == ["an order of 2 items", "shipped: paint, brush"]
    assert sorted(bodies(result, "ship")) == ["shipping brush", "shipping paint"]
    assert streamed.count("an order of 2 items") == 1


def test_host_stream_without_the_filter(run: Runner, path: str) -> None:
    """The host's stream gets what it gets without funcscope: each line at each replay."""
    wanted = orchestration("fan", ["a", "b"])
    result = run(
        "v2_durable_fan", [], path=path, orchestrations=[wanted], env=ENVIRON, host_stream=True
    )

    assert [message for message, _ in result.host_stream].count("fanning out") == 3
    assert bodies(result, "fan") == ["fanning out", "all done"]
