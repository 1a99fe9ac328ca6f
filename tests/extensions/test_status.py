"""What `python -m funcscope.extensions` shows."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.patience import PROCESS_S

if TYPE_CHECKING:
    from pathlib import Path

APP = """
import azure.functions as func
from funcscope.extensions import AppExtension, FuncExtension

class Audit(AppExtension):
    @classmethod
    def around_invocation(cls, invocation):
        yield

class Old(func.AppExtensionBase):
    @classmethod
    def pre_invocation_app_level(cls, *args, **kwargs): ...

class Mine(FuncExtension):
    def post_invocation(self, *args, **kwargs): ...

Mine("orders")
"""


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "funcscope.extensions", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=PROCESS_S,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.library_worker
def test_text(tmp_path: Path) -> None:
    """It lists the installed workers and how they are hooked, and the extensions of a module."""
    (tmp_path / "function_app.py").write_text(APP)
    code, out, _ = run(tmp_path, "function_app")

    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"Python {'.'.join(map(str, sys.version_info[:3]))}"
    assert "worker azure_functions_runtime 1.3.0: hooked by its registry" in lines
    assert "worker azure_functions_runtime_v1 1.2.0: hooked by its registry" in lines
    assert lines[-3:] == [
        "extension Old for all functions: pre_invocation_app_level",
        "extension Audit for all functions: around_invocation",
        "extension Mine for function orders: post_invocation",
    ]


def test_json(tmp_path: Path) -> None:
    """With `--json` the same comes as JSON."""
    (tmp_path / "function_app.py").write_text(APP)
    code, out, _ = run(tmp_path, "--json", "function_app")
    found = json.loads(out)

    assert code == 0
    assert {e["name"]: (e["function"], e["hooks"]) for e in found["extensions"]} == {
        "Old": (None, ["pre_invocation_app_level"]),
        "Audit": (None, ["around_invocation"]),
        "Mine": ("orders", ["post_invocation"]),
    }
    assert isinstance(found["workers"], list)


def test_module_that_cannot_be_imported(tmp_path: Path) -> None:
    """A module that cannot be imported is named, and the exit code says so."""
    code, _, error = run(tmp_path, "nowhere")

    assert code == 1
    assert "error: nowhere cannot be imported: ModuleNotFoundError" in error
