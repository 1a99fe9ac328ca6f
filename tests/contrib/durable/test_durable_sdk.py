"""Orchestrators and entities of the SDK, called with histories that its own types make."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import subprocess
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from funcscope.extensions import Invocation
from funcscope.extensions._invocation import entered
from funcscope.extensions.integration import Latch
from funcscope.telemetry._annotations import is_export_suppressed, reported_failures
from funcscope.telemetry._redaction.redactor import redact

durable = pytest.importorskip("azure.durable_functions")

from azure.durable_functions.models.history import (  # type: ignore[import-untyped]  # noqa: E402
    HistoryEvent,
    HistoryEventType,
)

from funcscope.contrib.durable import ReplayFilter, install, is_replaying  # noqa: E402

Make = Callable[..., Invocation]
pytestmark = [
    pytest.mark.filterwarnings("ignore:azure.functions df_loads:DeprecationWarning"),
    # The SDK (1.7.0) asks aiohttp for what it no longer does from Python 3.12.8 and 3.13.1 on.
    pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning"),
]
TIME = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    """Hook the SDK, which is never undone: without an invocation it makes no difference."""
    install()
    install()


def event(kind: HistoryEventType, is_played: bool = False, **said: Any) -> dict[str, Any]:
    """Make an event, as the extension sends it."""
    made = HistoryEvent(kind, said.pop("EventId", -1), is_played, TIME, **said)
    shown = {name: value for name, value in vars(made).items() if not name.startswith("_")}
    return {"EventType": int(kind), "EventId": made.event_id, "IsPlayed": is_played,
            "Timestamp": TIME, **shown}  # fmt: skip


STARTED: dict[str, Any] = {"Name": "orchestrator", "Input": "null", "Version": ""}
FIRST = [
    event(HistoryEventType.ORCHESTRATOR_STARTED),
    event(HistoryEventType.EXECUTION_STARTED, **STARTED),
]
SECOND = [
    event(HistoryEventType.ORCHESTRATOR_STARTED, is_played=True),
    event(HistoryEventType.EXECUTION_STARTED, is_played=True, **STARTED),
    event(HistoryEventType.TASK_SCHEDULED, is_played=True, EventId=0, Name="work"),
    event(HistoryEventType.ORCHESTRATOR_COMPLETED, is_played=True),
    event(HistoryEventType.ORCHESTRATOR_STARTED),
    event(HistoryEventType.TASK_COMPLETED, TaskScheduledId=0, Result='"done"'),
]


def payload(history: list[dict[str, Any]]) -> str:
    """Make what the extension sends for an episode."""
    return json.dumps(
        {
            "history": history,
            "instanceId": "i-1",
            "isReplaying": len(history) > 2,
            "parentInstanceId": None,
            "input": None,
            "upperSchemaVersion": 1,
        }
    )


class Told(logging.Handler):
    """Keeps what it gets, as far as its filters let it through."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def handling(handler: logging.Handler) -> Iterator[logging.Logger]:
    """Give a logger a handler."""
    logger = logging.getLogger("orders")
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)


def test_replay_is_known_wherever_code_runs(invocation: Make) -> None:
    """`is_replaying()` follows the SDK's context from yield to yield, and logs are muted by it."""
    seen: list[tuple[bool, bool]] = []

    def orchestrator(context: Any) -> Iterator[Any]:
        seen.append((is_replaying(), is_export_suppressed()))
        yield context.call_activity("work", "x")
        seen.append((is_replaying(), is_export_suppressed()))

    handle = durable.Orchestrator.create(orchestrator)
    for history in (FIRST, SECOND):
        with entered(invocation()):
            handle(payload(history))

    assert seen == [(False, False), (True, True), (False, False)]
    assert not is_replaying()


