"""What functions return and put out, and what a worker makes of that."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

VALUES = """
import datetime
import decimal
import enum
import io

import azure.functions as func


class Text(str):
    pass


class Response(func.HttpResponse):
    pass


class Number(enum.IntEnum):
    ONE = 1


class Model:
    def to_json(self):
        return {"a": 1}


VALUES = {
    "none": lambda: None,
    "str": lambda: "a",
    "text": lambda: Text("a"),
    "no text": lambda: "",
    "bytes": lambda: b"a",
    "bytearray": lambda: bytearray(b"a"),
    "memoryview": lambda: memoryview(b"a"),
    "int": lambda: 1,
    "enum": lambda: Number.ONE,
    "large int": lambda: 2**70,
    "float": lambda: 1.5,
    "bool": lambda: True,
    "dict": lambda: {"a": [1, None, {"b": 2.5}]},
    "dict of dates": lambda: {"a": datetime.datetime(2026, 1, 1)},
    "dict with pairs for keys": lambda: {(1, 2): 3},
    "list of str": lambda: ["a", "b"],
    "list of int": lambda: [1, 2],
    "list of bytes": lambda: [b"a"],
    "list of objects": lambda: [object()],
    "empty list": lambda: [],
    "tuple": lambda: ("a",),
    "set": lambda: {"a"},
    "iterator": lambda: iter(["a"]),
    "object": lambda: object(),
    "date": lambda: datetime.date(2026, 1, 1),
    "decimal": lambda: decimal.Decimal("1.5"),
    "stream": lambda: io.BytesIO(b"a"),
    "model": lambda: Model(),
    "list of models": lambda: [Model()],
    "response": lambda: func.HttpResponse("a", status_code=201),
    "own response": lambda: Response("a"),
    "message": lambda: func.QueueMessage(id="a", body=b"a"),
    "list of messages": lambda: [func.QueueMessage(id="a", body=b"a"), "b"],
    "document": lambda: func.Document({"a": 1}),
    "documents": lambda: func.DocumentList([func.Document({"a": 1})]),
    "list of documents": lambda: [func.Document({"a": 1})],
    "row": lambda: func.SqlRow({"a": 1}),
    "list of rows": lambda: [func.SqlRow({"a": 1})],
    "event": lambda: func.EventGridOutputEvent(
        id="a", data={}, subject="a", event_type="a", event_time=datetime.datetime(2026, 1, 1),
        data_version="1",
    ),
}
"""
NAMES = [line.split('"')[1] for line in VALUES.splitlines() if line.startswith('    "')]
KINDS = ("queue", "blob", "table", "serviceBus", "eventHub", "eventGrid", "cosmosDB", "sql",
         "mysql", "kafka", "http", "unheardOf")  # fmt: skip

V2 = """
import funcscope.auto
import azure.functions as func

from values import VALUES

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
KINDS = @KINDS@
trigger = app.queue_trigger(arg_name="msg", queue_name="q", connection="c")


def returning(kind):
    def function(msg: func.QueueMessage):
        return VALUES[msg.get_body().decode()]()

    function.__name__ = f"returns_{kind}"
    return app.generic_output_binding(arg_name="$return", type=kind)(trigger(function))


def putting(kind):
    async def function(msg: func.QueueMessage, out) -> None:
        out.set(VALUES[msg.get_body().decode()]())

    function.__name__ = f"puts_{kind}"
    return app.generic_output_binding(arg_name="out", type=kind)(trigger(function))


for kind in KINDS:
    returning(kind)
    putting(kind)


@app.generic_trigger(arg_name="name", type="activityTrigger")
def activity(name: str):
    return VALUES[name.strip('"')]()


@trigger
def returns_nothing(msg: func.QueueMessage):
    return VALUES[msg.get_body().decode()]()


@trigger
@app.queue_output(arg_name="out", queue_name="q", connection="c")
def annotated(msg: func.QueueMessage, out: func.Out[str]) -> None:
    out.set(VALUES[msg.get_body().decode()]())


@app.route("answers")
def answers(req: func.HttpRequest):
    return VALUES[req.params["value"] if req.params else req.url.partition("=")[2]]()


@app.route("answers_async")
async def answers_async(req: func.HttpRequest):
    return answers._function._func.__wrapped__(req)
"""

V1 = """
import funcscope.auto
import azure.functions as func

from values import VALUES


def main(msg: func.QueueMessage):
    return VALUES[msg.get_body().decode()]()


def put(msg: func.QueueMessage, out) -> None:
    out.set(VALUES[msg.get_body().decode()]())
