"""Load what makes a library's functions fit, for an app that has some."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.extensions import Function

_DURABLE = ("azure.durable_functions", "funcscope.contrib.durable")
_INTEGRATIONS = {"orchestrationTrigger": _DURABLE, "entityTrigger": _DURABLE}
"""By trigger type: the package that the app uses for it, and what is to be installed then."""

_logger = logging.getLogger("funcscope.telemetry")


def integrate(function: Function) -> None:
    """Install what a function's trigger needs, if the app has loaded the package for it."""
    trigger = "" if function.trigger is None else function.trigger.type
    library, integration = _INTEGRATIONS.get(trigger, ("", ""))
    if library not in sys.modules:
        return
    try:
        import_module(integration).install()
    except Exception:
        _logger.exception("%s goes without %s", function.name, integration)
