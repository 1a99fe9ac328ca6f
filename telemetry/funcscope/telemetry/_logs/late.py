"""
Handlers of OpenTelemetry's that come when ours are at work: a distro that is set up late.

A handler on the root logger is seen before it gets its first record. The distros put theirs there,
with a provider of its own (azure-monitor-opentelemetry 1.8.11, microsoft-opentelemetry 1.5.0).

docs/decisions/049 says why.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry import _logs

from funcscope.telemetry._config.azure_monitor import key_of
from funcscope.telemetry._integrations import AZURE_MONITOR
from funcscope.telemetry._logs.filters import leave_out_exporters
from funcscope.telemetry._logs.processor import name_invocations
from funcscope.telemetry._providers import OWN, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._providers import Exporter
    from funcscope.telemetry._semconv import ChosenNames

_logger = logging.getLogger("funcscope.telemetry")
_LATE = (
    "%s was set up after funcscope's providers, which stay; %s: for its spans and metrics, call "
    "what sets it up where the app is imported, above funcscope.telemetry.start()"
)
_LEFT = "log records that funcscope sends to the same place are left to that, and come once"


class LateHandlers:
    """
    Sees to the handlers that are added to the root logger once records are captured.

    Args:
        provider: Ours.
        settings: What the app asks for; None where that is nothing.
        exports: Tells of a record whether ours export it.
        names: The names that the app asks for.
    """

    def __init__(
        self,
        provider: object,
        settings: Settings | None,
        exports: Callable[[logging.LogRecord], bool],
        names: ChosenNames,
    ) -> None:
        self._known = [provider, _logs.get_logger_provider()]
        self._targets = {} if settings is None else _targets(settings)
        self._exports = exports
        self._names = names

    def see_to(self, handlers: Iterable[logging.Handler]) -> None:
        """See to what has come since it was looked at last, of OpenTelemetry's."""
        for handler in handlers:
            self._see_to(handler)

    def _see_to(self, handler: logging.Handler) -> None:
        provider: object = getattr(handler, "_logger_provider", None)
        if provider is None or any(provider is known for known in self._known):
            return
        self._known.append(provider)
        leave_out_exporters(handler)
        found = describe(provider, "logger")
        name_invocations(provider, self._names)
        level = logging.WARNING
        ours = [exporter for exporter in found.exporters if self._is_ours(exporter)]
        if ours and len(ours) == len(found.exporters):
            handler.addFilter(self._is_left)
            what = _LEFT
        elif ours:
            by = ", ".join(sorted({exporter.name for exporter in ours}))
            what = f"log records arrive twice where {by} sends them"
        else:
            what = "it gets log records alone"
            if found.owner.startswith(OWN):
                level = logging.INFO
        _logger.log(level, _LATE, found.name, what)

    def _is_left(self, record: logging.LogRecord) -> bool:
        return not self._exports(record)

    def _is_ours(self, exporter: Exporter) -> bool:
        """Tell whether an exporter sends to where one of ours does, as far as it shows."""
        target = self._targets.get(exporter.kind)
        if target is None:
            return False
        return not (exporter.target and target) or _place(exporter) == target


def _targets(settings: Settings) -> dict[str, str]:
    """Return where our exporters of log records send, by what settings call them."""
    targets = dict.fromkeys(settings.logs.exporters, "")
    if "otlp" in targets and settings.logs.otlp is not None:
        targets["otlp"] = _host_of(settings.logs.otlp.target.endpoint)
    if AZURE_MONITOR in targets:
        targets[AZURE_MONITOR] = key_of(settings.connection_string)
    return targets


def _place(exporter: Exporter) -> str:
    return exporter.target if exporter.kind == AZURE_MONITOR else _host_of(exporter.target)


def _host_of(endpoint: str) -> str:
    """Return the host of a URL, or of what has no scheme, as gRPC's endpoints."""
    url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    return url.hostname or ""
