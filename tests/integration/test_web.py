"""Web frameworks behind one function, on real library workers."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.ingestion import Ingestion

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

FUNCTION = "http_app_func"
OWN_ROUTE = "/{*route}"

pytestmark = pytest.mark.library_worker


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip a test where what people run beside us is not installed."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}")


fastapi_too = needs("fastapi", "opentelemetry.instrumentation.fastapi")
starlette_too = needs("starlette", "opentelemetry.instrumentation.starlette")
flask_too = needs("flask", "opentelemetry.instrumentation.flask")
WAYS = ("itself", "instrumented", "by setting")


def instrumented(name: str) -> tuple[dict[str, str], ...]:
    """Return settings with which the app instruments nothing, does itself, or has it done."""
    return {}, {"INSTRUMENT": "1"}, {"FUNCSCOPE_INSTRUMENT": name}


@pytest.fixture
def get(call: Caller) -> Callable[..., dict[str, Any]]:
    """Make a call of the app's one function: `get("/items/1")`."""

    def make(path: str, **more: Any) -> dict[str, Any]:
        return call(FUNCTION, url=f"https://app.net{path}", **more)

    return make


def routes(result: Any) -> list[tuple[str, object]]:
    """Return the name and the route of each call's span."""
    spans = [result.span(index) for index in range(len(result.calls))]
    return [(span.name, span.attributes["http.route"]) for span in spans]


def measured_routes(receiver: Any) -> dict[tuple[str, object], int]:
    """Count the requests that were measured, by who measured them and by their routes."""
    counts: dict[tuple[str, object], int] = {}
    for metric in receiver[1].metrics:
        if metric.name == "http.server.request.duration":
            for point in metric.points:
                key = (metric.scope, point.attributes["http.route"])
                counts[key] = max(counts.get(key, 0), point.count)
    return counts


@fastapi_too
def test_fastapi_routes(run: Runner, get: Caller, host: Any, path: str, receiver: Any) -> None:
    """Spans and the HTTP metric have FastAPI's template: of routers, mounts and its own pages."""
    asked = {
        "/items/1": "/items/{item_id}",
        "/items/2": "/items/{item_id}",
        "/orders/3/lines/4": "/orders/{order_id}/lines/{line}",
        "/tenants/acme/users/5": "/tenants/{tenant_id}/users/{user_id}",
        "/static/host.json": "/static/{path}",
        "/docs": "/docs",
        "/fails/6": "/fails/{item_id}",
        "/missing/7": OWN_ROUTE,
    }
    result = run("v2_fastapi", [get(url) for url in asked], path=path)

    assert routes(result) == [(f"GET {route}", route) for route in asked.values()]
    assert {span.trace_id for span in result.spans} == {host.trace_id}
    assert measured_routes(receiver) == {
        ("funcscope", route): list(asked.values()).count(route) for route in asked.values()
    }


@fastapi_too
@pytest.mark.parametrize("env", instrumented("fastapi"), ids=WAYS)
def test_one_server_span_of_fastapi(
    run: Runner, get: Caller, host: Any, path: str, env: dict[str, str]
) -> None:
    """What FastAPI or its instrumentation would make a span of is the invocation's span."""
    caller = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    calls = [get("/items/1", headers=caller), get("/fails/2", headers=caller)]
    result = run("v2_fastapi", calls, path=path, env=env)
    servers = [span for span in result.spans if span.kind == "SERVER"]
    named = [span for span in result.spans if span.name.startswith("GET")]
    named = [span for span in named if not span.name.endswith("http send")]  # a span of its own
    work = next(span for span in result.spans if span.name == "work")
    ancestors = {span.span_id: span.parent_id for span in result.spans}

    assert len(servers) == len(named) == 2
    assert [(span.trace_id, span.parent_id) for span in servers] == [host, host]
    assert result.span(0).span_id in {work.parent_id, ancestors[work.parent_id]}
    assert ("hook" in result.span(0).attributes) is ("INSTRUMENT" in env)
    assert "http.url" not in result.span(0).attributes
    assert result.span(1).attributes["error.type"] == "KeyError"
    assert result.span(1).events == ()
    assert [log.event_name for log in result.logs if log.event_name] == [
        "faas.invocation.exception"
    ]


