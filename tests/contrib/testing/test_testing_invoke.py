"""Functions called as a worker calls them."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import azure.functions as func
import pytest
from opentelemetry import trace
from tests.patience import PATIENCE_S

from funcscope.contrib.testing import Funcscope, Logs, Metrics, Spans, TestingError
from funcscope.extensions import AppExtension, Invocation, Step
from funcscope.telemetry import configure, timed

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

HOST = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ID = "0f8e6a9e-4c6d-4b38-9c39-4ef6f0d3a111"
APPS = "tests/apps"

v2 = pytest.mark.funcscope_app(f"{APPS}/v2")
v1 = pytest.mark.funcscope_app(f"{APPS}/v1")
on_each_worker = pytest.mark.parametrize("worker", ["classic", "library"])
logger = logging.getLogger("app")
in_test: ContextVar[str] = ContextVar("in_test", default="nothing")


def trace_id(span: ReadableSpan) -> str:
    """Return a span's trace in hex."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def span_id(span: ReadableSpan) -> int:
    """Return a span's id."""
    assert span.context is not None
    return int(span.context.span_id)


def request(url: str = "https://app.net/api/x") -> func.HttpRequest:
    """Make a GET request."""
    return func.HttpRequest("GET", url, body=b"")


@v2
@on_each_worker
@pytest.mark.parametrize("name", ["hello", "later", "timing", "wants_context"])
def test_v2(funcscope: Funcscope, worker: Any, name: str) -> None:
    """A sync or async function of a v2 app runs once, below the host's span, with its id."""
    result = funcscope.invoke(name, request(), worker=worker, traceparent=HOST, invocation_id=ID)
    span = result.span

    assert result.response.status_code == 200
    assert span.parent is not None
    assert trace_id(span) == result.trace_id == HOST[3:35]
    assert f"{span.parent.span_id:016x}" == HOST[36:52]
    assert span.attributes is not None
    assert span.attributes["faas.invocation_id"] == result.invocation_id == ID
    if name == "wants_context":
        assert result.value == ID


@v1
@on_each_worker
@pytest.mark.parametrize("name", ["early", "hello", "later"])
def test_v1(funcscope: Funcscope, worker: Any, name: str) -> None:
    """So does one of a v1 app, also where it knows nothing of funcscope."""
    result = funcscope.invoke(name, req=request(), worker=worker, traceparent=HOST)

    assert result.value in ("early", "hello", "later")
    assert result.span.attributes is not None
    assert result.span.attributes["faas.name"] == name
    assert trace_id(result.span) == HOST[3:35]


@v1
@on_each_worker
def test_stage_and_log(funcscope: Funcscope, worker: Any, metrics: Metrics) -> None:
    """What a function records is the invocation's: a stage, log records, function-level timing."""
    result = funcscope.invoke("orders", func.QueueMessage(id="7", body="17"), worker=worker)

    (stage,) = result.spans.children(result.span)
    assert stage.name == "stage"
    assert result.logs.one("order 17").span_id == span_id(stage)
    assert "orders took" in result.logs
    names = {"faas.name": "orders"}
    assert metrics.one("faas.invocations").value == 1
    assert metrics.value("faas.invocations", **names) == 1


