"""An invocation in the processes that its function starts, and what a fork leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry.context import attach, detach
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from tests.patience import PATIENCE_S, PROCESS_S

from funcscope.extensions import Invocation, current_invocation
from funcscope.extensions._invocation import entered
from funcscope.telemetry import child_environment, continue_invocation
from funcscope.telemetry._context import set_invocation_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

PARENT = "00-0000000000000000000000000000000a-000000000000000b-01"
OUTER = {
    "PATH": "/bin",
    "TRACEPARENT": "00-000000000000000000000000000000ff-00000000000000ff-01",
    "TRACESTATE": "outer=1",
    "FUNCSCOPE_INVOCATION_ID": "outer",
    "FUNCSCOPE_FUNCTION_NAME": "outer",
}

PRELUDE = """
import os, sys, threading, warnings
warnings.filterwarnings("ignore", "This process", DeprecationWarning)
from opentelemetry import trace
from opentelemetry.trace import get_current_span
from funcscope.extensions import current_invocation
from funcscope.telemetry import child_environment, continue_invocation
def show():
    span, invocation = get_current_span().get_span_context(), current_invocation()
    told = [span.trace_id, span.span_id, span.trace_state.to_header(), span.is_remote]
    print(*told, *([invocation.id, invocation.function_name] if invocation else []))
"""


def run(code: str, **environ: str) -> list[str]:
    """Run code in a fresh interpreter; return the lines it prints."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**clean, **environ},
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def span_context(span_id: int, state: dict[str, str] | None = None) -> SpanContext:
    """Make a span's context in the trace 0xa."""
    flags = TraceFlags(TraceFlags.SAMPLED)
    items = list(state.items()) if state else None
    return SpanContext(
        0xA, span_id, is_remote=False, trace_flags=flags, trace_state=TraceState(items)
    )


@contextmanager
def current_span(context: SpanContext) -> Iterator[None]:
    """Make a span current for a block."""
    token = attach(set_span_in_context(NonRecordingSpan(context)))
    try:
        yield
    finally:
        detach(token)


def test_environment_outside_an_invocation() -> None:
    """What an outer process passed on stays, in a copy."""
    environment = child_environment(OUTER)

    assert environment == OUTER
    assert environment is not OUTER
    assert child_environment() == dict(os.environ)


def test_environment_tells_the_current_span(invocation: Callable[..., Invocation]) -> None:
    """The current span and the invocation take the place of all that an outer process passed."""
    with entered(invocation()), current_span(span_context(0xB)):
        assert child_environment(OUTER) == {
            "PATH": "/bin",
            "TRACEPARENT": PARENT,
            "FUNCSCOPE_INVOCATION_ID": "0f8e",
            "FUNCSCOPE_FUNCTION_NAME": "hello",
        }


def test_environment_tells_the_trace_state(invocation: Callable[..., Invocation]) -> None:
    """The trace's state goes along."""
    with entered(invocation()), current_span(span_context(0xB, {"a": "1", "b": "2"})):
        assert child_environment({})["TRACESTATE"] == "a=1,b=2"


def test_environment_tells_the_invocations_own_span(
    invocation: Callable[..., Invocation],
) -> None:
    """Where no span is current, as in a bare thread, it is the invocation's own."""
    with entered(invocation()) as running:
        set_invocation_span(running, NonRecordingSpan(span_context(0xB)))
        assert child_environment({})["TRACEPARENT"] == PARENT


def test_environment_of_a_span_without_invocation() -> None:
    """A span outside any invocation is told, and the invocation of an outer process stays."""
    with current_span(span_context(0xB)):
        environment = child_environment(OUTER)

    assert environment["TRACEPARENT"] == PARENT
    assert "TRACESTATE" not in environment
    assert environment["FUNCSCOPE_INVOCATION_ID"] == "outer"


def test_environment_of_an_invocation_without_span(
    invocation: Callable[..., Invocation],
) -> None:
    """An outer process's trace is not passed on as if it were the invocation's."""
    with entered(invocation()):
        assert child_environment(OUTER).keys() == OUTER.keys() - {"TRACEPARENT", "TRACESTATE"}