@fastapi_too
def test_sync_routes_are_correlated(run: Runner, get: Caller, path: str) -> None:
    """A route that FastAPI runs in its thread pool logs in its invocation, also to the host."""
    calls = [get(f"/threads/{number}") for number in range(8)]
    result = run("v2_fastapi", calls, path=path, concurrent=True, host_stream=True)
    expected = {f"item {n} in a thread": calls[n]["id"] for n in range(8)}
    sent = {text: found for text, found in result.host_stream if text in expected}

    for index in range(8):
        (log,) = result.messages(index)
        assert log.body == f"item {index} in a thread"
        assert log.trace_id == result.span(index).trace_id
        (work,) = (span for span in result.spans if span.span_id == log.span_id)
        assert work.name == "work"
    assert sent == expected


@fastapi_too
def test_below_the_hosts_span(run: Runner, get: Caller) -> None:
    """Where the host's span is the request's, ours keeps its name and tells the route."""
    env = {"FUNCSCOPE_SPAN_KIND": "host"}
    result = run("v2_fastapi", [get("/items/1")], path="protobuf", env=env)

    assert routes(result) == [("function http_app_func", "/items/{item_id}")]
    assert result.span().kind == "INTERNAL"
    assert not [span for span in result.spans if span.kind == "SERVER"]


@fastapi_too
def test_application_root(run: Runner, get: Caller) -> None:
    """An app that is told of the host's route prefix as its root has it in its routes."""
    calls = [get("/api/items/1"), get("/api/tenants/acme/users/5")]
    # FastAPI 0.165 says that a server had better tell it; here there is none.
    env = {"ROOT_PATH": "/api", "PYTHONWARNINGS": "default"}
    result = run("v2_fastapi", calls, path="protobuf", env=env)

    assert [route for _, route in routes(result)] == [
        "/api/items/{item_id}",
        "/api/tenants/{tenant_id}/users/{user_id}",
    ]


@starlette_too
@pytest.mark.parametrize("env", instrumented("starlette"), ids=WAYS)
def test_starlette(run: Runner, get: Caller, path: str, env: dict[str, str]) -> None:
    """Starlette's templates are told as they stand there; a name that the app gives stays."""
    calls = [get("/items/1"), get("/nested/things/2"), get("/items/x"), get("/named/3")]
    result = run("v2_starlette", calls, path=path, env=env)

    assert routes(result) == [
        ("GET /items/{item_id:int}", "/items/{item_id:int}"),
        ("GET /nested/things/{name}", "/nested/things/{name}"),
        (f"GET {OWN_ROUTE}", OWN_ROUTE),
        ("mine", "/named/{name}"),
    ]
    assert [span.kind for span in result.spans].count("SERVER") == 4
    assert {span.parent_id for span in result.spans if span.kind != "SERVER"} <= {
        result.span(index).span_id for index in range(4)
    }


COUNTED = """
file_format: "1.0"
meter_provider:
  readers:
    - periodic: {exporter: {azure_monitor_opentelemetry_exporter: {connection_string: "%s"}}}
"""


@flask_too
@pytest.mark.parametrize("instrument", ["", "flask"])
def test_requests_that_azure_monitor_counts(
    run: Runner, get: Caller, tmp_path: Path, ingestion: Ingestion, instrument: str
) -> None:
    """Where a request is counted at its destination and by an instrumentation one line says so."""
    pytest.importorskip("opentelemetry.configuration")
    (tmp_path / "otel.yaml").write_text(COUNTED % ingestion.connection_string)
    env = {
        "OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml"),
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "PYTHONWARNINGS": "default",
        "INSTRUMENT": instrument,
    }
    calls = [get("/items/1"), get("/items/2")]
    result = run("v2_flask", calls, path="native", env=env, keeps_opentelemetry=True)

    said = result.stdout + result.stderr
    assert said.count("requests are counted twice at Azure Monitor") == bool(instrument)


