"""What the app's code says: extensions, other tracers, and the import that turns funcscope on."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from funcscope.contrib.host._doctor import rules
from funcscope.contrib.host._doctor.rules import FilePlace, Finding
from funcscope.contrib.host._doctor.syntax import (
    calls,
    imported_names,
    imports,
    subclasses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from funcscope.contrib.host._doctor.app import ExaminedApp

LIBRARY_WORKERS_FROM = (3, 13)
"""The first version of Python whose workers call no extensions."""

_APP, _FUNC = "azure.functions.AppExtensionBase", "azure.functions.FuncExtensionBase"
# Packages of extensions that are on the index.
_EXTENSION_PACKAGES = (
    "opencensus.extension.azure.functions",
    "elasticapm.contrib.serverless.azure",
)
_ENABLE_EXTENSIONS = "PYTHON_ENABLE_WORKER_EXTENSIONS"

_AUTO = "funcscope.auto"
_CONTRIB = "funcscope.contrib"  # what apps import of it
_LIFECYCLE = (_AUTO, "funcscope.extensions", "funcscope.telemetry", _CONTRIB)
_TURNS_ON = (
    _AUTO,
    "funcscope.telemetry.configure",
    "funcscope.telemetry.start",
    f"{_CONTRIB}.azuremonitor",
    f"{_CONTRIB}.opencensus",
)
_DEFINES = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_SET_UPS = (
    "azure.monitor.opentelemetry.configure_azure_monitor",
    "microsoft.opentelemetry.use_microsoft_opentelemetry",
    "logfire.configure",
)


def check_code(app: ExaminedApp) -> Iterator[Finding]:
    """Find what is wrong with an app's modules."""
    yield from _unreadable(app)
    yield from _extensions(app)
    yield from _func_extension_paths(app)
    yield from _telemetry(app)
    yield from _late_import(app)
    yield from _opencensus(app)
    yield from _late_set_ups(app)


def uses(app: ExaminedApp, *modules: str) -> bool:
    """Tell whether any module of the app imports one of these, or something below it."""
    return any(_is_below(name, modules) for _, tree in app.trees for _, name, _ in imports(tree))


def is_turned_on(app: ExaminedApp) -> bool:
    """Tell whether a module of the app turns funcscope's telemetry on."""
    if uses(app, *_TURNS_ON):
        return True
    return any(
        name in _TURNS_ON for _, tree in app.trees for name, _ in calls(tree, imported_names(tree))
    )


