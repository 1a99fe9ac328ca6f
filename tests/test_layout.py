"""The house rules that only a look at all the sources can check."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from tests.sources import imported

from funcscope.telemetry._scope import SCOPE, VERSION

ROOT = Path(__file__).parent.parent
LAYERS = ["funcscope.extensions", "funcscope.telemetry", "funcscope.contrib"]
FOLDERS = {"funcscope.extensions": "extensions", "funcscope.telemetry": "telemetry",
           "funcscope.contrib": "contrib"}  # fmt: skip


def sources(layer: str) -> list[Path]:
    """List the modules of a layer, the demo's app left out: it is a user's."""
    files = (ROOT / FOLDERS[layer]).rglob("*.py")
    return [file for file in files if "app" not in file.parent.name]


def imports(file: Path) -> set[str]:
    """List what a file imports."""
    return set(imported(ast.parse(file.read_text())))


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_one_way(layer: str) -> None:
    """Contrib may import telemetry, telemetry extensions, and none the other way."""
    above = LAYERS[LAYERS.index(layer) + 1 :]
    forbidden = (*above, "opentelemetry") if layer == "funcscope.extensions" else tuple(above)
    wrong = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sources(layer)
        for name in imports(file)
        if name.startswith(forbidden) or name == "funcscope.auto"
    }

    assert sources(layer)
    assert not wrong


@pytest.mark.parametrize("layer", LAYERS)
def test_instrumentations_are_the_apps(layer: str) -> None:
    """Nothing imports what OpenTelemetry's instrumentations need: who has none need not have it."""
    instrumentation = "opentelemetry.instrumentation"
    needed = {
        f"{file.name} imports {module}"
        for file in sources(layer)
        for module in imports(file)
        if module.startswith(instrumentation)
    }

    assert needed == set()


def test_extensions_load_no_opentelemetry() -> None:
    """`funcscope.extensions`, propagation included, leaves OpenTelemetry unloaded."""
    code = (
        "import sys, funcscope.extensions as e; e.install(); e.propagate();"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    assert run(code) == "[]"


def test_propagation_loads_no_interpreters() -> None:
    """Python 3.14's pool of interpreters, which takes milliseconds to load, is left unloaded."""
    code = (
        "import sys, funcscope.extensions as e; e.propagate();"
        "print([m for m in sys.modules if m.startswith('concurrent.') and 'interp' in m])"
    )
    assert run(code) == "[]"


def test_auto_loads_the_api_alone() -> None:
    """`import funcscope.auto` loads neither the SDK nor an exporter."""
    code = (
        "import sys, funcscope.auto;"
        "print([m for m in sys.modules if m.startswith("
        "('opentelemetry.sdk', 'opentelemetry.exporter', 'requests', 'google'))])"
    )
    assert run(code) == "[]"


def test_telemetry_without_auto_records_nothing() -> None:
    """`from funcscope.telemetry import timed` registers no extension that records."""
    code = (
        "import funcscope.telemetry;"
        "from funcscope.extensions._lifecycle.registry import registry; print(registry._app)"
    )
    assert run(code) == "[]"


def test_version_is_the_packages() -> None:
    """Telemetry tells the version that is installed, without asking what is."""
    assert version(SCOPE) == VERSION


def test_namespace_has_no_init() -> None:
    """A stray `funcscope/__init__.py` would break the other roots."""
    for folder in FOLDERS.values():
        assert not (ROOT / folder / "funcscope" / "__init__.py").exists()
    assert not (ROOT / "contrib" / "funcscope" / "contrib" / "__init__.py").exists()


def packages() -> list[str]:
    """List the packages of the distribution."""
    found: list[str] = []
    for layer in LAYERS:
        folder = ROOT / FOLDERS[layer] / layer.replace(".", "/")
        found += [
            layer + "." + str(init.parent.relative_to(folder)).replace("/", ".")
            if init.parent != folder
            else layer
            for init in sorted(folder.rglob("__init__.py"))
        ]
    return found


@pytest.mark.parametrize("package", packages())
def test_all_is_what_a_package_offers(package: str) -> None:
    """`__all__` is sorted and holds every public name, and each name exists."""
    module = importlib.import_module(package)
    offered = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
        and not name.isupper() and name != "TYPE_CHECKING"
    }  # fmt: skip

    assert module.__all__ == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    assert offered <= set(module.__all__)


def test_reference_is_up_to_date() -> None:
    """The reference pages say what the code's tables say."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.reference", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    ).stdout.strip()


def test_each_class_has_a_name_of_its_own() -> None:
    """No two classes of the product have one name, underscores left aside."""
    named = Counter(
        (node.name.lstrip("_"), file)
        for layer in ("extensions", "telemetry", "contrib")
        for file in (ROOT / layer).rglob("*.py")
        if file.parent.name != "app"  # the demo's is a user's
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    files = Counter(name for name, _ in named)

    assert {name for name, number in files.items() if number > 1} == set()
