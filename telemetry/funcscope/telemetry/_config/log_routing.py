"""
The routing of functions' log records: by the host, this process, both or nobody.

docs/decisions/013 says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry._config.azure_monitor import has_host_insights, is_the_hosts_key
from funcscope.telemetry._integrations import AZURE_MONITOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.telemetry._config.settings import SignalSettings
    from funcscope.telemetry._providers import Exporter, OthersProvider

INSIGHTS = "Application Insights"
OTLP = "OTLP"
_ELSEWHERE = "another Application Insights"
_OTLP_ELSEWHERE = "another OTLP endpoint"

_OTEL_HANDS_OVER = "PYTHON_ENABLE_OPENTELEMETRY"
_DISTRO_HANDS_OVER = "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"
_HINT = (
    "for the records to have the fields, and spans, of this process, set "
    f"{_OTEL_HANDS_OVER}=true, with which the host leaves them to it"
)
_TRUE = (
    "1",
    "true",
    "t",
    "yes",
    "y",
)  # utils/app_setting_manager.py, azure-functions-runtime 1.3.0


class LogRouting(NamedTuple):
    """
    Who exports the log records of functions.

    Attributes:
        exporters: By what funcscope exports log records.
        are_exported: Whether anybody does.
        sentence: Who exports them, for people.
        warning: What is wrong with that, and which setting to change; None where nothing is.
    """

    exporters: tuple[str, ...]
    are_exported: bool
    sentence: str
    warning: str | None = None

    @property
    def is_exported_here(self) -> bool:
        """Whether funcscope exports log records."""
        return bool(self.exporters)


def route_logs(
    wanted: SignalSettings,
    environ: Mapping[str, str],
    *,
    is_otel: bool,
    others: OthersProvider | None,
    is_hosts_resource: bool = True,
) -> LogRouting:
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
        others: The logger provider that the app or the worker has set, if any. Where no handler
            brings it what is logged, we export that all the same.
        is_hosts_resource: Whether our Azure Monitor exporter sends to where the host does.
    """
    by_host = _by_host(environ, is_otel=is_otel)
    has_provider = others is not None and others.gets_records
    exporters = () if has_provider else wanted.exporters
    labels = {"otlp": OTLP, AZURE_MONITOR: INSIGHTS if is_hosts_resource else _ELSEWHERE}
    handed_over = _handed_over(environ) if is_otel else None
    if handed_over is not None:
        if not (has_provider or exporters):
            return LogRouting(
                exporters=(),
                are_exported=False,
                sentence=_sentence([], [], others),
                warning=f"the host leaves the log records of functions to the worker, because "
                f"telemetryMode is OpenTelemetry and {handed_over} is set, and nothing here "
                f"exports them: set OTEL_EXPORTER_OTLP_ENDPOINT, or remove {handed_over}",
            )
        by_host = []
    left = [name for name in exporters if labels.get(name) in by_host and _is_left(name, wanted)]
    exporters = tuple(name for name in exporters if name not in left)
    by_worker = [labels.get(name, name) for name in exporters]
    if others is not None and has_provider:
        by_worker = [_label(exporter, environ) for exporter in others.exporters]
    hint = f"; {_HINT}" if left and is_otel else ""
    return LogRouting(
        exporters=exporters,
        are_exported=bool(by_host or by_worker or has_provider),
        sentence=_sentence(by_host, by_worker, others) + hint,
        warning=_doubled(
            set(by_host) & set(by_worker), is_otel=is_otel, has_exporter=bool(exporters)
        ),
    )


def host_exports_failures(environ: Mapping[str, str], *, is_otel: bool) -> bool:
    """Tell whether the host sends functions' log records and exceptions to Application Insights."""
    is_handed_over = is_otel and _handed_over(environ) is not None
    return INSIGHTS in _by_host(environ, is_otel=is_otel) and not is_handed_over


def _is_left(name: str, wanted: SignalSettings) -> bool:
    """Tell whether an exporter to the host's own destination was not asked for by itself."""
    return wanted.is_implied if name == AZURE_MONITOR else not wanted.is_explicit


def _by_host(environ: Mapping[str, str], *, is_otel: bool) -> list[str]:
    """Return where the host sends log records to, unless it leaves them to the worker."""
    destinations: list[str] = []
    if has_host_insights(environ):
        destinations.append(INSIGHTS)
    endpoint = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    if is_otel and endpoint.startswith(("http://", "https://")):
        destinations.append(OTLP)
    return destinations


def _label(exporter: Exporter, environ: Mapping[str, str]) -> str:
    """Name where somebody else's exporter sends to, as where the host does if that is the same."""
    if exporter.kind == AZURE_MONITOR:
        return INSIGHTS if is_the_hosts_key(exporter.target, environ) else _ELSEWHERE
    if exporter.kind == "otlp":
        endpoint = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
        return OTLP if endpoint and exporter.target.startswith(endpoint) else _OTLP_ELSEWHERE
    return exporter.name


def _handed_over(environ: Mapping[str, str]) -> str | None:
    """Return the setting by which the worker tells the host that it exports itself."""
    for name in (_OTEL_HANDS_OVER, _DISTRO_HANDS_OVER):
        if environ.get(name, "").strip().lower() in _TRUE:
            return name
    return None


def _sentence(by_host: list[str], by_worker: list[str], others: OthersProvider | None) -> str:
    parts = [f"by the host to {' and '.join(by_host)}"] if by_host else []
    is_theirs = others is not None and others.gets_records
    if by_worker or is_theirs:
        who = others.owner if others is not None and is_theirs else "this process"
        parts.append(" to ".join(filter(None, (f"by {who}", " and ".join(by_worker)))))
    hint = "" if others is None or is_theirs else f"; no handler brings them to {others.name}"
    return f"log records of functions are exported {', '.join(parts) or 'by nobody'}{hint}"


def _doubled(twice: set[str], *, is_otel: bool, has_exporter: bool) -> str | None:
    if not twice:
        return None
    what = f"log records of functions arrive twice at {' and '.join(sorted(twice))}"
    off = "OTEL_LOGS_EXPORTER=none"
    if not has_exporter:
        off += ", or disable_logging=True where it is set up in code"
    if is_otel:
        return (
            f"{what}, from the host and from this process: set {_OTEL_HANDS_OVER}=true, with "
            f"which the host leaves them to it, or {off}"
        )
    return (
        f"{what}, from the host and from this process: set telemetryMode to OpenTelemetry in "
        f"host.json and {_OTEL_HANDS_OVER}=true, with which the host leaves them to it, or turn "
        f"off what this process exports ({off})"
    )
