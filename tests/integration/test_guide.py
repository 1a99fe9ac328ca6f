"""
Each system of Microsoft's Python developer guide, run by `funcscope run` as a user would run it.

`docs/reference/guide.md` is made of these tests: of what `section` says, and of their docstrings.
The apps are in `tests/apps/guide`. The guide: learn.microsoft.com/azure/azure-functions/
functions-reference-python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from tests.integration.running import RunningApp, Storage, is_of, is_ok
from tests.patience import PATIENCE_S, PROCESS_S
from tests.serving import serving_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GUIDE = Path(__file__).parents[1] / "apps" / "guide"

SECTIONS = """
Programming model; Alternative entry point; Folder structure; Connect to a database; Blueprints;
Import behavior; Triggers and inputs; SDK type bindings; HTTP streams; Outputs; Logging;
Logging from created threads; Log custom telemetry; HTTP trigger; Web frameworks; Context;
Global variables; Environment variables; Python worker extensions; Async functions; Unit testing;
Temporary files; Cross-origin resource sharing; Message size
"""
"""The guide's sections that describe a system which apps use."""

pytestmark = pytest.mark.library_worker


def section(name: str, *apps: str) -> pytest.MarkDecorator:
    """Say which section of the guide a test is of, and which apps it runs."""
    return pytest.mark.guide(name, *apps)


@pytest.fixture
def guide(run_app: Callable[..., RunningApp]) -> Callable[..., RunningApp]:
    """Run apps of the guide: `guide("v2_model", SETTING="x")`; a path is taken as it is."""
    return lambda app, **environment: run_app(GUIDE / app, **environment)


@section("Programming model, v1", "v1_model")
@section("Programming model, v2", "v2_model")
@pytest.mark.parametrize(("app", "name"), [("v1_model", "hello"), ("v2_model", "HttpTrigger1")])
def test_programming_model(guide: Callable[..., RunningApp], app: str, name: str) -> None:
    """An HTTP function answers; it has one span in the caller's trace, and its log record."""
    running = guide(app)

    answer = running.call("/api/hello?user=Ada")

    span = running.span(answer)
    assert (answer.status, answer.text) == (200, "Hello, Ada!")
    assert is_ok(span)
    assert (span.name, span.attributes["faas.name"]) == ("GET /api/hello", name)
    assert is_of(running.log("greeting Ada"), span)
    assert running.stop() == 0


@section("Alternative entry point, v1", "alternative_entry_point")
@section("Alternative entry point, v2", "alternative_script_file")
@pytest.mark.parametrize(
    ("app", "path", "text"),
    [
        ("alternative_entry_point", "/api/greeting", "by customentry"),
        ("alternative_script_file", "/api/hello", "from app_main.py"),
    ],
)
def test_alternative_entry_point(
    guide: Callable[..., RunningApp], app: str, path: str, text: str
) -> None:
    """`scriptFile`, `entryPoint` and `PYTHON_SCRIPT_FILE_NAME` name the script and the function."""
    running = guide(app)

    answer = running.call(path)

    assert answer.text == text
    assert is_ok(running.span(answer))


@section("Folder structure, v1", "folder_structure_v1")
@section("Folder structure, v2", "folder_structure_v2")
@pytest.mark.parametrize(
    ("app", "calls"),
    [
        (
            "folder_structure_v1",
            {
                "/api/my_first_function": "first, with an example",
                "/api/my_second_function": "second, 4, 6",
            },
        ),
        (
            "folder_structure_v2",
            {"/api/first": "Hello, first!", "/api/second": "Hello, second!"},
        ),
    ],
)
def test_folder_structure(
    guide: Callable[..., RunningApp], app: str, calls: dict[str, str]
) -> None:
    """All functions of the recommended folders answer, with code that they share, and are seen."""
    running = guide(app)

    for path, text in calls.items():
        answer = running.call(path)
        assert answer.text == text
        assert is_ok(running.span(answer))


