"""
App-level tracing, metrics and logs with one import.

    import funcscope.auto

hooks the worker, records every invocation as a span below the host's, gives log records the
invocation that they belong to, carries both into threads that functions start, and exports
what the standard `OTEL_*` settings say. It loads the OpenTelemetry API alone; the SDK and its
exporters are loaded when the first invocation starts.
"""

from __future__ import annotations

import logging
import os

from funcscope.extensions import install, propagate

__all__: list[str] = []


def _turn_on() -> None:
    install()
    try:
        from funcscope.telemetry._activate import activate, instrument_early

        activate()
        instrument_early()
    except (ImportError, StopIteration) as error:
        # The API raises StopIteration where packaging stripped its entry points
        # (azure-functions-core-tools#4852). One line, no traceback: what to do is known.
        logging.getLogger("funcscope.telemetry").error(  # noqa: TRY400
            "no telemetry: OpenTelemetry cannot be imported (%r); reinstall opentelemetry-api and "
            "opentelemetry-sdk so that their *.dist-info folders are deployed too",
            error,
        )
        # Records still find their invocation in the host's log stream.
        if os.environ.get("FUNCSCOPE_PROPAGATE", "").strip().lower() != "off":
            propagate()


_turn_on()
