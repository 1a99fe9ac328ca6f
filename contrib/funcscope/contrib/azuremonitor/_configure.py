"""A connection string given in code."""

from __future__ import annotations

from funcscope.telemetry import TelemetryError
from funcscope.telemetry.integration import (
    activate,
    azure_monitor_problem,
    connection_string_problem,
)

if (_problem := azure_monitor_problem()) is not None:
    raise ImportError(_problem)


def configure(connection_string: str) -> None:
    """
    Turn telemetry on, as `import funcscope.auto` does, and send it to this resource.

    It wins over `APPLICATIONINSIGHTS_CONNECTION_STRING`, which the host goes on using, and adds to
    other exporters; a signal whose `OTEL_*_EXPORTER` is `none` is left out. Called again, the
    later one counts.

    Args:
        connection_string: As the portal shows it: `InstrumentationKey=…;IngestionEndpoint=…`.

    Raises:
        TelemetryError: It is not a connection string, or the first invocation has started.
    """
    given = connection_string.strip()
    wrong = connection_string_problem(given)
    if wrong is not None:
        raise TelemetryError(f"configure(connection_string=…) is not known: {wrong}")
    activate({"connection_string": given})
