"""The recipes of CONTRIBUTING.md: diffs that apply to the sources as they are, and work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from tests.patience import PROCESS_S

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.diff"))
LAYERS = ("extensions", "telemetry", "contrib")
COPIED = (*LAYERS, "tests", "scripts", "docs", "*.md", "llms.txt", "pyproject.toml", "Makefile")
HOUSE_RULES = ("tests/test_rooms.py", "tests/test_patches.py", "tests/test_private_names.py")
RUN = """
import os, sys, pytest
code = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])
files = {getattr(m, "__file__", None) for n, m in sys.modules.items() if n.startswith("funcscope.")}
elsewhere = [file for file in files if file and not file.startswith(os.getcwd() + os.sep)]
sys.exit(f"not the copy's: {elsewhere}" if elsewhere else code)
"""
"""Runs tests, and fails where they ran with other sources than those of the folder."""


def touched(recipe: Path) -> list[str]:
    """List the files that a diff changes or adds."""
    return re.findall(r"^diff --git a/(\S+) b/\1$", recipe.read_text(), re.MULTILINE)


def changed_tests(recipe: Path) -> list[str]:
    """List the test files among these."""
    return [file for file in touched(recipe) if re.search(r"/test_\w+\.py$", file)]


def git(*arguments: str, cwd: Path) -> str:
    """Run git and return what it prints; a repository above a temporary folder is none of ours."""
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(cwd.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what git knows of the sources, or would with the next `git add`."""
    if not (ROOT / ".git").exists():
        pytest.skip("git tells which files are the sources', and this is no clone")
    folder = tmp_path.resolve() / "copy"
    listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *COPIED)
    for name in filter(None, git(*listed, cwd=ROOT).split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def run(copy: Path, *arguments: str) -> None:
    """Run Python in a copy, with the copy's sources."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "OTEL_"))}
    environ["PYTHONPATH"] = os.pathsep.join(str(copy / layer) for layer in LAYERS)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environ,
        capture_output=True, text=True, check=False, timeout=PROCESS_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_recipe_works(recipe: Path, copy: Path) -> None:
    """A recipe applies as it is, its tests pass, and the reference says what it adds."""
    git("apply", str(recipe), cwd=copy)

    assert changed_tests(recipe)
    run(copy, "-c", RUN, *changed_tests(recipe))
    run(copy, "-m", "scripts.reference", "--check")


def test_recipes_keep_the_rules(copy: Path) -> None:
    """Recipes go together, and what they add stands in its room, with its patches listed."""
    git("apply", *map(str, RECIPES), cwd=copy)

    run(copy, "-c", RUN, *HOUSE_RULES)


def test_trigger_is_one_room_and_one_table() -> None:
    """Who adds a trigger changes the triggers' room and the table of payloads, and no more."""
    (recipe,) = (each for each in RECIPES if each.stem == "add-a-trigger")
    product = [file for file in touched(recipe) if file.startswith(LAYERS)]

    payloads = "contrib/funcscope/contrib/_local/payloads.py"
    assert payloads in product
    assert [
        file
        for file in product
        if file != payloads and "funcscope/telemetry/_triggers/" not in file
    ] == []


def test_each_recipe_is_told_of() -> None:
    """CONTRIBUTING.md links each recipe, and none that is not there."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    linked = re.findall(r"\]\((docs/recipes/[\w-]+\.diff)\)", text)

    assert sorted(linked) == [f"docs/recipes/{recipe.name}" for recipe in RECIPES]


def test_steps_are_the_recipes() -> None:
    """What CONTRIBUTING.md shows of a recipe stands in it as it is."""
    sections = (ROOT / "CONTRIBUTING.md").read_text().split("\n### ")
    shown = [
        (section, dedent(block))
        for section in sections
        for block in re.findall(r"^ *```diff\n(.*?)^ *```$", section, re.DOTALL | re.MULTILINE)
    ]
    recipes = {recipe.name: recipe.read_text() for recipe in RECIPES}

    assert {section.partition("\n")[0] for section, _ in shown} == {
        "A trigger", "An exporter", "An integration",
    }  # fmt: skip
    assert [
        block
        for section, block in shown
        if not any(name in section and block in text for name, text in recipes.items())
    ] == []
