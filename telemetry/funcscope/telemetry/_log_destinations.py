"""Who exports the log records of functions: the host, this process, both or nobody."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.telemetry._settings import SignalSettings

INSIGHTS = "Application Insights"
OTLP = "OTLP"

_OTEL_HANDS_OVER = "PYTHON_ENABLE_OPENTELEMETRY"
_DISTRO_HANDS_OVER = "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"
_TRUE = (
    "1",
    "true",
    "t",
    "yes",
    "y",
)  # utils/app_setting_manager.py, azure-functions-runtime 1.3.0
_AZURE_MONITOR = "azure.monitor.opentelemetry.exporter"


@dataclass(frozen=True, slots=True)
class LogDestinations:
    """
    What was decided.

    Attributes:
        are_ours: Whether funcscope exports log records.
        are_exported: Whether anybody does.
        sentence: Who exports them, for people.
        warning: What is wrong with that, and which setting to change; None where nothing is.
    """

    are_ours: bool
    are_exported: bool
    sentence: str
    warning: str | None = None


def log_destinations(
    wanted: SignalSettings, environ: Mapping[str, str], *, is_otel: bool, has_provider: bool
) -> LogDestinations:
    """
    Decide once, from what the host and the worker do (Functions host 4.1037 to 4.1048).

    The host sends `Function.*` logs to Application Insights, or with telemetryMode OpenTelemetry
    to that and to OTLP, as far as they are set. It leaves them to a worker that says
    `WorkerOpenTelemetryEnabled`, which the worker decides by its settings before it imports the
    app, and in telemetryMode OpenTelemetry alone.

    Args:
        wanted: Our own exporters of log records.
        environ: The app settings.
        is_otel: Whether the host's telemetryMode is OpenTelemetry.
        has_provider: Whether the app or the worker has set a logger provider.
    """
    by_host = _by_host(environ, is_otel=is_otel)
    by_worker = _by_worker(wanted, has_provider=has_provider)
    handed_over = _handed_over(environ) if is_otel else None
    if handed_over is not None:
        if not by_worker:
            return LogDestinations(
                are_ours=False,
                are_exported=False,
                sentence=_sentence([], []),
                warning=f"the host leaves the log records of functions to the worker, because "
                f"telemetryMode is OpenTelemetry and {handed_over} is set, and nothing here "
                f"exports them: set OTEL_EXPORTER_OTLP_ENDPOINT, or remove {handed_over}",
            )
        by_host = []
    is_ours = bool(wanted.exporters) and not has_provider
    if is_ours and OTLP in by_host and not wanted.is_explicit:
        return LogDestinations(
            are_ours=False,
            are_exported=True,
            sentence=f"{_sentence(by_host, [])}; for the records to have the fields, and spans, of "
            f"this process, set {_OTEL_HANDS_OVER}=true, with which the host leaves them to it",
        )
    return LogDestinations(
        are_ours=is_ours,
        are_exported=bool(by_host or by_worker),
        sentence=_sentence(by_host, by_worker),
        warning=_doubled(set(by_host) & set(by_worker), is_otel=is_otel),
    )


def _by_host(environ: Mapping[str, str], *, is_otel: bool) -> list[str]:
    """Return where the host sends log records to, unless it leaves them to the worker."""
    found: list[str] = []
    insights = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "APPINSIGHTS_INSTRUMENTATIONKEY")
    if any(environ.get(name, "").strip() for name in insights):
        found.append(INSIGHTS)
    if is_otel and environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip():
        found.append(OTLP)
    return found


def _by_worker(wanted: SignalSettings, *, has_provider: bool) -> list[str]:
    if has_provider:
        return [INSIGHTS if _AZURE_MONITOR in sys.modules else "the app's own logger provider"]
    return [OTLP if name == "otlp" else name for name in wanted.exporters]


def _handed_over(environ: Mapping[str, str]) -> str | None:
    """Return the setting by which the worker tells the host that it exports itself."""
    for name in (_OTEL_HANDS_OVER, _DISTRO_HANDS_OVER):
        if environ.get(name, "").strip().lower() in _TRUE:
            return name
    return None


def _sentence(by_host: list[str], by_worker: list[str]) -> str:
    parts = [f"by the host to {' and '.join(by_host)}"] if by_host else []
    parts += [f"by this process to {' and '.join(by_worker)}"] if by_worker else []
    return f"log records of functions are exported {', '.join(parts) or 'by nobody'}"


def _doubled(twice: set[str], *, is_otel: bool) -> str | None:
    if not twice:
        return None
    what = f"log records of functions arrive twice at {' and '.join(sorted(twice))}"
    if is_otel:
        return (
            f"{what}, from the host and from this process: set {_OTEL_HANDS_OVER}=true, with "
            "which the host leaves them to it, or OTEL_LOGS_EXPORTER=none"
        )
    return (
        f"{what}, from the host and from this process: set telemetryMode to OpenTelemetry in "
        f"host.json and {_OTEL_HANDS_OVER}=true, with which the host leaves them to it, or turn "
        "off what this process exports (configure_azure_monitor(disable_logging=True))"
    )
