"""Fixtures that every test may use."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from azure.functions.extension import ExtensionMeta
from tests.lock_watch import LockWatch

# Registers itself, which a module does once: before any test has taken registrations away.
import funcscope.telemetry._api.extension  # noqa: F401
from funcscope.extensions import Function, Invocation, _invocation, _microsoft
from funcscope.extensions._invocation import PartialContext
from funcscope.extensions._lifecycle.registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["pytester"]

# A test that takes long on a busy machine is not wrong.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

LOCKS = LockWatch()

LIBRARY_WORKERS = ("azure_functions_runtime", "azure_functions_runtime_v1")

needs_library_worker = pytest.mark.skipif(
    importlib.util.find_spec(LIBRARY_WORKERS[0]) is None,
    reason="azure-functions-runtime, Microsoft's library worker, needs Python 3.13",
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "library_worker: needs a library worker, Python 3.13")
    LOCKS.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a library worker where there is none, saying so."""
    for item in items:
        if "library_worker" in item.keywords:
            item.add_marker(needs_library_worker)


@pytest.fixture(autouse=True)
def _watched_locks() -> Iterator[None]:
    """Fail the test in which locks were taken in either order, or held while others' code ran."""
    LOCKS.watch_spans()
    yield
    faults, LOCKS.faults = LOCKS.faults, []
    assert faults == []


@pytest.fixture(autouse=True)
def _own_extensions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a process in which no extension is registered, or its app's alone."""
    if "funcscope" in request.fixturenames:
        return  # funcscope.contrib.testing sees to it
    monkeypatch.setattr(ExtensionMeta, "_app_exts", None)
    monkeypatch.setattr(ExtensionMeta, "_func_exts", {})
    monkeypatch.setattr(ExtensionMeta, "_info", {})
    monkeypatch.setattr(registry, "_app", [])
    monkeypatch.setattr(registry, "_func", {})
    monkeypatch.setattr(registry, "_applied", [])
    monkeypatch.setattr(registry, "_waiting", [])
    monkeypatch.setattr(registry, "_functions", {})
    monkeypatch.setattr(registry, "_said", set())
    monkeypatch.setattr(_microsoft, "_said", set())
    monkeypatch.setattr(_invocation, "_when_idle", [])


@pytest.fixture(scope="session")
def invocation() -> Callable[..., Invocation]:
    """Make a call of `hello`: `invocation(x=1)` passes that argument."""

    def make(**args: Any) -> Invocation:  # any argument may be passed to a function
        function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
        context = PartialContext("0f8e", "hello", "/app", thread_local_storage=None)
        return Invocation(id="0f8e", function=function, args=args, context=context)

    return make
