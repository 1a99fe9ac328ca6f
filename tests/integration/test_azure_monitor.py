"""Azure Monitor's own distro beside us, with a stand-in for its ingestion on loopback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from scripts.snippets import snippets_of
from tests.environments import needs, python_beside
from tests.patience import PROCESS_S

if TYPE_CHECKING:
    from tests.integration.ingestion import Envelope, Ingestion

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

BY_APP = {"CALLS_DISTRO": "1"}
BY_WORKER = {"PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true"}


ASKED = """
from azure.monitor.opentelemetry import _configure
asked = {}
ask = _configure._is_instrumentation_enabled
_configure._is_instrumentation_enabled = lambda of, name: asked.setdefault(name, ask(of, name))
from azure.monitor.opentelemetry import configure_azure_monitor
%s
assert {name for name, is_on in asked.items() if not is_on} == set(off), asked
"""
"""Notes which instrumentations the distro finds to be on, in the code that the how-to shows."""


@needs("azure-monitor")
def test_instrumentations_of_frameworks_can_be_off(ingestion: Ingestion) -> None:
    """What the how-to shows turns off the distro's instrumentations of web frameworks alone."""
    shown = snippets_of("docs/how-to/azure-monitor.md")
    (code,) = (each.text for each in shown if each.language == "py")
    done = subprocess.run(
        [python_beside("azure-monitor"), "-c", ASKED % code],
        env={
            **os.environ,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
            "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        },
        capture_output=True, text=True, check=False, timeout=PROCESS_S,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


@needs("azure-monitor")
@pytest.mark.library_worker
@pytest.mark.parametrize("path", ["protobuf", "native", "native_sync"])
@pytest.mark.parametrize("caller", [BY_APP, BY_WORKER], ids=["app", "worker"])
def test_azure_monitor(
    run: Runner, call: Caller, host: Any, path: str, ingestion: Ingestion, caller: dict[str, str]
) -> None:
    """Beside Azure Monitor's distro there is one span, each log goes once, its own calls never."""
    calls = [call("hello"), call("later")]
    result = run(
        "v2_azure_monitor",
        calls,
        path=path,
        python=python_beside("azure-monitor"),
        env={
            **caller,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
            "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "OTEL_TRACES_SAMPLER": "always_on",  # the distro's own leaves out some
            # Not before the functions are loaded, however long that takes: then we send.
            "OTEL_BLRP_SCHEDULE_DELAY": "60000",
            "PYTHONWARNINGS": "default",
        },
    )
    spans = [_item(e) for e in ingestion.envelopes if _kind(e) == "RemoteDependencyData"]
    logs = [_item(e) for e in ingestion.envelopes if _kind(e) == "MessageData"]

    assert len([log for log in logs if log[0] == "inside"]) == 2
    assert not [log[0] for log in logs if "/track" in log[0] or "Transmission" in log[0]]
    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert [(name, trace) for name, trace, _ in spans] == [
        ("function hello", host.trace_id),
        ("function later", host.trace_id),
    ]
    assert [said["faas.invocation_id"] for *_, said in spans] == [made["id"] for made in calls]
    assert [log[:2] for log in logs if log[0] == "inside"] == [("inside", host.trace_id)] * 2
    named = [log[2]["InvocationId"] for log in logs if log[0] == "inside"]
    assert named == [made["id"] for made in calls], "by which the portal finds them"
    measured = {
        metric["name"]
        for envelope in ingestion.envelopes
        if _kind(envelope) == "MetricData"
        for metric in envelope["data"]["baseData"]["metrics"]
    }
    assert "faas.invoke_duration" in measured
    assert "http.server.request.duration" not in measured, "of requests, which it counts itself"
    assert (result.spans, result.logs) == ((), ())


def _kind(envelope: Envelope) -> str:
    return str(envelope["data"]["baseType"])


def _item(envelope: Envelope) -> tuple[str, str, dict[str, str]]:
    """Return an item's name or message, its trace id, and its properties."""
    data = envelope["data"]["baseData"]
    trace = envelope["tags"]["ai.operation.id"]
    return data.get("name") or data["message"], trace, data["properties"]
