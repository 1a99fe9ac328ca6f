"""What is compared: each variant is an app, its settings, and the environment that it runs in."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

APPS = Path(__file__).parent / "apps"
# Of other tools, which would change what is measured.
FOREIGN = ("OTEL_", "FUNCSCOPE_", "DD_", "ELASTIC_", "APPLICATIONINSIGHTS_", "PYTHON")
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ONLY: Mapping[str, str] = MappingProxyType(
    {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
)
UNSAMPLED: Mapping[str, str] = MappingProxyType({"OTEL_TRACES_SAMPLER": "always_off"})
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Variant:
    """
    One way to run the same function.

    Attributes:
        app: The folder of its app.
        settings: Environment variables; `{url}` stands for where it sends to, `{folder}` for an
            empty folder of its own.
        group: The dependency group with an environment of its own, which it may lack.
        receives: What it sends to, of `faulty.BEHAVIOURS`; the common receiver where it is empty.
        title: What tables call it.
    """

    name: str
    title: str
    app: str
    settings: Mapping[str, str] = field(default=NOTHING)
    group: str = ""
    receives: str = ""

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        prefix = f"{sys.prefix}-{self.group}" if self.group else sys.prefix
        return Path(prefix) / "bin" / "python"

    @property
    def is_installed(self) -> bool:
        """Whether there is an environment for it."""
        return self.python.exists()

    @property
    def healthy(self) -> str:
        """Of one with a receiver of its own: that where it is healthy, and all else the same."""
        return self.name.replace(self.receives, "healthy")

    @property
    def directory(self) -> Path:
        """Where its app is."""
        return APPS / self.app

    def environ(self, receiver: str, folder: str = "") -> dict[str, str]:
        """Return the variables of its process, given the receiver's URL, and a folder for it."""
        url = f"{receiver}/{self.name}"
        return {
            **{name: v for name, v in os.environ.items() if not name.startswith(FOREIGN)},
            "NO_PROXY": "127.0.0.1",
            "WEBSITE_SITE_NAME": "app",
            "AZURE_FUNCTIONS_ENVIRONMENT": "Production",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            ENDPOINT: url,
            **{
                key: value.format(url=url, receiver=receiver, folder=folder)
                for key, value in self.settings.items()
            },
        }


_CONNECTION = (
    f"InstrumentationKey={'0' * 8}-0000-0000-0000-{'0' * 12};"
    "IngestionEndpoint={url}/;LiveEndpoint={url}/"
)

VARIANTS: Final = (
    Variant("bare", "bare function", "bare"),
    Variant("funcscope", "funcscope", "funcscope", TRACES_ONLY),
    Variant("raw", "OpenTelemetry SDK by hand", "raw"),
    Variant(
        "funcscope-unsampled",
        "funcscope, unsampled",
        "funcscope",
        {**TRACES_ONLY, **UNSAMPLED},
    ),
    Variant("raw-unsampled", "SDK by hand, unsampled", "raw", UNSAMPLED),
    Variant("bare-logs", "bare function with two log lines", "bare_logs"),
    Variant("funcscope-signals", "funcscope with metrics and logs", "funcscope_logs"),
    Variant("raw-signals", "SDK by hand with metrics and logs", "raw_signals"),
    Variant(
        "azure-monitor",
        "azure-monitor-opentelemetry",
        "azure_monitor",
        {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": _CONNECTION,
            "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "OTEL_TRACES_SAMPLER": "always_on",  # the distro's own leaves out some
        },
        group="azure-monitor",
    ),
    Variant(
        "ddtrace",
        "ddtrace",
        "ddtrace",
        {
            "DD_TRACE_AGENT_URL": "{receiver}",
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
            "DD_TRACE_LOG_STREAM_HANDLER": "false",
        },
        group="ddtrace",
    ),
    Variant(
        "elastic",
        "elastic-apm",
        "elastic",
        {"ELASTIC_APM_SERVER_URL": "{url}", "ELASTIC_APM_SERVICE_NAME": "app"},
        group="elastic",
    ),
)

# Receivers with faults take no path of a variant's own.
ALONE: Mapping[str, str] = MappingProxyType({ENDPOINT: "{receiver}"})
SPOOL: Mapping[str, str] = MappingProxyType({"FUNCSCOPE_SPOOL_DIR": "{folder}/spool"})
RECEIVERS: Mapping[str, str] = MappingProxyType(
    {
        "healthy": "healthy receiver",
        "absent": "absent receiver",
        "refuses": "receiver that refuses",
        "hangs": "receiver that hangs",
        "429": "429 with Retry-After",
        "503": "503 with Retry-After",
        "dies": "receiver that dies and comes back",
        "400": "400",
        "garbage": "garbage",
    }
)
REFUSING: Final = ("400", "garbage")  # nothing is spooled for these
FAULTY: Final = tuple(
    Variant(
        f"{name}{suffix}",
        f"{title}{', spool' if suffix else ''}",
        "funcscope",
        {**TRACES_ONLY, **ALONE, **settings},
        receives=name,
    )
    for suffix, settings in (("", NOTHING), ("-spool", SPOOL))
    for name, title in RECEIVERS.items()
    if not suffix or name not in REFUSING
)
DYING: Final = Variant(
    "dying",
    "dying receiver",
    "funcscope",
    {**TRACES_ONLY, **ALONE, **SPOOL},
    receives="dies-rarely",
)
BY_NAME: Final = MappingProxyType(
    {variant.name: variant for variant in (*VARIANTS, *FAULTY, DYING)}
)
