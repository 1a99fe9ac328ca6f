"""Settings, read from an environment."""

from __future__ import annotations

import pytest

from funcscope.telemetry._settings import SignalSettings, read_settings

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def test_nothing_is_exported_by_default() -> None:
    """Without an endpoint or a chosen exporter nothing leaves, and nothing is wrong."""
    settings = read_settings({})

    assert settings.exports_nothing
    assert settings.problems == ()


def test_an_endpoint_is_enough() -> None:
    """An endpoint turns OTLP over HTTP on for all signals, a signal's own for that signal."""
    otlp = SignalSettings(("otlp",), "http/protobuf")
    everything = read_settings(ENDPOINT)
    traces = read_settings({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/x"})

    assert (everything.traces, everything.logs, everything.metrics) == (otlp, otlp, otlp)
    assert (traces.traces.exporters, traces.logs) == (("otlp",), SignalSettings())
    assert traces.traces.is_explicit


def test_a_key_is_not_shown() -> None:
    """What settings look like to people leaves out the connection string, and nothing else."""
    settings = read_settings({**ENDPOINT, "FUNCSCOPE_MAX_LINKS": "7"})
    shown = repr(settings._replace(connection_string="InstrumentationKey=hush"))

    assert "hush" not in shown
    assert "max_links=7" in shown


@pytest.mark.parametrize(
    ("chosen", "exporters"),
    [
        ("none", ()),
        ("console", ("console",)),
        ("otlp,console", ("otlp", "console")),
        (" OTLP , otlp ", ("otlp",)),
        ("", ("otlp",)),
    ],
)
def test_exporters_can_be_chosen(chosen: str, exporters: tuple[str, ...]) -> None:
    """`OTEL_TRACES_EXPORTER` wins over what the endpoint would mean; each exporter is used once."""
    settings = read_settings({**ENDPOINT, "OTEL_TRACES_EXPORTER": chosen})

    assert settings.traces.exporters == exporters
    assert settings.logs.exporters == ("otlp",)


def test_wrong_exporter_is_named() -> None:
    """A wrong value is named with its setting and the values it may have; the rest is used."""
    settings = read_settings({"OTEL_LOGS_EXPORTER": "otpl,console"})

    assert settings.logs.exporters == ("console",)
    (problem,) = settings.problems
    assert problem == (
        "OTEL_LOGS_EXPORTER='otpl,console' names 'otpl', which funcscope does not know: "
        "use any of otlp, console, azuremonitor, none, separated by commas"
    )


def test_outcome_of_a_wrong_exporter_is_told() -> None:
    """Where nothing is left of a setting, the message says that the signal is not exported."""
    (problem,) = read_settings({"OTEL_TRACES_EXPORTER": "jaeger"}).problems

    assert problem.endswith("separated by commas; traces are not exported")


def test_protocol_of_a_signal_wins() -> None:
    """A signal's own protocol wins over the common one."""
    settings = read_settings(
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf"}
    )

    assert settings.traces.protocol == "grpc"
    assert settings.logs.protocol == "http/protobuf"


def test_wrong_protocol_is_named_once() -> None:
    """A wrong common protocol is one problem, not one for each signal."""
    settings = read_settings({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})

    assert settings.traces.protocol == "http/protobuf"
    assert settings.problems == (
        "OTEL_EXPORTER_OTLP_PROTOCOL='http/json' is not supported: use http/protobuf or grpc",
    )


def test_disabled_sdk_exports_nothing() -> None:
    """`OTEL_SDK_DISABLED` wins over whatever else is set."""
    settings = read_settings(
        {**ENDPOINT, "OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "console"}
    )

    assert settings.exports_nothing
    assert not read_settings({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}).exports_nothing
