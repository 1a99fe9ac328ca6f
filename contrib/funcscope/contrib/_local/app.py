"""Finding the functions of an app in a directory; nothing of it is imported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

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

_NO_FUNCTIONS = re.compile(r"\..*|__.*__|node_modules")
"""Folders of tools: hidden ones, caches, packages."""


def script_name(environment: Mapping[str, str]) -> str:
    """Return the file name of a v2 app's script."""
    return environment.get("PYTHON_SCRIPT_FILE_NAME", "").strip() or DEFAULT_SCRIPT


def function_files(directory: Path) -> list[Path]:
    """Return the `function.json` of each function of a v1 app."""
    return [f for f in sorted(directory.glob("*/function.json")) if _is_functions(f.parent)]


def _is_functions(folder: Path) -> bool:
    return not _NO_FUNCTIONS.fullmatch(folder.name) and not (folder / "pyvenv.cfg").exists()


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
