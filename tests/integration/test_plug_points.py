"""funcscope found by OpenTelemetry's ways of finding an instrumentation, on real workers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.ingestion import Ingestion

pytestmark = pytest.mark.library_worker

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]


SLOW_TO_LOAD = "fastapi, flask, starlette, sqlalchemy, httpx, httpx2, urllib"


@pytest.fixture
def instrumented(tmp_path: Path) -> str:
    """Make a Python that is run by `opentelemetry-instrument`."""
    python = tmp_path / "python"
    command = Path(sys.executable).with_name("opentelemetry-instrument")
    python.write_text(f'#!/bin/sh\nexec "{command}" "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_opentelemetry_instrument(run: Runner, call: Caller, instrumented: str) -> None:
    """An app without a line of ours has spans and log records under it, until it is turned off."""
    calls = [call(name) for name in ("hello", "fail", "off", "hello", "on", "hello")]
    result = run(
        "v2_bare", calls, path="protobuf", python=instrumented, keeps_opentelemetry=True,
        env={
            "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": "logs/dup",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": SLOW_TO_LOAD,
        },
    )  # fmt: skip
    recorded = {span.attributes.get("faas.invocation_id") for span in result.spans}

    assert [outcome["ok"] for outcome in result.outcomes] == [True, False, True, True, True, True]
    assert result.span().parent_id == calls[0]["trace_parent"].split("-")[2]
    assert [log.body for log in result.messages()].count("hello from the app") == 1
    assert [call["id"] in recorded for call in calls] == [True, True, True, False, False, True]
    assert [event.name for event in result.span(1).events] == ["exception"]  # and as a log event:
    assert sum("exception.type" in log.attributes for log in result.messages(1)) == 1
    assert "hush" not in str(result.spans + result.logs)
    assert "already instrumented" not in result.stderr


def test_auto_is_turned_off(run: Runner, call: Caller) -> None:
    """What `import funcscope.auto` turned on is off and on again, options then being too late."""
    names = ("is_on", "off", "is_on", "late", "is_on", "off", "late", "hello")
    calls = [call(name) for name in names]
    result = run("v2_bare", calls, path="native", env={"AUTO": "1"}, keeps_opentelemetry=True)
    recorded = {span.attributes.get("faas.invocation_id") for span in result.spans}

    assert [outcome["value"] for outcome in result.outcomes] == [
        "True", "off", "False", "late", "True", "off", "late", "False",
    ]  # fmt: skip
    assert [call["id"] in recorded for call in calls] == [
        True, True, False, False, True, True, False, True,
    ]  # fmt: skip
    assert result.stderr.count("instrument() goes without its options") == 1
    assert "already" not in result.stderr


def test_it_is_disabled(run: Runner, call: Caller) -> None:
    """Named by `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` it records nothing, and one line says so."""
    env = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, azure_functions"}
    result = run("v2_plain", [call("logs")], path="protobuf", env=env)

    assert result.outcomes[0]["ok"]
    assert (result.spans, result.logs) == ((), ())


def test_providers_set_at_once(run: Runner, call: Caller) -> None:
    """After `start()` who looks for a provider of the SDK's finds one, and spans go through it."""
    env = {"START": "1", "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": "logs"}
    result = run("v2_bare", [call("hello"), call("fail")], path="native", env=env)

    assert result.outcomes[0]["value"] == "True"
    assert result.span().scope == "funcscope"
    assert [log.body for log in result.messages()] == ["hello from the app"]
    assert result.span(1).events == ()


FILE = """
file_format: "1.0"
resource:
  attributes:
    - {name: shop.city, value: Delft}
propagator:
  composite: [{tracecontext: }]
tracer_provider:
  limits: {attribute_value_length_limit: 36}
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "${OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces"}}}
logger_provider:
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "${OTEL_EXPORTER_OTLP_ENDPOINT}/v1/logs"}}}
meter_provider:
  readers:
    - periodic: {exporter: {otlp_http: {endpoint: "${OTEL_EXPORTER_OTLP_ENDPOINT}/v1/metrics"}}}
instrumentation/development:
  python:
    requests: {}
    azure_functions: {span_kind: host}
"""


