"""The rules of docs/collector/noise.yaml, on what an app on a real worker exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ottl import parse

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

NOISE = Path(__file__).parents[2] / "docs" / "collector" / "noise.yaml"
HOST_EXPORTS = {"AzureFunctionsJobHost__telemetryMode": "OpenTelemetry"}


def is_left_out(span: Any) -> bool:
    """Tell whether the filter leaves out a span that was received."""
    (group,) = yaml.safe_load(NOISE.read_text())["processors"]["filter/noise"]["trace_conditions"]
    seen = {
        "span.name": span.name,
        "span.kind": f"SPAN_KIND_{span.kind}",
        "span.status.code": f"STATUS_CODE_{span.status}",
        "span.attributes": span.attributes,
        "span.parent_span_id": span.parent_id,
        "instrumentation_scope.name": span.scope,
    }
    return any(parse(condition)(seen) for condition in group["conditions"])


@pytest.mark.parametrize("env", [{}, HOST_EXPORTS], ids=["alone", "below the host's"])
def test_probes_are_left_out(run: Runner, call: Caller, path: str, env: dict[str, str]) -> None:
    """Spans of probes that succeed are left out; those of callers, and of failures, stay."""
    probe = {"headers": {"user-agent": "HealthCheck/1.0"}}
    calls = [call("hello"), call("hello", **probe), call("boom", **probe), call("boom")]
    result = run("v2", calls, path=path, env=env)
    left_out = [is_left_out(result.span(index)) for index in range(len(calls))]

    assert left_out == [False, True, False, False]
