"""Threads and pools of an invocation, whoever else patches them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
from tests.environments import needs, python_beside
from tests.patience import PROCESS_S

SCRIPT = Path(__file__).with_name("threads_beside.py")
QUIET = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_ENABLED": "false",
    "NEW_RELIC_DEVELOPER_MODE": "true",
    "NEW_RELIC_LOG_LEVEL": "critical",
}
HERE = [[ID := "0f8e", ID], None]

Outcomes = dict[str, list[list[Any]]]


def run(orders: list[str], group: str) -> Outcomes:
    """Run each order in an environment that has what it names."""
    python = python_beside(group) if group else sys.executable
    done = subprocess.run(
        [python, SCRIPT, *orders],
        env={**os.environ, **QUIET, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    found: Outcomes = json.loads(done.stdout)
    assert all(found.values()), (list(found), done.stderr)
    return found


def with_us(others: tuple[str, ...]) -> list[str]:
    """Put us before, between and after others."""
    places = range(len(others) + 1)
    return [",".join((*others[:at], "ours", *others[at:])) for at in places]


def without_us(order: str) -> str:
    """Return an order less us."""
    return ",".join(name for name in order.split(",") if name != "ours") or "nobody"


def assert_alike(orders: list[str], group: str) -> None:
    """Assert that what comes of everything is the same without us, and that it is all carried."""
    found = run([*orders, *{without_us(order) for order in orders}], group)
    for order in orders:
        ours, bare = found[order], found[without_us(order)]
        assert [said for *said, _ in ours] == [said for *said, _ in bare], order
        assert [where for *_, where in ours if where not in HERE] == [], order


def test_alone() -> None:
    """Each kind of thread and call runs once, with its arguments, in the invocation."""
    assert_alike(with_us(()) + with_us(("debugger",)), "")


@needs("threads")
@pytest.mark.library_worker
def test_beside_each_and_every_two() -> None:
    """Whoever patches threads and pools before us, after us, or both: everything runs, carried."""
    others = ["sentry", "ddtrace", "newrelic", "opentelemetry", "debugger"]
    orders = [order for each in combinations(others, 1) for order in with_us(each)]
    orders += [with_us(pair)[1] for pair in permutations(others, 2)]
    orders += [with_us(pair)[at] for pair in combinations(others, 2) for at in (0, 2)]
    assert_alike(orders, "threads")


@needs("threads")
@pytest.mark.library_worker
def test_beside_greenlets() -> None:
    """Where gevent makes greenlets of threads, they are carried, whoever else patches them."""
    # Not OpenTelemetry's: beside gevent, it fails without us (0.66b1).
    others = ["sentry", "newrelic", "ddtrace"]
    assert_alike([o for other in others for o in with_us(("gevent", other))], "threads")


@needs("threads")
@pytest.mark.library_worker
def test_after_another_has_taken_its_own_off() -> None:
    """What OpenTelemetry takes off again is its own, whether it came before us or after us."""
    assert_alike(["opentelemetry,ours,off", "ours,opentelemetry,off"], "threads")


@needs("sentry-next")
@pytest.mark.library_worker
def test_beside_the_next_sentry() -> None:
    """Sentry's next version wraps threads in another way, and they run."""
    assert_alike(with_us(("sentry",)), "sentry-next")