AZURE = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch: {exporter: {azure_monitor_opentelemetry_exporter: {connection_string: "%s"}}}
meter_provider:
  readers:
    - periodic: {exporter: {azure_monitor_opentelemetry_exporter: {connection_string: "%s"}}}
"""


@pytest.mark.parametrize(
    ("hosts", "kind"), [(True, "RemoteDependencyData"), (False, "RequestData")], ids=["host", "not"]
)
def test_azure_monitor_by_a_file(
    run: Runner, call: Caller, tmp_path: Path, ingestion: Ingestion, hosts: bool, kind: str
) -> None:
    """Where the host sends to the file's resource, invocations are below its requests."""
    pytest.importorskip("opentelemetry.configuration")
    connection = ingestion.connection_string
    (tmp_path / "otel.yaml").write_text(AZURE % (connection, connection))
    env = {
        "OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml"),
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "PYTHONWARNINGS": "default",
        **({"APPLICATIONINSIGHTS_CONNECTION_STRING": connection} if hosts else {}),
    }
    run(
        "v2_bare",
        [call("hello")],
        path="native",
        env=env | {"START": "1"},
        keeps_opentelemetry=True,
    )
    kinds = [envelope["data"]["baseType"] for envelope in ingestion.envelopes]
    measured = str([e["data"]["baseData"].get("metrics") for e in ingestion.envelopes])

    assert kinds.count(kind) == 1
    assert {"RequestData", "RemoteDependencyData"}.intersection(kinds) == {kind}
    assert "faas.invoke_duration" in measured
    assert "http.server.request.duration" not in measured


@pytest.mark.parametrize(
    ("propagators", "environ", "tenant"),
    [
        ("propagator: {composite: [{tracecontext: }]}", "tracecontext,baggage", None),
        ("propagator: {composite: [{tracecontext: }, {baggage: }]}", "tracecontext", "acme"),
        ('propagator: {composite_list: "tracecontext, baggage"}', "tracecontext", "acme"),
        ("", "tracecontext,baggage", None),
    ],
    ids=["without", "composite", "composite_list", "none"],
)
def test_baggage_by_a_file(
    run: Runner,
    call: Caller,
    tmp_path: Path,
    propagators: str,
    environ: str,
    tenant: str | None,
) -> None:
    """A caller's baggage is read where the file's propagators have it, as it is handed on."""
    pytest.importorskip("opentelemetry.configuration")
    text = FILE.replace("propagator:\n  composite: [{tracecontext: }]", propagators)
    (tmp_path / "otel.yaml").write_text(text)
    env = {
        "OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml"),
        "OTEL_PROPAGATORS": environ,
        "FUNCSCOPE_BAGGAGE_KEYS": "tenant",
    }
    calls = [call("hello", headers={"baggage": "tenant=acme"})]
    result = run(
        "v2_bare", calls, path="native", env=env | {"START": "1"}, keeps_opentelemetry=True
    )

    assert result.span().attributes.get("tenant") == tenant


def test_configuration_file(run: Runner, call: Caller, tmp_path: Path) -> None:
    """What the file declares has invocations of all signals, with its limits and no secrets."""
    pytest.importorskip("opentelemetry.configuration")
    (tmp_path / "otel.yaml").write_text(FILE)
    env = {"START": "1", "OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml")}
    calls = [call("hello", url=f"https://app.net/api/{40 * chr(65)}"), call("fail"), call("facts")]
    result = run("v2_bare", calls, path="protobuf", env=env, keeps_opentelemetry=True)
    spans = [result.span(index) for index in range(3)]

    assert [span.name for span in spans] == [
        f"function {name}" for name in ("hello", "fail", "facts")
    ]
    assert all(span.parent_id == calls[0]["trace_parent"].split("-")[2] for span in spans)
    assert spans[0].attributes["url.path"] == "/api/" + 31 * "A"
    assert {r["shop.city"] for r in (spans[0].resource, result.logs[0].resource)} == {"Delft"}
    assert "hello from the app" in [log.body for log in result.messages()]
    assert result.outcomes[2]["value"] == "['traceparent', 'tracestate'] True"
    assert "asked" in result.metrics
    assert "hush" not in str(result.spans + result.logs + result.points)
