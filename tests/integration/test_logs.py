"""Which invocation each exported log record belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

CROWD = 20  # as in the app


@pytest.mark.parametrize("name", ["crowd", "crowd_later"])
def test_threads_of_concurrent_invocations(run: Runner, call: Caller, path: str, name: str) -> None:
    """Of twenty invocations at once, each thread's and pool's record has its own id and trace."""
    calls = [
        call(name, trace_parent=f"00-{index + 1:032x}-{index + 1:016x}-01")
        for index in range(CROWD)
    ]
    result = run(
        "v2",
        calls,
        path=path,
        concurrent=True,
        env={"PYTHON_THREADPOOL_THREAD_COUNT": str(CROWD)},
    )
    assert all(outcome["ok"] for outcome in result.outcomes), result.outcomes
    assert result.leaks == []
    for index, made in enumerate(calls):
        span = result.span(index)
        records = [log for log in result.logs if str(log.body).endswith(made["id"])]
        assert span.trace_id == f"{index + 1:032x}"
        assert sorted(str(log.body).split()[0] for log in records) == ["pool", "thread"]
        for log in records:
            assert log.attributes["faas.invocation_id"] == made["id"]
            assert log.attributes["InvocationId"] == made["id"]
            assert log.attributes["faas.name"] == name
            assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)


def test_only_the_apps_records_leave(run: Runner, call: Caller, path: str) -> None:
    """Neither the worker's own records nor the exporters' are exported."""
    result = run("v2", [call("hello"), call("boom")], path=path)

    log, exception = result.logs
    assert exception.event_name == "faas.invocation.exception"
    assert log.body == "asked for https://app.net/api/hello"
    assert set(log.attributes) == {"faas.invocation_id", "InvocationId", "faas.name"}


SETS_UP_LATE = """
import logging.config
import threading

import funcscope.auto
import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger("orders")
logging.getLogger().setLevel("INFO")


@app.route("sets_up")
def sets_up(req: func.HttpRequest) -> str:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"f": {"format": "LINE %(invocation_id)s %(trace_sampled)s %(message)s"}},
            "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
            "root": {"level": "INFO", "handlers": ["h"]},
        }
    )
    log.info("after", extra={"custom_dimensions": {"order": {"id": 17}}})
    return "x"


@app.route("fails")
async def fails(req: func.HttpRequest) -> str:
    log.debug("why", extra={"order": 17})
    raise ValueError("https://app.net/?code=SECRET")


@app.route("answers_500")
def answers_500(req: func.HttpRequest) -> func.HttpResponse:
    log.debug("why")
    return func.HttpResponse(status_code=500)


class Sender(threading.Thread):
    def run(self) -> None:
        log.info("sender")


@app.route("threads")
def threads(req: func.HttpRequest) -> str:
    for thread in (threading.Thread(target=log.info, args=("thread",)), Sender()):
        thread.start()
        thread.join()
    return "x"


@app.route("succeeds")
def succeeds(req: func.HttpRequest) -> str:
    log.debug("all is well")
    return "x"
"""


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """Write an app that sets logging up in its function, and one that logs why it fails."""
    app = tmp_path / "v2_late"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(SETS_UP_LATE)
    return app


def test_logging_set_up_in_a_function(run: Runner, call: Caller, path: str, late: Path) -> None:
    """An app's `dictConfig` has its effect, formats have the fields, and exports go on."""
    calls = [call("sets_up")]
    result = run(late, calls, path=path)
    (exported,) = result.messages(0)

    assert f"LINE {calls[0]['id']} true after\n" in result.stderr
    assert (exported.body, exported.attributes["order.id"]) == ("after", 17)
    assert "custom_dimensions" not in exported.attributes


def test_debug_records_of_failures(run: Runner, call: Caller, path: str, late: Path) -> None:
    """With a buffer, DEBUG records are exported of invocations that fail, and of no others."""
    calls = [call("fails"), call("answers_500"), call("succeeds")]
    result = run(late, calls, path=path, env={"FUNCSCOPE_LOG_BUFFER": "10"})
    bodies = [[log.body for log in result.messages(index)] for index in range(3)]

    assert bodies[0] == ["why", "ValueError: https://app.net/?code=REDACTED"]
    assert bodies[1:] == [["why"], []]
    assert result.messages(0)[0].attributes["order"] == 17
    assert result.messages(0)[0].span_id == result.span(0).span_id
    assert "why" not in result.stderr


def test_who_exports_logs_is_said_once(run: Runner, call: Caller, path: str, late: Path) -> None:
    """One line tells who exports log records, and a warning what is lost, whatever is called."""
    (late / "host.json").write_text('{"version": "2.0", "telemetryMode": "OpenTelemetry"}')
    endpoint = {"OTEL_LOGS_EXPORTER": "none", "PYTHON_ENABLE_OPENTELEMETRY": "true"}
    result = run(late, [call("sets_up"), call("sets_up")], path=path, env=endpoint)

    assert all(outcome["ok"] for outcome in result.outcomes)
    assert result.stderr.count("the host leaves the log records of functions to the worker") == 1
    assert result.logs == ()


