"""Durable Functions on real workers, with the tests in the place of the host's extension."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("azure.durable_functions")

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

# azure-functions 2.3.0 warns of what it does itself when it reads an activity's input.
ENVIRON = {"PYTHONWARNINGS": "default"}
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
    name, work = ("Fan", "work") if app == "v1_durable" else ("fan", "work_on")
    wanted = orchestration(
        name, ["a", "b", "bad"], functions={"work": work}, marks_played=marks_played
    )
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
    assert len(bodies(result, name)) == 2, "the past is not told again"
