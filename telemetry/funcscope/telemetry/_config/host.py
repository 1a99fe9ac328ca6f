"""
The Functions host's own telemetry, and what is left to this process beside it.

docs/decisions/011 says why.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, NamedTuple, cast

from funcscope.extensions.integration import strict_json
from funcscope.telemetry._config.azure_monitor import (
    SETTING,
    has_host_insights,
    is_the_hosts,
    is_the_hosts_key,
)
from funcscope.telemetry._config.log_routing import host_exports_failures, route_logs
from funcscope.telemetry._config.options import LOCAL_HOST
from funcscope.telemetry._config.settings import DISABLED
from funcscope.telemetry._integrations import AZURE_MONITOR, NEEDS_AZURE_MONITOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.telemetry._config.log_routing import LogRouting
    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._providers import OthersProvider

DEFAULT_ROUTE_PREFIX = "api"

_MODE = "AzureFunctionsJobHost__telemetryMode"
_TIMEOUT = "AzureFunctionsJobHost__functionTimeout"
_match_time_span = re.compile(r"(?:(\d+)\.)?(\d+):(\d+)(?::(\d+(?:\.\d+)?))?").fullmatch


class HostMode(NamedTuple):
    """
    The host's part in telemetry, as decided at the start.

    Attributes:
        owns_request_span: Whether the host exports a span for each request to where ours go, so
            that ours is INTERNAL below it.
        emits_metrics: Whether the host emits the metrics of invocations itself.
        has_sink: Whether the host exports telemetry at all, so that its sampling flag is meant.
        reason: Why the span is what it is, for people.
        exports_failures: Whether the host sends functions' exceptions to where our Azure Monitor
            exporter would.
    """

    owns_request_span: bool
    emits_metrics: bool
    has_sink: bool
    reason: str
    exports_failures: bool = False

    def honours(self, parent_flag: str) -> bool:
        """Tell whether an unsampled trace of the host's is not recorded, as the setting has it."""
        return parent_flag == "honour" or (parent_flag == "auto" and self.has_sink)

    @property
    def sentence(self) -> str:
        """Which kind spans of invocations are of, and why, for people."""
        kind = "INTERNAL, below the host's" if self.owns_request_span else "of their trigger's kind"
        return f"spans of invocations are {kind}: {self.reason}"


class Destinations(NamedTuple):
    """
    Where telemetry goes, as decided before any provider of ours is set.

    Attributes:
        settings: The app's, without the exporters to where others send already.
        mode: The host's part.
        routing: Who exports log records.
        is_export_wanted: Whether any signal had an exporter before log records were routed, or
            somebody else may export these.
        lack_of_azure_monitor: Why nothing goes there, for people; None where nothing would.
        lack_of_exporters: Why nothing is exported, for people; None where the settings say more.
    """

    settings: Settings
    mode: HostMode
    routing: LogRouting
    is_export_wanted: bool
    lack_of_azure_monitor: str | None
    lack_of_exporters: str | None


def decide_destinations(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    has_host: bool,
    traces: OthersProvider | None = None,
    logs: OthersProvider | None = None,
    metrics: OthersProvider | None = None,
    declared: OthersProvider | None = None,
) -> Destinations:
    """
    Decide what this process exports, beside the host and what others have set.

    Args:
        settings: The app's.
        environ: The app settings.
        has_host: Whether this is a worker; False in a process that a function started, of which
            the host exports nothing.
        traces: The tracer provider that somebody has set, if any.
        logs: The same of log records.
        metrics: The same of metrics.
        declared: What a configuration file sends spans by, where nobody has set their provider.
    """
    lack = None
    others = (other for other in (traces, logs, metrics) if other is not None)
    if any(
        other.of_kind(AZURE_MONITOR) for other in others
    ):  # what goes there is for who exports there already
        settings = settings.without_implied(AZURE_MONITOR)
    elif settings.lacks_azure_monitor:
        lack = f"nothing is exported to Azure Monitor, though {SETTING} is set: "
        lack += NEEDS_AZURE_MONITOR
    mode = host_mode(settings, environ, has_host=has_host, others=traces or declared)
    routing = route_logs(
        settings.logs,
        environ if has_host else {},
        is_otel=mode.emits_metrics,
        others=logs,
        is_hosts_resource=is_the_hosts(settings.connection_string, environ if has_host else {}),
    )
    return Destinations(
        settings.with_log_exporters(routing.exporters),
        mode,
        routing,
        not settings.exports_nothing or logs is not None,
        lack,
        _lack_of_exporters(settings, environ, has_tracer_provider=traces is not None),
    )


