"""Which signals go to the user's endpoints, and what the others are set to."""

from __future__ import annotations

import pytest

from funcscope.contrib.host._traces.destinations import (
    SIGNALS,
    explain_silence,
    find_routes,
    point_at_receiver,
)

RECEIVER = "http://127.0.0.1:9"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES, METRICS = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
PROTOCOL, LOGS_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({}, ""),
        ({ENDPOINT: " "}, ""),
        (
            {ENDPOINT: "http://a"},
            f"traces, logs and metrics are shown here, and go to http://a ({ENDPOINT})",
        ),
        ({METRICS: "http://m"}, f"metrics are shown here, and go to http://m ({METRICS})"),
        (
            {ENDPOINT: "http://a", TRACES: "http://t/v1/t"},
            (
                f"traces are shown here, and go to http://t/v1/t ({TRACES}), "
                f"logs and metrics are shown here, and go to http://a ({ENDPOINT})"
            ),
        ),
        (
            {ENDPOINT: "http://a", "OTEL_LOGS_EXPORTER": "none"},
            f"traces and metrics are shown here, and go to http://a ({ENDPOINT})",
        ),
        ({ENDPOINT: "http://a", "OTEL_SDK_DISABLED": "True"}, ""),
        (
            {ENDPOINT: "https://user:secret@a:8/p?key=secret"},
            f"traces, logs and metrics are shown here, and go to https://a:8/p ({ENDPOINT})",
        ),
    ],
)
def test_names_where_signals_go(environment: dict[str, str], line: str) -> None:
    """Each signal with an endpoint is named once, with the endpoint, but not with its secrets."""
    routes = find_routes(environment)

    assert "; ".join(routes.lines) == line
    assert routes.received == SIGNALS


@pytest.mark.parametrize(
    "environment",
    [
        {ENDPOINT: "http://u:secret@a:4318", PROTOCOL: "grpc"},
        {ENDPOINT: "http://u:secret@a:4317"},
        {ENDPOINT: "http://u:secret@a", PROTOCOL: "HTTP/json"},
    ],
)
def test_endpoints_of_other_protocols_are_left_alone(environment: dict[str, str]) -> None:
    """What does not speak OTLP over HTTP in protobuf gets its signals from the app itself."""
    routes = find_routes(environment)

    assert (routes.received, routes.forwarded) == ((), ())
    (line,) = routes.lines
    assert line.startswith("traces, logs and metrics go to http://a")
    assert line.endswith(f"({ENDPOINT}) directly: they are not shown here")
    assert "secret" not in line


def test_port_of_grpc_with_the_protocol_of_http() -> None:
    """Who says http/protobuf has it on any port."""
    routes = find_routes({ENDPOINT: "http://a:4317", PROTOCOL: "http/protobuf"})

    assert routes.received == SIGNALS


def test_endpoint_that_is_none() -> None:
    """What is wrong with an endpoint is said, and its signals are shown all the same."""
    routes = find_routes({TRACES: "collector:4318"})

    assert (routes.received, routes.forwarded) == (SIGNALS, ())
    assert f"traces are shown here alone: {TRACES} is not a URL to send to" in routes.lines[0]


def test_forwarded_signals_are_received() -> None:
    """The exporters of a signal that is handed on get the receiver's endpoint."""
    environment = {METRICS: "http://m", PROTOCOL: "http/protobuf"}
    routes = find_routes(environment)

    assert [target.endpoint for target in routes.forwarded] == ["http://m/"]
    assert point_at_receiver(environment, RECEIVER, routes.received) == ""
    assert environment[METRICS] == f"{RECEIVER}/v1/metrics"


def test_apps_that_read_the_common_endpoint_find_it() -> None:
    """Where all signals are received, the variables for all of them are set, too."""
    environment: dict[str, str] = {}

    point_at_receiver(environment, RECEIVER, SIGNALS)

    assert (environment[ENDPOINT], environment[PROTOCOL]) == (RECEIVER, "http/protobuf")


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({PROTOCOL: "http/protobuf"}, ""),
        ({PROTOCOL: "grpc"}, f"{PROTOCOL}=grpc overridden for traces, logs and metrics"),
        ({LOGS_PROTOCOL: "grpc"}, f"{LOGS_PROTOCOL}=grpc overridden for logs"),
        (
            {PROTOCOL: "a", LOGS_PROTOCOL: "grpc"},
            f"{PROTOCOL}=a and {LOGS_PROTOCOL}=grpc overridden for traces, logs and metrics",
        ),
        (
            {PROTOCOL: "grpc", LOGS_PROTOCOL: "HTTP/protobuf"},
            f"{PROTOCOL}=grpc overridden for traces and metrics",
        ),
    ],
)
def test_protocol_is_the_receivers(environment: dict[str, str], line: str) -> None:
    """Exporters that are pointed at the receiver speak its protocol; what that changes is told."""
    expected = f"{line}: the local host receives http/protobuf" if line else ""

    assert point_at_receiver(environment, RECEIVER, SIGNALS) == expected
    protocols = {v for n, v in environment.items() if n.endswith("_PROTOCOL")}
    assert protocols == {"http/protobuf"}


def test_proxies_are_not_asked_for_this_machine() -> None:
    """A proxy of the user's does not come between exporters and receiver."""
    environment = {"NO_PROXY": "corp"}

    point_at_receiver(environment, RECEIVER, SIGNALS)

    assert (environment["NO_PROXY"], environment["no_proxy"]) == ("corp,127.0.0.1", "127.0.0.1")


def test_silence_of_an_app_without_funcscope() -> None:
    """Who has not imported funcscope.auto is told to do so."""
    line = explain_silence({"OTEL_TRACES_EXPORTER": "none"}, {"os"})

    assert line == "no telemetry came: add `import funcscope.auto` as your app's first line"


@pytest.mark.parametrize(
    ("environment", "reasons"),
    [
        ({"OTEL_SDK_DISABLED": "true", "OTEL_LOGS_EXPORTER": "none"}, "OTEL_SDK_DISABLED=true"),
        (
            {"OTEL_TRACES_EXPORTER": "console", "OTEL_LOGS_EXPORTER": "none"},
            "OTEL_TRACES_EXPORTER=console and OTEL_LOGS_EXPORTER=none",
        ),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "OTEL_TRACES_SAMPLER=always_off"),
        ({"OTEL_METRICS_EXPORTER": "none"}, ""),
        ({}, ""),
    ],
)
def test_silence_of_an_app_with_funcscope(environment: dict[str, str], reasons: str) -> None:
    """Settings that keep the spans away are named; where there are none, nothing is said."""
    expected = f"no telemetry came, as set by {reasons}" if reasons else ""

    assert explain_silence(environment, {"funcscope.auto"}) == expected
