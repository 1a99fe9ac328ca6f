"""Who exports the log records of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripts.snippets import text_of

from funcscope.telemetry._config.log_routing import LogRouting, route_logs
from funcscope.telemetry._config.settings import SignalSettings
from funcscope.telemetry._integrations import AZURE_MONITOR
from funcscope.telemetry._providers import Exporter, OthersProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

INSIGHTS = {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=1"}
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
HANDED_OVER = {"PYTHON_ENABLE_OPENTELEMETRY": "true"}
NOTHING = SignalSettings()
WITH_ALL = SignalSettings(("otlp",))
ASKED_FOR = SignalSettings(("otlp",), is_explicit=True)


def decide(
    environ: Mapping[str, str],
    wanted: SignalSettings = NOTHING,
    *,
    is_otel: bool = False,
    others: OthersProvider | None = None,
    is_hosts_resource: bool = True,
) -> LogRouting:
    """Decide in an environment."""
    return route_logs(
        wanted,
        environ,
        is_otel=is_otel,
        others=others,
        is_hosts_resource=is_hosts_resource,
    )


def test_nobody() -> None:
    """Without a destination the records stay in the host's log stream, and that is said."""
    found = decide({})

    assert not found.is_exported_here
    assert found.sentence == "log records of functions are exported by nobody"
    assert found.warning is None


def test_host_alone() -> None:
    """The host exports to Application Insights what it is told of, by itself."""
    found = decide(INSIGHTS)

    assert not found.is_exported_here
    assert found.sentence.endswith("exported by the host to Application Insights")
    assert found.warning is None


@pytest.mark.parametrize(
    "environ",
    [
        {"APPLICATIONINSIGHTS_CONNECTION_STRING": "here"},
        {"APPLICATIONINSIGHTS_CONNECTION_STRING": "IngestionEndpoint=https://here"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "here:4318"},
    ],
)
def test_host_that_cannot(environ: dict[str, str]) -> None:
    """What the host cannot send to either is not said to be exported by it."""
    found = decide(environ, is_otel=True)

    assert found.sentence == "log records of functions are exported by nobody"


def test_ours_beside_the_host() -> None:
    """OTLP beside a host that exports elsewhere is no duplicate."""
    found = decide({**INSIGHTS, **ENDPOINT}, WITH_ALL)

    assert found.is_exported_here
    assert found.sentence.endswith(
        "exported by the host to Application Insights, by this process to OTLP"
    )
    assert found.sentence in text_of("docs/how-to/where-did-my-logs-go.md")
    assert found.warning is None


def test_host_that_exports_to_the_same_endpoint() -> None:
    """Where the host sends to the endpoint that all signals share, records are left to it."""
    found = decide(ENDPOINT, WITH_ALL, is_otel=True)

    assert not found.is_exported_here
    assert "exported by the host to OTLP; " in found.sentence
    assert "PYTHON_ENABLE_OPENTELEMETRY=true" in found.sentence
    assert found.warning is None


def test_host_that_leaves_them_to_us() -> None:
    """A host that leaves the records to the worker is told in what is exported where."""
    found = decide({**ENDPOINT, **HANDED_OVER}, WITH_ALL, is_otel=True)

    assert found.is_exported_here
    assert found.sentence.endswith("exported by this process to OTLP")
    assert found.warning is None


def test_asked_for_twice() -> None:
    """Who asks for logs by name gets them, and a warning that they arrive twice."""
    found = decide(ENDPOINT, ASKED_FOR, is_otel=True)

    assert found.is_exported_here
    assert found.warning is not None
    assert "arrive twice at OTLP" in found.warning
    assert "PYTHON_ENABLE_OPENTELEMETRY=true" in found.warning
    assert "OTEL_LOGS_EXPORTER=none" in found.warning


@pytest.mark.parametrize(
    "setting", ["PYTHON_ENABLE_OPENTELEMETRY", "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"]
)
@pytest.mark.parametrize("value", ["1", "True", "yes"])
def test_dropped_by_the_host(setting: str, value: str) -> None:
    """A host that leaves the records to a worker without an exporter loses them: a warning."""
    found = decide({**INSIGHTS, setting: value}, is_otel=True)

    assert not found.are_exported
    assert found.warning is not None
    assert f"remove {setting}" in found.warning
    assert "set OTEL_EXPORTER_OTLP_ENDPOINT" in found.warning


def test_nothing_is_handed_over_without_telemetry_mode() -> None:
    """Classic Application Insights logging goes on whatever the worker says."""
    found = decide({**INSIGHTS, **HANDED_OVER})

    assert found.sentence.endswith("exported by the host to Application Insights")
    assert found.warning is None


AZURE = OthersProvider("Azure Monitor's distro", (Exporter("AMExporter", AZURE_MONITOR, "1"),))


