"""funcscope found by OpenTelemetry's ways of finding an instrumentation, on real workers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.library_worker

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]


@pytest.fixture
def instrumented(tmp_path: Path) -> str:
    """Make a Python that is run by `opentelemetry-instrument`."""
    python = tmp_path / "python"
    command = Path(sys.executable).with_name("opentelemetry-instrument")
    python.write_text(f'#!/bin/sh\nexec "{command}" "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_opentelemetry_instrument(run: Runner, call: Caller, instrumented: str) -> None:
    """An app without a line of ours has spans and log records under it, until it is turned off."""
    calls = [call(name) for name in ("hello", "fail", "off", "hello", "on", "hello")]
    result = run(
        "v2_bare", calls, path="protobuf", python=instrumented, keeps_opentelemetry=True,
        env={"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": "logs/dup"},
    )  # fmt: skip
    recorded = {span.attributes.get("faas.invocation_id") for span in result.spans}

    assert [outcome["ok"] for outcome in result.outcomes] == [True, False, True, True, True, True]
    assert result.span().parent_id == calls[0]["trace_parent"].split("-")[2]
    assert [log.body for log in result.messages()].count("hello from the app") == 1
    assert [call["id"] in recorded for call in calls] == [True, True, True, False, False, True]
    assert [event.name for event in result.span(1).events] == ["exception"]  # and as a log event:
    assert sum("exception.type" in log.attributes for log in result.messages(1)) == 1
    assert "hush" not in str(result.spans + result.logs)
    assert "already instrumented" not in result.stderr


def test_it_is_disabled(run: Runner, call: Caller) -> None:
    """Named by `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` it records nothing, and one line says so."""
    env = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, azure_functions"}
    result = run("v2_plain", [call("logs")], path="protobuf", env=env)

    assert result.outcomes[0]["ok"]
    assert (result.spans, result.logs) == ((), ())


def test_providers_set_at_once(run: Runner, call: Caller) -> None:
    """After `start()` who looks for a provider of the SDK's finds one, and spans go through it."""
    env = {"START": "1", "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": "logs"}
    result = run("v2_bare", [call("hello"), call("fail")], path="native", env=env)

    assert result.outcomes[0]["value"] == "True"
    assert result.span().scope == "funcscope"
    assert [log.body for log in result.messages()] == ["hello from the app"]
    assert result.span(1).events == ()