def test_nothing_to_continue() -> None:
    """With nothing in the environment, no invocation begins, and no SDK is loaded."""
    with continue_invocation({"PATH": "/bin"}):
        assert current_invocation() is None

    lines = run(
        """
        with continue_invocation(): show()
        print("funcscope.telemetry._api.extension" in sys.modules, "requests" in sys.modules)
        """
    )
    assert lines == ["0 0  False", "False False"]


def test_program_continues(invocation: Callable[..., Invocation]) -> None:
    """A program is in the invocation and its trace for the block, and not after it."""
    with entered(invocation()), current_span(span_context(0xB, {"a": "1"})):
        environment = child_environment({})
    lines = run("with continue_invocation(): show()\nshow()", **environment)

    assert lines == ["10 11 a=1 True 0f8e hello", "0 0  False"]


def test_traces_of_others_are_continued() -> None:
    """A trace alone, as a program that is no function passes it, is continued as well."""
    assert run("with continue_invocation(): show()", TRACEPARENT=PARENT) == ["10 11  True"]


@pytest.mark.parametrize(
    "malformed",
    [
        {"TRACEPARENT": ""},
        {"TRACEPARENT": "x", "TRACESTATE": "a=1"},
        {"TRACEPARENT": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"},
        {"TRACEPARENT": "ff" + PARENT[2:]},
        {"TRACEPARENT": PARENT + "x" * 1000},
    ],
    ids=["empty", "text", "zeros", "version", "long"],
)
def test_malformed_parent_is_none(malformed: dict[str, str]) -> None:
    """What cannot be read is no parent, and the invocation is continued all the same."""
    code = "with continue_invocation(): show()"

    assert run(code, **malformed) == ["0 0  False"]
    assert run(code, **malformed, FUNCSCOPE_INVOCATION_ID="7") == ["0 0  False 7 "]


def test_malformed_state_costs_the_state_alone() -> None:
    """A trace's state that cannot be read leaves the parent."""
    lines = run("with continue_invocation(): show()", TRACEPARENT=PARENT, TRACESTATE=";;=,x")

    assert lines == ["10 11  True"]


def test_errors_pass_through() -> None:
    """What the block raises is raised, and the context is as before."""
    code = """
    try:
        with continue_invocation():
            raise KeyError("mine")
    except KeyError as error:
        print(error)
    show()
    """
    assert run(code, TRACEPARENT=PARENT) == ["'mine'", "0 0  False"]


def test_program_with_its_own_log_provider() -> None:
    """Providers that the program has set are left alone."""
    code = """
    from opentelemetry import _logs
    from opentelemetry.sdk._logs import LoggerProvider
    own = LoggerProvider()
    _logs.set_logger_provider(own)
    with continue_invocation():
        print(_logs.get_logger_provider() is own)
    """
    assert run(code, TRACEPARENT=PARENT, OTEL_LOGS_EXPORTER="console")[0] == "True"


def test_host_exports_nothing_of_a_child() -> None:
    """Where the host exports functions' log records, a program exports its own all the same."""
    code = """
    import logging
    with continue_invocation():
        logging.warning("mine")
    """
    environ = {
        "AzureFunctionsJobHost__telemetryMode": "OpenTelemetry",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "",
    }
    with collector() as (endpoint, requests):
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        run(code, TRACEPARENT=PARENT, **environ)

    assert "/v1/logs" in [path for path, _ in requests]


def test_kept_records_of_a_child_that_fails() -> None:
    """Records below the exported level are exported if the block raises, as a function's are."""
    code = """
    import logging
    logging.getLogger().setLevel(logging.INFO)
    try:
        with continue_invocation():
            logging.debug("detail")
            if os.environ["FAILS"] == "1":
                raise KeyError
    except KeyError:
        pass
    """
    environ = {
        "TRACEPARENT": PARENT,
        "FUNCSCOPE_INVOCATION_ID": "7",
        "FUNCSCOPE_LOG_BUFFER": "5",
        "OTEL_LOGS_EXPORTER": "console",
    }
    assert any("detail" in line for line in run(code, FAILS="1", **environ))
    assert not any("detail" in line for line in run(code, FAILS="0", **environ))


@needs_fork
def test_forked_child_continues_by_itself() -> None:
    """A forked child is in the invocation, whatever an outer process's environment says."""
    code = """
    from opentelemetry.context import attach
    with continue_invocation(dict(os.environ, FUNCSCOPE_INVOCATION_ID="inner")):
        child = os.fork()
        if not child:
            with continue_invocation():
                show()
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
    """
    assert run(code, **OUTER)[0] == "255 255 outer=1 True inner outer"


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Serve OTLP on connections that stay open; list each request's path and client's port."""
    requests: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = PATIENCE_S

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            requests.append((self.path, self.client_address[1]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", requests
        finally:
            server.shutdown()
            thread.join()


@needs_fork
def test_forked_child_has_connections_of_its_own() -> None:
    """Parent and child do not send on one connection, where each could get the other's answer."""
    code = """
    from funcscope.telemetry._api.extension import recorder
    recorder().session.start_in_child()
    provider = trace.get_tracer_provider()
    def send():
        trace.get_tracer("app").start_span("x").end()
        provider.force_flush()
    send()
    child = os.fork()
    if not child:
        send()
        os._exit(0)
    os.waitpid(child, 0)
    send()
    """
    with collector() as (endpoint, requests):
        run(code, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{endpoint}/v1/traces")
    before, in_child, after = (port for _, port in requests)

    assert before == after != in_child


@needs_fork
def test_fork_while_the_exporters_are_at_work() -> None:
    """A child that is forked while its parent holds every lock of an export sends all the same."""
    code = """
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        MetricExporter, MetricExportResult, PeriodicExportingMetricReader)
    exporting, release = threading.Event(), threading.Event()
    class Exporter(MetricExporter):
        def export(self, data, **_):
            if os.getpid() == parent:
                exporting.set()
                release.wait(60)
            else:
                points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
                print("counted", points[0].value, flush=True)
            return MetricExportResult.SUCCESS
        def force_flush(self, timeout_millis=0): return True
        def shutdown(self, timeout=0, **_): pass
    parent = os.getpid()
    provider = MeterProvider([PeriodicExportingMetricReader(Exporter())], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    counter = metrics.get_meter("app").create_counter("work")
    with continue_invocation():
        counter.add(5)
        threading.Thread(target=provider.force_flush, daemon=True).start()
        assert exporting.wait(60)
        child = os.fork()
        if not child:
            with continue_invocation():
                counter.add(1)
            os._exit(0)
        os.waitpid(child, 0)
        release.set()
    """
    assert run(code, FUNCSCOPE_INVOCATION_ID="7") == ["counted 1"]


@needs_fork
def test_fork_while_every_lock_is_held() -> None:
    """A child that is forked while its parent's threads hold all locks of ours works."""
    code = """
    import gc, logging, signal
    from funcscope.extensions import propagate, status
    from funcscope.telemetry import bind, timed
    def work():
        bind(order=1)
        propagate()
        with timed("work"), trace.get_tracer("app").start_as_current_span("x"):
            logging.warning("log")
            logging.debug("detail")
        thread = threading.Thread(target=logging.warning, args=("of a thread",))
        thread.start()
        thread.join()
        status()
    def locks():
        ours = [o for o in gc.get_objects() if str(type(o).__module__).startswith("funcscope.")]
        owners = [vars(o) for o in ours if hasattr(o, "__dict__")]
        owners += [vars(m) for n, m in list(sys.modules.items()) if n.startswith("funcscope.")]
        for value in [v for fields in owners for v in fields.values()]:
            if isinstance(value, threading.Event):
                yield value._cond
            elif isinstance(value, (type(threading.Lock()), type(threading.RLock()))):
                yield value
    def hold():
        held.extend(lock for lock in locks() if lock.acquire(blocking=False))
        holding.set()
        release.wait()
    held, holding, release = [], threading.Event(), threading.Event()
    logging.getLogger().setLevel(logging.INFO)
    with continue_invocation():
        work()
        threading.Thread(target=hold, daemon=True).start()
        assert holding.wait(60)
        child = os.fork()
        if not child:
            signal.alarm(60)
            with continue_invocation():
                work()
            print("sent", flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1], len(held) > 10, flush=True)
        os._exit(0)
    """
    with collector() as (endpoint, requests):
        lines = run(
            code,
            FUNCSCOPE_INVOCATION_ID="7",
            FUNCSCOPE_KEEP_RATIO="0.5",
            FUNCSCOPE_LOG_BUFFER="5",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        )

    assert lines == ["sent", "0 True"]
    assert {"/v1/traces", "/v1/logs"} <= {path for path, _ in requests}


@needs_fork
@pytest.mark.parametrize("ends", ["os._exit(0)", "sys.exit()"])
def test_forked_child_that_records_nothing(ends: str) -> None:
    """A child that records nothing sends nothing, starts no thread for that, and ends at once."""
    code = f"""
    from funcscope.telemetry._api.extension import recorder
    from funcscope.telemetry._recording.forks import flush
    recorder().session.start_in_child()
    trace.get_tracer("app").start_span("x").end()
    child = os.fork()
    if not child:
        flush()
        print([t.name for t in threading.enumerate() if t.name == "funcscope-export-1"], flush=True)
        {ends}
    print(os.waitpid(child, 0)[1], flush=True)
    os._exit(0)
    """
    with collector() as (endpoint, requests):
        assert run(code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) == ["[]", "0"]

    assert requests == []


@needs_fork
def test_forked_child_that_exits_sends_what_it_recorded() -> None:
    """A child that ends as Python programs do has what it recorded sent before."""
    code = """
    from funcscope.telemetry._api.extension import recorder
    recorder().session.start_in_child()
    child = os.fork()
    if not child:
        trace.get_tracer("app").start_span("x").end()
        sys.exit()
    print(os.waitpid(child, 0)[1], flush=True)
    os._exit(0)
    """
    with collector() as (endpoint, requests):
        assert run(code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)[-1:] == ["0"]

    assert "/v1/traces" in [path for path, _ in requests]


def test_program_that_continues_is_ended_at_once() -> None:
    """A program that continues an invocation leaves SIGTERM as it is."""
    code = """
    import signal
    before = signal.getsignal(signal.SIGTERM)
    with continue_invocation():
        print(signal.getsignal(signal.SIGTERM) is before)
    """
    assert run(code, TRACEPARENT=PARENT)[0] == "True"


KEEPING = {
    "FUNCSCOPE_INVOCATION_ID": "7",
    "FUNCSCOPE_KEEP_RATIO": "0",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "TRACEPARENT": PARENT,
}


def test_what_a_program_records_is_kept() -> None:
    """All that a child records is sent: it cannot know whether its invocation is kept."""
    code = """
    with continue_invocation(), trace.get_tracer("app").start_as_current_span("child"):
        pass
    os._exit(0)
    """
    with collector() as (endpoint, requests):
        run(code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **KEEPING)

    assert [path for path, _ in requests] == ["/v1/traces"]


@needs_fork
def test_what_a_forked_child_records_is_kept() -> None:
    """The same holds of a child that is in the invocation by itself, and sends its own alone."""
    code = """
    from funcscope.extensions import Function, Invocation
    from funcscope.extensions._invocation import PartialContext, entered
    from funcscope.telemetry._api.extension import recorder
    def span():
        trace.get_tracer("app").start_span("x").end()
    recorder().session.start_in_child()
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    context = PartialContext("0f8e", "hello", "/app", None)
    with entered(Invocation("0f8e", function, {}, context)):
        span()
        child = os.fork()
        if not child:
            with continue_invocation():
                span()
            os._exit(0)
        os.waitpid(child, 0)
    os._exit(0)
    """
    with collector() as (endpoint, requests):
        run(code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **KEEPING)

    assert [path for path, _ in requests] == ["/v1/traces"]
