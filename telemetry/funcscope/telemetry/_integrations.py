"""
The integrations that come with funcscope: the one module of telemetry in which contrib is named.

Each is loaded by its name once an app has what it is for, so that nothing of telemetry imports it.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import wrapt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from funcscope.extensions import Function

AZURE_MONITOR = "azuremonitor"
"""The exporter's name in `OTEL_TRACES_EXPORTER` and its like."""

EXPORTERS: Mapping[str, str] = {AZURE_MONITOR: "funcscope.contrib.azuremonitor._exporters"}
"""By an exporter's name in settings: the module that has `make_exporter(signal, context)`."""

NEEDS_AZURE_MONITOR = (
    "funcscope.contrib.azuremonitor needs the package azure-monitor-opentelemetry-exporter: "
    "install funcscope[azuremonitor]"
)

_WEB = ("funcscope.contrib.web", "the routes of web frameworks are not recorded")
_OF_LIBRARIES: Mapping[str, tuple[str, str]] = {
    # What serves many routes behind one function (docs/decisions/020).
    "flask": _WEB,
    "starlette": _WEB,
    # Imports Flask before it has itself all that we look for.
    "opentelemetry.instrumentation.flask": _WEB,
}
"""By the library that an app imports: what is installed then, and what is logged if that fails."""

_DURABLE = ("azure.durable_functions", "funcscope.contrib.durable")
_OF_TRIGGERS = {"orchestrationTrigger": _DURABLE, "entityTrigger": _DURABLE}
"""By trigger type: the package that the app uses for it, and what is to be installed then."""

_logger = logging.getLogger("funcscope.telemetry")
_awaited: list[str] = []


def await_libraries() -> None:
    """Install what goes with a library once the app imports it; called again, do nothing."""
    for name in _OF_LIBRARIES:
        if name not in _awaited:
            _awaited.append(name)
            wrapt.register_post_import_hook(partial(_join_library, name), name)


def integrate(function: Function) -> None:
    """Install what a function's trigger needs, if the app has loaded the package for it."""
    trigger = "" if function.trigger is None else function.trigger.type
    library, integration = _OF_TRIGGERS.get(trigger, ("", ""))
    if library in sys.modules:
        _install(integration, "%s goes without %s", function.name, integration)


def _join_library(name: str, _library: ModuleType) -> None:
    _install(*_OF_LIBRARIES[name])


def _install(integration: str, otherwise: str, *args: object) -> None:
    """Install an integration; log what the app goes without if that fails."""
    try:
        import_module(integration).install()
    except Exception:
        _logger.exception(otherwise, *args)
