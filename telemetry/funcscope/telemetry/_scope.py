"""The instrumentation scope that everything of ours is recorded under."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry import _logs, metrics, trace

from funcscope.telemetry._semconv import read_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry._logs import Logger, LoggerProvider
    from opentelemetry.metrics import Histogram, Meter
    from opentelemetry.trace import Tracer

SCOPE = "funcscope"
"""The name of the instrumentation scope."""
VERSION = "0.1.0"
"""The package's, read by pyproject.toml: asking what is installed takes 2 ms of a cold start."""

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The conventions' advice for durations in seconds (1.44). Their Python helpers pass none, and the
SDK's own are for milliseconds."""
MCP_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""The same for MCP operations: semantic-conventions-genai 0.1, docs/gen-ai/mcp.md."""


def schema_url() -> str:
    """Return which conventions what is recorded follows."""
    return read_names(os.environ).schema_url


def get_tracer() -> Tracer:
    """Return our tracer of the global provider."""
    return trace.get_tracer(SCOPE, VERSION, schema_url=schema_url())


def get_meter() -> Meter:
    """Return our meter of the global provider."""
    return metrics.get_meter(SCOPE, VERSION, schema_url=schema_url())


def duration_histogram(
    meter: Meter, name: str, description: str, buckets_s: Sequence[float] = BUCKETS_S
) -> Histogram:
    """Make a histogram of seconds, with buckets that the conventions advise."""
    return meter.create_histogram(
        name,
        unit="s",
        description=description,
        explicit_bucket_boundaries_advisory=buckets_s,
    )


def is_provider_set(provider: object) -> bool:
    """
    Tell whether an app or worker has set a provider: the API's own stand-ins are proxies.

    Logfire's providers, which are set, are called so too.
    """
    kind = type(provider)
    return not ("Proxy" in kind.__name__ and kind.__module__.startswith("opentelemetry."))


def has_meter_provider() -> bool:
    """Tell whether anybody has set a meter provider."""
    return is_provider_set(metrics.get_meter_provider())


def get_logger(provider: LoggerProvider | None = None) -> Logger | None:
    """Return our logger of a provider, or of the global one; None where nobody has set that."""
    provider = _logs.get_logger_provider() if provider is None else provider
    if not is_provider_set(provider):
        return None
    return provider.get_logger(SCOPE, VERSION, schema_url())
