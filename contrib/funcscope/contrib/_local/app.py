"""Finding the functions of an app in a directory; nothing of it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from funcscope.contrib._local.errors import AppError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Model: TypeAlias = Literal["v1", "v2"]
BindingDict: TypeAlias = "Mapping[str, object]"
"""A binding as `function.json` has it."""

DEFAULT_SCRIPT = "function_app.py"
WORKER_PACKAGES: Mapping[Model, str] = {
    "v1": "azure_functions_runtime_v1",
    "v2": "azure_functions_runtime",
}
"""The import packages of Microsoft's library workers."""


def script_name(environment: Mapping[str, str]) -> str:
    """Return the file name of a v2 app's script."""
    return environment.get("PYTHON_SCRIPT_FILE_NAME", "").strip() or DEFAULT_SCRIPT


def function_files(directory: Path) -> list[Path]:
    """Return the `function.json` of each function of a v1 app."""
    return sorted(directory.glob("*/function.json"))


def is_app(directory: Path, script: str) -> bool:
    """Tell whether a directory holds an app, of which `script` is the v2 model's file."""
    return (directory / script).is_file() or bool(function_files(directory))


def explain_no_app(path: Path, script: str = DEFAULT_SCRIPT) -> str:
    """Say that there is no app in a place, and what would be one."""
    return (
        f"no function app in {path}: expected {script} (v2 model) "
        "or a folder with a function.json (v1 model)"
    )


def is_trigger(binding: BindingDict) -> bool:
    """Tell whether a binding starts its function."""
    return str(binding["type"]).lower().endswith("trigger")


def entry_of(path: Path, content: Mapping[str, object]) -> tuple[str, str]:
    """
    Return the script of a v1 function, relative to its folder, and the function's name in it.

    Args:
        path: The function's `function.json`.
        content: What it holds.

    Raises:
        AppError: One of them is no string.
    """
    script = content.get("scriptFile", "__init__.py")
    entry_point = content.get("entryPoint", "main")
    if not isinstance(script, str) or not isinstance(entry_point, str):
        raise AppError(f"{path}: 'scriptFile' and 'entryPoint' must be strings")
    return script, entry_point
