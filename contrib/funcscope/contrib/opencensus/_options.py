"""The options of `OpenCensusExtension.configure()`."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, cast

from funcscope.contrib.opencensus._census import config_integration, integrations
from funcscope.extensions.integration import OnceLog
from funcscope.telemetry import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_logger = logging.getLogger("funcscope.opencensus")

SETTING = "APPLICATIONINSIGHTS_CONNECTION_STRING"

TAKEN = ("connection_string", "instrumentation_key", "libraries")
"""Options that do what they say."""

_SENDING = "funcscope sends by itself, see docs/how-to/sending.md"
_SPOOL = "set FUNCSCOPE_SPOOL_DIR to keep on disk what cannot be sent"
LEFT_OUT: Mapping[str, str] = {
    "enable_local_storage": _SPOOL,
    "enable_standard_metrics": "FUNCSCOPE_METRICS says whether metrics are recorded",
    "endpoint": "the connection string names the endpoint",
    "export_interval": _SENDING,
    "grace_period": "set FUNCSCOPE_SHUTDOWN_BUDGET_MS",
    "logging_sampling_rate": "set FUNCSCOPE_LOG_LEVEL or FUNCSCOPE_KEEP_RATIO",
    "max_batch_size": _SENDING,
    "minimum_retry_interval": _SENDING,
    "queue_capacity": "set FUNCSCOPE_QUEUE_SIZE",
    "storage_maintenance_period": _SPOOL,
    "storage_max_size": "set FUNCSCOPE_SPOOL_MAX_MB",
    "storage_path": "set FUNCSCOPE_SPOOL_DIR",
    "storage_retention_period": "set FUNCSCOPE_SPOOL_MAX_AGE_H",
    "timeout": "set OTEL_EXPORTER_OTLP_TIMEOUT",
}
"""Options of the retired exporter that change nothing any more, and what to do instead."""

REFUSED: Mapping[str, str] = {
    "credential": "configure Azure Monitor's exporter with it yourself",
    "proxies": "set HTTPS_PROXY",
}
"""Options without which nothing might arrive, and what to do instead."""

_turned_on: set[str] = set()
_warnings = OnceLog(_logger)


def apply(options: Mapping[str, object]) -> None:
    """
    Do what the options say; one that is None counts as not given.

    Raises:
        TelemetryError: An option is unknown, is refused, or cannot have its value.
        ImportError: A connection string is given, and `funcscope[azuremonitor]` not installed.
    """
    given = {name: value for name, value in options.items() if value is not None}
    _check(given)
    for name in sorted(given.keys() & LEFT_OUT.keys()):
        what = f"OpenCensusExtension.configure({name}=…) changes nothing any more"
        _warnings.log(f"{what}: {LEFT_OUT[name]}")
    _connect(given)
    if "libraries" in given:
        _trace(cast("Sequence[str]", given["libraries"]))


def _check(given: Mapping[str, object]) -> None:
    for name in given:
        if name in REFUSED:
            raise TelemetryError(
                f"OpenCensusExtension.configure({name}=…) is not taken: {REFUSED[name]}"
            )
        if name not in TAKEN and name not in LEFT_OUT:
            raise TelemetryError(
                f"OpenCensusExtension.configure() has no option {name!r}: "
                f"it takes {', '.join(TAKEN)}"
            )
    for name in ("connection_string", "instrumentation_key"):
        if name in given and not isinstance(given[name], str):
            raise TelemetryError(
                f"OpenCensusExtension.configure({name}={given[name]!r}) is no text: "
                "give it as the portal shows it"
            )
    libraries = given.get("libraries", [])
    if not isinstance(libraries, (list, tuple, set, frozenset)) or not all(
        isinstance(name, str) for name in cast("Sequence[object]", libraries)
    ):
        raise TelemetryError(
            f"OpenCensusExtension.configure(libraries={libraries!r}) is no list of names: "
            "write libraries=['requests']"
        )


def _connect(given: Mapping[str, object]) -> None:
    """Send to Azure Monitor where an option or the app setting says so."""
    target = given.get("connection_string")
    if not target and given.get("instrumentation_key"):
        target = f"InstrumentationKey={given['instrumentation_key']}"
    if not target and not os.environ.get(SETTING):
        return
    try:
        azure_monitor = import_module("funcscope.contrib.azuremonitor")
    except ImportError as error:
        if target:
            raise ImportError(
                "OpenCensusExtension.configure(connection_string=…) sends to Azure Monitor through "
                "funcscope.contrib.azuremonitor: install funcscope[azuremonitor]"
            ) from error
        _warnings.log(
            f"{SETTING} is set, and OpenCensusExtension.configure() used to send "
            "there: install funcscope[azuremonitor], or leave the call out"
        )
        return
    if target:  # the setting counts by itself where the extra is installed
        azure_monitor.configure(str(target))


def _trace(libraries: Sequence[str]) -> None:
    """Turn on integrations, once each: OpenCensus would wrap a library again, for two spans."""
    new = [name for name in libraries if name not in _turned_on and not _is_on(name)]
    _turned_on.update(new)
    config_integration.trace_integrations(new)


def _is_on(library: str) -> bool:
    """Tell whether the app has turned an integration on, where OpenCensus keeps that."""
    flag = getattr(getattr(integrations, "_Integrations", None), library.upper(), 0)
    return bool(flag) and integrations.get_integrations() & flag == flag
