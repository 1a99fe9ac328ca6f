"""Levels from which log records are exported, by logger."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEVELS: Final[Mapping[str, int]] = {
    "NOTSET": logging.NOTSET,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARNING": logging.WARNING,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
    "OFF": logging.CRITICAL + 1000,
}
"""Names of levels in settings; `OFF` is above all."""

DEFAULT_LEVELS: Final[Mapping[str, int]] = {
    # Every request of an Azure SDK logs its headers at INFO, from
    # azure.core.pipeline.policies.http_logging_policy (azure-core 1.41).
    "azure": logging.WARNING,
    "msal": logging.WARNING,
    "uamqp": logging.WARNING,
    "urllib3": logging.WARNING,
}
"""Loggers of SDKs that say more than an app wants to keep; settings may say otherwise."""

_MAX_LOGGERS: Final = 10_000
_OFF: Final = LEVELS["OFF"]
NEVER_EXPORTED: Final[Mapping[str, int]] = {
    # What is logged while exporting would be exported in turn, without an end.
    "opentelemetry": _OFF,
    "azure.monitor.opentelemetry": _OFF,
    "funcscope.telemetry": _OFF,
    # The workers' own; the library workers' (`logging.py`, azure-functions-runtime 1.3.0) is
    # called as the library is, and below it are loggers of the library.
    "azure_functions_worker": _OFF,
    "azure_functions_runtime": _OFF,
    "azure_functions_runtime_v1": _OFF,
    "proxy_worker": _OFF,
}
_WORKER_LOGGER: Final = "azure.functions"
_EXTENSION_LOGGERS: Final = "azure_functions_worker.extension"  # what hooks are given to log with


class LogLevels:
    """
    The lowest level that is exported of each logger.

    Args:
        lowest: For all that nothing else is said of.
        by_logger: For loggers and what is below them; the nearest one counts.

    Attributes:
        lowest: As given.
        own_of: Returns what is said of a logger or the nearest above it; None where nothing is.
    """

    def __init__(
        self, lowest: int = logging.NOTSET, by_logger: Mapping[str, int] | None = None
    ) -> None:
        self.lowest = lowest
        self._by_logger: dict[str, int | None] = {
            **DEFAULT_LEVELS,
            _EXTENSION_LOGGERS: None,
            **(by_logger or {}),
            **NEVER_EXPORTED,
        }
        self.own_of: Callable[[str], int | None] = _LevelCache(self._find).__getitem__

    def _find(self, logger: str) -> int | None:
        if logger == _WORKER_LOGGER:
            return _OFF
        name = logger
        while name:
            if name in self._by_logger:
                return self._by_logger[name]
            name = name.rpartition(".")[0]
        return None


class _LevelCache(dict[str, "int | None"]):
    """Levels by logger, each looked up once; after that no function of Python's runs."""

    def __init__(self, find: Callable[[str], int | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, logger: str) -> int | None:
        if len(self) >= _MAX_LOGGERS:  # names that come with others' records may have no end
            self.clear()
        level = self[logger] = self._find(logger)
        return level


def parse_level(text: str) -> int:
    """
    Read the name of a level, in any case.

    Raises:
        ValueError: There is no such level.
    """
    level = LEVELS.get(text.strip().upper())
    if level is None:
        raise ValueError(f"use one of {', '.join(LEVELS)}")
    return level


def parse_levels(pairs: tuple[str, ...]) -> dict[str, int]:
    """Read pairs such as `azure=WARNING`, as `_options` has checked them."""
    split = (pair.split("=", 1) for pair in pairs)
    return {name: parse_level(level) for name, level in split}
