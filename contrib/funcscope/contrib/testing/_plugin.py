"""The pytest plugin: fixtures, settings, and the report of failing tests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ImportError as error:
    raise ImportError(
        "funcscope.contrib.testing needs the package pytest: install funcscope[testing]"
    ) from error

from funcscope.contrib.testing._captured.captured import comparison
from funcscope.contrib.testing._environment import CleanEnvironment, telemetry_settings
from funcscope.contrib.testing._session import Funcscope

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from funcscope.contrib.testing._captured.captured import Logs, Metrics, Spans
    from funcscope.contrib.testing._captured.result import Result

_APP = "funcscope_app"
_SESSION = pytest.StashKey[Funcscope]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that says where the app is; and look at the machine's before conftests."""
    _machine.update(telemetry_settings())
    parser.addini(
        _APP,
        help="the function app that tests call, a directory or a v2 app's script, from rootdir",
        default=None,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", f"{_APP}(place): the function app that this test calls functions of"
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """
    Set OpenTelemetry's providers before test modules import the app, which may set its own.

    Only where the setting says that there is an app, as this loads OpenTelemetry's SDK; and not
    in pytest-xdist's controller, which runs no test.
    """
    if session.config.getini(_APP) and not session.config.pluginmanager.hasplugin("dsession"):
        from funcscope.contrib.testing._captured.sink import sink

        environment = CleanEnvironment(_machine)
        try:
            sink()
        finally:
            environment.restore()


def pytest_unconfigure() -> None:
    """End the worker's event loop, if there is one."""
    worker = sys.modules.get("funcscope.contrib.testing._worker.worker")
    if worker is not None:
        worker.stop_loop()


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show the trace where `"name" in spans` fails."""
    return comparison(op, left, right)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the trace of a failing test."""
    report = yield
    session = item.stash.get(_SESSION, None)
    if session is not None and report.when == "call" and report.failed:
        trace = str(session.spans)
        report.sections.append(("Captured trace", trace or "no span was recorded"))
    return report


@pytest.fixture
def funcscope(request: pytest.FixtureRequest) -> Generator[Funcscope]:
    """Call functions as a worker would (`funcscope.invoke`), and see what they record."""
    marker = request.node.get_closest_marker(_APP)
    place: Any = marker.args[0] if marker else request.config.getini(_APP)
    session = Funcscope(request.config.rootpath, place or None, _machine)
    request.node.stash[_SESSION] = session
    try:
        session.start()
        yield session
    finally:
        session.stop()


@pytest.fixture
def invoke(funcscope: Funcscope) -> Callable[..., Result]:
    """Call a function as a worker would: `invoke("orders", HttpRequest(…))`."""
    return funcscope.invoke


@pytest.fixture
def spans(funcscope: Funcscope) -> Spans:
    """Return the spans that this test has recorded."""
    return funcscope.spans


@pytest.fixture
def logs(funcscope: Funcscope) -> Logs:
    """Return the log records that this test has recorded."""
    return funcscope.logs


@pytest.fixture
def metrics(funcscope: Funcscope) -> Metrics:
    """Return what this test has measured."""
    return funcscope.metrics


_machine: dict[str, str] = {}
"""The machine's settings, from before any conftest could set some."""