def test_logs_are_left_to_a_host_that_exports_them(
    run: Runner, call: Caller, path: str, late: Path
) -> None:
    """Where the host sends log records to the endpoint that all signals share, we do not."""
    (late / "host.json").write_text('{"version": "2.0", "telemetryMode": "OpenTelemetry"}')
    result = run(late, [call("fails")], path=path)

    assert result.logs == ()
    (event,) = result.span(0).events
    assert event.name == "exception"


@pytest.mark.parametrize(
    ("settings", "carried"),
    [
        ({}, ["sender", "thread"]),
        ({"FUNCSCOPE_LEAVE_THREADS": "function_app.Sender"}, ["thread"]),
        ({"FUNCSCOPE_PROPAGATE": "off"}, []),
    ],
)
def test_settings_of_propagation(
    run: Runner, call: Caller, path: str, late: Path, settings: dict[str, str], carried: list[str]
) -> None:
    """Settings say whether threads are carried, and whose are not."""
    result = run(late, [call("threads")], path=path, env=settings)

    assert sorted(log.body for log in result.logs) == ["sender", "thread"]
    assert sorted(log.body for log in result.messages(0)) == carried


HANDLES_ITSELF = """
import logging
import logging.handlers
import os
import queue
import warnings

import funcscope.auto
import azure.functions as func

warnings.simplefilter("ignore", DeprecationWarning)
way, root, listener = os.environ["WAY"], logging.getLogger(), None
root.setLevel("INFO")


def add() -> None:
    global listener
    if way == "instrumentation":
        from opentelemetry.instrumentation.logging import LoggingInstrumentor

        LoggingInstrumentor().instrument()
        return
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    if way == "queue":
        waiting = queue.SimpleQueue()
        root.addHandler(logging.handlers.QueueHandler(waiting))
        listener = logging.handlers.QueueListener(waiting, LoggingHandler())
        listener.start()
    else:
        root.addHandler(LoggingHandler(level="INFO"))


if way != "in a function":
    add()
app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    if way == "in a function" and "again" not in req.url:
        add()
    if listener and "again" in req.url:  # what the first call logged has been through the queue
        listener.stop()
        listener.start()
    logging.info("root https://app.net/?code=SECRET")
    logging.getLogger("shop").info("shop")
    return "hello"
"""


@pytest.mark.parametrize("way", ["import", "in a function", "instrumentation", "queue"])
def test_handlers_of_opentelemetry(run: Runner, call: Caller, tmp_path: Path, way: str) -> None:
    """With a handler of OpenTelemetry's in the app, each record arrives once, which is said."""
    app = tmp_path / "v2_handlers"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(HANDLES_ITSELF)
    result = run(
        app,
        [call("hello"), call("hello", url="https://app.net/api/hello?again")],
        path="classic",
        env={"WAY": way},
        host_stream=True,
    )

    assert all(outcome["ok"] for outcome in result.outcomes), result.outcomes
    for index in range(2):
        bodies = [log.body for log in result.messages(index) if log.scope in ("root", "shop")]
        assert bodies == ["root https://app.net/?code=REDACTED", "shop"]
    (_,) = (said for said, _ in result.host_stream if "of the app's own" in said)


LOGS_WHAT_IT_HAS = """
import logging

import funcscope.auto
import azure.functions as func

app = func.FunctionApp()
logging.getLogger().setLevel("INFO")


class Detached:
    def __repr__(self):
        raise RuntimeError("not bound to a session")


@app.route("logs")
def logs(req: func.HttpRequest) -> str:
    order = {"state": "new"}
    logging.info("loaded %s", Detached())
    logging.info(order)
    logging.info("x", extra={"order": Detached(), "id": 1 << 70})
    order["state"] = "paid"
    return "x"
"""


def test_whatever_a_function_logs(run: Runner, call: Caller, path: str, tmp_path: Path) -> None:
    """A function answers whatever it logs; what is exported is what that was when it was logged."""
    app = tmp_path / "v2_logs"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(LOGS_WHAT_IT_HAS)
    result = run(app, [call("logs")], path=path)
    loaded, order, extra = (log for log in result.logs if not log.event_name)
    shown = "<Detached that cannot be shown: RuntimeError: not bound to a session>"

    assert all(outcome["ok"] for outcome in result.outcomes), result.outcomes
    assert loaded.body == f"loaded {shown}"
    assert order.body == {"state": "new"}
    assert (extra.attributes["order"], extra.attributes["id"]) == (shown, str(1 << 70))
