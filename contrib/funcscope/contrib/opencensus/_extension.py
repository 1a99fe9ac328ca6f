"""The extension, with the retired package's interface; importing this turns telemetry on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.opencensus._bridge import listen
from funcscope.contrib.opencensus._compatibility import (
    complete_noop_tracer,
    repair_log_handlers,
    replace_retired,
)
from funcscope.contrib.opencensus._options import apply
from funcscope.contrib.opencensus._tracing import Tracing
from funcscope.extensions import AppExtension
from funcscope.telemetry.integration import activate

if TYPE_CHECKING:
    from funcscope.extensions import Invocation, Step

# Before the class below registers itself, so that the invocation's span is around what it does.
activate()
listen()
complete_noop_tracer()
repair_log_handlers()


class OpenCensusExtension(AppExtension):
    """
    Gives `context.tracer`, a `Tracer` of OpenCensus's in the trace of the invocation.

    As `opencensus-extension-azure-functions` 1.0.0 does, with these differences: there is a span
    for the invocation itself, the tracer is there without `configure()` too, and spans go where
    funcscope's go.
    """

    @classmethod
    def configure(cls, **options: object) -> None:
        """
        Take the options of the retired package; it may be called any number of times, or not.

        Args:
            options: `connection_string` or `instrumentation_key` sends to Azure Monitor, as
                `APPLICATIONINSIGHTS_CONNECTION_STRING` does where `funcscope[azuremonitor]` is
                installed. `libraries` turns on integrations of OpenCensus's by name. Options
                that tuned the retired exporter change nothing, which is said once in the log.

        Raises:
            TelemetryError: An option is unknown, is refused (`credential`, `proxies`), or cannot
                have its value.
            ImportError: A connection string is given, and `funcscope[azuremonitor]` not
                installed.
        """
        apply(options)

    @classmethod
    def around_invocation(cls, invocation: Invocation) -> Step:
        """Make OpenCensus's tracer the current one, and the context's, while a function runs."""
        tracing = Tracing(invocation)
        try:
            yield
        finally:
            tracing.end()


replace_retired()
