"""What `OpenCensusExtension.configure()` does, and what stands beside the extension."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from funcscope.telemetry import TelemetryError

pytest.importorskip("opencensus", reason="needs funcscope[opencensus]")

from opencensus.trace import execution_context, integrations
from opencensus.trace.tracers.noop_tracer import NoopTracer

from funcscope.contrib.opencensus import OpenCensusExtension

AZURE_MONITOR = "funcscope.contrib.azuremonitor"
KEY = "InstrumentationKey=00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a process in which nothing was configured."""
    monkeypatch.delenv("APPLICATIONINSIGHTS_CONNECTION_STRING", raising=False)
    monkeypatch.setattr("funcscope.contrib.opencensus._options._warnings.logged", set())
    monkeypatch.setattr("funcscope.contrib.opencensus._options._turned_on", set())


@pytest.fixture
def sent_to(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand for the integration with Azure Monitor; the connection strings that it is given."""
    given: list[str] = []
    module: Any = ModuleType(AZURE_MONITOR)
    module.configure = given.append
    monkeypatch.setitem(sys.modules, AZURE_MONITOR, module)
    return given


@pytest.fixture
def _no_azure_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the integration with Azure Monitor one that cannot be imported."""
    monkeypatch.setitem(sys.modules, AZURE_MONITOR, None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"connection_string": KEY}, [KEY]),
        ({"instrumentation_key": "1-2"}, ["InstrumentationKey=1-2"]),
        ({"instrumentation_key": "1-2", "connection_string": KEY}, [KEY]),
        ({"connection_string": None}, []),
        ({}, []),
    ],
)
def test_connection_string(
    sent_to: list[str], options: dict[str, object], expected: list[str]
) -> None:
    """A connection string is Azure Monitor's, and so is a key; None counts as not given."""
    OpenCensusExtension.configure(**options)

    assert sent_to == expected


@pytest.mark.usefixtures("_no_azure_monitor")
def test_connection_string_without_azure_monitor() -> None:
    """A connection string that nothing would send to is an error that names the extra."""
    with pytest.raises(ImportError, match=r"install funcscope\[azuremonitor\]"):
        OpenCensusExtension.configure(connection_string=KEY)


@pytest.mark.usefixtures("_no_azure_monitor")
def test_setting_without_azure_monitor(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the app setting alone names Azure Monitor the app runs, and one line says it."""
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", KEY)
    OpenCensusExtension.configure()
    OpenCensusExtension.configure()
    (record,) = caplog.records

    assert "install funcscope[azuremonitor]" in record.getMessage()
    assert KEY not in record.getMessage()


def test_setting_with_azure_monitor(
    sent_to: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the extra is installed the setting counts by itself, and nothing is said."""
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", KEY)
    OpenCensusExtension.configure()

    assert (sent_to, caplog.records) == ([], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proxies": '{"https": "http://proxy"}'}, r"configure\(proxies=…\) is not taken: set HTT"),
        ({"credential": object()}, r"configure\(credential=…\) is not taken: "),
        ({"connection": KEY}, r"has no option 'connection': it takes connection_string, "),
        ({"connection_string": 7}, r"configure\(connection_string=7\) is no text"),
        ({"libraries": "requests"}, r"configure\(libraries='requests'\) is no list of names"),
        ({"libraries": [7]}, r"configure\(libraries=\[7\]\) is no list of names"),
    ],
)
def test_wrong_options(sent_to: list[str], options: dict[str, object], message: str) -> None:
    """What cannot be done is refused by name before anything is done."""
    with pytest.raises(TelemetryError, match=message):
        OpenCensusExtension.configure(**{"connection_string": KEY, **options})
    assert sent_to == []


def test_options_that_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What tuned the retired exporter is named, once, with what does it now."""
    for _ in range(2):
        OpenCensusExtension.configure(queue_capacity=100, storage_path="/tmp/oc", timeout=None)
    prefix, changes = "OpenCensusExtension.configure", "changes nothing any more: set FUNCSCOPE"

    assert [record.getMessage() for record in caplog.records] == [
        f"{prefix}(queue_capacity=…) {changes}_QUEUE_SIZE",
        f"{prefix}(storage_path=…) {changes}_SPOOL_DIR",
    ]


def test_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """`libraries` turns integrations on, once each, also where the app has done so itself."""
    on: list[str] = []
    for name in ("requests", "httpx", "sqlalchemy"):
        module: Any = ModuleType(f"opencensus.ext.{name}.trace")
        module.trace_integration = lambda tracer=None, name=name: on.append(name)
        monkeypatch.setitem(sys.modules, f"opencensus.ext.{name}", ModuleType(name))
        monkeypatch.setitem(sys.modules, f"opencensus.ext.{name}.trace", module)
    monkeypatch.setattr(integrations, "_INTEGRATIONS_BIT_MASK", 16777216)  # HTTPX
    OpenCensusExtension.configure(libraries=["requests", "httpx"])
    OpenCensusExtension.configure(libraries=("requests", "sqlalchemy"))

    assert on == ["requests", "sqlalchemy"]


def test_unknown_library(caplog: pytest.LogCaptureFixture) -> None:
    """A library that OpenCensus knows nothing of is what it is to OpenCensus: a warning."""
    OpenCensusExtension.configure(libraries=["nonesuch"])

    assert caplog.records[0].getMessage() == (
        "Failed to integrate module: opencensus.ext.nonesuch.trace"
    )


def test_tracer_outside_invocations_serves_integrations() -> None:
    """Outside invocations there is OpenCensus's own tracer, with what its integrations ask for."""
    with ThreadPoolExecutor(1) as pool:
        tracer = pool.submit(execution_context.get_opencensus_tracer).result()

    assert isinstance(tracer, NoopTracer)
    assert tracer.exporter.export([]) is None
    assert tracer.sampler.should_sample(tracer.span_context) is False
    assert tracer.propagator.to_headers(tracer.span_context)


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ
    )


def test_without_opencensus() -> None:
    """Importing it without its extra says what to install."""
    done = run(
        "import sys; sys.modules['opencensus'] = None\n"
        "try: import funcscope.contrib.opencensus\n"
        "except ImportError as error: print(error, repr(error.__cause__ is None))"
    )

    assert done.stdout.strip() == (
        "funcscope.contrib.opencensus needs the package opencensus: "
        "install funcscope[opencensus] False"
    )


def test_importing_turns_telemetry_on() -> None:
    """The import does what that of `funcscope.auto` does, and loads no SDK either."""
    done = run(
        "import logging, sys, funcscope.contrib.opencensus\n"
        "from funcscope.extensions._lifecycle.registry import registry\n"
        "logging.basicConfig(format='%(invocation_id)s|%(message)s', stream=sys.stdout)\n"
        "logging.warning('hello')\n"
        "print([r.name for r in registry._app])\n"
        "print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'requests'))])"
    )

    assert done.stdout.splitlines() == [
        "|hello",
        "['TelemetryExtension', 'OpenCensusExtension']",
        "[]",
    ], done.stderr
