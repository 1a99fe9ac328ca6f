"""Spans that go to somebody else's tracer provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.environments import python_beside
from tests.patience import PROCESS_S

SCRIPT = """
import io, json, logging, sys
stream = io.StringIO()
logging.basicConfig(
    stream=stream, level="INFO", format="%(levelname)s %(name)s %(trace_id)s %(message)s"
)
{before}
from opentelemetry import _logs, trace
import azure.functions as func
from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._lifecycle.drivers import drive
from funcscope.extensions._errors import Faults
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._recording.recorder import Recorder
from funcscope.telemetry._recording.session import Session
{provider}
add_record_fields()

class Sent:
    trace_parent, trace_state, attributes = f"00-{{'a' * 32}}-{{'b' * 16}}-01", "", {{}}

def invoke(function):
    known = Function("f", "/app", False, "app.f", (Binding("req", "httpTrigger", "in", {{}}),))
    context = PartialContext("0f8e", "f", "/app", None, Sent())
    request = func.HttpRequest("GET", "https://app.net/api/f", body=b"")
    invocation = Invocation("0f8e", known, {{"req": request}}, context)
    return drive(function, invocation, recorder, "telemetry", Faults("f"), None)

recorder = Recorder(Session())
def answers(req):
    logging.getLogger("app").info("in a function")
    return "x"
def fails(req):
    logging.getLogger("app").info("about to fail")
    raise KeyError("x")
results = [invoke(answers), invoke(answers)]
try:
    invoke(fails)
except KeyError as error:
    results.append(repr(error))
getattr(_logs.get_logger_provider(), "force_flush", int)()
sys.stdout.flush()
print()
print(json.dumps([results, stream.getvalue().splitlines()]))
"""
OURS = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"}
RAISES = """
class Odd(trace.Span):
    def raises(self, *args, **kwargs):
        raise RuntimeError("odd span")
    end = get_span_context = set_attributes = set_attribute = add_event = raises
    update_name = is_recording = set_status = record_exception = raises

class Tracer(trace.NoOpTracer):
    def start_span(self, *args, **kwargs):
        {start}

