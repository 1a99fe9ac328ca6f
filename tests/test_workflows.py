"""The workflows of a forge run what runs here; `make check` has linters for the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from scripts.venv import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each job of all workflows with its name."""
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            yield f"{file.stem}: {name}", job


def commands(job: dict[str, Any]) -> Iterator[str]:
    """Yield what the steps of a job run, with each target of its matrix."""
    targets = job.get("strategy", {}).get("matrix", {}).get("target", ["nothing"])
    for step in job["steps"]:
        if "run" in step:
            yield from {step["run"].replace('"$TARGET"', target) for target in targets}


def pythons(name: str) -> list[str]:
    """List the Pythons of a job's matrix."""
    found: list[str] = dict(jobs())[name]["strategy"]["matrix"]["python"]
    return found


@pytest.mark.parametrize(("name", "job"), list(jobs()))
def test_steps_run_make(name: str, job: dict[str, Any]) -> None:
    """A workflow runs targets of the Makefile alone: who has no forge can run the same."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    odd = [c for c in commands(job) if c.split()[0] != "make" or c.split()[1] not in targets]

    assert odd == [], name


def test_every_python_is_tried() -> None:
    """Each change is tried on the Pythons that are declared, and each week on those to come."""
    text = (ROOT / "pyproject.toml").read_text()

    assert pythons("checks: tests") == re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', text
    )
    assert pythons("weekly: matrix") == list(EXACT)
