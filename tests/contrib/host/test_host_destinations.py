"""Which signals go to the user's endpoints, and what the others are set to."""

from __future__ import annotations

import pytest

from funcscope.contrib.host._traces.destinations import (
    SIGNALS,
    chosen_endpoints,
    describe_endpoints,
    explain_silence,
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
        ({ENDPOINT: "http://a"}, f"traces, logs and metrics go to http://a ({ENDPOINT})"),
        ({METRICS: "http://m"}, f"metrics go to http://m ({METRICS})"),
        (
            {ENDPOINT: "http://a", TRACES: "http://t"},
            f"traces go to http://t ({TRACES}), logs and metrics go to http://a ({ENDPOINT})",
        ),
        (
            {ENDPOINT: "http://a", "OTEL_TRACES_EXPORTER": "console, otlp"},
            f"traces, logs and metrics go to http://a ({ENDPOINT})",
        ),
        (
            {ENDPOINT: "http://a", "OTEL_LOGS_EXPORTER": "none"},
            f"traces and metrics go to http://a ({ENDPOINT})",
        ),
        ({ENDPOINT: "http://a", "OTEL_SDK_DISABLED": "True"}, ""),
    ],
)
def test_names_the_signals_that_go_elsewhere(environment: dict[str, str], line: str) -> None:
    """Each signal that leaves is named once, with the endpoint that it goes to."""
    expected = f"{line}: they are not shown here" if line else ""

    assert describe_endpoints(environment) == expected


def test_signals_without_an_endpoint_are_received() -> None:
    """The exporters of the other signals get the receiver's endpoint; the user's one stays."""
    environment = {METRICS: "http://m"}

    assert chosen_endpoints(environment) == {"metrics": METRICS}
    assert point_at_receiver(environment, RECEIVER, ["traces", "logs"]) == ""

    exporters = {n: v for n, v in environment.items() if n.startswith("OTEL_")}
    assert exporters == {
        METRICS: "http://m",
        TRACES: f"{RECEIVER}/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{RECEIVER}/v1/logs",
        LOGS_PROTOCOL: "http/protobuf",
    }


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