class Odds(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        return Tracer()

trace.set_tracer_provider(Odds())
"""


def run(before: str, provider: str, python: str = sys.executable, **env: str) -> list[list[str]]:
    """Invoke three functions beside a provider; return what was exported, and what was said."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_", "DD_"))}
    done = subprocess.run(
        [python, "-c", SCRIPT.format(before=before, provider=provider)],
        env={**kept, "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "0", **OURS, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    *exported, last = done.stdout.splitlines()
    results, said = json.loads(last)
    assert results == ["x", "x", "KeyError('x')"]
    return [exported, said]


def owners(said: list[str]) -> list[str]:
    """Return what was said of who has spans."""
    return [line.partition("spans of invocations go to ")[2] for line in said if "go to" in line]


def beside(group: str) -> str:
    """Return the Python of an environment with what is tested beside us."""
    python = python_beside(group)
    if not Path(python).exists():
        pytest.skip(f"needs the environment with the group {group}")
    return python


def test_ours_need_no_word() -> None:
    """Where the provider is ours, nothing is said of it."""
    _, said = run("", "")

    assert owners(said) == []


@pytest.mark.parametrize("exporter", ["ConsoleSpanExporter", ""])
def test_the_apps_own_provider(exporter: str) -> None:
    """A provider that the app has set is named once, with its exporters and those it lacks."""
    _, said = run(
        "",
        "from opentelemetry.sdk.trace import TracerProvider, export\n"
        "provider = TracerProvider()\n" + f"exporter = export.{exporter}(out=sys.stderr)\n"
        "provider.add_span_processor(export.BatchSpanProcessor(exporter))\n"
        * bool(exporter)
        + "trace.set_tracer_provider(provider)",
    )
    (owner,) = owners(said)

    assert owner.startswith("the app's own tracer provider")
    assert exporter in owner
    is_lacking = not exporter
    assert ("settings ask for (console) get none of them" in owner) is is_lacking
    assert ("configure(span_processors=" in owner) is is_lacking


@pytest.mark.parametrize(
    "start",
    ["raise RuntimeError('no span')", "return Odd()", "return None"],
    ids=["no span", "an odd span", "None"],
)
def test_a_tracer_that_raises(start: str) -> None:
    """A tracer whose every method raises costs neither the function nor records' trace ids."""
    _, said = run("", RAISES.format(start=start))
    (owner,) = owners(said)
    lines = [line for line in said if " app " in line]

    assert owner.startswith("__main__.Odds")
    assert lines == [
        *[f"INFO app {'a' * 32} in a function"] * 2,
        f"INFO app {'a' * 32} about to fail",
    ]


def test_what_is_exported_beside_a_tracer_that_raises() -> None:
    """Records, and the function's exception, are exported with the host's trace id all the same."""
    exported, _ = run("", RAISES.format(start="return Odd()"), OTEL_LOGS_EXPORTER="console")
    text = "\n".join(exported)
    decoder, records = json.JSONDecoder(), []
    while (start := text.find("{")) >= 0:
        record, end = decoder.raw_decode(text[start:])
        records.append((record["body"], record["trace_id"]))
        text = text[start + end :]

    assert sorted(r for r in records if not r[0].startswith("extension telemetry failed")) == [
        ("KeyError: 'x'", f"0x{'a' * 32}"),
        ("about to fail", f"0x{'a' * 32}"),
        *[("in a function", f"0x{'a' * 32}")] * 2,
    ]


@pytest.mark.library_worker
@pytest.mark.parametrize("is_patched", [True, False])
def test_beside_datadog(is_patched: bool) -> None:
    """Datadog's tracer is named, and the setting without which each request has two spans."""
    _, said = run(
        "import ddtrace.auto",
        "",
        beside("threads"),
        DD_TRACE_OTEL_ENABLED="true",
        DD_TRACE_ENABLED="true",
        DD_TRACE_AGENT_URL="http://127.0.0.1:9",
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false",
        DD_TRACE_AZURE_FUNCTIONS_ENABLED=str(is_patched).lower(),
    )
    (owner,) = owners(said)

    assert owner.startswith("Datadog's tracer")
    assert ("DD_TRACE_AZURE_FUNCTIONS_ENABLED=false" in owner) is is_patched


@pytest.mark.library_worker
def test_beside_sentrys_processor() -> None:
    """A provider of the SDK's with Sentry's processor is Sentry's."""
    _, said = run(
        "",
        "import warnings; warnings.simplefilter('ignore')\n"
        "import sentry_sdk\n"
        "from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "sentry_sdk.init(dsn='http://k@127.0.0.1:9/1', instrumenter='otel', traces_sample_rate=1)\n"
        "provider = TracerProvider()\n"
        "provider.add_span_processor(SentrySpanProcessor())\n"
        "trace.set_tracer_provider(provider)",
        beside("threads"),
    )
    (owner,) = owners(said)

    assert owner.startswith("Sentry's SDK")


@pytest.mark.library_worker
def test_beside_new_relic() -> None:
    """New Relic's agent is named where its bridge takes what OpenTelemetry's API is asked for."""
    _, said = run(
        "import newrelic.agent; newrelic.agent.initialize()",
        "",
        beside("threads"),
        NEW_RELIC_DEVELOPER_MODE="true",
        NEW_RELIC_OPENTELEMETRY_ENABLED="true",
        NEW_RELIC_LICENSE_KEY="x" * 40,
        NEW_RELIC_LOG_LEVEL="critical",
    )
    (owner,) = owners(said)

    assert owner.startswith("New Relic's agent")


def test_beside_dynatraces_decorator() -> None:
    """Dynatrace's `wrap_handler` is no provider; its second span is said all the same."""
    # Not on the package index: what stands for it is its module's name alone.
    stands_for = (
        "import types\n"
        "name = 'dynatrace.opentelemetry.azure.functions'\n"
        "sys.modules[name] = types.ModuleType(name)"
    )
    _, said = run("", stands_for)

    assert [line for line in said if "wrap_handler" in line and "remove the decorator" in line]
