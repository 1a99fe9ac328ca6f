"""The parts of azure-functions-durable that are hooked."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any

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