def test_azure_monitor_beside_the_classic_host() -> None:
    """Azure Monitor in the app doubles what the host sends to the same resource: a warning."""
    found = decide(INSIGHTS, others=AZURE)

    assert not found.is_exported_here
    assert found.warning is not None
    assert "arrive twice at Application Insights" in found.warning
    assert "telemetryMode" in found.warning
    assert "disable_logging=True" in found.warning


def test_azure_monitor_in_the_hosts_place() -> None:
    """Azure Monitor in the app, with a host that leaves the records to it, is as it should be."""
    found = decide({**INSIGHTS, **HANDED_OVER}, others=AZURE, is_otel=True)

    assert found.sentence.endswith("exported by Azure Monitor's distro to Application Insights")
    assert found.warning is None


OWN = OthersProvider("the app's own logger provider")
IMPLIED = SignalSettings(("otlp", "azuremonitor"), is_implied=True)


def test_ours_to_the_hosts_resource() -> None:
    """What the host sends to Application Insights we do not send there again, but to OTLP."""
    found = decide({**INSIGHTS, **ENDPOINT}, IMPLIED)

    assert found.exporters == ("otlp",)
    assert found.sentence.endswith(
        "exported by the host to Application Insights, by this process to OTLP"
    )
    assert found.warning is None


@pytest.mark.parametrize("environ", [{}, {**INSIGHTS, **ENDPOINT}])
def test_ours_to_another_resource(environ: dict[str, str]) -> None:
    """Records go to a resource that is not the host's, whatever the host does."""
    found = decide(environ, IMPLIED, is_hosts_resource=False)

    assert found.exporters == ("otlp", "azuremonitor")
    assert "another Application Insights" in found.sentence
    assert found.warning is None


def test_ours_in_the_hosts_place() -> None:
    """A host that leaves the records to the worker has them sent to both."""
    found = decide({**INSIGHTS, **ENDPOINT, **HANDED_OVER}, IMPLIED, is_otel=True)

    assert found.exporters == ("otlp", "azuremonitor")
    assert found.sentence.endswith("by this process to OTLP and Application Insights")
    assert found.warning is None


def test_a_host_that_sends_to_both() -> None:
    """A host that sends to both by OpenTelemetry has all records left to it."""
    found = decide({**INSIGHTS, **ENDPOINT}, IMPLIED, is_otel=True)

    assert not found.is_exported_here
    assert "exported by the host to Application Insights and OTLP; " in found.sentence
    assert "PYTHON_ENABLE_OPENTELEMETRY=true" in found.sentence


def test_azure_monitor_by_name() -> None:
    """Who asks for Azure Monitor by name gets it, and a warning that says what to turn off."""
    found = decide(INSIGHTS, SignalSettings(("azuremonitor",), is_explicit=True))

    assert found.exporters == ("azuremonitor",)
    assert found.warning is not None
    assert "arrive twice at Application Insights" in found.warning
    assert "OTEL_LOGS_EXPORTER=none" in found.warning


def test_a_provider_of_the_app() -> None:
    """Where the app set a logger provider, records are its own to export."""
    found = decide(ENDPOINT, WITH_ALL, others=OWN)

    assert not found.is_exported_here
    assert found.sentence.endswith("exported by the app's own logger provider")


def test_a_provider_of_the_app_that_gets_none() -> None:
    """Where no handler brings that provider what is logged, records are ours, and that is said."""
    found = decide(ENDPOINT, WITH_ALL, others=OWN._replace(gets_records=False))

    assert found.exporters == ("otlp",)
    assert found.sentence.endswith(
        "by this process to OTLP; no handler brings them to the app's own logger provider"
    )


@pytest.mark.parametrize(
    ("exporter", "to", "is_doubled"),
    [
        (Exporter("AMExporter", AZURE_MONITOR, "1"), "Application Insights", True),
        (Exporter("AMExporter", AZURE_MONITOR, "2"), "another Application Insights", False),
        (Exporter("OTLPLogExporter", "otlp", "http://127.0.0.1:4318/v1/logs"), "OTLP", True),
        (
            Exporter("OTLPLogExporter", "otlp", "http://else/v1/logs"),
            "another OTLP endpoint",
            False,
        ),
        (Exporter("ConsoleLogRecordExporter", "console", ""), "ConsoleLogRecordExporter", False),
    ],
)
def test_where_a_provider_of_the_app_sends_to(
    exporter: Exporter, to: str, is_doubled: bool
) -> None:
    """Records arrive twice where the exporter really sends to the host's destination."""
    own = OWN._replace(exporters=(exporter,))
    found = decide({**INSIGHTS, **ENDPOINT}, WITH_ALL, others=own, is_otel=True)

    assert found.sentence.endswith(f"by the app's own logger provider to {to}")
    assert (found.warning is not None) is is_doubled
