"""What holds in every environment: `scripts/matrix.py` runs this beside all that people have."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.sdk_versions import INSTALLED

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

CALLED = ("logs", "threads", "fails", "measures")
SAID = re.compile(r"^(?:WARNING|ERROR|CRITICAL) funcscope.*", re.MULTILINE)


@pytest.mark.library_worker
def test_smoke(run: Runner, call: Caller, host: Any) -> None:
    """Spans, records and measurements arrive once, as they should, and nothing is warned of."""
    beside = os.environ.get("SMOKE_MODULES", "").split()
    calls = [call(name) for name in CALLED]
    result = run(
        "v2_golden",
        calls,
        path="native",
        import_first=beside,
        keeps_opentelemetry=True,  # what is beside may have loaded protobuf, which comes once
        env={"PYTHONWARNINGS": "default"},
    )
    ours = [s for s in result.spans if s.scope == "funcscope" and "faas.trigger" in s.attributes]
    spans = sorted(ours, key=lambda span: span.start_ns)
    records = Counter(
        (str(log.body), log.attributes.get("faas.invocation_id")) for log in result.logs
    )
    (around,) = (s for s in result.spans if s.name == "around threads")
    (once,) = (log for log in result.logs if log.body == "thread")

    assert [outcome["ok"] for outcome in result.outcomes] == [True, True, False, True]
    assert [s.attributes["faas.invocation_id"] for s in spans] == [c["id"] for c in calls]
    assert {(s.trace_id, s.parent_id) for s in spans} == {(host.trace_id, host.span_id)}
    assert [s.status for s in spans] == ["UNSET", "UNSET", "ERROR", "UNSET"]
    assert around.parent_id == spans[1].span_id
    assert records["plain", calls[0]["id"]] == 1
    assert records["about to fail", calls[2]["id"]] == 1
    assert once.attributes["faas.invocation_id"] == calls[1]["id"]
    assert (once.trace_id, once.span_id) == (host.trace_id, around.span_id)
    assert "s3cret" not in f"{result.spans}{result.logs}{result.points}"
    assert {"orders", "open", "price", "stock"} <= result.metrics
    assert "Traceback" not in result.stderr
    assert len(SAID.findall(result.stdout + result.stderr)) == (INSTALLED < 42)