def test_what_a_dropped_generator_does_is_muted(invocation: Make) -> None:
    """What runs because the SDK drops a generator that waits did not happen, wherever it stands."""
    seen: list[tuple[str, bool]] = []

    def see(what: str) -> None:
        seen.append((what, is_export_suppressed()))

    def inner(context: Any) -> Iterator[Any]:
        try:
            yield context.call_activity("work", "x")
        except GeneratorExit:
            see("closed")
            raise

    def orchestrator(context: Any) -> Iterator[Any]:
        try:
            yield from inner(context)
        finally:
            see("finally")

    handle = durable.Orchestrator.create(orchestrator)
    for history in (FIRST, SECOND):
        with entered(invocation()):
            handle(payload(history))
            see("after")

    assert seen == [
        ("closed", True), ("finally", True), ("after", False),
        ("finally", False), ("after", False),
    ]  # fmt: skip


def test_an_orchestration_that_continues_as_new(invocation: Make) -> None:
    """A generator that is dropped for good, as its orchestration begins anew, tells of its end."""
    seen: list[bool] = []

    def orchestrator(context: Any) -> Iterator[Any]:
        try:
            context.continue_as_new("x")
            yield context.call_activity("work", "x")
        finally:
            seen.append(is_export_suppressed())

    handle = durable.Orchestrator.create(orchestrator)
    with entered(invocation()):
        handle(payload(FIRST))

    assert seen == [False]


def test_tracebacks_of_orchestrators(invocation: Make) -> None:
    """What an orchestrator raises has the SDK's frames and the user's, and none of ours."""

    def orchestrator(context: Any) -> Iterator[Any]:
        raise ValueError("x")
        yield

    handle = durable.Orchestrator.create(orchestrator)
    with entered(invocation()), pytest.raises(Exception, match="x") as caught:
        handle(payload(FIRST))
    cause = caught.value.__cause__
    assert cause is not None
    frames = [
        *traceback.walk_tb(caught.value.__traceback__),
        *traceback.walk_tb(cause.__traceback__),
    ]

    assert not [f for f, _ in frames if "/funcscope/" in f.f_code.co_filename]


def test_filter_for_handlers_of_others(invocation: Make) -> None:
    """A handler with the filter gets each line once; one without gets what it always got."""

    def orchestrator(context: Any) -> Iterator[Any]:
        logger.warning("before")
        yield context.call_activity("work", "x")
        logger.warning("after")

    plain, filtered = Told(), Told()
    filtered.addFilter(ReplayFilter())
    handle = durable.Orchestrator.create(orchestrator)
    with handling(plain) as logger, handling(filtered):
        for history in (FIRST, SECOND):
            with entered(invocation()):
                handle(payload(history))

    assert plain.texts == ["before", "before", "after"]
    assert filtered.texts == ["before", "after"]


def test_orchestrators_stay_generators(invocation: Make) -> None:
    """The SDK drives the user's own generator, with the user's own function behind its handle."""
    generators: list[object] = []

    def orchestrator(context: Any) -> Iterator[Any]:
        generators.append(inspect.currentframe())
        yield context.call_activity("work", "x")

    handle = durable.Orchestrator.create(orchestrator)
    with entered(invocation()):
        state = json.loads(handle(payload(FIRST)))
    frame = generators[0]

    assert handle.orchestrator_function is orchestrator
    assert inspect.isgeneratorfunction(handle.orchestrator_function)
    assert isinstance(frame, types.FrameType)
    assert frame.f_code is orchestrator.__code__
    assert state["isDone"] is False


def test_outside_an_invocation(invocation: Make) -> None:
    """A unit test of a user's, which calls the SDK's handle, sees the SDK alone."""

    def entity(context: Any) -> None:
        raise LookupError("gone")

    def orchestrator(context: Any) -> str:
        return "done"

    batch = [{"name": "add", "input": "null", "isSignal": False}]
    given = {"self": {"name": "E", "key": "k"}, "exists": False, "state": None, "batch": batch}
    (result,) = json.loads(durable.Entity.create(entity)(json.dumps(given)))["results"]

    assert result["isError"]
    assert json.loads(durable.Orchestrator.create(orchestrator)(payload(FIRST)))["isDone"]


