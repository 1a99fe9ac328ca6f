"""What people run beside us, unmodified, on the real library workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.environments import needs, python_beside

if TYPE_CHECKING:
    from pathlib import Path

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

library_path = pytest.mark.parametrize("path", ["protobuf", "native", "native_sync"])


@library_path
@pytest.mark.library_worker
def test_elastic_apm(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """Elastic's extension sends one transaction for each invocation, as on the classic worker."""
    log = tmp_path / "events.txt"
    calls = [call("hello"), call("later"), call("hello")]
    result = run("v2_elastic", calls, path=path, env={"HOOK_LOG": str(log)})
    events = [json.loads(line) for line in log.read_text().splitlines()]
    transactions = [event["data"] for event in events if event["type"] == "transaction"]

    assert all(outcome["ok"] for outcome in result.outcomes), result.outcomes
    assert [t["name"] for t in transactions] == ["hello", "later", "hello"]
    assert [t["result"] for t in transactions] == ["HTTP 2xx", "HTTP 5xx", "HTTP 2xx"]
    assert [t["faas"]["execution"] for t in transactions] == [made["id"] for made in calls]
    assert [t["faas"]["coldstart"] for t in transactions] == [True, False, False]


@library_path
@needs("opencensus")
@pytest.mark.library_worker
def test_opencensus(run: Runner, call: Caller, host: Any, path: str, tmp_path: Path) -> None:
    """
    OpenCensus's extension gives `context.tracer` in the host's trace, as on the classic worker.

    It wants azure-functions 1.x, so `make test` gives it an environment of its own.
    """
    log = tmp_path / "spans.txt"
    result = run(
        "v2_opencensus",
        [call("hello"), call("later")],
        path=path,
        python=python_beside("opencensus"),
        env={"HOOK_LOG": str(log), "PYTHONWARNINGS": "default"},
    )

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert [json.loads(line) for line in log.read_text().splitlines()] == [
        ["parent", host.trace_id, host.span_id],
        ["parent", host.trace_id, host.span_id],
    ]


@pytest.mark.parametrize("app", ["v1_functions", "v2_functions"])
def test_function_level_extensions(
    run: Runner, call: Caller, path: str, app: str, tmp_path: Path
) -> None:
    """Function-level extensions run for their function alone, in either model."""
    log = tmp_path / "hooks.txt"
    result = run(app, [call("Orders"), call("hello")], path=path, env={"HOOK_LOG": str(log)})

    assert all(outcome["ok"] for outcome in result.outcomes), result.outcomes
    assert log.read_text().splitlines() == [
        "old load Orders",
        "old pre Orders azure_functions_worker.extension.Old",
        "new pre Orders",
        "old post x",
    ]
    problem = "extension New applies to function 'nowhere', which was not loaded; there are: "
    assert result.stderr.count(problem) == 1
    assert problem + "Orders, hello" in result.stderr


CALLABLES = ["from_blueprint", "decorated", "Above", "below"]


@library_path
@pytest.mark.library_worker
def test_blueprints_and_decorators(
    run: Runner, call: Caller, host: Any, path: str, tmp_path: Path
) -> None:
    """Functions of blueprints, and decorated ones, are invocations like any other."""
    log = tmp_path / "hooks.txt"
    calls = [call(name) for name in CALLABLES]
    environ = {"HOOK_LOG": str(log), "STORAGE": STORAGE}
    result = run("v2_callables", calls, path=path, env=environ)

    assert [outcome["error"] for outcome in result.outcomes] == [""] * len(calls)
    for index, name in enumerate(CALLABLES):
        assert result.span(index).attributes["faas.name"] == name
        assert (result.span(index).trace_id, result.span(index).parent_id) == host
    assert sorted(log.read_text().splitlines()) == [
        "around Above",
        "around below",
        "load Above",
        "load below",
    ]


