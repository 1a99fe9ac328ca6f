"""What the app settings say: wrong values, unknown names, and where telemetry would go."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry.sdk import environment_variables

from funcscope.contrib.host._doctor import rules
from funcscope.contrib.host._doctor.code import is_turned_on, uses
from funcscope.contrib.host._doctor.packages import requires_extra
from funcscope.contrib.host._doctor.rules import FilePlace, Finding
from funcscope.telemetry.integration import (
    OtlpVariables,
    connection_string_problem,
    decide_destinations,
    read_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funcscope.contrib.host._doctor.app import ExaminedApp
    from funcscope.contrib.host._doctor.rules import Rule

_CONTRIB = "funcscope.contrib"  # what apps import of it
_INSIGHTS = "APPLICATIONINSIGHTS_CONNECTION_STRING"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SIGNALS = ("traces", "logs", "metrics")
_NO_SETTING = "is no setting of funcscope"
_OTELS = "OTEL_"
_CLOSE = 0.9  # a letter or two; names of OpenTelemetry's are long and alike
_PORTS = {4317: "grpc", 4318: "http/protobuf"}
_MONITORS = (
    "azure-monitor-opentelemetry",
    "azure-monitor-opentelemetry-exporter",
    "microsoft-opentelemetry",
)
_OTHER_SET_UPS = (
    "azure.monitor.opentelemetry",
    f"{_CONTRIB}.azuremonitor",
    "logfire",
    "microsoft.opentelemetry",
    "opentelemetry.sdk",
)
"""With these an app may export by its code alone."""


def check_settings(app: ExaminedApp) -> Iterator[Finding]:
    """Find what is wrong with an app's settings."""
    yield from _unknown(app)
    yield from _wrong(app)
    yield from _connection_string(app)
    yield from _endpoints(app)
    if is_turned_on(app):
        yield from _azure_monitor(app)
        yield from _destinations(app)


def _unknown(app: ExaminedApp) -> Iterator[Finding]:
    """Find names that are nearly one of OpenTelemetry's; other packages have names of their own."""
    known = {name for name in vars(environment_variables) if name.startswith(_OTELS)}
    for name in app.settings:
        if not name.startswith(_OTELS) or name in known:
            continue
        for near in get_close_matches(name, known, 1, cutoff=_CLOSE):
            yield _finding(
                app, rules.SETTING_UNKNOWN, f"nothing reads {name}", f"{near} may be meant"
            )


def _wrong(app: ExaminedApp) -> Iterator[Finding]:
    for problem in read_settings(app.environ).problems:
        # What is installed here says nothing of where the app will run.
        if _INSIGHTS in problem or "pip install" in problem:
            continue
        rule = rules.SETTING_UNKNOWN if _NO_SETTING in problem else rules.SETTING_WRONG
        what, _, fix = problem.partition(": ")
        yield _finding(app, rule, what, fix or "mend or remove it")


def _connection_string(app: ExaminedApp) -> Iterator[Finding]:
    text = app.settings.get(_INSIGHTS, "").strip()
    problem = connection_string_problem(text) if text and not _is_reference(text) else None
    if problem is not None:
        yield _finding(
            app,
            rules.CONNECTION_STRING_WRONG,
            f"{_INSIGHTS} cannot be used: {problem}",
            "copy the connection string of the Application Insights resource whole",
        )


def _is_reference(text: str) -> bool:
    """Tell whether a setting stands for a secret of a vault, which is looked up where it runs."""
    return text.startswith("@Microsoft.KeyVault(")


def _endpoints(app: ExaminedApp) -> Iterator[Finding]:
    endpoint = app.settings.get(_ENDPOINT, "").strip().rstrip("/")
    if endpoint.endswith(tuple(f"/v1/{signal}" for signal in _SIGNALS)):
        yield _finding(
            app,
            rules.ENDPOINT_WITH_SIGNAL,
            f"{_ENDPOINT} ends in a signal's path, to which each signal's own is added",
            "end it before /v1, or name the signal: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        )
    for signal in _SIGNALS:
        yield from _port(app, signal)


def _port(app: ExaminedApp, signal: str) -> Iterator[Finding]:
    variables = OtlpVariables(signal, app.settings)
    name, endpoint = variables.read("ENDPOINT")
    if name == _ENDPOINT and signal != _SIGNALS[0]:  # said once
        return
    protocol_name, protocol = variables.read("PROTOCOL")
    chosen = protocol.lower() or "http/protobuf"
    try:
        usual = _PORTS.get(urlsplit(endpoint).port or 0, chosen)
    except ValueError:  # said as a wrong value
        return
    if usual != chosen:
        yield _finding(
            app,
            rules.PORT_OF_OTHER_PROTOCOL,
            f"{name} has port {urlsplit(endpoint).port}, which is {usual}'s usual one, "
            f"and {chosen} is spoken",
            f"set {protocol_name or 'OTEL_EXPORTER_OTLP_PROTOCOL'}={usual}, or the other port",
        )


def _azure_monitor(app: ExaminedApp) -> Iterator[Finding]:
    """Find that Azure Monitor is asked for, and that nothing required exports to it."""
    if app.requirements is None or requires_extra(app, "azuremonitor"):
        return
    exporters = [app.settings.get(f"OTEL_{s.upper()}_EXPORTER", "").lower() for s in _SIGNALS]
    is_named = any("azuremonitor" in exporter for exporter in exporters)
    is_alone = _INSIGHTS in app.settings and not (any(exporters) or _has_endpoint(app))
    asked = is_named or is_alone or uses(app, f"{_CONTRIB}.azuremonitor")
    if asked and not any(map(app.required, _MONITORS)):
        yield Finding(
            rules.AZURE_MONITOR_MISSING,
            FilePlace(app.directory / "requirements.txt"),
            "telemetry is meant for Azure Monitor, and nothing in requirements.txt exports to it",
            "require funcscope with the extra azuremonitor",
        )


def _has_endpoint(app: ExaminedApp) -> bool:
    return any(OtlpVariables(signal, app.settings).read("ENDPOINT")[1] for signal in _SIGNALS)


def _destinations(app: ExaminedApp) -> Iterator[Finding]:
    """Find that nothing is exported, or log records twice or by nobody."""
    destinations = decide_destinations(read_settings(app.environ), app.environ, has_host=True)
    warning = destinations.routing.warning
    if warning is not None:
        what, _, fix = warning.partition(": ")
        is_twice = "twice" in what
        yield _finding(app, rules.LOGS_TWICE if is_twice else rules.LOGS_NOWHERE, what, fix)
    is_by_code = uses(app, *_OTHER_SET_UPS) or _INSIGHTS in app.settings
    lack = destinations.lack_of_exporters
    if lack is not None and not destinations.is_export_wanted and not is_by_code:
        what, _, fix = lack.partition(": ")
        yield _finding(app, rules.NOTHING_EXPORTED, what, fix)


def _finding(app: ExaminedApp, rule: Rule, message: str, fix: str) -> Finding:
    return Finding(rule, FilePlace(app.settings_file), message, fix)
