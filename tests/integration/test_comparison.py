"""What `docs/explanation/comparison.md` says of other tools, asked of them on a real worker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.environments import needs, python_beside

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "comparison.md"
FUNCTIONS = ("sync", "later", "threads", "fails", "answers_500")
SECRET = "Kq3xT9vBn2Lw8RzY5mPc"
BESIDE = {
    "funcscope": None,
    "worker": None,
    "elastic": None,
    "azure_monitor": "azure-monitor",
    "microsoft": "distros",
    "logfire": "distros",
    "ddtrace": "threads",
    "newrelic": "threads",
    "sentry": "threads",
}
"""The tools, and the environment in which each is."""
QUIET = {
    "PYTHON_ENABLE_OPENTELEMETRY": "true",
    "PYTHONWARNINGS": "default",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "NEW_RELIC_DEVELOPER_MODE": "true",
    "NEW_RELIC_LICENSE_KEY": "0" * 40,
}


def rows() -> dict[str, list[str]]:
    """Return the cells of the page's table that are measured here, by the tool."""
    found = re.findall(r"^\| .*<!-- (\w+) --> \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    return {tool: [cell.strip() for cell in cells.split("|")] for tool, cells in found}


def measured(lines: list[list[Any]]) -> list[str]:
    """Say what was noted, in the table's words."""
    ended = [line for line in lines if line[0] == "invocation"]
    failed = [is_error for _, _, is_error, _ in ended]
    has_event = any(kind == "event" for kind, *_ in lines)
    own = sum(is_hosts for kind, is_hosts, *_ in lines if kind == "own")
    key = "none" if not ended else "yes" if SECRET in str(lines) else "no"
    return [
        "yes" if len(ended) >= len(FUNCTIONS) else "no",
        "yes" if len(ended) > len(FUNCTIONS) else "no",
        "yes" if failed[3:4] == [True] else "an event" if has_event else "no",
        "yes" if failed[4:5] == [True] else "no",
        f"{own} of 5",
        key,
    ]


@pytest.mark.library_worker
@pytest.mark.parametrize(
    "tool",
    [pytest.param(tool, marks=[needs(group)] if group else []) for tool, group in BESIDE.items()],
)
def test_tool_does_what_the_page_says(run: Runner, call: Caller, tmp_path: Path, tool: str) -> None:
    """Each row of the table is what the tool does on the library worker, as it sets itself up."""
    log = tmp_path / "noted"
    log.touch()
    calls = [
        call(
            name,
            url=f"https://app.net/api/{name}?code={SECRET}",
            headers={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        )
        for name in FUNCTIONS
    ]
    group = BESIDE[tool]
    result = run(
        "v2_compared",
        [*calls, call("order", input={"id": 42})],
        path="protobuf",
        keeps_opentelemetry=True,
        env={**QUIET, "COMPARED": tool, "COMPARED_LOG": str(log)},
        **({"python": python_beside(group)} if group else {}),
    )
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert [outcome["ok"] for outcome in result.outcomes] == [True, True, True, False, True, True]
    assert rows()[tool] == measured(lines)


def test_page_has_no_other_rows() -> None:
    """All rows that are marked as measured are measured here."""
    assert set(rows()) == set(BESIDE)