@on_each_worker
def test_same_thread_and_context_rules(
    funcscope: Funcscope, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A function runs where the worker would run it, and what is current in the test is not so there.

    The library worker tells the task of an async function the host's trace and not the thread of a
    sync one; classic tells both (`PYTHON_ENABLE_OPENTELEMETRY`).
    """
    monkeypatch.setenv("PYTHON_ENABLE_OPENTELEMETRY", "true")
    monkeypatch.setenv("FUNCSCOPE_DISABLE", "TelemetryExtension")  # to see what the worker does
    in_test.set("the test's")
    seen: dict[str, Any] = {}

    def look(name: str, context: func.Context) -> str:
        there = trace.get_current_span().get_span_context()
        local = getattr(context.thread_local_storage, "invocation_id", None)
        seen[name] = (threading.current_thread().name, in_test.get(), local, there.is_remote)
        return "x"

    def sync(req: func.HttpRequest, context: func.Context) -> str:
        return look("sync", context)

    async def later(req: func.HttpRequest, context: func.Context) -> str:
        return look("async", context)

    with timed("the test's"):
        funcscope.invoke(sync, request(), worker=worker, traceparent=HOST, invocation_id=ID)
        funcscope.invoke(later, request(), worker=worker, traceparent=HOST, invocation_id=ID)

    thread, value, local, is_remote = seen["sync"]
    assert thread.startswith("funcscope-worker_")
    assert (value, local) == ("nothing", ID)
    assert is_remote is (worker == "classic")
    thread, value, local, is_remote = seen["async"]
    assert thread == "funcscope-worker-loop"
    assert (value, local, is_remote) == ("nothing", ID, True)


def test_task_of_the_classic_worker(funcscope: Funcscope) -> None:
    """On classic the task of a request has the id, and tasks that it starts have it too."""

    async def own() -> str:
        return str(getattr(asyncio.current_task(), "__azure_function_invocation_id__", None))

    async def main(req: func.HttpRequest) -> str:
        return f"{await own()} {await asyncio.create_task(own())}"

    on_classic = funcscope.invoke(main, request(), worker="classic", invocation_id=ID)
    on_library = funcscope.invoke(main, request(), worker="library", invocation_id=ID)
    assert (on_classic.value, on_library.value) == (f"{ID} {ID}", "None None")


@v2
@on_each_worker
@pytest.mark.parametrize("name", ["boom", "boom_later"])
def test_exception_goes_on_unchanged(funcscope: Funcscope, worker: Any, name: str) -> None:
    """What a function raises is raised here, the same object, or is told with `check=False`."""
    with pytest.raises(ValueError, match=r"cannot reach|later") as caught:
        funcscope.invoke(name, request(), worker=worker)
    result = funcscope.invoke(name, request(), worker=worker, check=False)

    assert type(caught.value) is ValueError
    assert caught.value.__traceback__ is not None
    assert isinstance(result.error, ValueError)
    assert result.span.status.status_code.name == "ERROR"
    assert [log.event_name for log in result.logs] == ["faas.invocation.exception"]


@on_each_worker
def test_exception_that_ends_processes(funcscope: Funcscope, worker: Any) -> None:
    """`SystemExit` reaches the test, and the worker goes on."""

    async def leaves(req: func.HttpRequest) -> str:
        raise SystemExit(3)

    def stays(req: func.HttpRequest) -> str:
        return "x"

    with pytest.raises(SystemExit, match="3"):
        funcscope.invoke(leaves, request(), worker=worker)
    assert funcscope.invoke(stays, request(), worker=worker).value == "x"


@v2
def test_reject(funcscope: Funcscope) -> None:
    """A guard answers in the function's place."""
    assert funcscope.invoke("guarded", request()).response.status_code == 401


TRIGGERED = {
    "tick": ({"IsPastDue": True}, "late"),
    "queue": ({"order": 17}, {"order": 17}),
    "blob": (b"content", b"content"),
    "bus_queue": ("text", b"text"),
    "bus_topic": (["a", "b"], 2),
    "bus_each": (["a"], None),
    "hub_one": ("reading", b"reading"),
    "hub_batch": (["one", "two"], b"two"),
    "grid_cloud": ({"specversion": "1.0", "id": "c1", "data": 1}, "c1"),
    "grid_own": ({"data": 1}, None),
    "cosmos": ([{"id": "1"}, {"id": "2"}], 2),
    "kafka_one": ("text", "%TOPIC%"),
    "kafka_batch": (["a", "b"], 1),
    "sql": ([{"id": 1}], 11),
    "mysql": ([{"id": 1}], 1),
    "activity": ("Oslo", None),
    "orchestration": ({"history": []}, None),
    "warmup": ({}, "warm"),
    "mcp_tool": ({"arguments": {}}, None),
    "signalr": ({"a": 1}, "event"),
    "web_pubsub": ({"a": 1}, "event"),
    "generic": ("text", "event"),
}


@pytest.mark.funcscope_app(f"{APPS}/v2_triggers")
@on_each_worker
@pytest.mark.parametrize("name", TRIGGERED)
def test_every_trigger_takes_plain_data(
    funcscope: Funcscope, worker: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain data becomes what the function expects, which says what it got."""
    data, said = TRIGGERED[name]
    caplog.clear()
    result = funcscope.invoke(name, data, worker=worker)

    messages = [r.msg for r in caplog.records if r.name == "root"]
    assert result.error is None
    if said is not None:
        assert said in messages
    if name == "activity":
        assert result.value == "Oslo"


@pytest.mark.funcscope_app(f"{APPS}/v2_triggers")
def test_metadata_of_plain_data(funcscope: Funcscope) -> None:
    """What the host says of a message can be given."""
    result = funcscope.invoke("bus_each", ["a"], metadata={"MessageIdArray": ["m-17"]})

    assert "got m-17" in result.logs


def test_inputs_and_outputs(funcscope: Funcscope) -> None:
    """Inputs are given by name, outputs are collected, and what is missing is named."""

    def main(msg: func.QueueMessage, blob: bytes, out: func.Out[str]) -> None:
        out.set(f"{msg.get_body().decode()} {blob.decode()}")

    message = func.QueueMessage(body=b"17")
    assert funcscope.invoke(main, message, blob=b"x").outputs == {"out": "17 x"}
    with pytest.raises(TestingError, match="input binding 'blob'"):
        funcscope.invoke(main, message)
    with pytest.raises(TestingError, match="no binding 'nope'"):
        funcscope.invoke(main, message, nope=1)
    with pytest.raises(TestingError, match="takes msg, blob by position, and 3 were given"):
        funcscope.invoke(main, message, b"x", b"y")


@v2
def test_unknown_function(funcscope: Funcscope) -> None:
    """A name that the app has not is answered with those that it has; case does not matter."""
    assert funcscope.invoke("HELLO").value == "hello"
    with pytest.raises(
        TestingError, match=r"no function 'nope' in .*; there are: boom, boom_later"
    ):
        funcscope.invoke("nope")
    with pytest.raises(TestingError, match="'classic' or 'library'"):
        funcscope.invoke("hello", worker="other")  # type: ignore[arg-type]  # that is the point


@on_each_worker
def test_result_without_return_binding(funcscope: Funcscope, worker: Any) -> None:
    """A function that returns what its bindings do not have fails, as on a worker."""
    app = func.FunctionApp()

    @app.queue_trigger("msg", queue_name="q", connection="C")
    def noisy(msg: func.QueueMessage):  # type: ignore[no-untyped-def]
        return "x"

    with pytest.raises(RuntimeError, match="non-None"):
        funcscope.invoke(noisy, "text", worker=worker)


@on_each_worker
def test_parameters_that_no_worker_takes(funcscope: Funcscope, worker: Any) -> None:
    """A function whose parameters do not fit its bindings is not loaded, as on a worker."""
    app = func.FunctionApp()

    @app.route("odd")
    def odd(req: func.HttpRequest, other: str) -> str:
        return other

    with pytest.raises(TestingError, match="other"):
        funcscope.invoke(odd, request(), worker=worker)


@on_each_worker
def test_annotations_that_no_worker_reads(funcscope: Funcscope, worker: Any) -> None:
    """A function whose annotations name what type checkers alone see is not loaded, either."""
    app = func.FunctionApp()

    @app.route("odd")
    def odd(req: func.HttpRequest) -> ReadableSpan:
        raise AssertionError(req)

    def plain(req: ReadableSpan) -> str:
        raise AssertionError(req)

    for function in (odd, plain):
        with pytest.raises(TestingError, match=r"'ReadableSpan' .* outside `if TYPE_CHECKING:`"):
            funcscope.invoke(function, request(), worker=worker)


@on_each_worker
def test_retries(funcscope: Funcscope, worker: Any) -> None:
    """The context says which attempt this is."""

    def main(req: func.HttpRequest, context: func.Context) -> str:
        return f"{context.retry_context.retry_count} of {context.retry_context.max_retry_count}"

    result = funcscope.invoke(main, request(), worker=worker, retry_count=2, max_retry_count=5)
    assert result.value == "2 of 5"


def test_within_a_running_loop(funcscope: Funcscope) -> None:
    """A test that is a coroutine calls functions alike."""

    async def main(req: func.HttpRequest) -> str:
        await asyncio.sleep(0)
        return "x"

    async def test() -> str:
        return str(funcscope.invoke(main, request()).value)

    assert asyncio.run(test()) == "x"


calls: list[str] = []  # of the extensions that tests register


@pytest.mark.parametrize("number", [1, 2])
@v2
def test_nothing_is_left_of_other_tests(
    funcscope: Funcscope, spans: Spans, logs: Logs, metrics: Metrics, number: int
) -> None:
    """Each test begins with nothing recorded, no extension of others, and a cold start."""
    assert (list(spans), list(logs), list(metrics)) == ([], [], [])
    assert os.environ.get("FUNCSCOPE_SPAN_KIND") is None
    calls.clear()

    class Local(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            calls.append(invocation.function_name)
            yield

    os.environ["FUNCSCOPE_SPAN_KIND"] = "host"
    configure(log_level="ERROR" if number == 1 else "INFO")
    result = funcscope.invoke("hello", request("https://app.net/api/hello?code=s3cret"))

    assert result.span.name == "function hello"
    assert result.span.attributes is not None
    assert result.span.attributes["faas.coldstart"] is True
    assert calls == ["hello"]
    assert metrics.value("faas.invocations") == 1
    assert ("code=REDACTED" in result.logs) is (number == 2)


left: list[threading.Thread] = []
go_on = threading.Event()


@pytest.mark.parametrize("turn", ["starts", "ends"])
@v2
def test_threads_of_earlier_tests(funcscope: Funcscope, spans: Spans, turn: str) -> None:
    """What a thread of an earlier test records is not this one's."""

    def work() -> None:
        go_on.wait(PATIENCE_S)
        with timed("late"):
            logger.info("late")

    def main(req: func.HttpRequest) -> str:
        left.append(threading.Thread(target=work))
        left[0].start()
        return "x"

    if turn == "starts":
        funcscope.invoke("hello")  # telemetry is on, and carries the invocation into the thread
        assert funcscope.invoke(main, request()).span is not None
    else:
        go_on.set()
        left[0].join()
        assert "late" not in spans
        assert "late" not in funcscope.logs


def test_spans_of_the_test_itself(spans: Spans, logs: Logs) -> None:
    """Without any invocation, what the test records is there; its root level is a worker's."""
    with timed("stage"):
        logger.info("inside")

    assert logs.one("inside").span_id == span_id(spans.one("stage"))


def test_settings_of_the_sdk(
    spans: Spans, monkeypatch: pytest.MonkeyPatch, funcscope: Funcscope
) -> None:
    """The sampler is what the test's settings say."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    funcscope.use_app(f"{APPS}/v2")
    result = funcscope.invoke("hello", traceparent="")

    assert result.value == "hello"
    assert not spans


def test_shown_as_a_tree(spans: Spans, logs: Logs) -> None:
    """Spans, with log records below theirs, are drawn as a tree; `one` shows it where it fails."""
    with timed("outer"):
        logger.info("inside")
        with timed("inner"):
            pass

    trace_line, outer, inside, inner = str(spans).splitlines()
    assert trace_line.startswith("trace ")
    assert outer.startswith("└─ outer  [internal, ")
    assert inside == "   ├─ INFO  inside"
    assert inner.startswith("   └─ inner  [internal, ")
    with pytest.raises(AssertionError, match=r"(?s)0 of spans 'nope'; recorded:.*└─ outer"):
        spans.one("nope")
    assert repr(spans) == "<2 spans: outer, inner>"
    assert repr(logs) == "<1 logs: inside>"


@v2
def test_microsofts_unit_test(funcscope: Funcscope) -> None:
    """The unit test of Microsoft's guide works as it stands, with funcscope.auto imported."""
    import function_app  # type: ignore[import-not-found]  # the app's, on sys.path

    assert Path(function_app.__file__).parent.name == "v2"
    call = function_app.hello.build().get_user_function()
    assert call(request()) == "hello"
    assert function_app.hello(request()) == "hello"
    assert asyncio.run(function_app.later.build().get_user_function()(request())) == "later"
    assert funcscope.invoke(function_app.hello, request()).value == "hello"
