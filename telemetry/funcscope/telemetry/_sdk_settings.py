"""
Settings that the OpenTelemetry SDK reads itself, and raises for where they are wrong.

Some are read when its modules are imported (`SPAN_ATTRIBUTE_COUNT_LIMIT`, `sdk/trace/__init__.py`,
1.40 to 1.45), and a wrong one would cost all signals. It is taken out of the process's environment
and named, and the default holds: docs/decisions/048.

Resource detectors are asked then, too, for a default of `ReadableLogRecord`
(`sdk/_logs/_internal/__init__.py`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping


class SdkSetting(NamedTuple):
    """
    A setting of the SDK's.

    Attributes:
        name: The variable.
        is_right: Tells whether the SDK can read a text.
        values: What it can read, for people.
        default: What holds without it, for people.
    """

    name: str
    is_right: Callable[[str], bool]
    values: str
    default: str


def _is_limit(text: str) -> bool:
    """Tell whether a text is a limit; an empty one stands for no limit (`SpanLimits`, 1.45)."""
    try:
        return not text.strip() or int(text) >= 0
    except ValueError:
        return False


_EXEMPLARS = ("trace_based", "always_on", "always_off")
_COUNT = "OTEL_ATTRIBUTE_COUNT_LIMIT or 128"
_LENGTH = "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT or no limit"
_LIMITS = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "128",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "no limit",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _LENGTH,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "128",
    "OTEL_SPAN_LINK_COUNT_LIMIT": "128",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": _COUNT,
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": _LENGTH,
}
_SETTINGS = (
    *(
        SdkSetting(name, _is_limit, "a whole number from 0", default)
        for name, default in _LIMITS.items()
    ),
    SdkSetting(
        "OTEL_METRICS_EXEMPLAR_FILTER",
        _EXEMPLARS.__contains__,
        f"one of {', '.join(_EXEMPLARS)}",
        _EXEMPLARS[0],
    ),
)


DETECTORS = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"


class SdkEnvironment:
    """
    The environment that the SDK reads, with what it cannot read taken out and told of once.

    Args:
        environ: The process's.

    Attributes:
        detectors: The names of resource detectors that the SDK is kept from; empty for none.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._untold: list[str] = []
        self.detectors = ""

    def mend(self) -> None:
        """Take out what is wrong, unless nothing is recorded."""
        if self._environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return
        for setting in _SETTINGS:
            text = self._environ.get(setting.name)
            if text is not None and not setting.is_right(text):
                self.replace(setting.name, None, _problem(setting, text))

    def replace(self, name: str, value: str | None, problem: str) -> None:
        """Give a setting another value, None for none; whoever is first notes the problem."""
        with suppress(KeyError):  # another thread was
            del self._environ[name]
            self._untold.append(problem)
            if value is not None:
                self._environ[name] = value

    def hold_detectors(self) -> None:
        """Have the SDK be imported without asking the detectors, any of which may fail."""
        with suppress(KeyError):
            names = self._environ[DETECTORS]
            if names.strip():
                self.detectors = names
                del self._environ[DETECTORS]

    def release_detectors(self, names: str) -> None:
        """Give the SDK the names of those that are there and whole: a fork asks them again."""
        if self.detectors:
            self.detectors = ""
            self._environ[DETECTORS] = names

    def problems(self) -> Iterator[str]:
        """Return what was not told of, each once."""
        with suppress(IndexError):
            while True:
                yield self._untold.pop(0)


sdk_environment = SdkEnvironment()
"""That of this process."""


def _problem(setting: SdkSetting, text: str) -> str:
    return f"{setting.name}={text!r} is not known: use {setting.values}; {setting.default} holds"
