"""Options in code, in processes of their own: OpenTelemetry sets a provider once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from tests.patience import PROCESS_S
from tests.sdk_versions import without_advice

PRELUDE = """
import logging
logging.basicConfig(format="%(levelname)s %(message)s")
from types import SimpleNamespace
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from funcscope.telemetry import TelemetryError, configure
from funcscope.extensions import Function, Invocation
exporter = InMemorySpanExporter()
processor = SimpleSpanProcessor(exporter)

def invoke():
    from funcscope.telemetry._api.extension import recorder
    function = Function("hello", "/app", False, "app.hello")
    context = SimpleNamespace(invocation_id="0f8e", trace_context=None, retry_context=None)
    invocation = Invocation("0f8e", function, {}, context)
    mark = recorder().begin(invocation)
    recorder().end(invocation, mark, "result")

def names():
    return [(span.name, span.kind.name) for span in exporter.get_finished_spans()]
"""


def run(code: str) -> tuple[list[str], str]:
    """Run code in a fresh interpreter; return the lines it prints and logs."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))}
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), without_advice(done.stderr)


def test_configure_turns_telemetry_on() -> None:
    """A processor given in code sees each invocation's span, without any exporter set."""
    lines, log = run("configure(span_processors=[processor]); invoke(); print(names())")

    assert lines == ["[('hello', 'SERVER')]"]
    assert log == ""


def test_configure_twice() -> None:
    """Later options win over earlier ones, and processors add up without a span twice."""
    lines, _ = run(
        """
        configure(span_kind="standalone", span_processors=[processor])
        configure(span_kind="host")
        configure()
        invoke()
        print(names())
        """
    )

    assert lines == ["[('function hello', 'INTERNAL')]"]


def test_configure_after_the_first_invocation() -> None:
    """Once an invocation has started `configure()` is refused, with what to do."""
    lines, _ = run(
        """
        configure(span_processors=[processor])
        invoke()
        try:
            configure(span_kind="host")
        except TelemetryError as error:
            print(error)
        invoke()
        print(names())
        """
    )

    assert lines == [
        (
            "configure() comes too late, telemetry has started: "
            "call it when the app is imported, and before start()"
        ),
        "[('hello', 'SERVER'), ('hello', 'SERVER')]",
    ]


def test_configure_beside_the_apps_provider() -> None:
    """A processor is added to the provider that the app has set, which gets no other exporter."""
    lines, log = run(
        """
        mine = TracerProvider()
        trace.set_tracer_provider(mine)
        import os
        os.environ["OTEL_TRACES_EXPORTER"] = "console"
        configure(span_processors=[processor])
        invoke()
        print(names(), len(mine._active_span_processor._span_processors))
        """
    )

    assert lines == ["[('hello', 'SERVER')] 1"]
    assert log == ""