def test_failures_of_entities_are_noted(invocation: Make) -> None:
    """What an operation raises is noted once, as it was raised, and the SDK's answer is its own."""
    raised = [LookupError("gone"), ValueError("wrong")]
    waiting = iter(raised)

    def entity(context: Any) -> None:
        if context.operation_name == "fail":
            raise next(waiting)

    names = ["fail", "add", "fail"]
    batch = [{"name": name, "input": "null", "isSignal": False} for name in names]
    given = {"self": {"name": "E", "key": "k"}, "exists": False, "state": None, "batch": batch}
    made = invocation()
    with entered(made):
        answer = json.loads(durable.Entity.create(entity)(json.dumps(given)))

    assert list(reported_failures(made)) == raised
    assert [result["isError"] for result in answer["results"]] == [True, False, True]


def test_management_urls_are_redacted() -> None:
    """The keys in the URLs that a client makes do not leave."""
    base = "https://app.net/runtime/webhooks/durabletask/instances/INSTANCEID"
    secret = "code=s3cr3t"
    binding = {
        "taskHubName": "hub",
        "creationUrls": {},
        "managementUrls": {
            "id": "INSTANCEID",
            "statusQueryGetUri": f"{base}?taskHub=hub&connection=Storage&{secret}",
            "terminatePostUri": f"{base}/terminate?reason={{text}}&{secret}&sig=abc",
        },
        "rpcBaseUrl": "http://127.0.0.1:17071/durabletask/",
    }
    client = durable.DurableOrchestrationClient(json.dumps(binding))
    said = redact(str(client.create_http_management_payload("i-1")))

    assert "instances/i-1" in said
    assert "s3cr3t" not in said
    assert "sig=abc" not in said


def test_started_orchestrations_belong_to_the_trace() -> None:
    """A client tells the extension the invocation's span, so that what it starts is below it."""
    asked: list[str | None] = []

    class Extension(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the server's own name for it
            asked.append(self.headers.get("traceparent"))
            self.send_response(202)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"id": "i-1"}')

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Extension) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        binding = {
            "taskHubName": "hub",
            "creationUrls": {},
            "managementUrls": {},
            "rpcBaseUrl": f"http://127.0.0.1:{server.server_port}/durabletask/",
        }
        client = durable.DurableOrchestrationClient(json.dumps(binding))
        span = NonRecordingSpan(SpanContext(0xA, 0xB, False, TraceFlags(1)))
        with use_span(span):
            started = asyncio.run(client.start_new("fan"))

    assert started == "i-1"
    assert asked == [f"00-{0xA:032x}-{0xB:016x}-01"]


def test_sdk_that_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another SDK is left alone, with a warning that names what is missing."""
    from funcscope.contrib.durable import _install

    monkeypatch.setattr(_install, "_installed", Latch())
    monkeypatch.delattr(durable, "DurableEntityContext")
    before = vars(durable.DurableOrchestrationContext)["from_json"]
    install()

    assert "does not fit: its DurableEntityContext has no from_json" in caplog.text
    assert vars(durable.DurableOrchestrationContext)["from_json"] is before


def test_without_the_sdk() -> None:
    """Importing the integration without its extra says what to install."""
    code = (
        "import sys; sys.modules['azure.durable_functions'] = None\n"
        "try: import funcscope.contrib.durable\n"
        "except ImportError as error: print(error, type(error.__cause__).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "install funcscope[durable] ModuleNotFoundError" in done.stdout


def test_import_alone_changes_nothing() -> None:
    """Importing the integration hooks nothing; `install()` does."""
    code = (
        "import azure.durable_functions as df, funcscope.contrib.durable as d\n"
        "own = df.DurableOrchestrationContext.__dict__['from_json']\n"
        "print(type(own).__name__); d.install()\n"
        "print(df.DurableOrchestrationContext.__dict__['from_json'] is own)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["classmethod", "False"]
