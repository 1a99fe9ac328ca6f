"""A function app on disk, imported once in a process as a worker does it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from funcscope.contrib._local.app import (
    explain_no_app,
    function_files,
    is_app,
    script_name,
)
from funcscope.contrib._local.errors import raised_as
from funcscope.contrib._local.function_json import (
    declaration_of,
    read_functions,
    why_left_out,
)
from funcscope.contrib._local.host_json import HostJson
from funcscope.contrib.testing._errors import TestingError
from funcscope.contrib.testing._worker.declared import AppFunction, built_function
from funcscope.extensions.integration import read_bindings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType

_NOTHING: Mapping[str, str] = {}
_PACKAGE = "__app__"  # loader.py, azure-functions-runtime-v1 1.2.0


class App:
    """
    An app whose code is imported.

    Args:
        directory: Where it is.
        functions: What it declares.
        left_out: Why others have not been imported, by name in lower case.

    Attributes:
        directory: Where it is.
        functions: What it declares, by name in lower case, as the host takes names.
    """

    def __init__(
        self,
        directory: Path,
        functions: Iterable[AppFunction],
        left_out: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.directory = directory
        self.functions = {function.name.lower(): function for function in functions}
        self._left_out = left_out
        self._modules = {m.__name__: m for m, file in _files() if directory in file.parents}

    def enter(self) -> None:
        """Make the app's modules importable by their names, which another app may have, too."""
        sys.modules.update(self._modules)
        _put_first(self.directory)

    def served(self, settings: Mapping[str, str]) -> list[AppFunction]:
        """
        Return the functions that a host would load.

        Raises:
            TestingError: Its `host.json` is wrong.
        """
        functions = list(self.functions.values())
        reasons = self._why_left_out(functions, settings)
        return [each for each, why in zip(functions, reasons, strict=True) if not why]

    def function(self, name: str, settings: Mapping[str, str]) -> AppFunction:
        """
        Return a function by its name.

        Raises:
            TestingError: There is none of that name, or a host would leave it out.
        """
        declared = self.functions.get(name.lower())
        known = [] if declared is None else self._why_left_out([declared], settings)
        if reason := "".join(known) or self._left_out.get(name.lower()):
            raise TestingError(f"a host leaves function {name!r} out: {reason}")
        if declared is None:
            there_are = ", ".join(sorted(f.name for f in self.functions.values())) or "none"
            raise TestingError(f"no function {name!r} in {self.directory}; there are: {there_are}")
        return declared

    def _why_left_out(
        self, functions: Iterable[AppFunction], settings: Mapping[str, str]
    ) -> list[str]:
        """Say of each function why a host leaves it out; `host.json` is read once for them all."""
        with raised_as(TestingError):
            host_json = HostJson.read(self.directory, settings)
            return [why_left_out(f.name, f.disabled, host_json, settings) for f in functions]

    def of_code(self, function: object) -> AppFunction | None:
        """Return the declared function that an object is; None where it is none of them."""
        return next((d for d in self.functions.values() if d.function is function), None)


def find_directory(place: str, start: Path) -> Path:
    """
    Find an app's directory.

    Args:
        place: A directory, or a v2 app's script.
        start: What a relative path starts at.

    Raises:
        TestingError: There is no app.
    """
    path = (start / place).resolve()
    if not path.is_file() and not holds_app(path):
        raise TestingError(explain_no_app(path))
    return path


def holds_app(directory: Path) -> bool:
    """Tell whether a directory holds an app."""
    return is_app(directory, script_name(os.environ))


def import_app(path: Path) -> App:
    """
    Import an app; what its modules raise goes on unchanged.

    Args:
        path: Its directory, or a v2 app's script.

    Raises:
        TestingError: It has no FunctionApp, or one of its files is wrong.
    """
    directory = path.parent if path.is_file() else path
    _put_first(directory)
    script = path if path.is_file() else directory / script_name(os.environ)
    _forget_others(directory)
    if script.is_file():
        return App(directory, _declared_v2(script))
    return _declared_v1(directory)


def _put_first(directory: Path) -> None:
    if sys.path[:1] != [str(directory)]:
        sys.path[:] = [str(directory), *(path for path in sys.path if path != str(directory))]


def _declared_v2(script: Path) -> list[AppFunction]:
    from azure.functions import FunctionRegister

    module = _loaded(script) or importlib.import_module(script.stem)
    apps = {id(v): v for v in vars(module).values() if isinstance(v, FunctionRegister)}
    if len(apps) != 1:
        raise TestingError(f"{script} has {len(apps)} FunctionApp objects: there has to be one")
    (app,) = apps.values()
    return [built_function(f) for f in _functions_of(app)]


def _functions_of(app: Any) -> list[object]:
    """
    Ask an app for its functions, as if nobody had asked it before.

    It keeps the names and refuses to be asked again, though tests ask it, too
    (`FunctionApp.validate_function_names`, azure-functions 2.3.0).
    """
    asked, app.functions_bindings = getattr(app, "functions_bindings", None), None
    try:
        return cast("list[object]", app.get_functions())
    finally:
        app.functions_bindings = asked


def _declared_v1(directory: Path) -> App:
    """Import the functions that a host loads, and those that a setting keeps it from."""
    with raised_as(TestingError):
        host_json = HostJson.read(directory, {})
        found = read_functions(function_files(directory), host_json, {}, _function_v1)
    reasons = {**found.problems, **found.left_out}
    return App(directory, found.functions, {name.lower(): why for name, why in reasons.items()})


def _function_v1(file: Path, content: Mapping[str, object]) -> AppFunction:
    _, script, name = declaration_of(file, content)
    module = _loaded(script) or _import_v1(file.parent, script)
    function = getattr(module, name, None)
    if not callable(function):
        raise TestingError(f"{script} has no function {name!r}, which {file} names")
    directory = str(file.parent)
    return AppFunction(
        file.parent.name,
        function,
        directory,
        read_bindings(directory),
        disabled=content.get("disabled"),
    )


def _import_v1(directory: Path, script: Path) -> ModuleType:
    """Import a function's script as a submodule of `__app__`, as workers do."""
    package = sys.modules.get(_PACKAGE)
    if package is None:
        spec = ModuleSpec(_PACKAGE, None, is_package=True)
        package = sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    package.__path__ = [str(directory.parent)]
    relative = script.relative_to(directory.parent.resolve()).with_suffix("")
    parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
    return importlib.import_module(".".join((_PACKAGE, *parts)))


def _loaded(file: Path) -> ModuleType | None:
    """Return the module that a test has imported from a file: there should be one of each."""
    return next((m for m, path in _files() if path == file), None)


def _forget_others(directory: Path) -> None:
    """Forget modules of other apps that have the names of this app's own."""
    own = {path.stem for path in directory.glob("*.py")}
    own |= {path.name for path in directory.iterdir() if path.is_dir()} | {_PACKAGE}
    for module, file in list(_files()):
        name = module.__name__
        if name.partition(".")[0] in own and directory not in file.parents and _is_app_file(file):
            sys.modules.pop(name, None)


def _is_app_file(file: Path) -> bool:
    return any(holds_app(folder) for folder in file.parents[:2])


def _files() -> Iterator[tuple[ModuleType, Path]]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            yield module, Path(file).resolve()
