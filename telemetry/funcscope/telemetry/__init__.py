"""
Telemetry of invocations: spans, log records and metrics.

Importing this package records nothing by itself; `import funcscope.auto` or
`configure()` turns it on. What a name needs is loaded when it is asked for, as this package is
in the way of every app's first import.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.telemetry._api.activation import configure, start
    from funcscope.telemetry._api.messages import each_message
    from funcscope.telemetry._api.processes import child_environment, continue_invocation
    from funcscope.telemetry._api.tags import tag_request
    from funcscope.telemetry._api.timing import Timing, timed
    from funcscope.telemetry._errors import TelemetryError
    from funcscope.telemetry._logs.correlation import bind

__all__ = [
    "TelemetryError",
    "Timing",
    "bind",
    "child_environment",
    "configure",
    "continue_invocation",
    "each_message",
    "start",
    "tag_request",
    "timed",
]

_HOMES = {
    "TelemetryError": "_errors",
    "Timing": "_api.timing",
    "bind": "_logs.correlation",
    "child_environment": "_api.processes",
    "configure": "_api.activation",
    "continue_invocation": "_api.processes",
    "each_message": "_api.messages",
    "start": "_api.activation",
    "tag_request": "_api.tags",
    "timed": "_api.timing",
}


def __getattr__(name: str) -> object:
    """Load what a name stands for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    """List what may be asked for."""
    return __all__
