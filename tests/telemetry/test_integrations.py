"""Integrations are installed for apps that need them, and stop none."""

from __future__ import annotations

import logging
import sys
from types import ModuleType

import pytest

from funcscope.extensions import Function
from funcscope.extensions._invocation import Binding
from funcscope.telemetry._integrations import integrate

LIBRARY, INTEGRATION = "azure.durable_functions", "funcscope.contrib.durable"


def function(trigger: str) -> Function:
    """Make a function with a trigger of a type."""
    bindings = (Binding("context", trigger, "in", {}),)
    return Function("fan", "/app", is_async=False, qualified_name="app.fan", bindings=bindings)


@pytest.mark.parametrize(
    ("trigger", "is_loaded", "expected"),
    [
        ("orchestrationTrigger", True, 1),
        ("entityTrigger", True, 1),
        ("orchestrationTrigger", False, 0),
        ("httpTrigger", True, 0),
    ],
)
def test_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, trigger: str, is_loaded: bool, expected: int
) -> None:
    """An integration is installed for a function of its triggers, if the app has the library."""
    calls: list[None] = []
    integration = ModuleType(INTEGRATION)
    vars(integration)["install"] = lambda: calls.append(None)
    monkeypatch.setitem(sys.modules, INTEGRATION, integration)
    monkeypatch.delitem(sys.modules, LIBRARY, raising=False)
    if is_loaded:
        monkeypatch.setitem(sys.modules, LIBRARY, ModuleType(LIBRARY))
    integrate(function(trigger))

    assert len(calls) == expected


def test_integration_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that cannot be installed is named, and the function runs without it."""
    monkeypatch.setitem(sys.modules, LIBRARY, ModuleType(LIBRARY))
    monkeypatch.setitem(sys.modules, INTEGRATION, ModuleType(INTEGRATION))
    with caplog.at_level(logging.ERROR):
        integrate(function("entityTrigger"))

    assert f"fan goes without {INTEGRATION}" in caplog.text
