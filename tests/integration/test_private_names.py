"""Names of others' that are gone: the app runs, and one line says what it goes without."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PROCESS_S
from tests.sdk_versions import OWN_SPANS, since

NAMES = runpy.run_path(str(Path(__file__).parents[1] / "private_names.py"))["NAMES"]
pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
]
SCRIPT = Path(__file__).with_name("without_names.py")
APPS = sorted({name.app for name in NAMES if name.app})


BROKEN: dict[str, tuple[str, str, bool]] = {
    "entry points are stripped": (
        "purge('opentelemetry'); block('opentelemetry.context', StopIteration)",
        "no telemetry: OpenTelemetry cannot be used (StopIteration",
        False,
    ),
    "OpenTelemetry is not there": (
        "block('opentelemetry', ModuleNotFoundError)",
        "no telemetry: OpenTelemetry cannot be used (ModuleNotFoundError",
        False,
    ),
    "OpenTelemetry is old": (
        "from opentelemetry import trace; del trace.StatusCode",
        "no telemetry: OpenTelemetry cannot be used (ImportError",
        False,
    ),
    "the SDK is not there": (
        "block('opentelemetry.sdk', ModuleNotFoundError)",
        "nothing is exported",
        False,
    ),
    "protobuf is not there": ("block('google.protobuf', ImportError)", "", True),
    "azure.functions has no extensions": (
        "import azure.functions; del azure.functions.FuncExtensionBase",
        "funcscope does nothing here: this azure-functions cannot be used (ImportError",
        False,
    ),
    "ExtensionMeta is elsewhere": (
        "import azure.functions.extension as e; del e.ExtensionMeta",
        "",
        True,
    ),
    "wrapt is not there": ("block('wrapt', ModuleNotFoundError)", "funcscope does nothing", False),
}
"""By what is wrong: what makes it so, what is said of it, and whether records arrive."""


def run_without(app: str, names: list[str]) -> dict[str, Any]:
    """Run an app without each of some names, and return what came of it by name."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), app, *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )
    rows = [json.loads(row) for row in done.stdout.splitlines() if row.startswith('{"name"')]
    assert len(rows) == len(names), done.stderr
    return {row["name"]: row for row in rows}


@since(42, OWN_SPANS)
@pytest.mark.parametrize("app", APPS)
def test_app_without_a_name(app: str) -> None:
    """It starts and answers, what does not need the name is recorded, and a line says the rest."""
    names = [name for name in NAMES if name.app == app]
    rows = run_without(app, [name.name for name in names])

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


@since(42, "nothing to say of the SDK")
def test_app_where_something_is_broken() -> None:
    """Whatever cannot be imported, the app starts and answers, and one line says what is off."""
    codes = {f"!{code}": what for what, (code, _, _) in BROKEN.items()}
    rows = run_without("alone", list(codes))

    wrong = {}
    for code, what in codes.items():
        row, (_, said, records) = rows[code], BROKEN[what]
        lines = [line for line in row["lines"] if said and said in line]
        if (
            row["answers"] != ["answers"]
            or len(lines) != bool(said)
            or len(row["lines"]) != bool(said)
            or row["spans"] != records
        ):
            wrong[what] = row
    assert wrong == {}