@flask_too
@pytest.mark.parametrize("instrument", ["", "flask", "wsgi", "by setting"])
def test_flask(
    run: Runner, get: Caller, host: Any, path: str, instrument: str, receiver: Any
) -> None:
    """Flask's rules are told as they stand there, and nobody makes a server span beside ours."""
    calls = [get("/items/1"), get("/shop/orders/2"), get("/missing"), get("/fails/3")]
    env = instrumented("flask")[-1] if instrument == "by setting" else {"INSTRUMENT": instrument}
    result = run("v2_flask", calls, path=path, env=env)
    expected = [
        "/items/<int:item_id>",
        "/shop/orders/<order_id>",
        OWN_ROUTE,
        "/fails/<int:item_id>",
    ]
    (work,) = (span for span in result.spans if span.name == "work")

    assert routes(result) == [(f"GET {route}", route) for route in expected]
    assert len(result.spans) == 5
    assert work.parent_id == result.span(0).span_id
    assert [log.body for log in result.messages(0)] == ["item 1"]
    assert ("hook" in result.span(0).attributes) is (instrument == "flask")
    assert result.span(3).attributes["http.response.status_code"] == 500
    assert set(measured_routes(receiver)) == {("funcscope", route) for route in expected}


@flask_too
def test_flask_answers_of_500_and_more(run: Runner, get: Caller, path: str) -> None:
    """Of an answer that azure.functions raises, the status is told, and the body nowhere."""
    result = run("v2_flask", [get("/declines/1"), get("/fails/1")], path=path)
    declined, failed = result.span(0), result.span(1)

    assert [s.attributes["error.type"] for s in (declined, failed)] == ["503", "500"]
    assert [s.status for s in (declined, failed)] == ["ERROR", "ERROR"]
    said = [str(found) for found in (result.spans, result.logs)]
    assert not any("SECRET" in text or "doctype" in text for text in said)
    (logged,) = result.messages(1)
    assert logged.attributes["exception.type"] == "KeyError"


@pytest.fixture
def stream(run: Runner, call: Caller) -> Callable[..., Any]:
    """Call functions of the app that streams: `stream("slow", …)`; only protobuf offers streams."""

    def make(*calls: str | dict[str, Any], **options: Any) -> Any:
        asked = [made if isinstance(made, dict) else streamed(made) for made in calls]
        return run("v2_streams", asked, path="protobuf", **options)

    def streamed(function: str) -> dict[str, Any]:
        return call(function, stream=f"/api/{function}")

    return make


def test_a_stream_ends_with_its_last_byte(
    stream: Callable[..., Any], host: Any, receiver: Any
) -> None:
    """The span lasts until all is sent, and tells how much; what produces it is within."""
    result = stream("slow", "slow", host_stream=True)  # providers are set in the first
    span = result.span(1)
    producing = [other for other in result.spans if other.name == "producing"][1]
    logs = result.messages(1)
    chunks = "chunk 0;chunk 1;chunk 2;"

    assert [outcome["body"] for outcome in result.outcomes] == [chunks, chunks]
    assert (span.trace_id, span.parent_id) == host
    assert span.attributes["http.response.body.size"] == len(chunks)
    assert span.attributes["http.response.status_code"] == 203
    assert (span.name, span.status) == ("GET /api/slow", "UNSET")
    assert (producing.trace_id, producing.parent_id) == (span.trace_id, span.span_id)
    assert producing.end_ns <= span.end_ns
    assert [log.body for log in logs] == ["sent 0", "sent 1", "sent 2", "afterwards"]
    assert [log.span_id for log in logs] == [producing.span_id] * 3 + [span.span_id]
    assert ("sent 2", result.calls[1]["id"]) in {tuple(row) for row in result.host_stream}
    assert sorted(other.kind for other in result.spans) == ["INTERNAL"] * 2 + ["SERVER"] * 2
    assert measured_routes(receiver) == {("funcscope", "/api/slow"): 2}


def test_a_sync_function_streams(stream: Callable[..., Any]) -> None:
    """What a plain generator does, in threads and after its function, is the invocation's."""
    result = stream("blocking")

    assert result.outcomes[0]["body"] == "0;1;"
    assert [log.body for log in result.messages()] == ["read 0", "read 1"]
    assert {log.span_id for log in result.messages()} == {result.span().span_id}
    assert result.span().attributes["http.response.body.size"] == 4


