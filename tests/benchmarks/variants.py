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
        settings: Environment variables; `{url}` stands for where it sends to.
        group: The dependency group with an environment of its own, which it may lack.
        title: What tables call it.
    """

    name: str
    title: str
    app: str
    settings: Mapping[str, str] = field(default=NOTHING)
    group: str = ""

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
    def directory(self) -> Path:
        """Where its app is."""
        return APPS / self.app

    def environ(self, receiver: str) -> dict[str, str]:
        """Return the variables of its process, given the receiver's URL."""
        url = f"{receiver}/{self.name}"
        return {
            **{name: v for name, v in os.environ.items() if not name.startswith(FOREIGN)},
            "NO_PROXY": "127.0.0.1",
            "WEBSITE_SITE_NAME": "app",
            "AZURE_FUNCTIONS_ENVIRONMENT": "Production",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            ENDPOINT: url,
            **{k: v.format(url=url, receiver=receiver) for k, v in self.settings.items()},
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
BY_NAME: Final = MappingProxyType({variant.name: variant for variant in VARIANTS})