def _lack_of_exporters(
    settings: Settings, environ: Mapping[str, str], *, has_tracer_provider: bool
) -> str | None:
    if environ.get(DISABLED, "").strip():
        return f"nothing is exported: {DISABLED}={environ[DISABLED]}"
    if settings.lacks_exporter or has_tracer_provider:
        return None
    return "nothing is exported: set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=console"


def host_mode(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    has_host: bool = True,
    others: OthersProvider | None = None,
) -> HostMode:
    """
    Decide from the settings, host.json and the exporters in use.

    `telemetryMode` at the root of host.json, or the app setting
    `AzureFunctionsJobHost__telemetryMode`, makes the host export by OpenTelemetry: to
    `OTEL_EXPORTER_OTLP_ENDPOINT` and to Application Insights, whichever is set (Functions host
    4.1037 to 4.1048). Without it the host logs to Application Insights, if that is set.

    The local host (docs/decisions/061) exports spans of requests and nothing else: in telemetryMode
    OpenTelemetry, spans are of the same kinds there, and this process exports the rest.

    Args:
        settings: What the app asks for.
        environ: The app settings.
        has_host: Whether this is a worker, and no process that a function started.
        others: The tracer provider that somebody has set, or a file declares, to which spans go
            instead of ours.
    """
    mode = environ.get(_MODE) or host_setting(environ, "telemetryMode")
    is_otel = isinstance(mode, str) and mode.lower() == "opentelemetry"
    is_azures = not environ.get(LOCAL_HOST)
    has_endpoint = bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    goes_to_hosts = is_the_hosts(settings.connection_string, environ)
    has_insights = goes_to_hosts and AZURE_MONITOR in settings.traces.exporters
    if others is not None:
        exporters = others.of_kind(AZURE_MONITOR)
        has_insights = any(is_the_hosts_key(exporter.target, environ) for exporter in exporters)
    has_insights = has_insights and is_azures
    owns, reason = _owner(settings, is_otel=is_otel, has_insights=has_insights)
    if not (owns or is_azures) and settings.span_kind == "auto":
        reason = "telemetryMode is not OpenTelemetry"  # though this host exports its span
    return HostMode(
        owns_request_span=owns,
        emits_metrics=is_otel and is_azures,
        has_sink=has_host_insights(environ) or (is_otel and has_endpoint and is_azures),
        reason=reason,
        exports_failures=has_host
        and goes_to_hosts
        and host_exports_failures(environ, is_otel=is_otel and is_azures),
    )


def route_prefix(environ: Mapping[str, str]) -> str:
    """Return the prefix of all HTTP routes; the host's default where host.json has none."""
    value = host_setting(environ, "extensions", "http", "routePrefix")
    return value if isinstance(value, str) else DEFAULT_ROUTE_PREFIX


def warning_times_s(environ: Mapping[str, str]) -> tuple[float, float] | None:
    """
    Return when the host kills a function's worker, and how long before to tell of it; None: never.

    `functionTimeout` is a time span of .NET's, or `-1`; the defaults are those of the Functions
    host 4.x (`ScriptJobHostOptionsSetup.cs`). A tenth of it is for sending what is told: from 1 to
    10 s, and half of it at most.
    """
    is_consumption = environ.get("WEBSITE_SKU", "").lower() == "dynamic"
    value = environ.get(_TIMEOUT) or host_setting(environ, "functionTimeout")
    value = value or ("00:05:00" if is_consumption else "00:30:00")
    match = _match_time_span(str(value).strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    timeout_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not 0 < timeout_s < TIMEOUT_MAX:
        return None
    return timeout_s, min(max(timeout_s / 10, 1.0), 10.0, timeout_s / 2)


def host_setting(environ: Mapping[str, str], *keys: str) -> object:
    """
    Return a value of host.json, None where it has none; an app setting goes before it.

    The setting is `AzureFunctionsJobHost__` with the keys, parted by `__`. The file may hold what
    the host allows beyond strict JSON.
    The host validates host.json and does not start with a broken one, so a file that cannot
    be read here is nobody's error to report.
    """
    override = environ.get("__".join(("AzureFunctionsJobHost", *keys)))
    if override is not None:
        return override
    root = environ.get("AzureWebJobsScriptRoot")
    if not root:
        return None
    try:
        value: object = json.loads(strict_json((Path(root) / "host.json").read_text("utf-8-sig")))
    except (OSError, ValueError):
        return None
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, object]", value).get(key)
    return value


def _owner(settings: Settings, *, is_otel: bool, has_insights: bool) -> tuple[bool, str]:
    if settings.span_kind != "auto":
        return settings.span_kind == "host", f"FUNCSCOPE_SPAN_KIND={settings.span_kind}"
    if is_otel:
        return True, "the host's telemetryMode is OpenTelemetry"
    if has_insights:
        return True, "the app exports to Azure Monitor, as the host does"
    return False, "nothing says that the host exports a span for the request"
