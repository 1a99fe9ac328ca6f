"""Names of others' that are gone: the app runs, and one line says what it goes without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from private_names import NAMES, Name

pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
]
SCRIPT = Path(__file__).with_name("without_names.py")
APPS = sorted({name.app for name in NAMES if name.app})


def run_without(app: str, names: list[Name]) -> dict[str, Any]:
    """Run an app without each of some names, and return what came of it by name."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), app, *(name.name for name in names)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    rows = [json.loads(row) for row in done.stdout.splitlines() if row.startswith('{"name"')]
    assert len(rows) == len(names), done.stderr
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize("app", APPS)
def test_app_without_a_name(app: str) -> None:
    """It starts and answers, what does not need the name is recorded, and a line says the rest."""
    names = [name for name in NAMES if name.app == app]
    rows = run_without(app, names)

    wrong = {}
    for name in names:
        row = rows[name.name]
        said = [line for line in row["lines"] if name.said and name.said in line]
        if (
            row["answers"] != ["answers"]
            or any(not row[record] for record in name.records)
            or (name.said and not said)
            or (not name.said and row["lines"])
        ):
            wrong[name.name] = row
    assert wrong == {}
