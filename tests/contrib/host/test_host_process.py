"""The worker is a process of its own, in which there is nothing of the host's."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import funcscope.contrib.host._worker_process as worker_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker

HOSTS_OWN = ("funcscope.contrib.host", "rich", "uvicorn", "h11", "google.protobuf")


@pytest.fixture(scope="module")
def host(run_host: Callable[..., HostProcess]) -> HostProcess:
    """Run the app that tells what its process is like."""
    return run_host("host_process")


@pytest.fixture(scope="module")
def seen(host: HostProcess) -> dict[str, Any]:
    """Ask it."""
    status, _, body = host.fetch("/api/whoami")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def test_the_app_has_a_process_of_its_own(host: HostProcess, seen: dict[str, Any]) -> None:
    """The app is imported once, and not in the host's process."""
    assert seen["pid"] != host.pid
    assert host.output.count("imported in") == 1
    assert f"imported in {seen['pid']}" in host.output


def test_nothing_of_the_hosts_is_imported_there(seen: dict[str, Any]) -> None:
    """What the host is made of is not in the app's process: any version may be installed there."""
    assert [m for m in seen["modules"] if m.startswith(HOSTS_OWN)] == []


def test_the_workers_side_is_not_on_the_apps_path(seen: dict[str, Any]) -> None:
    """No import of the app's can find what drives its worker."""
    own = Path(str(worker_process.__file__)).parent
    assert [path for path in seen["path"] if path and Path(path).is_relative_to(own)] == []


def test_the_hosts_own_requests_are_not_instrumented(seen: dict[str, Any]) -> None:
    """What an app does to a framework's classes does nothing to the host, which uses them too."""
    assert seen["frameworks"] == 0


def test_the_app_has_no_input(seen: dict[str, Any]) -> None:
    """The channel to the host is nothing that an app can read."""
    assert seen["input"] == ""


def test_what_the_app_prints_is_shown(host: HostProcess, seen: dict[str, Any]) -> None:
    """Lines on either stream are in the terminal, as they are."""
    host.wait_for("^on stdout$")
    host.wait_for("^on stderr$")


def test_large_payloads(host: HostProcess) -> None:
    """Five megabytes go in and out."""
    body = "ab" * (5 * 2**19)
    status, _, answer = host.fetch("/api/large", "POST", body)

    assert status == 200
    assert answer == body[::-1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_leave_the_channel_alone(host: HostProcess) -> None:
    """What a child logs is shown, and does not get between the frames of its parent."""
    assert host.fetch("/api/forks")[2] == "forked"

    host.wait_for("child x+ 19$")
    assert host.fetch("/api/whoami")[0] == 200


@pytest.mark.parametrize(("name", "error"), [("exits", "enough"), ("exits_async", "4")])
def test_sys_exit_is_an_error_of_the_function(host: HostProcess, name: str, error: str) -> None:
    """`sys.exit` fails the invocation, and ends nothing."""
    status, _, body = host.fetch(f"/api/{name}")

    assert (status, body) == (500, f"SystemExit: {error}")
    assert host.fetch("/api/whoami")[0] == 200


def test_the_workers_own_records(run_host: Callable[..., HostProcess], host: HostProcess) -> None:
    """What the worker itself logs is shown on demand, and only then."""
    verbose = run_host("host_process", "--verbose", "--port", "0")
    verbose.fetch("/api/exits")

    verbose.wait_for("received WorkerInitRequest")
    assert "received WorkerInitRequest" not in host.output


def test_debug_records_of_the_app(run_host: Callable[..., HostProcess], host: HostProcess) -> None:
    """`PYTHON_ENABLE_DEBUG_LOGGING` lets debug records of the app leave it, as in Azure."""
    debugging = run_host(
        "host_process", "--verbose", "--port", "0", PYTHON_ENABLE_DEBUG_LOGGING="1"
    )
    debugging.fetch("/api/debugs")
    host.fetch("/api/debugs")

    debugging.wait_for("a debug record$")
    host.wait_for("an info record$")
    assert "a debug record" not in host.output


def test_sync_functions_run_at_once(run_host: Callable[..., HostProcess]) -> None:
    """As many sync functions run at once as `PYTHON_THREADPOOL_THREAD_COUNT` says."""
    host = run_host("host_process", PYTHON_THREADPOOL_THREAD_COUNT="2")
    host.wait_for("^Functions:")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(host.fetch, ["/api/together"] * 4))

    assert [(status, body) for status, _, body in answers] == [(200, "2")] * 4


def test_an_asgi_app_shuts_down(run_host: Callable[..., HostProcess]) -> None:
    """An ASGI app's lifespan is ended when the host stops, without a traceback."""
    host = run_host("host_asgi")
    assert host.fetch("/api/hello")[2] == "hello"
    host.wait_for("^lifespan begun$")

    assert host.stop() == 0
    assert "lifespan ended" in host.output
    assert "Traceback" not in host.output