def test_partials_and_objects(run: Runner, call: Caller, host: Any, path: str) -> None:
    """In the v1 model, whose worker lets them, partials and objects are invocations too."""
    calls = [call("partial"), call("object")]
    result = run("v1_callables", calls, path=path)

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    for index, made in enumerate(calls):
        assert result.span(index).attributes["faas.name"] == made["function"]
        assert (result.span(index).trace_id, result.span(index).parent_id) == host


@pytest.mark.library_worker
def test_arguments_of_a_kind(run: Runner, call: Caller, host: Any, tmp_path: Path) -> None:
    """A settlement client and an SDK-type binding reach their functions."""
    content = {"Connection": "STORAGE", "ContainerName": "c", "BlobName": "b"}
    calls = [call("settles"), call("sdk_type", input=None, model_binding_data=content)]
    environ = {"HOOK_LOG": str(tmp_path / "hooks.txt"), "STORAGE": STORAGE}
    result = run("v2_callables", calls, path="protobuf", env=environ)

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert [log.body for log in result.messages(0)] == ["settled with Settlement"]
    assert [log.body for log in result.messages(1)] == ["got BlobClient of b"]
    assert (result.span(1).trace_id, result.span(1).parent_id) == host


STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;"
    "BlobEndpoint=http://127.0.0.1:9/a"
)  # of a store that does not exist: clients are made without asking it


@library_path
@pytest.mark.library_worker
def test_durable_functions(run: Runner, call: Caller, path: str) -> None:
    """Orchestrators, activities and entities keep their bindings; what replays has no span."""
    history = [
        {
            "EventType": 12,
            "EventId": -1,
            "Version": "",
            "IsPlayed": False,
            "Timestamp": "2026-01-01T00:00:00Z",
        },
        {
            "EventType": 0,
            "Version": "",
            "EventId": -1,
            "IsPlayed": False,
            "Timestamp": "2026-01-01T00:00:00Z",
            "Name": "orchestrator",
            "Input": None,
            "OrchestrationInstance": {"InstanceId": "i-1", "ExecutionId": "e"},
        },
    ]
    orchestration = {
        "history": history,
        "instanceId": "i-1",
        "isReplaying": False,
        "parentInstanceId": None,
        "input": None,
        "upperSchemaVersion": 0,
    }
    entity = {
        "self": {"name": "entity", "key": "k"},
        "exists": False,
        "state": None,
        "batch": [],
    }
    calls = [
        call("orchestrator", input=orchestration),
        call("activity", input="x"),
        call("entity", input=entity),
    ]
    # azure-functions 2.3.0 warns of what it does itself when it reads an activity's input.
    result = run("v2_durable", calls, path=path, env={"PYTHONWARNINGS": "default"})

    assert [outcome["error"] for outcome in result.outcomes] == ["", "", ""]
    assert [log.body for log in result.messages(0)] == ["orchestrating i-1"]
    assert [log.body for log in result.messages(1)] == ["working on x"]
    assert sorted(str(s.attributes["faas.name"]) for s in result.spans) == ["activity", "entity"]


@library_path
@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("app", "function"), [("v2_asgi", "http_app_func"), ("v2_wsgi", "http_app_func")]
)
def test_web_apps(run: Runner, call: Caller, host: Any, path: str, app: str, function: str) -> None:
    """An ASGI or WSGI app is one function; what it logs belongs to the invocation."""
    made = call(function, url="https://app.net/api/hello")
    result = run(app, [made], path=path)

    assert [outcome["error"] for outcome in result.outcomes] == [""]
    assert (result.span().trace_id, result.span().parent_id) == host
    assert result.span().attributes["http.response.status_code"] == 202
    assert [log.body for log in result.messages()] == ["in the framework"]


@pytest.mark.library_worker
def test_http_streams(run: Runner, call: Caller, host: Any) -> None:
    """A streaming function gets its Starlette request, and its body reaches the client."""
    made = call("stream", stream="/api/stream?text=abc")
    result = run("v2_streams", [made], path="protobuf")

    assert result.outcomes[0]["error"] == ""
    assert result.outcomes[0]["body"] == "abc"
    assert (result.span().trace_id, result.span().parent_id) == host
    assert [log.body for log in result.messages()] == ["asked for /api/stream"]
