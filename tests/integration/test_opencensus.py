"""
Apps written for OpenCensus, with only their import changed, on every worker.

The integrations of OpenCensus's want wrapt 1.x, so `make test` gives them an environment of their
own. A proxy on loopback stands for example.com, as the apps are users' and name it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.environments import needs, python_beside

if TYPE_CHECKING:
    from tests.integration.ingestion import Ingestion

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

APPS = Path(__file__).parents[1] / "apps"
PYTHON = python_beside("opencensus")

CONNECTED = """
import os
import azure.functions as func
from funcscope.contrib.opencensus import OpenCensusExtension

OpenCensusExtension.configure(connection_string=os.environ["GIVEN"])
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("hello")
def hello(req: func.HttpRequest, context) -> str:
    with context.tracer.span("parent"):
        return "hello"
"""

pytestmark = [pytest.mark.library_worker, needs("opencensus")]


class Web(ThreadingHTTPServer):
    """Answers for every host of the web, and keeps what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.envelopes: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def connection_string(self) -> str:
        """What a handler for Azure Monitor is told to send here."""
        key = "00000000-0000-0000-0000-000000000000"
        port = self.server_address[1]
        return f"InstrumentationKey={key};IngestionEndpoint=http://127.0.0.1:{port}"


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        """Answer one request."""
        self.server.asked.append((self.path, self.headers.get("traceparent", "")))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        """Take one batch of Azure Monitor's."""
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.envelopes.extend(batch)
        taken = {"itemsReceived": len(batch), "itemsAccepted": len(batch), "errors": []}
        answer = json.dumps(taken).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[Web]:
    """Serve the web on loopback."""
    with Web() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def census(run: Runner, web: Web) -> Runner:
    """Run an app where OpenCensus and its integrations are installed, with the web served."""

    def drive(app: str | Path, calls: list[Any], *, path: str, **options: Any) -> Any:
        environ = {
            "HTTP_PROXY": f"http://127.0.0.1:{web.server_address[1]}",
            "NO_PROXY": "127.0.0.1,localhost",
            # OpenCensus uses what Python 3.12 deprecates.
            "PYTHONWARNINGS": "error,ignore::DeprecationWarning",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            **options.pop("env", {}),
        }
        return run(app, calls, path=path, python=PYTHON, env=environ, **options)

    return drive


def tree(result: Any, index: int) -> dict[str, str]:
    """Tell each span's parent in one call's trace, by name; the invocation's is `invocation`."""
    invocation = result.span(index)
    names = {invocation.span_id: "invocation"}
    below = [s for s in result.spans if s.span_id != invocation.span_id]
    names |= {s.span_id: s.name for s in below}
    mine: dict[str, str] = {}
    pending = [invocation.span_id]
    while pending:
        parent = pending.pop()
        for span in (s for s in below if s.parent_id == parent):
            mine[span.name] = names[parent]
            pending.append(span.span_id)
    return mine


def test_guide(census: Runner, call: Caller, host: Any, path: str, web: Web) -> None:
    """The guide's sample has one trace: the host's, the invocation, `parent`, the request."""
    result = census("v1_opencensus_guide", [call("HttpTrigger")], path=path)
    spans = {span.name: span for span in result.spans}
    invocation, parent, request = result.span(), spans["parent"], spans["/"]

    assert result.outcomes[0]["error"] == ""
    assert len(result.spans) == 3
    assert {span.trace_id for span in result.spans} == {host.trace_id}
    assert invocation.parent_id == host.span_id
    assert (parent.parent_id, parent.kind) == (invocation.span_id, "INTERNAL")
    assert (request.parent_id, request.kind) == (parent.span_id, "CLIENT")
    assert request.status == "UNSET"
    assert request.attributes == {
        "component": "HTTP",
        "http.host": "example.com",
        "http.method": "GET",
        "http.path": "/",
        "http.url": "http://example.com",
        "http.status_code": 200,
    }
    assert invocation.start_ns <= parent.start_ns + 1000  # OpenCensus cuts to microseconds
    assert parent.start_ns <= request.start_ns <= request.end_ns <= parent.end_ns
    assert parent.end_ns <= invocation.end_ns
    assert web.asked == [("http://example.com/", f"00-{host.trace_id}-{request.span_id}-01")]
    (log,) = result.messages()
    assert (log.body, log.span_id) == (
        "Executing HttpTrigger with OpenCensus extension",
        invocation.span_id,
    )


def test_v1(census: Runner, call: Caller, path: str) -> None:
    """In the v1 model one function's import serves all: async ones, and those without context."""
    result = census("v1_opencensus_guide", [call("later"), call("second")], path=path)

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert tree(result, 0) == {"parent": "invocation", "/": "parent"}
    assert tree(result, 1) == {"/": "invocation"}


