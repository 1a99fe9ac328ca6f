"""
Which log lines the console shows: the levels of host.json, and quiet ones for talkative libraries.

Categories and their rules are .NET's: the longest prefix counts, in any case, with one `*` in it
(`LoggerRuleSelector.cs`, dotnet/runtime). A function's own lines are of `Function.<name>`, what it
logs of `Function.<name>.User` (`LogCategories.cs`, Azure/azure-webjobs-sdk). Core Tools shows them
from Information on (`LoggingFilterHelper.cs`, Azure/azure-functions-core-tools).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from funcscope.contrib._local.errors import raised_as
from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from funcscope.contrib._local.host_json import HostJson

_NEVER: Final = 1_000
_LEVELS: Final = {
    "trace": 5,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": _NEVER,
}
_QUIET: Final = ("azure", "msal", "uamqp", "urllib3", "uvicorn")
_NOT_QUIET: Final = "azure.functions"  # apps may log with it
_DEFAULT: Final = "default"


class ConsoleLevels:
    """
    Decides which lines are shown.

    Args:
        by_category: Levels of the logging module by category; `default` for all others.
        is_verbose: Whether libraries that are quiet otherwise may speak, and all of debug records.
    """

    def __init__(
        self, by_category: Mapping[str, int] | None = None, *, is_verbose: bool = False
    ) -> None:
        self._rules = {name.lower(): level for name, level in (by_category or {}).items()}
        self._default = self._rules.pop(_DEFAULT, logging.DEBUG if is_verbose else logging.INFO)
        self._is_verbose = is_verbose
        self._found: dict[str, int] = {}

    def shows(self, level: int, *, category: str = "Function", logger: str = "") -> bool:
        """
        Tell whether a line is shown.

        Args:
            level: The line's level, as the logging module has it.
            category: The line's category, such as `Function.hello.User`.
            logger: The name of the Python logger that it comes from, if it does.
        """
        if level < logging.WARNING and not self._is_verbose and _is_quiet(logger):
            return False
        return level >= self.least(category)

    def least(self, category: str) -> int:
        """Return the least level of a category that is shown."""
        if category not in self._found:
            self._found[category] = self._find(category.lower())
        return self._found[category]

    def _find(self, category: str) -> int:
        matching = [rule for rule in self._rules if _matches(category, rule)]
        return self._rules[max(matching, key=len)] if matching else self._default


def read_levels(host_json: HostJson) -> dict[str, int]:
    """
    Read `logging.logLevel` of host.json.

    Raises:
        HostError: A level is not one that .NET knows.
    """
    with raised_as(HostError):
        levels = host_json.section("logging", "logLevel")
    return {category: _level(category, level, host_json.path) for category, level in levels.items()}


def _level(category: str, level: object, path: Path) -> int:
    text = str(level).strip().lower()
    if text.isdecimal() and int(text) < len(_LEVELS):
        return list(_LEVELS.values())[int(text)]
    if text not in _LEVELS:
        raise HostError(
            f"{path}: log level {level!r} of {category!r} is not known: use one of "
            f"{', '.join(name.capitalize() for name in _LEVELS)}"
        )
    return _LEVELS[text]


def _matches(category: str, rule: str) -> bool:
    start, star, end = rule.partition("*")
    return category.startswith(start) and (not star or category.endswith(end))


def _is_quiet(logger: str) -> bool:
    if f"{logger}.".startswith(f"{_NOT_QUIET}."):
        return False
    return any(f"{logger}.".startswith(f"{quiet}.") for quiet in _QUIET)
