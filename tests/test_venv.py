"""Which interpreter a target of the Makefile takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from scripts.venv import EXACT, MissingPythonError, choose

if TYPE_CHECKING:
    from pathlib import Path

CURRENT = f"3.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def _only_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave no interpreter to be found but the one that runs the tests."""
    for name in ("HOME", "PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)


@pytest.mark.parametrize("wanted", [CURRENT, "oldest"])
def test_interpreter_that_is_here(wanted: str) -> None:
    """A version that is asked for is taken where it is found."""
    version, _ = choose(wanted)

    assert version == sys.version_info[:2]


@pytest.mark.parametrize("wanted", [version for version in EXACT if version != CURRENT])
def test_interpreter_that_is_not_here(wanted: str) -> None:
    """A version that is asked for is never replaced by another: what is missing is named."""
    with pytest.raises(MissingPythonError, match=f"needs Python {wanted}; found: {CURRENT}:"):
        choose(wanted)
