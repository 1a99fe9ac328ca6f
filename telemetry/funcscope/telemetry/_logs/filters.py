"""Filters that decide what is exported: the app's own, and one against loops."""

from __future__ import annotations

import copy
import logging
import sys
from typing import TYPE_CHECKING, Any

from funcscope.extensions.integration import INTERRUPTS, OnceLog
from funcscope.telemetry._context import is_sending
from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Filter = logging.Filter | Callable[[logging.LogRecord], Any]  # a bool, or a record

_logger = logging.getLogger("funcscope.telemetry")
_FAILED = "a log filter has failed: what it fails on is not exported"
_OF_OTHERS = frozenset({"LogfireLoggingHandler", "QueueHandler", "MemoryHandler"})
_REPLACES = sys.version_info >= (3, 12)  # from then on filters may return another record


def check_filters(filters: Iterable[Filter]) -> list[Filter]:
    """
    Return filters as a list.

    Raises:
        TelemetryError: One of them is neither an object with a `filter` method nor a function.
    """
    checked = list(filters)
    for given in checked:
        if not (hasattr(given, "filter") or callable(given)):
            raise TelemetryError(
                f"log filter {given!r} is neither a logging.Filter nor a function: "
                "give one that takes a record"
            )
    return checked


class LogFilters:
    """
    The filters of export, which decide on records as those of a handler do.

    Each record is filtered as a copy: what a filter changes is exported so, and handlers get it as
    it was.

    Attributes:
        are_any: Whether there is one.
    """

    def __init__(self) -> None:
        self._filterer = logging.Filterer()
        self._once = OnceLog(_logger)
        self.are_any = False

    def set(self, filters: Iterable[Filter]) -> None:
        """Replace the filters."""
        filterer = logging.Filterer()
        for given in filters:
            filterer.addFilter(given)
        self._filterer = filterer  # whole, for other threads ask it
        self.are_any = bool(filterer.filters)

    def apply(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return the record to export: None where a filter refuses it, or raises."""
        try:
            copied = copy.copy(record)
            passed: object = self._filterer.filter(copied)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (an app's filter)
            self._once.log(_FAILED, error=error)
            return None
        if not passed:
            return None
        return passed if _REPLACES and isinstance(passed, logging.LogRecord) else copied


LOG_FILTERS = LogFilters()
"""The filters that `configure(log_filters=…)` has added in this process."""


def break_loops() -> None:
    """
    Have OpenTelemetry's handlers on the root logger leave out what exporters log.

    With the root logger at INFO, as in a deployed worker, Azure Monitor's exporter logs each of its
    calls, and the distro's handler exports that in turn: without an end, in `force_flush` too,
    which is called when the app idles (azure-monitor-opentelemetry 1.8). Other handlers, the
    host's log stream among them, get it all.

    Called when functions are loaded, as an instance may wait for its first invocation for hours,
    and once more when that starts, for what was set up meanwhile.
    """
    for handler in logging.root.handlers:
        if is_opentelemetrys(handler):
            leave_out_exporters(handler)


def leave_out_exporters(handler: logging.Handler) -> None:
    """Have a handler leave out what exporters log; once, however often it is told."""
    handler.addFilter(_is_not_exporting)


def is_opentelemetrys(handler: logging.Handler) -> bool:
    """Tell whether a handler is one of OpenTelemetry's, or of a class of the app's made of it."""
    return any(_is_opentelemetrys(kind) for kind in type(handler).__mro__)


def has_handler_of_others() -> bool:
    """
    Tell whether any logger has a handler that brings records to a provider of somebody else's.

    OpenTelemetry's or Logfire's; and one that holds others, as of a queue or a buffer, may.
    """
    loggers = [logging.root, *logging.root.manager.loggerDict.copy().values()]
    handlers = [each for logger in loggers for each in getattr(logger, "handlers", ())]
    kinds = {kind for handler in handlers for kind in type(handler).__mro__}
    return any(_is_opentelemetrys(kind) or kind.__name__ in _OF_OTHERS for kind in kinds)


def _is_opentelemetrys(kind: type) -> bool:
    """Tell without an import, which the SDK's own answers with a warning that it is deprecated."""
    return kind.__name__ == "LoggingHandler" and kind.__module__.startswith("opentelemetry.")


def _is_not_exporting(_: logging.LogRecord) -> bool:
    return not is_sending()