class CosmosServer(BaseHTTPRequestHandler):
    """As much of Cosmos DB as a client asks for to read a document."""

    ITEM: ClassVar[dict[str, object]] = {"id": "17", "total": 4.5, "_rid": "r", "_etag": "e"}

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}/"
        place = [{"name": "here", "databaseAccountEndpoint": here}]
        account = {"id": "here", "writableLocations": place, "readableLocations": place,
                   "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"}}  # fmt: skip
        container = {"id": "orders", "_rid": "r", "partitionKey": {"paths": ["/id"]}}
        parts = self.path.strip("/").split("/")
        found = {1: account, 4: container, 6: self.ITEM}.get(len(parts), account)
        self.answer(json.dumps(found).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def cosmos() -> Iterator[str]:
    """Serve a database of one document; yield the address."""
    with serving_http(CosmosServer) as served:
        yield served


@section("Connect to a database", "database")
def test_database(guide: Callable[..., RunningApp], cosmos: str) -> None:
    """Cosmos DB's client, and its async one, read a document in a function that is seen."""
    running = guide("database", COSMOS_ENDPOINT=cosmos, COSMOS_KEY="a2V5")

    for name in ("order", "async_order"):
        answer = running.call(f"/api/{name}s/17")
        assert json.loads(answer.text) == {"id": "17", "total": 4.5}
        span = running.span(answer)
        assert is_ok(span)
        assert is_of(running.log(f"read order 17 by {name}"), span)


@section("Blueprints", "blueprints")
def test_blueprints(guide: Callable[..., RunningApp]) -> None:
    """A blueprint's function answers and is seen."""
    running = guide("blueprints")

    answer = running.call("/api/default_template?name=Ada")

    assert answer.text == "Hello, Ada."
    assert is_of(running.log("in the blueprint"), running.span(answer))


@section("Import behavior", "import_behavior")
def test_import_behavior(guide: Callable[..., RunningApp]) -> None:
    """Absolute and relative imports work, and so does the deprecated `__app__`."""
    running = guide("import_behavior")

    answer = running.call("/api/hello")

    assert answer.text == "shared, shared, beside, beside"
    assert is_ok(running.span(answer))


@section("Triggers and inputs, v1", "inputs_v1")
@section("Triggers and inputs, v2", "inputs_v2")
@pytest.mark.parametrize("app", ["inputs_v1", "inputs_v2"])
def test_inputs(guide: Callable[..., RunningApp], storage: Storage, app: str) -> None:
    """A blob that the route names comes as another input beside an HTTP trigger."""
    storage.upload("samples-workitems", "17", "a work item")
    running = guide(app, AzureWebJobsStorage=storage.connection)

    answer = running.call("/api/items/17")

    assert answer.text == "17: a work item"
    assert is_of(running.log("read a work item"), running.span(answer))


@section("SDK type bindings", "sdk_type_bindings")
def test_sdk_type_bindings(guide: Callable[..., RunningApp], storage: Storage) -> None:
    """Clients of the Azure SDK come in place of content: a blob's, a container's, a stream."""
    storage.upload("files", "a.txt", "content of a")
    storage.upload("files", "b.txt", "content of b")
    storage.upload("uploads", "new.txt", "12345")
    running = guide("sdk_type_bindings", AzureWebJobsStorage=storage.connection)

    listed, read = running.call("/api/files"), running.call("/api/files/b.txt")

    assert (listed.text, read.text) == ("a.txt, b.txt", "content of b")
    assert is_ok(running.span(listed))
    assert is_ok(running.span(read))
    uploaded = running.invocation(lambda span: span.attributes["faas.name"] == "uploaded")
    assert is_of(running.log("uploaded new.txt, 5 bytes"), uploaded)


@section("HTTP streams", "http_streams")
def test_http_streams(guide: Callable[..., RunningApp]) -> None:
    """A function reads a request chunk by chunk, and one answers chunk by chunk; both are seen."""
    running = guide("http_streams")
    chunks = (b"x" * 1000 for _ in range(10))

    sent = running.call("/api/upload", "POST", chunks)
    read = running.call("/api/numbers")

    assert json.loads(sent.text)["bytes"] == 10_000
    assert read.text.splitlines() == ["0", "1", "2", "3", "4"]
    assert is_of(running.log("10000 bytes came"), running.span(sent))
    assert is_ok(running.span(read))


@section("Outputs, v1", "outputs_v1")
def test_outputs_v1(guide: Callable[..., RunningApp], storage: Storage) -> None:
    """An `Out` is a message in a queue, `$return` a response, and a blob for who takes that."""
    running = guide("outputs_v1", AzureWebJobsStorage=storage.connection)

    answer = running.call("/api/send?text=tea")

    assert answer.text == "sent"
    assert is_ok(running.span(answer))
    span = running.invocation(lambda span: span.attributes["faas.name"] == "pass_on")
    assert is_ok(span, "CONSUMER")
    # The span's end is the function's; the host writes the blob after it.
    running.host.wait_for(r"Executed 'Functions.pass_on' \(Succeeded")
    assert storage.blob("passed") == "TEA"


@section("Outputs, v2", "outputs_v2")
def test_outputs_v2(guide: Callable[..., RunningApp], storage: Storage) -> None:
    """One function's outputs go to two queues, several to one of them, and to a blob."""
    running = guide("outputs_v2", AzureWebJobsStorage=storage.connection)

    answer = running.call("/api/send?text=tea")

    assert answer.status == 202
    assert len(storage.texts("several")) == 2
    assert len(storage.texts("one")) == 1
    assert storage.blob("made") == "TEA"
    assert is_ok(running.span(answer))


@section("Logging", "logging")
def test_logging(guide: Callable[..., RunningApp]) -> None:
    """Records of the root logger arrive with their level and their invocation."""
    running = guide("logging")

    span = running.span(running.call("/api/levels"))

    levels = {
        "a critical message": "FATAL",
        "an error": "ERROR",
        "a warning": "WARN",
        "an information": "INFO",
    }
    for text, level in levels.items():
        log = running.log(text)
        assert log.severity.startswith(level) or log.severity == "CRITICAL"
        assert is_of(log, span)


@section("Logging from created threads", "logging_from_threads")
def test_logging_from_threads(guide: Callable[..., RunningApp]) -> None:
    """A record from a thread has its invocation by the guide's recipe, and without it."""
    running = guide("logging_from_threads")

    span = running.span(running.call("/api/threads"))

    assert is_of(running.log("from a thread with the recipe"), span)
    assert is_of(running.log("from a thread without it"), span)


@section("Log custom telemetry", "custom_telemetry")
def test_custom_telemetry(guide: Callable[..., RunningApp]) -> None:
    """OpenCensus's `context.tracer.span()` is a span below the invocation's."""
    running = guide("custom_telemetry")

    span = running.span(running.call("/api/traced"))

    parent = running.store.wait_for(
        lambda store: [s for s in store.spans if s.name == "parent"], timeout_s=PATIENCE_S
    )[0]
    assert (parent.parent_id, parent.trace_id) == (span.span_id, span.trace_id)
    assert running.log("inside the span").span_id == parent.span_id


@section("HTTP trigger", "http_trigger")
def test_http_trigger(guide: Callable[..., RunningApp]) -> None:
    """Query, JSON body, headers and route reach a function; status, headers and body come back."""
    running = guide("http_trigger")
    headers = {"user-agent": "guide", "content-type": "application/json"}

    made = running.call("/api/greet/tea?greeting=Hi", "POST", '{"name": "Ada"}', headers)
    refused = running.call("/api/greet/tea", "POST", "no JSON")

    assert (made.status, made.headers["x-made-by"]) == (201, "greet")
    assert made.headers["content-type"] == "application/json"
    assert json.loads(made.text) == {
        "greeting": "Hi",
        "name": "Ada",
        "thing": "tea",
        "agent": "guide",
        "method": "POST",
    }
    assert (refused.status, refused.text) == (400, "pass a name in the body")
    span = running.span(made)
    assert span.attributes["http.response.status_code"] == 201
    assert span.attributes["http.route"] == "/api/greet/{thing}"
    assert running.span(refused).attributes["http.response.status_code"] == 400


@section("Web frameworks: ASGI by middleware, v1", "asgi_v1")
@section("Web frameworks: WSGI by middleware, v1", "wsgi_v1")
@section("Web frameworks: ASGI, v2", "asgi_v2")
@section("Web frameworks: WSGI, v2", "wsgi_v2")
@pytest.mark.parametrize(
    ("app", "route"),
    [
        ("asgi_v1", "/hello/{name}"),
        ("wsgi_v1", "/hello/<name>"),
        ("asgi_v2", "/hello/{name}"),
        ("wsgi_v2", "/hello/<name>"),
    ],
)
def test_web_frameworks(guide: Callable[..., RunningApp], app: str, route: str) -> None:
    """A framework behind one function answers without a route prefix; its route names the span."""
    running = guide(app)

    answer = running.call("/hello/Ada")

    span = running.span(answer)
    assert json.loads(answer.text) == {"hello": "Ada"}
    assert (span.name, span.attributes["http.route"]) == (f"GET {route}", route)
    assert is_of(running.log("in F"), span)
    assert running.stop() == 0
    assert "Traceback" not in running.host.output


@section("Context", "context")
def test_context(guide: Callable[..., RunningApp]) -> None:
    """The context's attributes are there, by their current names and their deprecated ones."""
    running = guide("context")

    answer = running.call("/api/show", headers={"tracestate": "a=b"})

    shown = json.loads(answer.text)
    span = running.span(answer)
    assert shown["ctx_func_name"] == "show"
    assert Path(shown["ctx_func_dir"]) == GUIDE / "context" / "show"
    assert shown["ctx_invocation_id"] == span.attributes["faas.invocation_id"]
    for name in ("ctx_trace_context_Traceparent", "ctx_trace_context_trace_parent"):
        assert shown[name].split("-")[1] == answer.trace_id
    for name in ("ctx_trace_context_Tracestate", "ctx_trace_context_trace_state"):
        assert shown[name] == "a=b"
    assert (shown["ctx_retry_context_retry_count"], shown["ctx_retry_context_max_retry_count"]) == (
        0,
        0,
    )


@section("Global variables", "global_variables")
def test_global_variables(guide: Callable[..., RunningApp]) -> None:
    """A module's variable keeps its value for the next invocation."""
    running = guide("global_variables")

    first, second = running.call("/api/count"), running.call("/api/count")

    assert (first.text, second.text) == ("call 1, loaded by call 1", "call 2, loaded by call 1")
    assert running.span(first).attributes["faas.coldstart"] is True
    assert running.span(second).attributes["faas.coldstart"] is False


@section("Environment variables", "environment_variables")
def test_environment_variables(guide: Callable[..., RunningApp]) -> None:
    """Settings of local.settings.json are in the environment; what is set already stays."""
    running = guide("environment_variables", SET_OUTSIDE="from outside")

    answer = running.call("/api/setting")

    assert answer.text == "17, from outside"
    assert is_of(running.log("my app setting is 17"), running.span(answer))


@section("Python worker extensions: using them, creating one", "extensions")
def test_extensions(guide: Callable[..., RunningApp], tmp_path: Path) -> None:
    """An installed package's app-level extension runs for all functions, its other one for one."""
    app = tmp_path / "app"
    shutil.copytree(GUIDE / "extensions", app, ignore=shutil.ignore_patterns("__pycache__"))
    # Where a deployed app's packages are; the worker puts it on the path.
    packages = app / ".python_packages" / "lib" / "site-packages"
    shutil.move(app / "package", packages)
    with (app / "function_app.py").open("a") as script:
        script.write("\n\nimport funcscope.auto\n")
    running = guide(app)

    first, second = running.call("/api/first"), running.call("/api/second")

    assert (first.headers["x-timed"], second.headers["x-timed"]) == ("first", "second")
    assert is_of(running.log("first took"), running.span(first))
    assert is_of(running.log("before second"), running.span(second))
    assert not [log for log in running.store.logs if "before first" in str(log.body)]


@section("Async functions", "async_functions")
def test_async_functions(guide: Callable[..., RunningApp]) -> None:
    """Two invocations of an async function run at once: each waits for the other."""
    running = guide("async_functions")
    assert running.host.netloc

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(running.call, ["/api/both"] * 2))

    assert [answer.text for answer in answers] == ["met", "met"]
    assert all(is_ok(running.span(answer)) for answer in answers)


