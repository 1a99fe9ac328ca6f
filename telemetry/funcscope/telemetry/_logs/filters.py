"""Filters of the app's for the log records that are exported."""

from __future__ import annotations

import copy
import logging
import sys
from typing import TYPE_CHECKING, Any

from funcscope.extensions.integration import INTERRUPTS
from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Filter = logging.Filter | Callable[[logging.LogRecord], Any]  # a bool, or a record

_logger = logging.getLogger("funcscope.telemetry")
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
    Decides what is exported, as the filters of a handler decide what that gets.

    Each record is filtered as a copy: what a filter changes is exported so, and handlers get it as
    it was.

    Attributes:
        are_any: Whether there is one.
    """

    def __init__(self) -> None:
        self._filterer = logging.Filterer()
        self._has_failed = False
        self.are_any = False

    def set(self, filters: Iterable[Filter]) -> None:
        """Have these asked, and no others."""
        filterer = logging.Filterer()
        for given in filters:
            filterer.addFilter(given)
        self._filterer = filterer  # whole, for other threads ask it
        self.are_any = bool(filterer.filters)

    def apply(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return what is exported of a record: nothing where a filter says so, or raises."""
        try:
            copied = copy.copy(record)
            passed: object = self._filterer.filter(copied)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (an app's filter)
            self._log_failure(error)
            return None
        if not passed:
            return None
        return passed if _REPLACES and isinstance(passed, logging.LogRecord) else copied

    def _log_failure(self, error: BaseException) -> None:
        if not self._has_failed:
            self._has_failed = True
            _logger.warning(
                "a log filter has failed: what it fails on is not exported", exc_info=error
            )


LOG_FILTERS = LogFilters()
"""What `configure(log_filters=…)` has added, in this process."""