def test_a_streamed_request(stream: Callable[..., Any], call: Caller) -> None:
    """A request's body is counted as it comes."""
    made = call("upload", stream="/api/upload", send=["ab", "cde"], method="POST")
    result = stream(made)

    assert result.outcomes[0]["body"] == "5"
    assert result.span().attributes["http.request.body.size"] == 5
    assert result.span().attributes["http.response.body.size"] == 1


@pytest.mark.parametrize(
    "env", [{}, {"FUNCSCOPE_KEEP_RATIO": "0"}, {"FUNCSCOPE_FLUSH": "invocation"}]
)
def test_a_stream_that_breaks(stream: Callable[..., Any], env: dict[str, str]) -> None:
    """An exception while the response is produced is the invocation's, told once and kept."""
    result = stream("broken", "fails", env=env)
    span = result.span()
    (failure,) = (log for log in result.logs if log.event_name and log.trace_id == span.trace_id
                  and log.span_id == span.span_id)  # fmt: skip

    assert result.outcomes[0]["body"] == "begun"
    assert (span.status, span.attributes["error.type"]) == ("ERROR", "KeyError")
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["http.response.body.size"] == len("begun")
    assert failure.event_name == "faas.invocation.exception"
    assert failure.attributes["exception.message"] == "'lost'"
    assert result.span(1).attributes["http.response.status_code"] == 500
    assert [span.kind for span in result.spans] == ["SERVER", "SERVER"]


def test_a_stream_that_is_left_out(stream: Callable[..., Any]) -> None:
    """Whether an invocation is kept is decided with its last byte, for all that is its own."""
    result = stream("slow", "broken", env={"FUNCSCOPE_KEEP_RATIO": "0"})
    wanted = result.calls[1]["id"]

    assert [span.attributes["faas.invocation_id"] for span in result.spans] == [wanted]
    assert {log.attributes["faas.invocation_id"] for log in result.logs} == {wanted}


def test_a_client_that_goes_away(stream: Callable[..., Any], call: Caller) -> None:
    """A response that the client did not wait for says so, and what was sent until then."""
    endless = call("endless", stream="/api/endless", read=10)
    result = stream(endless, "until_gone")
    span = result.span()

    assert result.outcomes[1]["body"] == '"gone"'
    assert (span.status, span.attributes["error.type"]) == ("ERROR", "client_disconnected")
    assert span.attributes["http.response.body.size"] >= 10
    assert [log.body for log in result.messages()] == ["nobody listens"]
    assert result.span(1).status == "UNSET"


def how_to() -> list[str]:
    """Return the apps that the how-to shows: FastAPI's, Flask's, the one that streams."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "web-frameworks.md"
    return re.findall(r"```python\n# function_app.py\n(.*?)```", page.read_text(), re.DOTALL)


@fastapi_too
@flask_too
@pytest.mark.parametrize(
    ("index", "url", "route", "logged"),
    [
        (0, "/items/1", "/items/{item_id}", ["reading 1"]),
        (1, "/items/1", "/items/<int:item_id>", ["reading 1"]),
        (2, "/numbers", "/numbers", ["sent 0", "sent 1", "sent 2"]),
    ],
    ids=["fastapi", "flask", "streams"],
)
def test_how_to(
    run: Runner, call: Caller, tmp_path: Path, index: int, url: str, route: str, logged: list[str]
) -> None:
    """What the how-to shows works as it stands there."""
    app = tmp_path / "v2_docs"
    app.mkdir()
    (app / "host.json").write_text(
        '{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}'
    )
    (app / "function_app.py").write_text(how_to()[index])
    function, more = (FUNCTION, {}) if index < 2 else ("stream", {"stream": url})
    result = run(app, [call(function, url=f"https://app.net{url}", **more)], path="protobuf")

    assert routes(result) == [(f"GET {route}", route)]
    assert [log.body for log in result.messages()] == logged
