"""A worker's process that ends is named, and started again."""

from __future__ import annotations

import json
import os
import select
import signal
import threading
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S

from funcscope.contrib.host._life.crashes import Crashes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, TelemetryStore

needs_worker = pytest.mark.library_worker
needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's pidfd")


def worker_pid(host: HostProcess) -> int:
    """Ask the app for its process's id."""
    pid: int = json.loads(host.fetch("/api/whoami")[2])["pid"]
    return pid


class Watched:
    """A process of whose end one can wait, though it is no child."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)

    def wait(self) -> bool:
        """Wait for the end; False where it does not come."""
        try:
            return bool(select.select([self._descriptor], [], [], PATIENCE_S)[0])
        finally:
            os.close(self._descriptor)


@needs_worker
@pytest.mark.parametrize(
    ("name", "how"), [("leaves", "exit code 3"), ("crashes", "signal SIGSEGV")]
)
def test_a_crash_costs_what_is_in_flight(
    run_host: Callable[..., HostProcess], name: str, how: str
) -> None:
    """A request whose process ends is told how, and the next one is served by another."""
    host = run_host("host_process")
    first = worker_pid(host)

    assert host.fetch(f"/api/{name}")[::2] == (500, f"the worker's process has ended: {how}")

    assert worker_pid(host) != first
    host.wait_for(rf"the worker's process has ended \({how}\): it is started again$")
    host.wait_for("^the app is loaded again$")


@needs_worker
def test_the_last_lines_before_a_crash_are_shown(run_host: Callable[..., HostProcess]) -> None:
    """What was printed and logged right before the end arrives."""
    host = run_host("host_process")
    host.fetch("/api/leaves")

    host.wait_for("leaving$")
    host.wait_for("^about to leave$")


@needs_worker
def test_a_crash_in_c_shows_where_the_app_was(run_host: Callable[..., HostProcess]) -> None:
    """A segmentation fault is not silent: the stack's lines of the app are printed."""
    host = run_host("host_process")
    host.fetch("/api/crashes")

    host.wait_for(r'function_app\.py", line \d+ in crashes$')


@needs_worker
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_that_is_killed(run_host: Callable[..., HostProcess]) -> None:
    """A worker that the system kills, as it does where memory is short, is told as such."""
    host = run_host("host_process")

    os.kill(worker_pid(host), signal.SIGKILL)

    host.wait_for("has ended \\(signal SIGKILL, as for want of memory\\): it is started again$")
    assert host.fetch("/api/whoami")[0] == 200


@needs_worker
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_process_that_the_app_has_started_is_not_waited_for(
    run_host: Callable[..., HostProcess], tmp_path: Path
) -> None:
    """One that lives on and holds the worker's streams delays neither a new worker nor a stop."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    keeper = os.open(gate, os.O_RDWR | os.O_NONBLOCK)  # so that readers wait for what is written
    try:
        host = run_host("host_process", GATE=str(gate))
        status, _, body = host.fetch("/api/starts?leave=1")
        assert (status, body) == (500, "the worker's process has ended: exit code 3")
        assert host.fetch("/api/starts")[2] == "started"

        assert host.stop() == 0
        assert "does not end" not in host.output
    finally:
        os.close(keeper)


@needs_worker
def test_streamed_requests_are_told_too(run_host: Callable[..., HostProcess]) -> None:
    """A request that the worker's own server had is answered by the host."""
    host = run_host("host_streams")

    assert host.fetch("/api/leaves")[::2] == (500, "the worker's process has ended: exit code 3")
    assert host.fetch("/api/slow")[2] == "0;1;2;"


@needs_worker
def test_an_app_that_crashes_again_and_again_is_given_up(
    run_host: Callable[..., HostProcess],
) -> None:
    """After three crashes the app is not started again, and each request is told why."""
    host = run_host("host_process")
    for _ in range(3):
        assert host.fetch("/api/leaves")[0] == 500
    host.wait_for("has ended 3 times within 60 s, the last time by exit code 3$")

    status, _, body = host.fetch("/api/whoami")

    assert status == 503
    assert "has ended 3 times within 60 s, the last time by exit code 3" in body
    assert host.stop() == 0


@needs_worker
def test_a_function_that_takes_too_long(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver, store: TelemetryStore
) -> None:
    """`functionTimeout` ends a function with its process; its span leaves, others are served."""
    host = run_host("host_timeout", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    first = host.fetch("/api/whoami")[2]

    status, _, body = host.fetch("/api/forever")

    assert status == 500
    assert "did not end within 0:00:05 (functionTimeout)" in body
    assert host.fetch("/api/whoami")[2] not in ("", first)
    store.wait_for(
        lambda seen: [span for span in seen.spans if span.name == "GET /api/forever"],
        timeout_s=PATIENCE_S,
    )


@needs_worker
@needs_pidfd
def test_no_worker_outlives_its_host(run_host: Callable[..., HostProcess]) -> None:
    """A host that is killed without a word takes its worker with it."""
    host = run_host("host_process")
    worker = Watched(worker_pid(host))

    host.send(signal.SIGKILL)

    assert worker.wait()


@needs_worker
@needs_pidfd
def test_a_second_signal_ends_the_worker_at_once(run_host: Callable[..., HostProcess]) -> None:
    """What cannot be waited for does not go on in the background."""
    host = run_host("host_process")
    worker = Watched(worker_pid(host))

    def visit() -> None:
        with suppress(OSError, HTTPException):  # nobody answers in the end
            host.fetch("/api/waits")

    threading.Thread(target=visit, daemon=True).start()
    host.wait_for("waiting$")

    host.send(signal.SIGTERM)
    host.wait_for("^stopping: ")
    host.send(signal.SIGTERM)

    assert worker.wait()
    assert host.wait() == 128 + signal.SIGTERM


@needs_worker
@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_the_terminals_ctrl_c_is_the_hosts(run_host: Callable[..., HostProcess]) -> None:
    """An interrupt of the whole process group lets the app shut down in peace."""
    host = run_host("host_asgi")
    assert host.fetch("/api/hello")[0] == 200

    host.interrupt_group()

    assert host.wait() == 0
    assert "lifespan ended" in host.output
    assert "KeyboardInterrupt" not in host.output


@needs_worker
def test_a_thread_that_does_not_end(run_host: Callable[..., HostProcess]) -> None:
    """A thread that the app has left behind does not keep the host, and is named."""
    host = run_host("host_process")
    assert host.fetch("/api/thread")[2] == "started"

    assert host.stop() == 0
    assert "is killed, as it does not end: a thread of the app still runs" in host.output


@needs_worker
def test_stopping_while_the_app_is_imported(run_host: Callable[..., HostProcess]) -> None:
    """An app whose import hangs does not keep the host from stopping."""
    host = run_host("host_process", HANG="1")
    host.wait_for("^imported in")

    host.send(signal.SIGTERM)

    assert host.wait() == 0
    assert "stopping: " in host.output


def test_crashes_that_are_long_ago_do_not_count() -> None:
    """Three crashes in a minute are too many, whatever was before."""
    crashes = Crashes()

    assert [crashes.add(now) for now in (0.0, 61.0, 62.0, 125.0)] == [0.0, 0.0, 1.0, 0.0]
    assert [crashes.add(now) for now in (126.0, 127.0)] == [1.0, None]


def test_changes_wipe_the_slate_clean() -> None:
    """Crashes before a change of the app do not count."""
    crashes = Crashes()
    crashes.add(0.0)
    crashes.add(0.1)

    crashes.forget()

    assert crashes.add(0.2) == 0.0
