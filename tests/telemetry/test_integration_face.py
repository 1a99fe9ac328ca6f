"""The face for integrations: what it offers is there, and nothing of it is loaded before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from funcscope.telemetry import integration


@pytest.mark.parametrize("name", integration.__all__)
def test_each_name_is_there(name: str) -> None:
    """Each name that the face lists can be asked for."""
    assert getattr(integration, name, None) is not None
    assert name in dir(integration)


def test_no_other_name_is_there() -> None:
    """A name that the face does not list is refused as any module refuses it."""
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = integration.unknown


def test_names_are_loaded_when_asked_for() -> None:
    """Importing the face loads no other module of telemetry, and turns nothing on."""
    code = (
        "import sys, funcscope.telemetry.integration;"
        "print(*(m for m in sorted(sys.modules) if m.startswith('funcscope.telemetry')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["funcscope.telemetry", "funcscope.telemetry.integration"]