def _is_below(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _unreadable(app: ExaminedApp) -> Iterator[Finding]:
    for module in app.modules:
        if module.problem is not None:
            what, line = module.problem
            yield Finding(
                rules.MODULE_UNREADABLE,
                FilePlace(module.path, line),
                f"{module.path.name} cannot be parsed: {what}",
                "mend it: what it says of telemetry was not looked at",
            )


def _extensions(app: ExaminedApp) -> Iterator[Finding]:
    """Find extensions that the app's worker does not call."""
    is_library = app.python >= LIBRARY_WORKERS_FROM
    if is_library and app.settings.get(_ENABLE_EXTENSIONS, "").strip():
        yield Finding(
            rules.EXTENSION_SETTING_IGNORED,
            FilePlace(app.settings_file),
            f"{_ENABLE_EXTENSIONS} is set, and no worker for Python {_shown(app)} reads it",
            "remove it",
        )
    if uses(app, *_LIFECYCLE) or (not is_library and app.is_on(_ENABLE_EXTENSIONS)):
        return
    for place, what in _extension_places(app):
        if is_library:
            yield Finding(
                rules.EXTENSIONS_DROPPED,
                place,
                f"{what}: the workers for Python {_shown(app)} call none of its hooks",
                "add `from funcscope.extensions import install` and `install()`, "
                "or `import funcscope.auto`",
            )
        else:
            yield Finding(
                rules.EXTENSIONS_NOT_ENABLED,
                place,
                f"{what}: the worker calls its hooks only if {_ENABLE_EXTENSIONS} is 1",
                f"set {_ENABLE_EXTENSIONS}=1, or add `import funcscope.auto`",
            )


def _extension_places(app: ExaminedApp) -> Iterator[tuple[FilePlace, str]]:
    for path, tree in app.trees:
        names = imported_names(tree)
        for name, line in subclasses(tree, {_APP, _FUNC}, names).items():
            yield FilePlace(path, line), f"{name} is a worker extension"
        for _, name, line in imports(tree):
            if _is_below(name, _EXTENSION_PACKAGES):
                yield FilePlace(path, line), f"{name.rpartition('.')[2]} is a worker extension"
                break


def _func_extension_paths(app: ExaminedApp) -> Iterator[Finding]:
    """Find `X(__file__)` of a function extension in a v2 app, which matches `function_app.py`."""
    if not app.is_v2:
        return
    parsed = [(path, tree, imported_names(tree)) for path, tree in app.trees]
    own = {name for _, tree, names in parsed for name in subclasses(tree, {_FUNC}, names)}
    for path, tree, names in parsed:
        for name, call in calls(tree, names):
            if name.rpartition(".")[2] in own and _takes_file(call):
                yield Finding(
                    rules.FUNC_EXTENSION_FILE_PATH,
                    FilePlace(path, call.lineno),
                    f"{ast.unparse(call)} names no function: in the v2 model a file has many, "
                    "so the extension never runs",
                    "derive from funcscope.extensions.FuncExtension and pass the function's name",
                )


def _takes_file(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Name) and first.id == "__file__"


def _telemetry(app: ExaminedApp) -> Iterator[Finding]:
    if not is_turned_on(app) and not uses(app, "funcscope"):
        yield Finding(
            rules.TELEMETRY_NOT_ON,
            FilePlace(app.script if app.is_v2 else app.directory),
            "no module imports funcscope: nothing is recorded by it",
            "add `import funcscope.auto` as the first line of the app's first module",
        )


def _late_import(app: ExaminedApp) -> Iterator[Finding]:
    """Find statements before the import: what they make or log is not instrumented."""
    for path, tree in app.trees:
        for node in tree.body:
            if isinstance(node, ast.Import) and any(a.name == _AUTO for a in node.names):
                break
            if not _is_harmless(node) and _imports_auto(tree):
                yield Finding(
                    rules.AUTO_IMPORT_LATE,
                    FilePlace(path, node.lineno),
                    f"`{ast.unparse(node).splitlines()[0]}` stands before `import {_AUTO}`: "
                    "what it makes or logs is not instrumented",
                    f"make `import {_AUTO}` the module's first statement",
                )
                break


def _imports_auto(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Import) and any(alias.name == _AUTO for alias in node.names)
        for node in tree.body
    )


def _is_harmless(node: ast.stmt) -> bool:
    """Tell whether a statement imports a library, defines something, or is a constant."""
    if isinstance(node, _DEFINES):
        return True
    value = getattr(node, "value", None)
    return isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) and isinstance(
        value, ast.Constant
    )


def _opencensus(app: ExaminedApp) -> Iterator[Finding]:
    if uses(app, f"{_CONTRIB}.opencensus"):
        return
    for path, tree in app.trees:
        for _, name, line in imports(tree):
            if _is_below(name, ("opencensus",)):
                yield Finding(
                    rules.OPENCENSUS_LEFT,
                    FilePlace(path, line),
                    f"{name} is imported: OpenCensus was retired in 2024",
                    "import it from funcscope.contrib.opencensus, which keeps the calls",
                )
                break


def _late_set_ups(app: ExaminedApp) -> Iterator[Finding]:
    for path, tree in app.trees:
        names = imported_names(tree)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _late_calls(path, function, names)


def _late_calls(
    path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef, names: dict[str, str]
) -> Iterator[Finding]:
    names = {**names, **imported_names(function)}
    # Without a decorator it may be a helper, which is called while the app is imported.
    if not any(isinstance(decorator, ast.Call) for decorator in function.decorator_list):
        return
    for name, call in calls(function, names):
        if name in _SET_UPS:
            yield Finding(
                rules.SET_UP_IN_FUNCTION,
                FilePlace(path, call.lineno),
                f"{name}() is called inside {function.name}, after the first invocation has begun",
                "call it once where the module is imported, before `import funcscope.auto`",
            )


def _shown(app: ExaminedApp) -> str:
    return ".".join(map(str, app.python))
