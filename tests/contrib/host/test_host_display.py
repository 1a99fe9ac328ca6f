"""What `funcscope run` shows of an app, whatever its OpenTelemetry settings are."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.contrib.host.conftest import APPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, TelemetryStore

pytestmark = pytest.mark.library_worker

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
REQUEST = rf"^GET /api/hello → 200  \d+\.\d ms  trace {TRACE_ID}$"
SPAN = r"^└── GET /api/hello  \d+\.\d ms  hello  cold start$"


def test_protocol_of_the_users_settings(
    run_host: Callable[..., HostProcess], tmp_path: Path
) -> None:
    """An app whose settings say gRPC is shown all the same: the receiver speaks HTTP."""
    shutil.copy(APPS / "host_traced" / "function_app.py", tmp_path)
    values = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": values}), "utf-8")
    host = run_host(tmp_path)

    host.wait_for("_PROTOCOL=grpc overridden for traces, logs and metrics: ")
    host.fetch("/api/hello", headers=CALLER)

    host.wait_for(SPAN)
    assert host.stop() == 0


def test_one_signal_goes_elsewhere(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver, store: TelemetryStore
) -> None:
    """With an endpoint for logs only, one line says so, and the spans are shown."""
    endpoint = f"{receiver.endpoint}/v1/logs"
    host = run_host("host_traced", OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=endpoint)
    host.wait_for(f"^logs go to {endpoint} .*: they are not shown here$")
    host.fetch("/api/hello", headers=CALLER)

    host.wait_for(REQUEST)
    host.wait_for(SPAN)
    assert host.stop() == 0
    assert [log.body for log in store.logs if log.trace_id == TRACE_ID] == ["good morning"]
    assert not len(store.spans)
    assert "INFO  good morning" not in host.output


def test_traces_go_elsewhere(run_host: Callable[..., HostProcess], receiver: OtlpReceiver) -> None:
    """With an endpoint for traces only, log lines are shown below their request."""
    endpoint = f"{receiver.endpoint}/v1/traces"
    host = run_host("host_traced", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=endpoint)
    host.wait_for(f"^traces go to {endpoint} .*: they are not shown here$")
    host.fetch("/api/hello", headers=CALLER)

    assert host.stop() == 0
    assert re.search(rf"{REQUEST}\n^└── INFO  good morning$", host.output, re.MULTILINE)


@pytest.mark.parametrize(
    "settings", [{"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_SAMPLER": "always_off"}]
)
def test_logs_without_a_span_hang_from_their_request(
    run_host: Callable[..., HostProcess], settings: dict[str, str]
) -> None:
    """Where no span is exported, the logs are shown below the request's line."""
    host = run_host("host_traced", **settings)
    host.fetch("/api/hello", headers=CALLER)

    assert host.stop() == 0
    assert re.search(rf"{REQUEST}\n^└── INFO  good morning$", host.output, re.MULTILINE)
    assert "outside of any request" not in host.output


def test_function_with_a_binding_named_context(run_host: Callable[..., HostProcess]) -> None:
    """A binding named `context` does not hide the host's trace."""
    host = run_host("host_traced")
    host.fetch("/api/bound", headers=CALLER)

    host.wait_for(rf"^GET /api/bound → 200  \d+\.\d ms  trace {TRACE_ID}$")
    host.wait_for(r"^└── GET /api/bound  \d+\.\d ms  bound  cold start$")
    host.wait_for("^    └── INFO  in the trace$")
    assert host.stop() == 0


def test_levels_of_host_json_count_on_the_console(
    run_host: Callable[..., HostProcess], tmp_path: Path
) -> None:
    """What host.json keeps from being logged is not on the console, and is in the trace."""
    shutil.copy(APPS / "host_traced" / "function_app.py", tmp_path)
    levels = {"Function.hello.User": "Warning", "Function.hello": "Error"}
    (tmp_path / "host.json").write_text(json.dumps({"logging": {"logLevel": levels}}), "utf-8")
    host = run_host(tmp_path)
    host.fetch("/api/hello", headers=CALLER)

    host.wait_for(r"^    └── INFO  good morning$")
    assert not re.search(r"^\[.*(Execut|good morning)", host.output, re.MULTILINE)


def test_settings_that_keep_telemetry_away(run_host: Callable[..., HostProcess]) -> None:
    """An app that has the import is told of its settings, not of the import."""
    host = run_host("host_traced", OTEL_SDK_DISABLED="true")
    host.fetch("/api/hello")

    assert host.stop() == 0
    assert re.search(r"^GET /api/hello → 200  \d+\.\d ms  no telemetry$", host.output, re.MULTILINE)
    assert host.output.endswith("\nno telemetry came, as set by OTEL_SDK_DISABLED=true")
    assert "add `import" not in host.output
