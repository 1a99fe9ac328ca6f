"""Which invocation each exported log record belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

CROWD = 20  # as in the app


@pytest.mark.parametrize("name", ["crowd", "crowd_later"])
def test_threads_of_concurrent_invocations(run: Runner, call: Caller, path: str, name: str) -> None:
    """Of twenty invocations at once, each thread's and pool's record has its own id and trace."""
    calls = [
        call(name, trace_parent=f"00-{index + 1:032x}-{index + 1:016x}-01")
        for index in range(CROWD)
    ]
    result = run(
        "v2",
        calls,
        path=path,
        concurrent=True,
        env={"PYTHON_THREADPOOL_THREAD_COUNT": str(CROWD)},
    )
    assert all(outcome["ok"] for outcome in result.outcomes), result.outcomes
    assert result.leaks == []
    for index, made in enumerate(calls):
        span = result.span(index)
        records = [log for log in result.logs if str(log.body).endswith(made["id"])]
        assert span.trace_id == f"{index + 1:032x}"
        assert sorted(str(log.body).split()[0] for log in records) == ["pool", "thread"]
        for log in records:
            assert log.attributes["faas.invocation_id"] == made["id"]
            assert log.attributes["InvocationId"] == made["id"]
            assert log.attributes["faas.name"] == name
            assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)


def test_only_the_apps_records_leave(run: Runner, call: Caller, path: str) -> None:
    """Neither the worker's own records nor the exporters' are exported."""
    result = run("v2", [call("hello"), call("boom")], path=path)

    log, exception = result.logs
    assert exception.event_name == "faas.invocation.exception"
    assert log.body == "asked for https://app.net/api/hello"
    assert set(log.attributes) == {"faas.invocation_id", "InvocationId", "faas.name"}
