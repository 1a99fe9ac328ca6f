"""What of invocations on the real workers is measured, checked at a real OTLP receiver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

OURS = {
    "faas.coldstarts",
    "faas.errors",
    "faas.init_duration",
    "faas.invocations",
    "messaging.process.duration",
}
HOSTS_TOO = {"faas.invoke_duration", "http.server.request.duration"}
PROTOBUF = ("google", "opentelemetry.proto.", "opentelemetry.exporter")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, OURS | HOSTS_TOO),
        ({"AzureFunctionsJobHost__telemetryMode": "OpenTelemetry"}, OURS),
        (
            {
                "AzureFunctionsJobHost__telemetryMode": "OpenTelemetry",
                "FUNCSCOPE_METRICS": "on",
            },
            OURS | HOSTS_TOO,
        ),
        ({"FUNCSCOPE_METRICS": "off"}, set()),
    ],
    ids=["standalone", "host", "on", "off"],
)
def test_invocations_are_measured(
    run: Runner, call: Caller, path: str, environ: dict[str, str], expected: set[str]
) -> None:
    """
    Durations, counts and errors are exported, but for those that the host emits itself.

    All three signals are, and neither protobuf nor the SDK's exporters are loaded for it.
    """
    calls = [call("hello"), call("boom"), call("orders", input="one")]
    result = run("v2", calls, path=path, env={"QUEUE": "orders", **environ})

    assert result.metrics & (OURS | HOSTS_TOO) == expected
    assert [name for name in result.opentelemetry if name.startswith(PROTOBUF)] == []
    assert bool(result.logs) is ("AzureFunctionsJobHost__telemetryMode" not in environ)
    assert all(span.attributes["faas.name"] for span in result.spans)
