"""The parts of azure-functions-durable that are hooked."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    _package: Any = import_module("azure.durable_functions")  # which has no types
except ImportError as _error:
    raise ImportError(
        "funcscope.contrib.durable needs the package azure-functions-durable: "
        "install funcscope[durable]"
    ) from _error

_HOOKED = {
    "DurableOrchestrationContext": ("from_json", "is_replaying", "instance_id"),
    "DurableEntityContext": ("from_json", "entity_name", "entity_key"),
    "Entity": ("create", "handle"),
}


def part(name: str) -> Any:
    """Return one of the SDK's classes; None where it has none of that name."""
    return getattr(_package, name, None)


class _Generator:
    """
    An executor's attribute for the generator that it drives, which also hands it to a function.

    A descriptor, as a wrapper around anything that drives an orchestrator would be in its
    tracebacks.
    """

    def __init__(self, on_set: Callable[[object], object]) -> None:
        self._on_set = on_set

    def __set__(self, executor: object, generator: object) -> None:
        vars(executor)["generator"] = generator
        self._on_set(generator)


def watch_generators(on_set: Callable[[object], object]) -> bool:
    """
    Call this with each orchestrator's generator; False where the SDK keeps it nowhere known.

    `TaskOrchestrationExecutor.execute` keeps it (`models/TaskOrchestrationExecutor.py`, 1.3.0 and
    1.7.0).
    """
    module = getattr(_package, "orchestrator", None)
    executor: Any = getattr(module, "TaskOrchestrationExecutor", None)
    code = getattr(getattr(executor, "execute", None), "__code__", None)
    if "generator" not in getattr(code, "co_names", ()) or hasattr(executor, "generator"):
        return False
    executor.generator = _Generator(on_set)
    return True


def runs_on_durabletask() -> bool:
    """Tell whether the SDK is of 2.0 or later, which brings a worker of its own."""
    return part("worker") is not None


def version() -> str:
    """Return the SDK's version."""
    try:
        return version_of("azure-functions-durable")
    except PackageNotFoundError:
        return "of unknown version"


def misfit() -> str | None:
    """Say what is needed of the SDK and not found."""
    for name, needed in _HOOKED.items():
        missing = [n for n in needed if not hasattr(part(name), n)]
        if missing:
            return f"its {name} has no {', '.join(missing)}"
    return None