@pytest.mark.parametrize("is_configured", [True, False])
def test_v2(census: Runner, call: Caller, path: str, is_configured: bool) -> None:
    """In the v2 model, sync and async, with `configure()` or without, context or none."""
    calls = [call("hello"), call("later"), call("plain")]
    env = {"CONFIGURE": "1"} if is_configured else {}
    result = census("v2_opencensus_moved", calls, path=path, env=env)
    child = next(span for span in result.spans if span.name == "child")
    parents = {s.span_id: s for s in result.spans if s.name == "parent"}

    assert [outcome["error"] for outcome in result.outcomes] == [""] * 3
    assert tree(result, 0) == {"parent": "invocation", "/": "parent"}
    assert tree(result, 1) == {"parent": "invocation", "child": "parent"}
    assert tree(result, 2) == {"/": "invocation", "current": "invocation"}
    assert parents[child.parent_id].attributes == {"id": calls[1]["id"]}
    assert len(result.spans) == 3 + 6
    assert {span.scope for span in result.spans} == {"funcscope", "funcscope.contrib.opencensus"}


@pytest.mark.parametrize("handler", ["none", "before", "after"])
def test_custom_dimensions(
    census: Runner, call: Caller, path: str, handler: str, web: Web, tmp_path: Path
) -> None:
    """
    What a log call has under `custom_dimensions` is exported by its own names, in its span.

    So it is where OpenCensus's handler was left standing, made before the import or after, which
    gets it too, and whose own requests are no spans.
    """
    env = {"LOG_HANDLER": handler, "SEND_TO": web.connection_string, "SPOOL": str(tmp_path)}
    result = census("v2_opencensus_moved", [call("hello")], path=path, env=env)
    sent = [e["data"]["baseData"] for e in web.envelopes]
    (log,) = (log for log in result.messages() if log.body == "asking")
    parent = next(span for span in result.spans if span.name == "parent")

    assert (log.attributes["order"], log.attributes["customer.id"]) == (17, "c")
    assert (log.trace_id, log.span_id) == (parent.trace_id, parent.span_id)
    assert [m["properties"]["order"] for m in sent if m["message"] == "asking"] == (
        [] if handler == "none" else [17]
    )
    assert sorted(span.name for span in result.spans) == ["/", "GET /api/hello", "parent"]


def test_failing_function(census: Runner, call: Caller, path: str) -> None:
    """An exception that leaves a span's block is on both spans, and reaches the host."""
    result = census("v2_opencensus_moved", [call("fails")], path=path)
    parent = next(span for span in result.spans if span.name == "parent")
    (event,) = parent.events

    assert "ValueError" in result.outcomes[0]["error"]
    assert "contrib/opencensus" not in result.outcomes[0]["stack"]
    assert (parent.status, parent.status_message) == ("ERROR", "no such order")
    assert parent.attributes["error.type"] == "ValueError"
    assert event.attributes["exception.type"] == "ValueError"
    assert result.span().status == "ERROR"


def test_unknown_library(run: Runner, call: Caller, path: str) -> None:
    """Beside the newest azure-functions, an integration that is not installed is a warning."""
    pytest.importorskip("opencensus", reason="needs funcscope[opencensus]")
    env = {"INTEGRATIONS": "nonesuch", "PYTHONWARNINGS": "error,ignore::DeprecationWarning"}
    result = run("v2_opencensus_moved", [call("later"), call("threads")], path=path, env=env)

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert tree(result, 0) == {"parent": "invocation", "child": "parent"}
    assert tree(result, 1) == {"parent": "invocation", "thread": "parent", "pool": "parent"}
    assert result.stderr.count("Failed to integrate module: opencensus.ext.nonesuch.trace") == 1


def test_at_once(census: Runner, call: Caller, path: str) -> None:
    """Invocations at once each have their own spans, and leave nothing behind."""
    calls = [call("later") for _ in range(10)] + [call("hello") for _ in range(5)]
    result = census("v2_opencensus_moved", calls, path=path, concurrent=True)

    assert all(outcome["ok"] for outcome in result.outcomes), result.outcomes
    for index in range(10):
        assert tree(result, index) == {"parent": "invocation", "child": "parent"}
    for index in range(10, 15):
        assert tree(result, index) == {"parent": "invocation", "/": "parent"}
    assert len(result.spans) == 10 * 3 + 5 * 3
    assert result.leaks == []


