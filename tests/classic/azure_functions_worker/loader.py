"""Importing an app's code."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def load_function(
    name: str, directory: str, script_file: str, entry_point: str | None
) -> Callable[..., Any]:
    """Import a v1 function from its folder, as a submodule of `__app__`."""
    path = Path(script_file)
    spec = importlib.util.spec_from_file_location(f"__app__.{path.parent.name}", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"cannot load function {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, entry_point or "main")
    return function


def index_function_app(function_path: str) -> list[Any]:
    """Import a v2 app and return its functions."""
    from azure.functions import FunctionRegister

    module = importlib.import_module(Path(function_path).stem)
    (app,) = (v for v in vars(module).values() if isinstance(v, FunctionRegister))
    functions: list[Any] = app.get_functions()
    return functions
