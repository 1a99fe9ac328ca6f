"""Settings, read from an environment."""

from __future__ import annotations

import sys
import uuid

import pytest

from funcscope.telemetry._config.settings import SignalSettings, read_settings

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def test_nothing_is_exported_by_default() -> None:
    """Without an endpoint or a chosen exporter nothing leaves, and nothing is wrong."""
    settings = read_settings({})

    assert settings.exports_nothing
    assert settings.problems == ()


def test_an_endpoint_is_enough() -> None:
    """An endpoint turns OTLP over HTTP on for all signals, a signal's own for that signal."""
    everything = read_settings(ENDPOINT)
    traces = read_settings({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/x"})

    for signal in (everything.traces, everything.logs, everything.metrics):
        assert (signal.exporters, signal.protocol) == (("otlp",), "http/protobuf")
        assert signal.otlp
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


def test_azure_monitor_by_its_registered_name() -> None:
    """The name by which Microsoft's exporter is registered means what ours does."""
    insights = {"APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={uuid.uuid4()}"}
    by_ours, by_theirs = (
        read_settings({**insights, "OTEL_TRACES_EXPORTER": name})
        for name in ("azuremonitor", "azure_monitor_opentelemetry_exporter")
    )

    assert by_theirs == by_ours
    assert by_ours.traces.exporters == ("azuremonitor",)


@pytest.mark.parametrize("key", ["InvocationId", "faas.invocation_id", "faas.name"])
def test_baggage_cannot_be_an_invocations_own(key: str) -> None:
    """A caller's entry takes the place of nothing by which an invocation is known."""
    settings = read_settings({"FUNCSCOPE_BAGGAGE_KEYS": f"tenant,{key}"})

    assert settings.baggage_keys == ()
    assert "which callers may not set" in settings.problems[0]


def test_wrong_exporter_is_named() -> None:
    """A wrong value is named with its setting and the values it may have; the rest is used."""
    settings = read_settings({"OTEL_LOGS_EXPORTER": "otpl,console"})

    assert settings.logs.exporters == ("console",)
    (problem,) = settings.problems
    assert problem.startswith(
        "OTEL_LOGS_EXPORTER='otpl,console' names 'otpl', which funcscope does not know: "
        "use any of otlp, console, azuremonitor, none, separated by commas"
    )


def test_outcome_of_a_wrong_exporter_is_told() -> None:
    """Where nothing is left of a setting, the message says that the signal is not exported."""
    (problem,) = read_settings({"OTEL_TRACES_EXPORTER": "jaeger"}).problems

    assert "separated by commas; traces are not exported (installed packages have" in problem


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", "not a url"),
        ("HEADERS", "authorization"),
        ("CERTIFICATE", "/none.pem"),
    ],
)
def test_wrong_setting_of_a_signal_costs_that_signal(name: str, value: str) -> None:
    """What one signal cannot be sent without is named at once, and the others are sent."""
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:4318"}
    setting = f"OTEL_EXPORTER_OTLP_METRICS_{name}"
    settings = read_settings({**endpoint, setting: value})

    assert settings.metrics.exporters == ()
    assert settings.traces.exporters == settings.logs.exporters == ("otlp",)
    (problem,) = settings.problems
    assert problem.startswith(f"metrics do not go to OTLP: {setting}")


def test_wrong_setting_of_a_signal_leaves_its_other_exporters() -> None:
    """Where a signal cannot go over OTLP, it still goes where else it is sent."""
    settings = read_settings(
        {"OTEL_TRACES_EXPORTER": "otlp,console", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "here"}
    )

    assert settings.traces.exporters == ("console",)


def test_wrong_setting_of_all_signals_is_named_once() -> None:
    """What all signals share is one problem, which names those that it costs."""
    settings = read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})

    assert settings.exports_nothing
    (problem,) = settings.problems
    assert problem == (
        "traces, logs and metrics do not go to OTLP: OTEL_EXPORTER_OTLP_ENDPOINT is not a URL "
        "to send to: write http://host:port or https://…"
    )


@pytest.mark.parametrize(
    ("setting", "value", "hint"),
    [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "use a number of seconds above 0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli", "use none, gzip, deflate"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s", "use milliseconds, from 1 on"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "0", "use milliseconds, from 1 on"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "detla",
            "use cumulative or delta or lowmemory",
        ),
    ],
)
def test_wrong_setting_with_a_default_costs_nothing(setting: str, value: str, hint: str) -> None:
    """A wrong value that has a default is named once, and all signals are sent."""
    settings = read_settings({**ENDPOINT, setting: value})

    assert settings.problems == (f"{setting}={value!r} is not known: {hint}",)
    assert all(s.otlp for s in (settings.traces, settings.logs, settings.metrics))


def test_credentials_without_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only OpenTelemetry's own exporter over HTTP can do needs its package, by name."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER"

    settings = read_settings({**ENDPOINT, name: "mine"})

    (problem,) = settings.problems
    assert problem.startswith("traces do not go to OTLP: ")
    assert 'pip install "funcscope[http]"' in problem
    assert settings.traces.exporters == ()
    assert settings.logs.exporters == ("otlp",)


@pytest.mark.parametrize("missing", ["grpc", "proto"])
def test_grpc_without_its_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals that are to go over gRPC do not, and it is said once what to install."""
    package = f"opentelemetry.exporter.otlp.proto.{missing}".removesuffix(".proto")
    monkeypatch.setitem(sys.modules, package, None)
    settings = read_settings({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})

    assert settings.exports_nothing
    (problem,) = settings.problems
    assert problem.startswith("traces, logs and metrics do not go to OTLP: ")
    assert 'pip install "funcscope[grpc]"' in problem


def test_interval() -> None:
    """How long an item waits under load is the signal's own setting, in milliseconds."""
    settings = read_settings({**ENDPOINT, "OTEL_BSP_SCHEDULE_DELAY": "250"})

    assert settings.traces.otlp
    assert settings.traces.otlp.interval_s == 0.25
    assert settings.logs.otlp
    assert settings.logs.otlp.interval_s is None


def test_disabled_sdk_exports_nothing() -> None:
    """`OTEL_SDK_DISABLED` wins over whatever else is set."""
    settings = read_settings(
        {**ENDPOINT, "OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "console"}
    )

    assert settings.exports_nothing
    assert not read_settings({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}).exports_nothing


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("FUNCSCOPE_REDACTS", "did you mean FUNCSCOPE_REDACT?"),
        ("FUNCSCOPE_LOGLEVEL", "did you mean FUNCSCOPE_LOG_LEVEL?"),
        ("FUNCSCOPE_DISABLED", "did you mean FUNCSCOPE_DISABLE?"),
        ("funcscope_redact", "did you mean FUNCSCOPE_REDACT?"),
        ("FUNCSCOPE_9", "docs/reference/settings.md lists them"),
    ],
)
def test_setting_that_is_none_is_named(name: str, hint: str) -> None:
    """A name with our prefix that means nothing is named with the nearest, and not its value."""
    (problem,) = read_settings({name: "hush"}).problems

    assert problem == f"{name} is no setting of funcscope, and changes nothing: {hint}"


def test_names_of_others_are_not_looked_at() -> None:
    """What is not ours, or is what a child process is told, is nobody's mistake."""
    environ = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "APPSETTING_FUNCSCOPE_REDACTS": "session",
        "FUNCSCOPE_INVOCATION_ID": "0f8e",
        "FUNCSCOPE_FUNCTION_NAME": "hello",
        "FUNCSCOPE_SLOW_HOOK_MS": "10",
        "FUNCSCOPE_DISABLE": "",
    }

    assert read_settings(environ).problems == ()
