"""An installed funcscope, its wheel and not its sources: that it runs, what checkers say of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
APP = ROOT / "tests" / "apps" / "v2_typed" / "function_app.py"
BIN = Path(sys.executable).parent
PACKAGES = ("extensions", "telemetry", *sorted(f"contrib.{p.parent.name}" for p in
            (ROOT / "contrib" / "funcscope" / "contrib").glob("*/py.typed")))  # fmt: skip

# Nobody can import for what it does and use the name; what Microsoft's library does not annotate,
# or a library does not type at all, is not ours to mend.
PYRIGHT = {
    "reportUnusedImport": False,
    "reportMissingTypeStubs": False,
    "reportUnknownMemberType": False,
}
MYPY = """
[mypy]
strict = true
[mypy-azurefunctions.*,opencensus.*]
ignore_missing_imports = true
[mypy-test_orders,test_unit]
disallow_untyped_defs = false
"""
OTHERS = {
    "durable_0": "the SDK has no types",
    "leave_opencensus_0": "Microsoft's guide",
    "leave_opencensus_1": "Microsoft's guide, with one import changed",
    "leave_opencensus_2": "Microsoft's guide, without OpenCensus",
    "recipe": "Microsoft's recipe, which their own types refuse",
}
"""What is not checked, as it shows the code of others."""
OTHER_EXAMPLES = {"durable-order", "leave-opencensus"}  # what they use has no types


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with funcscope's wheel in it, and all else that this one has."""
    home = tmp_path_factory.mktemp("environment")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (theirs,) = Path(sys.prefix).glob("lib/python*/site-packages")
    for place in theirs.iterdir():
        # A path file would bring our sources in, a link does not.
        if place.suffix != ".pth" and not place.name.startswith("funcscope"):
            (packages / place.name).symlink_to(place)
    (wheel,) = (home / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(packages)
    return home


def mypy(environment: Path, folder: Path) -> list[str]:
    """Return what mypy, strict, says of a folder's modules."""
    (folder / "mypy.ini").write_text(MYPY)
    options = ["--python-executable", str(environment / "bin" / "python"), "--cache-dir"]
    command = [sys.executable, "-m", "mypy", *options, str(environment / "cache"), "."]
    return run(command, folder)


def pyright(environment: Path, folder: Path, *, is_strict: bool = True) -> list[str]:
    """Return what pyright says of a folder's modules."""
    mode = "strict" if is_strict else "standard"
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": mode, **PYRIGHT}))
    python = str(environment / "bin" / "python")
    return run([str(BIN / "pyright"), "--pythonpath", python], folder)


def run(command: list[str], folder: Path, **environ: str) -> list[str]:
    """Return the lines that tell of errors."""
    env = {**os.environ, **environ}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line.strip() for line in done.stdout.splitlines() if re.search(r"\berror: ", line)
            or " - error" in line]  # fmt: skip


CHECKERS = {"mypy": mypy, "pyright": pyright}
each_checker = pytest.mark.parametrize("checker", CHECKERS)


@each_checker
def test_a_strict_app(environment: Path, tmp_path: Path, checker: str) -> None:
    """An app that uses all that is public is typed through and through."""
    shutil.copy(APP, tmp_path)

    assert CHECKERS[checker](environment, tmp_path) == []


def snippets(page: Path) -> Iterator[tuple[str, str]]:
    """
    Yield the modules that a page shows.

    Named as the page names them in their first line, but for apps, of which there are many.
    """
    stem = re.sub(r"\W", "_", page.stem)
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    app = ""
    for index, code in enumerate(blocks):
        named = re.match(r"# (\w+)\.py\n", code)
        name = named[1] if named else ""
        if name in ("", "function_app", "__init__"):
            name = f"{stem}_{index}"
            app = app or name
        yield name, code.replace("import function_app", f"import {app} as function_app")


@each_checker
def test_the_readme(environment: Path, tmp_path: Path, checker: str) -> None:
    """What the README shows is typed through and through."""
    for name, code in snippets(ROOT / "README.md"):
        (tmp_path / f"{name}.py").write_text(code)

    assert CHECKERS[checker](environment, tmp_path) == []


@each_checker
def test_the_docs(environment: Path, tmp_path: Path, checker: str) -> None:
    """What the docs show is typed; what shows the code of others is left out."""
    modules = [m for page in sorted((ROOT / "docs").rglob("*.md")) for m in snippets(page)]

    for name, code in modules:
        if name not in OTHERS:
            assert not (tmp_path / f"{name}.py").exists(), f"there are two {name}.py"
            (tmp_path / f"{name}.py").write_text(code)
    assert OTHERS.keys() <= {name for name, _ in modules}
    if checker == "mypy":
        assert mypy(environment, tmp_path) == []
    else:
        assert pyright(environment, tmp_path, is_strict=False) == []


@each_checker
def test_the_examples(environment: Path, tmp_path: Path, checker: str) -> None:
    """What examples do is typed; their tests are not, as pytest's fixtures are not."""
    for module in sorted((ROOT / "examples").rglob("*.py")):
        example = module.relative_to(ROOT / "examples").parts[0]
        if module.name.startswith("test_") or example in OTHER_EXAMPLES:
            continue
        name = f"{example.replace('-', '_')}.py" if module.stem == "function_app" else module.name
        package = "" if module.parent.name in (example, "app") else module.parent.name
        (tmp_path / package).mkdir(exist_ok=True)
        shutil.copy(module, tmp_path / package / name)

    if checker == "mypy":
        assert mypy(environment, tmp_path) == []
    else:
        assert pyright(environment, tmp_path, is_strict=False) == []


MISTAKES = """
from funcscope.extensions import FuncExtension, current_invocation
from funcscope.telemetry import Timing, each_message, timed

Timing(3)
FuncExtension(name="hello")
timed(3)
timed("x")(3)
current_invocation().id
each_message(17)
with timed("x") as span:
    span.no_such_thing()
"""


@each_checker
def test_mistakes_are_told(environment: Path, tmp_path: Path, checker: str) -> None:
    """What is used wrongly is an error in its line, so nothing is taken for `Any`."""
    (tmp_path / "wrong.py").write_text(MISTAKES)
    found = CHECKERS[checker](environment, tmp_path)
    lines = {int(line[1]) for text in found if (line := re.search(r"wrong\.py:(\d+)", text))}

    assert lines == {5, 6, 7, 8, 9, 10, 12}


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_complete(environment: Path, tmp_path: Path, package: str) -> None:
    """Each name that a package offers has a type that is told, and not found out."""
    name = f"funcscope.{package}"
    command = [str(BIN / "pyright"), "--ignoreexternal", "--verifytypes", name]
    # It takes the first Python of the path.
    path = os.pathsep.join([str(environment / "bin"), os.environ.get("PATH", "")])
    found = run(command, tmp_path, PATH=path)

    assert [line for line in found if "/demo/app/" not in line] == []


def test_the_trace_pages_files_are_installed(environment: Path) -> None:
    """The local host's page is in the wheel: what it serves is not Python."""
    static = Path("funcscope", "contrib", "host", "_view", "static")
    (packages,) = environment.glob("lib/python*/site-packages")

    files = {file.name for file in (ROOT / "contrib" / static).iterdir()}
    assert {file.name for file in (packages / static).iterdir()} == files


def test_it_runs(environment: Path) -> None:
    """What `make release-check` tries wherever it installs the wheel works in this environment."""
    smoke = str(ROOT / "tests" / "installed.py")
    command = [str(environment / "bin" / "python"), "-I", smoke, "testing"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