"""

NOT_JSON = {"dict of dates", "dict with pairs for keys", "list of objects", "list of bytes",
            "list of models", "list of messages", "list of documents", "list of rows"}  # fmt: skip


def is_left_to_host(path: str, function: str, value: str) -> bool:
    """Tell what the native paths hand to their host as it is, where no converter makes JSON."""
    is_generic = function.endswith(("_table", "_unheardOf", "annotated"))
    is_large = value == "large int" and (is_generic or function.endswith("_eventHub"))
    return path.startswith("native") and (is_large or (is_generic and value in NOT_JSON))


UNKNOWN = {"iterator", "stream", "bool"}
"""What only the worker can tell of: items that can be taken once, and what its protobuf makes of a
bool (7.36 refuses it as an int)."""


def check(result: Any, path: str) -> None:
    """Compare the worker's verdict on each result with what its span says."""
    refused = {
        (call["function"], call["value"]): outcome["error"]
        for call, outcome in zip(result.calls, result.outcomes, strict=True)
        if not outcome["ok"]
    }
    told = {}
    for index, call in enumerate(result.calls):
        span = result.span(index)
        if "error.type" in span.attributes and not is_left_to_host(
            path, call["function"], call["value"]
        ):
            told[call["function"], call["value"]] = span.status_message
            is_http = span.attributes["faas.trigger"] == "http"
            code = span.attributes.get("http.response.status_code")
            assert code == (500 if is_http else None), span
            assert (span.status, span.events) == ("ERROR", ())
    assert all(told.values())
    missed = {of: refused[of] for of in refused.keys() - told.keys() if of[1] not in UNKNOWN}
    wrong = {of: told[of] for of in told.keys() - refused.keys()}
    assert (missed, wrong) == ({}, {})


@pytest.mark.library_worker
@pytest.mark.parametrize("path", ["protobuf", "native_sync"])
def test_the_workers_verdict(run: Runner, call: Caller, tmp_path: Path, path: str) -> None:
    """For each value and each binding, the span is an error if and only if the worker refuses."""
    app = tmp_path / "v2_results"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "values.py").write_text(VALUES)
    (app / "function_app.py").write_text(V2.replace("@KINDS@", repr(KINDS)))
    functions = [f"{does}_{kind}" for kind in KINDS for does in ("returns", "puts")]
    functions += ["returns_nothing", "annotated"]
    calls = [call(name, input=value, value=value) for name in functions for value in NAMES]
    calls += [call("activity", input=json.dumps(value), value=value) for value in NAMES]
    calls += [
        call(name, url=f"https://app.net/api/{name}?value={value}", value=value)
        for name in ("answers", "answers_async")
        for value in NAMES
    ]
    result = run(app, calls, path=path, env={"PYTHONWARNINGS": "default"})  # Durable warns

    check(result, path)
    assert "http.server.request.duration" in result.metrics


@pytest.mark.library_worker
@pytest.mark.parametrize("path", ["protobuf", "native"])
def test_the_v1_workers_verdict(run: Runner, call: Caller, tmp_path: Path, path: str) -> None:
    """The same holds for the programming model of function.json."""
    app = tmp_path / "v1_results"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "values.py").write_text(VALUES)
    functions = []
    trigger = {"name": "msg", "type": "queueTrigger", "direction": "in", "queueName": "q"}
    for kind in KINDS:
        for name, entry, output in (("returns", "main", "$return"), ("puts", "put", "out")):
            functions.append(f"{name}_{kind}")
            folder = app / functions[-1]
            folder.mkdir()
            (folder / "__init__.py").write_text(V1)
            bindings = [trigger, {"name": output, "type": kind, "direction": "out"}]
            content = {"scriptFile": "__init__.py", "entryPoint": entry, "bindings": bindings}
            (folder / "function.json").write_text(json.dumps(content))
    calls = [call(name, input=value, value=value) for name in functions for value in NAMES]
    result = run(app, calls, path=path, env={"PYTHONWARNINGS": "default"})  # Durable warns

    check(result, path)


STREAMS = """
import funcscope.auto
import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("answers")
async def answers(req: Request) -> JSONResponse:
    return {"a": 1} if "some" in str(req.url) else None
"""


@pytest.mark.library_worker
def test_results_where_the_worker_serves_http(run: Runner, call: Caller, tmp_path: Path) -> None:
    """With HTTP streams the worker hands on whatever is returned, but for nothing: that is 500."""
    app = tmp_path / "v2_stream_results"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(STREAMS)
    calls = [call("answers", stream=f"/api/answers?{value}") for value in ("some", "none")]
    some, none = (run(app, [made], path="protobuf").span(0) for made in calls)

    assert (some.status, some.attributes["http.response.status_code"]) == ("UNSET", 200)
    assert (none.status, none.attributes["http.response.status_code"]) == ("ERROR", 500)