@pytest.mark.parametrize("propagate", ["on", "off"])
@pytest.mark.parametrize("integrations", ["requests", "requests,threading"])
def test_threads(
    census: Runner, call: Caller, path: str, propagate: str, integrations: str
) -> None:
    """Threads and pools have their spans in the trace, by what we carry or what OpenCensus does."""
    env = {"FUNCSCOPE_PROPAGATE": propagate, "INTEGRATIONS": integrations}
    result = census("v2_opencensus_moved", [call("threads"), call("hello")], path=path, env=env)
    found = tree(result, 0)
    in_pool = found["pool"]  # OpenCensus's integration makes a span of each call of a pool
    parent_of_pool = found[in_pool] if in_pool.startswith("ThreadPoolExecutor-") else in_pool

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert found["parent"] == "invocation"
    assert (found["thread"], parent_of_pool) == ("parent", "parent")
    assert tree(result, 1) == {"/": "parent", "parent": "invocation"}
    assert result.leaks == []


@pytest.mark.parametrize("is_first", [True, False])
def test_retired_extension_beside(census: Runner, call: Caller, path: str, is_first: bool) -> None:
    """Beside the retired extension nothing is recorded twice, whichever comes first."""
    first = "opencensus.extension.azure.functions" if is_first else "funcscope.contrib.opencensus"
    result = census("v2_opencensus_both", [call("hello")] * 2, path=path, import_first=[first])

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert sorted(span.name for span in result.spans).count("parent") == 2
    assert result.stderr.count("is imported beside funcscope.contrib.opencensus") == 1


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "leave-opencensus.md"


def v1_app(folder: Path, code: str) -> Path:
    """Write a v1 app of one function."""
    app = folder / "v1_docs"
    function = app / "HttpTrigger"
    function.mkdir(parents=True)
    example = APPS / "v1" / "hello" / "function.json"
    (function / "function.json").write_text(example.read_text())
    (function / "__init__.py").write_text(code)
    (app / "host.json").write_text('{"version": "2.0"}')
    return app


def shown() -> list[str]:
    """Return the Python code that the how-to shows."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_docs_change_one_import(
    census: Runner, call: Caller, path: str, tmp_path: Path, web: Web
) -> None:
    """What the how-to shows after is what it shows before with another import, and it works."""
    before, after, _, _ = shown()
    retired = "opencensus.extension.azure.functions"
    result = census(v1_app(tmp_path, after), [call("HttpTrigger")], path=path)

    assert before.replace(retired, "funcscope.contrib.opencensus") == after
    assert result.outcomes[0]["error"] == ""
    assert tree(result, 0) == {"parent": "invocation", "/": "parent"}
    assert len(web.asked) == 1


def test_docs_without_opencensus(
    run: Runner, call: Caller, path: str, tmp_path: Path, web: Web
) -> None:
    """The same function without OpenCensus has the same trace."""
    proxy = f"http://127.0.0.1:{web.server_address[1]}"
    env = {"HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1", "FUNCSCOPE_INSTRUMENT": "requests"}
    result = run(v1_app(tmp_path, shown()[2]), [call("HttpTrigger")], path=path, env=env)

    assert result.outcomes[0]["error"] == ""
    assert tree(result, 0) == {"parent": "invocation", "GET": "parent"}


def test_docs_methods(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """What the spans' methods are called in OpenTelemetry does what it is shown for."""
    app = tmp_path / "v2_docs"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(shown()[3])
    result = run(app, [call("order")], path=path)
    charge = next(span for span in result.spans if span.name == "charge")

    assert result.span().attributes["order"] == 17
    assert tree(result, 0) == {"charge": "invocation", "refund": "invocation"}
    assert (charge.kind, charge.status, charge.status_message) == (
        "CLIENT",
        "ERROR",
        "card declined",
    )
    assert [event.name for event in charge.events] == ["declined"]


def test_a_connection_string_is_honoured(
    run: Runner, call: Caller, path: str, ingestion: Ingestion, tmp_path: Path
) -> None:
    """What `configure` is given is where everything goes, through Azure Monitor's own exporter."""
    app = tmp_path / "v2_connected"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(CONNECTED)
    calls = [call("hello")]
    env = {
        "GIVEN": ingestion.connection_string,
        "PYTHONWARNINGS": "error,ignore::DeprecationWarning",  # OpenCensus calls `utcnow()`
        "TMPDIR": str(tmp_path),
    }
    result = run(app, calls, path=path, env=env)
    of_kind = {made["data"]["baseType"]: made for made in ingestion.envelopes}
    request, parent = of_kind["RequestData"], of_kind["RemoteDependencyData"]

    assert [outcome["error"] for outcome in result.outcomes] == [""]
    assert request["data"]["baseData"]["properties"]["InvocationId"] == calls[0]["id"]
    assert parent["data"]["baseData"]["name"] == "parent"
    assert parent["tags"]["ai.operation.parentId"] == request["data"]["baseData"]["id"]
