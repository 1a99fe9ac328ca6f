"""The state of the hooks in this process: data for people and for tools."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_reports: dict[str, Callable[[], Mapping[str, object]]] = {}


def report_with(name: str, read: Callable[[], Mapping[str, object]]) -> None:
    """
    Add a report to each status.

    Args:
        name: Its subject, such as `delivery`; a later one takes its place.
        read: Returns plain data by name.
    """
    _reports[name] = read


def read_reports() -> dict[str, dict[str, object]]:
    """Return all reports; one that cannot be read says so."""
    return {name: _read(read) for name, read in _reports.items()}


def _read(read: Callable[[], Mapping[str, object]]) -> dict[str, object]:
    try:
        return dict(read())
    except Exception as error:  # noqa: BLE001  (a status must not fail for one part of it)
        return {"problem": repr(error)}


class WorkerStatus(NamedTuple):
    """
    One worker of this process.

    Attributes:
        package: Its import package.
        version: Its version, `unknown` where it has none.
        seam: How it is hooked, `registry` or `get_functions`; None where it is not.
        problem: What of it does not fit; None where all does.
        functions: The names of the functions that extensions run around, sorted.
    """

    package: str
    version: str
    seam: str | None
    problem: str | None
    functions: tuple[str, ...] = ()


class ExtensionStatus(NamedTuple):
    """
    One registered extension.

    Attributes:
        name: Its class name.
        function: The function that it applies to; None where it applies to all.
        hooks: The hooks that it defines, sorted.
        is_disabled: Whether `FUNCSCOPE_DISABLE` switches it off.
    """

    name: str
    function: str | None
    hooks: tuple[str, ...]
    is_disabled: bool


class Status(NamedTuple):
    """
    The state of the hooks in this process.

    Attributes:
        workers: The workers, by package; none outside a Functions worker.
        extensions: All that are registered, app-level first.
        python_version: Such as `3.13.0`.
        reports: Reports by subject: `delivery` counts for each signal the items that were recorded,
            sent and lost.
    """

    workers: tuple[WorkerStatus, ...]
    extensions: tuple[ExtensionStatus, ...]
    python_version: str
    reports: Mapping[str, Mapping[str, object]] = MappingProxyType({})

    def as_dict(self) -> dict[str, object]:
        """Return plain data, ready for JSON."""
        return {
            "workers": [worker._asdict() for worker in self.workers],
            "extensions": [extension._asdict() for extension in self.extensions],
            "python_version": self.python_version,
            "reports": dict(self.reports),
        }

    def as_text(self) -> str:
        """Return the same for people, a fact a line."""
        lines = [f"Python {self.python_version}"]
        for worker in self.workers:
            how = f"hooked by its {worker.seam}" if worker.seam else "not hooked"
            lines.append(f"worker {worker.package} {worker.version}: {how}")
            lines += [f"  does not fit: {worker.problem}"] if worker.problem else []
            lines += [f"  function {name}" for name in worker.functions]
        if not self.workers:
            lines.append("no worker: this process is not a Functions worker")
        for extension in self.extensions:
            where = f"function {extension.function}" if extension.function else "all functions"
            off = ", switched off by FUNCSCOPE_DISABLE" if extension.is_disabled else ""
            hooks = ", ".join(extension.hooks) or "no hooks"
            lines.append(f"extension {extension.name} for {where}: {hooks}{off}")
        for name, report in self.reports.items():
            lines += [f"{name} {key}: {_shown(value)}" for key, value in report.items()]
        return "\n".join(lines)


def _shown(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    parts = (f"{key} {_shown(item)}" for key, item in value.items() if item)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    return ", ".join(parts) or "nothing"