@section("Unit testing, v1", "unit_tests_v1")
@section("Unit testing, v2", "unit_tests_v2")
@pytest.mark.parametrize("options", [(), ("-p", "no:funcscope.contrib.testing")], ids=["on", "off"])
@pytest.mark.parametrize(
    "app", ["unit_tests_v1", "unit_tests_v2", "folder_structure_v1", "folder_structure_v2"]
)
def test_unit_tests(app: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """The guide's unit tests pass with the plugin and without it."""
    directory = tmp_path / app
    shutil.copytree(GUIDE / app, directory, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]

    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@section("Temporary files", "temporary_files")
def test_temporary_files(guide: Callable[..., RunningApp]) -> None:
    """A temporary file is there while the function has it open, and gone afterwards."""
    running = guide("temporary_files")

    answer = running.call("/api/temporary")

    assert answer.text == "listed: True, gone: True"
    assert is_ok(running.span(answer))


@section("Cross-origin resource sharing", "cors")
def test_cors(guide: Callable[..., RunningApp]) -> None:
    """A page that `Host.CORS` names may call a function, and another's script may not read it."""
    running = guide("cors")
    asks = {"access-control-request-method": "GET"}

    allowed = running.call("/api/hello", headers={"origin": "http://localhost:3000"})
    preflight = running.call(
        "/api/hello", "OPTIONS", headers={"origin": "http://localhost:3000", **asks}
    )
    other = running.call("/api/hello", headers={"origin": "https://elsewhere.example"})

    assert allowed.text == "hello"
    for answer in (allowed, preflight):
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert answer.headers["access-control-allow-credentials"] == "true"
    assert preflight.status in (200, 204)
    assert other.headers["access-control-allow-origin"] is None
    assert is_ok(running.span(allowed))


@section("Message size", "large_payload")
def test_large_payload(guide: Callable[..., RunningApp]) -> None:
    """Five million bytes come whole, and leave whole."""
    running = guide("large_payload")
    body = bytes(range(250)) * 20_000

    answer = running.call("/api/echo", "POST", body)

    assert answer.body == body[::-1]
    assert is_ok(running.span(answer))


def test_each_section_has_a_row() -> None:
    """No section of the guide is without a test, and no app of it is without one."""
    marks = [
        mark
        for test in globals().values()
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "guide"
    ]
    tested = {mark.args[0].partition(",")[0].partition(":")[0] for mark in marks}
    apps = {app for mark in marks for app in mark.args[1:]}

    assert tested == {name.strip() for name in SECTIONS.replace("\n", " ").split(";")}
    assert apps == {folder.name for folder in GUIDE.iterdir() if folder.is_dir()}


def test_each_app_says_what_it_is() -> None:
    """Each app has a README of three lines: the section, what it shows, how to call it."""
    lines = {
        folder.name: len((folder / "README.md").read_text().split("\n\n"))
        for folder in GUIDE.iterdir()
    }

    assert set(lines.values()) == {3}, lines
