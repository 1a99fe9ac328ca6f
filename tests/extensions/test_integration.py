"""The face for integrations: what it offers is there, and puts back what tests register."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import azure.functions as func
import pytest

from funcscope.extensions import AppExtension, Function, integration
from funcscope.extensions._errors import Faults
from funcscope.extensions._invocation import cold_start
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions.integration import read_bindings

if TYPE_CHECKING:
    from pathlib import Path

HELLO = Function("hello", "/app", is_async=False, qualified_name="app.hello")


@pytest.mark.parametrize("name", integration.__all__)
def test_each_name_is_there(name: str) -> None:
    """Each name that the face lists can be asked for."""
    assert getattr(integration, name, None) is not None
    assert name in dir(integration)


def test_no_other_name_is_there() -> None:
    """A name that the face does not list is refused as any module refuses it."""
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = integration.unknown


def test_registrations_are_loaded_when_asked_for() -> None:
    """What tests alone need is no part of what an app loads."""
    code = (
        "import sys, funcscope.extensions.integration as i; name = 'registrations';"
        "print([m for m in sys.modules if m.endswith(name)]); i.Registrations;"
        "print([m for m in sys.modules if m.endswith(name)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["[]", "['funcscope.extensions._lifecycle.registrations']"]


def test_registrations_are_put_back() -> None:
    """What was registered after a snapshot is gone once that is restored, and can come back."""
    before = integration.snapshot_registrations()
    changes = registry.changes

    class Ours(AppExtension):
        pass

    class Microsofts(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(
            cls, logger: object, context: object, *args: object, **kwargs: object
        ) -> None:
            """Do nothing."""

    integration.when_idle(lambda: None)
    after = integration.snapshot_registrations()
    integration.restore_registrations(before)

    assert registry.observers(HELLO, Faults("hello")) == []
    assert integration.snapshot_registrations() == before
    assert registry.changes > changes

    integration.restore_registrations(after)

    assert integration.snapshot_registrations() == after != before


def test_cold_start_is_reset() -> None:
    """The next invocation after a reset is the process's first, once."""
    integration.reset_cold_start()

    assert not cold_start.is_closed
    assert cold_start.close()
    assert not cold_start.close()


def test_names_that_switch_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app-level extension is switched off by its own name or one that it derives from."""

    class Outer(AppExtension):
        pass

    class Inner(Outer):
        pass

    monkeypatch.setattr(registry, "_environ", {"FUNCSCOPE_DISABLE": "outer"})

    assert integration.is_switched_off(Inner)
    assert not integration.is_switched_off(AppExtension)


@pytest.mark.parametrize(
    "text",
    [
        '{"bindings": [ // why\n {"name": "r", /* what */ "type": "http//Trigger"}]}',
        '{"bindings": [{"name": "r", "type": "http//Trigger",}, /* last */ ],}',
        "{bindings: [{'name': 'r', type: 'http//Trigger'}]}",
    ],
)
def test_bindings_of_a_file_that_is_no_strict_json(tmp_path: Path, text: str) -> None:
    """A v1 function's bindings are read as leniently as the Functions host reads them."""
    (tmp_path / "function.json").write_text(text, encoding="utf-8")

    assert [(b.name, b.type) for b in read_bindings(str(tmp_path))] == [("r", "http//Trigger")]
