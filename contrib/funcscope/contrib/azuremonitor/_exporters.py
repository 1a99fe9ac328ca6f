"""
Azure Monitor's exporters, quiet, and with what Azure's portal looks for.

They take long to load (0.2 s on top of the SDK), so this module is imported when they are needed,
by its name (`funcscope.telemetry._integrations`).

docs/decisions/021 says why.
"""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

from funcscope.contrib.azuremonitor._envelopes import complete_logs, complete_spans
from funcscope.contrib.azuremonitor._metrics import leave_out_own

if TYPE_CHECKING:
    from funcscope.telemetry.integration import ExportContext

MODULE = "azure.monitor.opentelemetry.exporter"

_package: Any = importlib.import_module(MODULE)  # it has no types
_policies: Any = importlib.import_module("azure.core.pipeline.policies")

_NAMES = {
    "traces": "AzureMonitorTraceExporter",
    "logs": "AzureMonitorLogExporter",
    "metrics": "AzureMonitorMetricExporter",
}
_SELF_REPORTS = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
)
"""What switches off what the exporter sends of itself (1.0.0b58): usage to Microsoft, with a probe
of the machine's metadata; success counts to the app's own resource; questions for settings."""

_OPTIONS = {
    # It keeps on disk what could not be sent, and tries that again: no need to wait for it.
    "retry_total": 1,
    "read_timeout": 10,  # seconds; 300 otherwise (azure-core 1.41)
}


def make_exporter(signal: str, context: ExportContext) -> object:
    """
    Make the exporter of a signal.

    Its own calls are not recorded: it has no policy that logs each of them, at INFO to every
    handler, and none that makes spans; and the SDK's batches suppress instrumentations of HTTP
    clients while they export.

    Args:
        signal: `traces`, `logs` or `metrics`.
        context: Where to, and what the host sends there.
    """
    for name in _SELF_REPORTS:
        os.environ.setdefault(name, "true")
    logger = logging.getLogger(MODULE)
    if logger.level == logging.NOTSET:  # it logs of each batch, at INFO, that it was taken
        logger.setLevel(logging.WARNING)
    exporter = getattr(_package, _NAMES[signal])(
        connection_string=context.settings.connection_string,
        http_logging_policy=_policies.SansIOHTTPPolicy(),
        **_OPTIONS,
    )
    if signal == "traces":
        complete_spans(exporter, has_failures=not context.host_has_failures)
    elif signal == "logs":
        complete_logs(exporter)
    else:
        leave_out_own(exporter)
    return exporter
