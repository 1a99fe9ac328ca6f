"""
App-level tracing, metrics and logs with one import.

    import funcscope.auto

hooks the worker, records every invocation as a span below the host's, gives log records the
invocation that they belong to, carries both into threads that functions start, and exports
what the standard `OTEL_*` settings say. It loads the OpenTelemetry API alone; the SDK and its
exporters are loaded when the first invocation starts.

Whatever is wrong with what it needs, the app is imported, and one line says what it goes without.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress

__all__: list[str] = []


def _start() -> None:
    try:
        from funcscope.extensions import install

        install()
    except Exception as error:  # noqa: BLE001  (the app runs without us)
        _say(f"funcscope does nothing here: this azure-functions cannot be used ({error!r})")
        return
    try:
        from funcscope.telemetry._api.activation import activate

        activate()
    except Exception as error:  # noqa: BLE001  (said)
        # The API raises StopIteration where packaging stripped its entry points
        # (azure-functions-core-tools#4852), and an old or half-deployed one anything.
        _say(
            f"no telemetry: OpenTelemetry cannot be used ({error!r}); reinstall opentelemetry-api "
            "and opentelemetry-sdk so that their *.dist-info folders are deployed too"
        )
        _propagate()


def _propagate() -> None:
    """Have records find their invocation in the host's log stream all the same."""
    from funcscope.extensions import propagate

    if os.environ.get("FUNCSCOPE_PROPAGATE", "").strip().lower() != "off":
        with suppress(Exception):
            propagate()


def _say(problem: str) -> None:
    """Log a line, without a traceback: what to do is known."""
    with suppress(Exception):  # a log handler of the app's may be anything
        logging.getLogger("funcscope.telemetry").error("%s", problem)


_start()
