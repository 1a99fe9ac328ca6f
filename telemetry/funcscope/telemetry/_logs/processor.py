"""Keep handlers of an app's from exporting what is logged while they export."""

from __future__ import annotations

import logging

from funcscope.telemetry._context import is_sending


def break_loops() -> None:
    """
    Have OpenTelemetry's handlers on the root logger leave out what exporters say of themselves.

    With the root logger at INFO, as in a deployed worker, Azure Monitor's exporter logs each of its
    calls, and the distro's handler exports that in turn: without an end, in `force_flush` too,
    which is called when the app idles (azure-monitor-opentelemetry 1.8). Other handlers, the
    host's log stream among them, get it all.

    Called when functions are loaded, as an instance may wait for its first invocation for hours,
    and once more when that starts, for what was set up meanwhile.
    """
    for handler in logging.root.handlers:
        if any(_is_opentelemetrys(kind) for kind in type(handler).__mro__):
            handler.addFilter(_is_not_exporting)  # the same one once, however often


def _is_opentelemetrys(kind: type) -> bool:
    """Tell without an import, which the SDK's own answers with a warning that it is deprecated."""
    return kind.__name__ == "LoggingHandler" and kind.__module__.startswith("opentelemetry.")


def _is_not_exporting(_: logging.LogRecord) -> bool:
    return not is_sending()
