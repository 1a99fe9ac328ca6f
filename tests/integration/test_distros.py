"""What people set OpenTelemetry up with beside us: spans and records once, and true lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripts.snippets import text_of
from tests.environments import needs, python_beside

if TYPE_CHECKING:
    from tests.integration.ingestion import Ingestion

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]
Beside = Callable[..., tuple[Any, str]]

BIN = Path(python_beside("distros")).parent
OWN = "the app's own {} provider with {}, set before the first invocation"
NOT_BELOW = (
    "spans of invocations are of their trigger's kind: nothing says that the host exports a span "
    "for the request"
)
QUIET = {
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "OTEL_TRACES_SAMPLER": "always_on",
    "PYTHONWARNINGS": "default",
}

pytestmark = [
    pytest.mark.library_worker,
    needs("distros"),
]


@pytest.fixture
def beside(run: Runner, call: Caller, tmp_path: Path) -> Beside:
    """Call two functions of the app; return what came of it, and what funcscope said."""

    def beside(path: str, *prefix: str, too_late: bool = False, **settings: str) -> tuple[Any, str]:
        lines = tmp_path / "lines"
        result = run(
            "v2_distros",
            [call("hello"), call("later")],
            path=path,
            prefix=prefix,
            python=str(BIN / "python"),
            keeps_opentelemetry=True,  # and protobuf, which cannot be loaded twice
            import_first=["own_lines"],
            env={**QUIET, "GOLDEN_LINES": str(lines), **settings},
        )
        said = [json.loads(line)[2] for line in lines.read_text().splitlines()]
        assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
        assert ("Overriding" in f"{result.stderr}{result.logs}") is too_late
        return result, "\n".join(said)

    return beside


def once(result: Any, host: Any, *, kind: str = "SERVER") -> None:
    """Assert that OTLP got one span and one record of each invocation, in the host's trace."""
    spans = [s for s in result.spans if s.scope == "funcscope"]
    assert [(s.trace_id, s.parent_id, s.kind) for s in spans] == [(*host, kind)] * 2
    records = [log for log in result.logs if log.body == "inside"]
    assert [log.trace_id for log in records] == [host.trace_id] * 2


def test_microsofts_distro_with_otlp(beside: Beside, host: Any) -> None:
    """With OTLP alone it is not taken for Azure Monitor, whose exporter it loads."""
    result, said = beside("native_sync", SET_UP_BEFORE="microsoft")

    once(result, host)
    assert said.splitlines() == [
        f"spans of invocations go to {OWN.format('tracer', 'OTLPSpanExporter')}",
        "log records of functions are exported by the app's own logger provider to OTLP",
        NOT_BELOW,
    ]


def test_microsofts_distro_with_both(beside: Beside, host: Any, ingestion: Ingestion) -> None:
    """With Azure Monitor, too, each gets all of it once, as requests of the host's resource."""
    key = {"APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string}
    result, said = beside("protobuf", SET_UP_AFTER="microsoft-azure", **key)
    kinds = [
        (str(e["data"]["baseType"]), e["data"]["baseData"].get("message"))
        for e in ingestion.envelopes
        if e["data"]["baseType"] != "MetricData"
    ]

    once(result, host, kind="INTERNAL")
    assert kinds.count(("RemoteDependencyData", None)) == 2
    assert kinds.count(("MessageData", "inside")) == 2
    assert "go to Microsoft's distro with AzureMonitorTraceExporter, OTLPSpanExporter" in said
    assert "get none of them" not in said


@pytest.mark.parametrize(
    "when",
    [{"SET_UP_WITHIN": "microsoft"}, {"START": "1", "SET_UP_AFTER": "microsoft"}],
    ids=["within a function", "after start()"],
)
def test_set_up_too_late(beside: Beside, host: Any, when: dict[str, str]) -> None:
    """A distro that comes after our providers doubles no record, and a line says what to do."""
    result, said = beside("native_sync", too_late=True, **when)

    once(result, host)
    assert all(log.attributes["InvocationId"] for log in result.logs if log.body == "inside")
    (line,) = (line for line in said.splitlines() if "was set up after" in line)
    assert line == (
        "the app's own logger provider with OTLPLogExporter was set up after funcscope's "
        "providers, which stay; log records that funcscope sends to the same place are left to "
        "that, and come once: for its spans and metrics, call what sets it up where the app is "
        "imported, above funcscope.telemetry.start()"
    )


def test_logfire(beside: Beside, host: Any) -> None:
    """Logfire's providers stay; log records, which it takes not by itself, go out all the same."""
    result, said = beside("native", SET_UP_AFTER="logfire")

    once(result, host)
    assert {"faas.invocations", "faas.invoke_duration"} <= result.metrics
    assert "spans of invocations go to Logfire with OTLPSpanExporter" in said
    told = "log records of functions are exported by this process to OTLP; no handler brings them"
    (line,) = (line for line in said.splitlines() if line.startswith(told))
    assert line in text_of("docs/how-to/beside-other-tracers.md")


def test_opentelemetry_instrument(beside: Beside, host: Any) -> None:
    """A process that `opentelemetry-instrument` has set up exports by that alone."""
    prefix = str(BIN / "opentelemetry-instrument")
    result, said = beside("native_sync", prefix, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")

    once(result, host)
    assert "the app's own tracer provider with OTLPSpanExporter" in said
    assert "exported by the app's own logger provider to OTLP" in said
    assert "get none of them" not in said
