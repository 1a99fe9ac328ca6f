"""Turn on OpenTelemetry's instrumentations of libraries, by name."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_logger = logging.getLogger("funcscope.telemetry")

_GROUP = "opentelemetry_instrumentor"


class Instrumentor(Protocol):
    """What we use of `opentelemetry.instrumentation.instrumentor.BaseInstrumentor`."""

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether it is on; there is one object for each instrumentation."""
        ...

    def instrument(self, **options: object) -> object:
        """Turn it on; with `raise_exception_on_conflict`, raise where its library does not fit."""
        ...


def instrument(names: Sequence[str]) -> None:
    """
    Turn on installed instrumentations; what cannot be is named in the log, and the app runs.

    Args:
        names: Names of the entry points, which are those of the packages: `requests` for
            `opentelemetry-instrumentation-requests`; in any case, with hyphens or underscores.
            Only these are loaded. One that is on already stays as it is.
    """
    wanted = dict.fromkeys(_plain(name) for name in names if name.strip())
    if not wanted:
        return
    installed = {_plain(entry.name): entry for entry in entry_points(group=_GROUP)}
    for name in wanted:
        if name in installed:
            _turn_on(installed[name])
        else:
            _logger.warning("%s", _missing(name, installed))


def _turn_on(entry: EntryPoint) -> None:
    try:
        instrumentor = cast("Callable[[], Instrumentor]", entry.load())()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(raise_exception_on_conflict=True)
    except ImportError as error:
        _logger.warning("instrumentation %r is left out: %s", entry.name, error)
    except Exception as error:
        if _is_conflict(error):
            _logger.warning("instrumentation %r is left out: %s", entry.name, error)
        else:
            _logger.exception("instrumentation %r could not be turned on", entry.name)


def _is_conflict(error: Exception) -> bool:
    """Tell an instrumentation whose library is missing or of another version from a broken one."""
    return type(error).__name__ == "DependencyConflictError"


def _missing(name: str, installed: Mapping[str, EntryPoint]) -> str:
    others = ", ".join(sorted(entry.name for entry in installed.values())) or "none"
    return (
        f"instrumentation {name!r} is not installed: "
        f"pip install opentelemetry-instrumentation-{name} (installed are: {others})"
    )


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")
