"""The demo shows the sample app's traces, and fails when one thing of them is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from scripts.demo_picture import pattern, traces_of
from tests.patience import PROCESS_S

from funcscope.contrib.host import Batch, ReceivedLog, ReceivedSpan, TelemetryStore
from funcscope.contrib.host._traces.traces import HostRequest
from funcscope.contrib.host.demo._expected import Step, missing

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeSpan = Callable[..., ReceivedSpan]
    MakeLog = Callable[..., ReceivedLog]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HOST_SPAN_ID = "00f067aa0ba902b7"
REQUEST = HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /x")
STEP = Step("GET /x", "/x", 200, logs=("hello",), children=("load",))
OWN = {"InvocationId": "i1"}


PICTURE = Path(__file__).parents[3] / "docs" / "pictures" / "demo.svg"


@pytest.mark.library_worker
def test_demo_ends_by_itself_and_well() -> None:
    """The demo exits with 0, whatever telemetry settings the user has, and shows its traces."""
    done = subprocess.run(
        [sys.executable, "-m", "funcscope.contrib.host.cli", "demo"],
        capture_output=True,
        encoding="utf-8",
        timeout=PROCESS_S,
        check=False,
        env={**os.environ, "OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "import funcscope.auto" in done.stdout
    assert done.stderr == ""
    # The docs' picture has these traces: `make pictures` draws them anew.
    drawn = ET.parse(PICTURE).findtext("{http://www.w3.org/2000/svg}desc") or ""
    assert pattern(drawn) == pattern(traces_of(done.stdout).plain)


@pytest.mark.library_worker
def test_demo_fails_when_something_is_missing() -> None:
    """The demo exits with 1 and names what did not arrive, after a limited wait."""
    script = """
import sys
from funcscope.contrib.host.demo import _demo
_demo.STEPS = (*_demo.STEPS, _demo.Step("GET /api/nope", "/api/nope", 200))
_demo._TIME_LIMIT_S = 2.0
sys.exit(_demo.run_demo())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        encoding="utf-8",
        timeout=PROCESS_S,
        check=False,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.endswith(
        "missing: GET /api/nope: answered 404 instead of 200\nmissing: GET /api/nope: invocation\n"
    )


@pytest.fixture
def store_of() -> Callable[..., TelemetryStore]:
    """Make a store that holds the given spans and log records."""

    def make(*items: ReceivedSpan | ReceivedLog) -> TelemetryStore:
        store = TelemetryStore()
        for item in items:
            is_log = isinstance(item, ReceivedLog)
            store.add(Batch(logs=(item,)) if is_log else Batch(spans=(item,)))  # type: ignore[arg-type]
        return store

    return make


def test_nothing_is_missing_when_all_came(
    span: MakeSpan, log: MakeLog, store_of: Callable[..., TelemetryStore]
) -> None:
    """The span under the host's, its child and its log record are all that is asked."""
    own = span("own", HOST_SPAN_ID, attributes=OWN)
    store = store_of(own, span("load", own.span_id), log("hello you", attributes=OWN))

    assert missing([STEP], [REQUEST], store) == []


def test_each_missing_thing_is_named(
    span: MakeSpan, log: MakeLog, store_of: Callable[..., TelemetryStore]
) -> None:
    """Whatever did not come, or is not where it belongs, has a line of its own."""
    wrong_parent = span("own", "ff" * 8, attributes=OWN, status="ERROR")
    other_invocation = log("hello", attributes={"InvocationId": "i2"})
    other_trace = log("hello", attributes=OWN, trace_id="e" * 32)

    assert missing([STEP], [], store_of()) == ["GET /x: invocation"]
    assert missing([STEP], [REQUEST], store_of()) == ["GET /x: its span"]
    assert missing([STEP], [REQUEST], store_of(wrong_parent, other_invocation, other_trace)) == [
        "GET /x: the host's span as the parent of 'own'",
        "GET /x: the right status on 'own', which has ERROR",
        "GET /x: span 'load'",
        "GET /x: log line 'hello'",
    ]
