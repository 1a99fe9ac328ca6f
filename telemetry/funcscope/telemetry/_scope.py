"""The instrumentation scope that everything of ours is recorded under."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from opentelemetry import _logs, metrics, trace

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

NAME = "funcscope"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"


def get_tracer() -> Tracer:
    """Return our tracer of the global provider."""
    return trace.get_tracer(NAME, _version(), schema_url=SCHEMA_URL)


def get_meter() -> Meter:
    """Return our meter of the global provider."""
    return metrics.get_meter(NAME, _version(), schema_url=SCHEMA_URL)


def has_meter_provider() -> bool:
    """Tell whether anybody has set a meter provider."""
    return "Proxy" not in type(metrics.get_meter_provider()).__name__


def get_logger() -> Logger | None:
    """Return our logger of the global provider, None where nobody has set one."""
    if "Proxy" in type(_logs.get_logger_provider()).__name__:
        return None
    return _logs.get_logger(NAME, _version(), schema_url=SCHEMA_URL)


def _version() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:  # copied into an app instead of installed
        return "unknown"
