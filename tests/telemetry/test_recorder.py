"""Recording an invocation, in processes of their own: providers are set once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from tests.patience import PROCESS_S
from tests.sdk_versions import OWN_SPANS, since

PRELUDE = """
import asyncio, gc, logging, os, sys, threading, warnings, weakref
warnings.filterwarnings("ignore", "This process", DeprecationWarning)
import azure.functions as func
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._lifecycle.drivers import drive, drive_async
from funcscope.extensions._errors import Faults
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._recording.recorder import Recorder
from funcscope.telemetry._recording.session import Session

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
recorder = Recorder(Session())
faults = Faults("f")
trigger = Binding("req", "httpTrigger", "in", {})

class Sent:
    trace_state, attributes = "", {}
    def __init__(self, trace_parent):
        self.trace_parent = trace_parent

def call(is_async=False, trace_parent=PARENT):
    function = Function("f", "/app", is_async, "app.f", (trigger,))
    context = PartialContext("0f8e", "f", "/app", None, Sent(trace_parent))
    request = func.HttpRequest("GET", "https://app.net/api/f", body=b"")
    return Invocation("0f8e", function, {"req": request}, context)

def invoke(function, invocation=None):
    return drive(function, invocation or call(), recorder, "telemetry", faults, None)
"""
ENDPOINT = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_METRICS_EXPORTER": "none",
    "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "0",
}
has_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def run(code: str, **environ: str) -> list[str]:
    """Run code in a fresh interpreter, which does not wait for what it would send."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))}
    done = subprocess.run(
        [sys.executable, "-c", f"{PRELUDE}{textwrap.dedent(code)}\nos._exit(0)"],
        capture_output=True,
        text=True,
        env={**kept, "PYTHONUNBUFFERED": "1", **environ},
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@has_fork
def test_a_forked_child_is_below_the_span_of_its_parent() -> None:
    """Who asks first after a fork does not matter: the span's ids are made before it."""
    lines = run(
        """
        def f(req):
            child = os.fork()
            if not child:
                print(trace.get_current_span().get_span_context().span_id)
                os._exit(0)
            os.waitpid(child, 0)
            print(trace.get_current_span().get_span_context().span_id)
        invoke(f)
        """,
        **ENDPOINT,
    )

    assert len(lines) == 2
    assert lines[0] == lines[1] != "0"


@has_fork
def test_a_forked_child_may_use_its_span() -> None:
    """A thread of the parent's that was at work on a span at the fork keeps nobody waiting."""
    lines = run(
        """
        held, done = threading.Event(), threading.Event()
        class Holding(logging.Handler):
            def emit(self, record):
                if threading.current_thread().name == "holds":
                    held.set()
                    done.wait(60)
        def hold(span):
            span.add_event("begun")  # which is at work on it from here on
        def f(req):
            span = trace.get_current_span()
            span.set_attribute("b", 1)
            span.set_status(Status(StatusCode.OK), "of which the SDK says that it is ignored")
            threading.Thread(target=hold, args=(span,), name="holds", daemon=True).start()
            held.wait(60)
            child = os.fork()
            if not child:
                span.set_attribute("a", 1)
                span.add_event("in the child")
                print("used", sorted({"a", "b"} & span.attributes.keys()))
                os._exit(0)
            os.waitpid(child, 0)
            done.set()
        from opentelemetry.trace import Status, StatusCode
        logging.getLogger("opentelemetry").addHandler(Holding())
        invoke(f)
        """,
        **ENDPOINT,
    )

    assert lines == ["used ['a', 'b']"]


def test_a_processor_that_a_function_adds_sees_its_invocation_end() -> None:
    """As the SDK has it, whoever is there when a span ends is told of it."""
    lines = run(
        """
        seen = []
        class Seeing(SpanProcessor):
            def on_end(self, span):
                seen.append(span.name)
        def f(req):
            trace.get_tracer_provider().add_span_processor(Seeing())
            with trace.get_tracer("app").start_as_current_span("inner"):
                pass
        invoke(f)
        print(seen)
        """,
        **ENDPOINT,
    )

    assert lines == ["['inner', 'GET /api/f']"]


def test_a_coroutine_that_is_closed_waits_for_nothing() -> None:
    """Closing a call that was to be flushed raises nothing, within its loop and after it."""
    lines = run(
        """
        async def f(req):
            await asyncio.sleep(100)
        async def begin():
            coroutine = drive_async(f, call(is_async=True), recorder, "telemetry", faults, None)
            coroutine.send(None)
            return coroutine
        async def main():
            (await begin()).close()
            print("closed")
        asyncio.run(main())
        asyncio.run(begin()).close()
        print("closed")
        """,
        **ENDPOINT,
        FUNCSCOPE_FLUSH="invocation",
    )

    assert lines == ["closed", "closed"]


@since(42, OWN_SPANS)
def test_what_waits_to_be_sent_is_one_object_to_the_collector() -> None:
    """Python's garbage collector looks through one object for each invocation that waits."""
    lines = run(
        """
        waiting = []

        class Waiting(SpanProcessor):
            def put(self, span, is_error):
                waiting.append(span)

        recorder.session.configure({}, [Waiting()])

        def f(req):
            return func.HttpResponse("ok")

        def count():
            gc.collect()
            return len(gc.get_objects())

        function = call().function

        def again(number):
            for _ in range(number):
                given = call()
                invoke(f, Invocation(given.id, function, given.args, given.context))

        again(10)
        before = count()
        again(1000)
        print(len(waiting), round((count() - before) / 1000, 1))
        """,
    )

    # Python 3.10 makes each object's dict at once.
    assert lines == [f"1010 {2.0 if sys.version_info < (3, 11) else 1.0}"]


def test_what_waits_to_be_sent_keeps_no_message() -> None:
    """Neither a span nor a log record keeps the worker's context, which has the host's message."""
    lines = run(
        """
        logging.getLogger().setLevel(logging.INFO)
        def f(req):
            logging.info("inside")
        invocation = call()
        context = weakref.ref(invocation.context.trace_context)
        invoke(f, invocation)
        assert invocation.context.trace_context.trace_parent == PARENT
        del invocation
        gc.collect()
        print(context())
        """,
        **ENDPOINT,
        FUNCSCOPE_FLUSH="interval",
        OTEL_BLRP_SCHEDULE_DELAY="100000",
        OTEL_BSP_SCHEDULE_DELAY="100000",
    )

    assert lines == ["None"]


def test_no_trace_shows_as_nothing() -> None:
    """Where nothing is recorded and the host sends no trace, log lines have no ids of zeros."""
    lines = run(
        """
        import sys
        shown = "[%(trace_id)s][%(span_id)s][%(trace_sampled)s]"
        logging.basicConfig(format=shown, stream=sys.stdout)
        add_record_fields()
        invoke(lambda req: logging.warning("inside"), call(trace_parent=""))
        """,
        OTEL_SDK_DISABLED="true",
    )

    assert lines == ["[][][]"]


@pytest.mark.parametrize(
    ("setting", "value"), [("FUNCSCOPE_LOG_BUFFER", "5"), ("FUNCSCOPE_KEEP_RATIO", "0")]
)
def test_answer_of_an_unsampled_invocation(setting: str, value: str) -> None:
    """An answer of 500 is a failure where nothing of the span is recorded, too."""
    lines = run(
        """
        from opentelemetry import _logs
        from opentelemetry.sdk._logs.export import (
            InMemoryLogRecordExporter, SimpleLogRecordProcessor,
        )
        exporter = InMemoryLogRecordExporter()
        def answer(status):
            def f(req):
                logging.getLogger("app").log(level, "answered %s", status)
                return func.HttpResponse(status_code=status)
            return f
        level = logging.DEBUG if "FUNCSCOPE_LOG_BUFFER" in os.environ else logging.INFO
        logging.getLogger("app").setLevel(level)
        add_record_fields()
        recorder.session.prepare("")
        session = recorder.session.start()
        _logs.get_logger_provider().add_log_record_processor(SimpleLogRecordProcessor(exporter))
        sampler = session.tail_sampler
        for status in (200, 500):
            invoke(answer(status))
        if sampler is None:
            print(*(r.log_record.body for r in exporter.get_finished_logs()))
        else:
            print(sampler.sampled_out)
        """,
        OTEL_TRACES_SAMPLER="always_off",
        **{**ENDPOINT, setting: value},
    )

    assert lines == ["answered 500" if "BUFFER" in setting else "{'logs': 1}"]


@since(42, OWN_SPANS)
def test_measured_answer_of_an_unsampled_invocation() -> None:
    """What is measured has the answer's status where nothing of the span is recorded, too."""
    lines = run(
        """
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        reader = InMemoryMetricReader()
        metrics.set_meter_provider(MeterProvider([reader]))
        invoke(lambda req: func.HttpResponse(status_code=418))
        (scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
        for metric in scope.metrics:
            if metric.name == "http.server.request.duration":
                print(metric.data.data_points[0].attributes["http.response.status_code"])
        """,
        OTEL_TRACES_SAMPLER="always_off",
        **ENDPOINT,
    )

    assert lines == ["418"]


BAD_PROCESSOR = """
        class Bad(SpanProcessor):
            def on_start(self, span, parent_context=None): raise OSError("start")
            def _on_ending(self, span): raise OSError("ending")
            def on_end(self, span): raise OSError("end")

        class Seen(SpanProcessor):
            spans = []
            def on_start(self, span, parent_context=None): self.spans.append(span)

        def current():
            return trace.get_current_span().get_span_context().is_valid
"""


@since(42, OWN_SPANS)
def test_processor_of_the_apps_that_raises() -> None:
    """The function has its result, what a function sees is recorded, and nothing stays attached."""
    lines = run(
        BAD_PROCESSOR
        + """
        recorder.session.configure({}, [Seen(), Bad()])
        for is_async in (False, True):
            async def f_async(req): return f(req)
            def f(req): return trace.get_current_span().is_recording()
            if is_async:
                coroutine = drive_async(f_async, call(True), recorder, "telemetry", faults, None)
                print(asyncio.run(coroutine), current())
            else:
                print(invoke(f), current())
        print(len(Seen.spans), faults.count)
        """,
        **ENDPOINT,
    )

    assert lines == ["True False", "True False", "2 2"]


def test_tracer_provider_of_the_apps_that_raises() -> None:
    """Where no span can be had the function runs in its host's trace, and one line says so."""
    lines = run(
        BAD_PROCESSOR
        + """
        logging.basicConfig(format="%(message)s", handlers=[logging.StreamHandler(sys.stdout)])

        class Tracer(trace.NoOpTracer):
            def start_span(self, *args, **kwargs): raise OSError("no span")

        class Provider(trace.NoOpTracerProvider):
            def get_tracer(self, *args, **kwargs): return Tracer()

        trace.set_tracer_provider(Provider())
        def f(req): return f"{trace.get_current_span().get_span_context().trace_id:032x}"
        for _ in range(2):
            print(invoke(f), current())
        print(faults.count)
        """,
        OTEL_TRACES_EXPORTER="none",
    )

    said = [line for line in lines if "no span" in line]
    assert [line for line in lines if line.startswith("aaaa")] == [f"{'a' * 32} False"] * 2
    assert said[0].startswith("an invocation of f has no span")
    assert lines[-1] == "0"


def test_session_that_cannot_be_started() -> None:
    """Where recording cannot begin, one line says so; it is not tried in each invocation."""
    lines = run(
        BAD_PROCESSOR
        + """
        logging.basicConfig(format="%(message)s", handlers=[logging.StreamHandler(sys.stdout)])
        asked = []

        class Provider(trace.NoOpTracerProvider):
            def get_tracer(self, *args, **kwargs):
                asked.append(args)
                raise OSError("no tracer")

        trace.set_tracer_provider(Provider())
        def f(req): return f"{trace.get_current_span().get_span_context().trace_id:032x}"
        for _ in range(3):
            print(invoke(f), current())
        print(len(asked), faults.count)
        """,
        OTEL_TRACES_EXPORTER="none",
    )

    assert [line for line in lines if line.startswith("aaaa")] == [f"{'a' * 32} False"] * 3
    assert lines.count("invocations are not recorded") == 1
    assert lines[-1] == "1 0"


def test_results_and_errors_that_cannot_be_looked_at() -> None:
    """Whatever a function gives, its caller gets, and nothing stays attached."""
    lines = run(
        BAD_PROCESSOR
        + """
        def refuse(*_): raise RuntimeError("no")

        class Odd:
            __getattr__ = __str__ = __repr__ = __bool__ = __eq__ = __hash__ = refuse
            __class__ = property(refuse)

        class OddError(Exception):
            __getattribute__ = __setattr__ = __str__ = __repr__ = __bool__ = refuse
            __class__ = property(refuse)

        def raises(error):
            def f(req): raise error
            return f

        class Unusual(BaseException): pass

        odd, errors = Odd(), [OddError(), GeneratorExit(), StopIteration(), Unusual()]
        print(invoke(lambda req: odd) is odd, current())
        for error in errors:
            try:
                invoke(raises(error))
            except BaseException as raised:
                print(raised is error, current())
        """,
        **ENDPOINT,
    )

    assert lines == ["True False"] * 5


def test_a_function_may_be_called_while_providers_are_set() -> None:
    """What is set up calls others' code, which may call a function: none waits for ever."""
    lines = run(
        """
        class Calls(logging.Handler):
            def emit(self, record):
                if "of their trigger's kind" in record.getMessage():
                    print("within", invoke(f))
        def f(req):
            return "called"
        logging.getLogger("funcscope.telemetry").addHandler(Calls())
        logging.getLogger("funcscope.telemetry").setLevel("INFO")
        print(invoke(f))
        """,
        **ENDPOINT,
    )

    assert lines == ["within called", "called"]
