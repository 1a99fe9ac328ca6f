"""A connection string given in code."""

from __future__ import annotations

from funcscope.telemetry import TelemetryError
from funcscope.telemetry._api.activation import activate, instrument_early
from funcscope.telemetry._config.azure_monitor import KEYWORD, NEEDS, is_installed, what_is_wrong

if not is_installed():
    raise ImportError(NEEDS)


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
    wrong = what_is_wrong(given)
    if wrong is not None:
        raise TelemetryError(f"configure(connection_string=…) is not known: {wrong}")
    activate()
    # Not at the top: importing the extension's module registers it.
    from funcscope.telemetry._api.extension import recorder

    recorder().configure({KEYWORD: given}, ())
    instrument_early()
