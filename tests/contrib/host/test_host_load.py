"""Many requests at once are shown as calmly as one."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker

REQUEST = re.compile(r"GET /api/hello → 200  \d+\.\d ms  .*trace ([0-9a-f]{32})")


def call(host: HostProcess, requests: int, at_once: int) -> None:
    """Call the app's function many times."""
    with ThreadPoolExecutor(at_once) as pool:
        answers = pool.map(lambda _: host.fetch("/api/hello")[0], range(requests))
        assert set(answers) == {200}


def test_200_requests_are_200_lines(run_host: Callable[..., HostProcess]) -> None:
    """Each of 200 requests, 50 at a time, has one line with a trace of its own."""
    host = run_host("host_traced")
    host.wait_for("hello: ")
    before = len(host.output.splitlines())

    call(host, 200, 50)
    assert host.stop() == 0

    lines = host.output.splitlines()[before:]
    traces = [match[1] for line in lines if (match := REQUEST.match(line))]
    assert len(set(traces)) == len(traces) == 200
    assert len(lines) < 300, "\n".join(lines)
    assert re.search(r"^\d+ log lines are not shown, as many requests ran", host.output, re.M)


def test_all_trees_on_demand(run_host: Callable[..., HostProcess]) -> None:
    """With `--traces all`, each of them has its tree, with what was logged in it."""
    host = run_host("host_traced", "--port", "0", "--traces", "all")

    call(host, 40, 20)
    assert host.stop() == 0

    assert len(REQUEST.findall(host.output)) == 40
    assert host.output.count("└── INFO  good morning") == 40
    assert "`--traces all` shows" not in host.output


def test_no_trees_on_demand(run_host: Callable[..., HostProcess]) -> None:
    """With `--traces none`, requests are lines, and what they log is written at once."""
    host = run_host("host_traced", "--port", "0", "--traces", "none")

    call(host, 20, 10)
    assert host.stop() == 0

    assert len(REQUEST.findall(host.output)) == 20
    assert len(re.findall(r"^\[.*Z\] good morning$", host.output, re.M)) == 20
    assert "└──" not in host.output
