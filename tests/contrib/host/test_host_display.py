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


def test_shown_and_forwarded_at_once(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver, store: TelemetryStore
) -> None:
    """With an endpoint of the user's, trees are shown, and it gets all of them with the root."""
    host = run_host("host_traced", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    host.wait_for(f"^traces, logs and metrics are shown here, and go to {receiver.endpoint} ")
    host.fetch("/api/hello", headers=CALLER)

    host.wait_for(SPAN)
    assert host.stop() == 0
    spans = {span.scope: span for span in store.spans}
    root, own = spans["funcscope.contrib.host"], spans["funcscope"]
    assert (root.trace_id, root.parent_id, root.kind) == (TRACE_ID, "00f067aa0ba902b7", "SERVER")
    assert (own.trace_id, own.parent_id) == (TRACE_ID, root.span_id)
    assert root.attributes["http.response.status_code"] == 200
    assert root.resource["service.name"] == own.resource["service.name"]
    assert root.start_ns <= own.start_ns <= own.end_ns <= root.end_ns
    assert "good morning" in [log.body for log in store.logs]
    assert store.metrics


def test_traces_that_go_by_grpc(run_host: Callable[..., HostProcess]) -> None:
    """Signals that go by gRPC are left alone, and log lines are shown below their request."""
    host = run_host(
        "host_traced",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="grpc",
    )
    host.wait_for("^traces go to http://127.0.0.1:9 .* directly: they are not shown here$")
    host.fetch("/api/hello", headers=CALLER)

    assert host.stop() == 0
    assert re.search(rf"{REQUEST}\n^└── INFO  good morning$", host.output, re.MULTILINE)


def test_says_nothing_of_another_host(run_host: Callable[..., HostProcess]) -> None:
    """With Application Insights set, nothing is said of exports that this host does not make."""
    key = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    host = run_host(
        "host_traced",
        APPLICATIONINSIGHTS_CONNECTION_STRING=f"{key};IngestionEndpoint=http://127.0.0.1:9/",
        AzureFunctionsJobHost__telemetryMode="OpenTelemetry",
        OTEL_LOGS_EXPORTER="otlp",
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="otlp",
    )
    host.fetch("/api/hello", headers=CALLER)

    host.wait_for("log records of functions are exported by this process to OTLP$")
    assert host.stop() == 0
    assert "by the host" not in host.output
    assert "twice" not in host.output


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
    """What host.json or a setting keeps from being logged is in the trace alone."""
    shutil.copy(APPS / "host_traced" / "function_app.py", tmp_path)
    levels = {"Function.hello.User": "Warning"}
    settings = {"AzureFunctionsJobHost__logging__logLevel__Function.hello": "Error"}
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": settings}), "utf-8")
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
