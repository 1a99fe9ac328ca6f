"""Fixtures that every test may use."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from tests.azurite import Azurite, running_azurite
from tests.lock_watch import LockWatch

from funcscope.extensions import Function, Invocation
from funcscope.extensions.integration import (
    PartialContext,
    restore_registrations,
    snapshot_registrations,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["pytester"]

# A test that takes long on a busy machine is not wrong.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

NO_REGISTRATIONS = snapshot_registrations()
# Registers itself, which a module does once: before any test has taken registrations away.
importlib.import_module("funcscope.telemetry._api.extension")

LOCKS = LockWatch()

LIBRARY_WORKERS = ("azure_functions_runtime", "azure_functions_runtime_v1")

needs_library_worker = pytest.mark.skipif(
    importlib.util.find_spec(LIBRARY_WORKERS[0]) is None,
    reason="azure-functions-runtime, Microsoft's library worker, needs Python 3.13",
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "library_worker: needs a library worker, Python 3.13")
    config.addinivalue_line("markers", "guide(section, *apps): a section of the developer guide")
    LOCKS.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a library worker where there is none, saying so."""
    for item in items:
        if "library_worker" in item.keywords:
            item.add_marker(needs_library_worker)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Run Azurite: `azurite.new_account()` is the connection string of an empty account."""
    with running_azurite() as running:
        yield running


@pytest.fixture(autouse=True)
def _watched_locks() -> Iterator[None]:
    """Fail the test in which locks were taken in either order, or held while others' code ran."""
    LOCKS.watch_spans()
    yield
    faults, LOCKS.faults = LOCKS.faults, []
    assert faults == []


@pytest.fixture(autouse=True)
def _own_extensions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give each test a process in which no extension is registered, or its app's alone."""
    if "funcscope" in request.fixturenames:  # funcscope.contrib.testing sees to it
        yield
        return
    before = snapshot_registrations()
    restore_registrations(NO_REGISTRATIONS)
    yield
    restore_registrations(before)


@pytest.fixture(scope="session")
def invocation() -> Callable[..., Invocation]:
    """Make a call of `hello`: `invocation(x=1)` passes that argument."""

    def make(**args: Any) -> Invocation:  # any argument may be passed to a function
        function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
        context = PartialContext("0f8e", "hello", "/app", thread_local_storage=None)
        return Invocation(id="0f8e", function=function, args=args, context=context)

    return make
