"""Settings of the machine, kept away from tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIXES = (
    "APPINSIGHTS_",
    "APPLICATIONINSIGHTS_",
    "AZUREFUNCTIONSJOBHOST__",
    "FUNCSCOPE_",
    "OTEL_",
)
_NAMES = (
    "AZUREWEBJOBSSCRIPTROOT",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
    "PYTHON_ENABLE_OPENTELEMETRY",
    "PYTHON_ENABLE_WORKER_EXTENSIONS",
)


def telemetry_settings() -> dict[str, str]:
    """Return the environment's variables that decide about telemetry."""
    return {name: value for name, value in os.environ.items() if _is_ours(name)}


class CleanEnvironment:
    """
    Takes the machine's settings away, and puts everything back.

    Args:
        machine: What was set when pytest started. What is set since then, by a conftest or a
            fixture, is the tests' own and stays.
    """

    def __init__(self, machine: Mapping[str, str]) -> None:
        self._before = telemetry_settings()
        for name, value in self._before.items():
            if machine.get(name) == value:
                del os.environ[name]

    def restore(self) -> None:
        """Put the variables back as they were."""
        for name in telemetry_settings():
            if name not in self._before:
                del os.environ[name]
        os.environ.update(self._before)


def _is_ours(name: str) -> bool:
    return name.upper().startswith(_PREFIXES) or name.upper() in _NAMES
