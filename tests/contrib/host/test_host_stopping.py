"""The local host stops without losing what is in flight."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, TelemetryStore

pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(os.name != "posix", reason="needs named pipes and POSIX signals"),
]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Make a named pipe: the app's functions wait until something is written to it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def open_gate(gate: Path) -> None:
    """Let the function through that waits at the gate, or soon will."""
    opener = threading.Thread(target=gate.write_text, args=("open", "utf-8"), daemon=True)
    opener.start()
    opener.join(PATIENCE_S)
    assert not opener.is_alive(), "nobody waits at the gate"


def test_stop_before_it_serves(run_host: Callable[..., HostProcess]) -> None:
    """A signal while the clients of storage are loaded stops a host, which says so once."""
    host = run_host("host_timers", AzureWebJobsStorage="UseDevelopmentStorage=true")
    host.wait_for("^Functions:")

    host.send(signal.SIGINT)

    assert host.wait() == 0
    assert host.output.count("stopping: finishing what is in flight") == 1


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (signal.SIGTERM, "a second signal stops at once"),
        (signal.SIGINT, "Ctrl-C again to stop at once"),
    ],
)
def test_request_in_flight_finishes_and_its_span_is_exported(
    run_host: Callable[..., HostProcess],
    gate: Path,
    receiver: OtlpReceiver,
    store: TelemetryStore,
    number: signal.Signals,
    hint: str,
) -> None:
    """A signal lets the request finish, its span and log leave, and the exit code is 0."""
    host = run_host("host_gate", GATE=str(gate), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    answers: list[tuple[int, str]] = []
    client = threading.Thread(
        target=lambda: answers.append(host.fetch("/api/wait", headers=CALLER)[::2]), daemon=True
    )
    host.wait_for("^Functions:")
    client.start()
    host.wait_for("at the gate")

    host.send(number)
    host.wait_for(rf"^stopping: finishing what is in flight \({hint}\)$")
    open_gate(gate)
    client.join()

    assert host.wait() == 0
    assert answers == [(200, "open")]
    own = [span for span in store.spans if span.scope == "funcscope"]
    assert [(span.trace_id, span.name) for span in own] == [(TRACE_ID, "GET /api/wait")]
    assert [log.trace_id for log in store.logs if log.body == "at the gate"] == [TRACE_ID]


@pytest.mark.parametrize("name", ["wait_in_queue", "await_in_queue"])
def test_admin_invocation_in_flight_finishes(
    run_host: Callable[..., HostProcess],
    gate: Path,
    receiver: OtlpReceiver,
    store: TelemetryStore,
    name: str,
) -> None:
    """An invocation that nobody waits for is finished, too, before the host stops."""
    host = run_host("host_gate", GATE=str(gate), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    assert host.fetch(f"/admin/functions/{name}", "POST", "{}")[0] == 202
    host.wait_for("at the gate")

    host.send(signal.SIGTERM)
    host.wait_for("^stopping: ")
    with pytest.raises(subprocess.TimeoutExpired):
        host.wait(timeout_s=1)  # longer than the server takes to close
    open_gate(gate)

    assert host.wait() == 0
    assert f"Executed 'Functions.{name}' (Succeeded" in host.output
    own = [span for span in store.spans if span.scope == "funcscope"]
    assert [(span.name, span.status) for span in own] == [("process orders", "UNSET")]


def test_telemetry_that_an_app_holds_back_is_flushed(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver, store: TelemetryStore
) -> None:
    """The app's OpenTelemetry providers are shut down before the process ends."""
    host = run_host("host_sdk", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    host.fetch("/api/work")
    assert not len(store.spans)  # still held back

    assert host.stop() == 0
    assert [span.name for span in store.spans] == ["by hand"]


def test_receiver_outlives_the_flush(run_host: Callable[..., HostProcess]) -> None:
    """What is flushed last is still received and shown."""
    host = run_host("host_sdk")
    host.fetch("/api/work")

    assert host.stop() == 0
    assert "└── by hand" in host.output or "├── by hand" in host.output


def test_no_new_connections_while_stopping(
    run_host: Callable[..., HostProcess], gate: Path
) -> None:
    """Once it stops, the host takes no new connection, while the old one is served."""
    host = run_host("host_gate", GATE=str(gate))
    client = threading.Thread(target=host.fetch, args=("/api/wait",), daemon=True)
    host.wait_for("^Functions:")
    client.start()
    host.wait_for("at the gate")

    host.send(signal.SIGTERM)
    host.wait_for("^stopping: ")
    refused = threading.Event()

    def knock() -> None:
        while not refused.is_set():
            try:
                host.fetch("/admin/host/status")
            except ConnectionError:
                refused.set()

    visitor = threading.Thread(target=knock, daemon=True)
    visitor.start()
    try:
        assert refused.wait(PATIENCE_S)
    finally:
        open_gate(gate)
        refused.set()
        visitor.join()
        client.join()
    assert host.wait() == 0


def test_second_signal_ends_at_once(run_host: Callable[..., HostProcess], gate: Path) -> None:
    """Who cannot wait sends the signal again."""
    host = run_host("host_gate", GATE=str(gate))
    host.fetch("/admin/functions/wait_in_queue", "POST", "{}")
    host.wait_for("at the gate")

    host.send(signal.SIGTERM)
    host.wait_for("^stopping: ")
    host.send(signal.SIGTERM)

    assert host.wait() == 128 + signal.SIGTERM


def test_shows_the_trace_of_each_request(run_host: Callable[..., HostProcess], gate: Path) -> None:
    """Without an endpoint of the user's, each finished trace appears as a tree, by itself."""
    host = run_host("host_gate", GATE=str(gate))
    opener = threading.Thread(target=open_gate, args=(gate,), daemon=True)
    opener.start()
    host.fetch("/api/wait", headers=CALLER)
    opener.join()

    host.wait_for(rf"^GET /api/wait → 200  \d+\.\d ms  trace {TRACE_ID}$")
    host.wait_for(r"^└── GET /api/wait  \d+\.\d ms  wait  cold start$")
    host.wait_for("^    └── INFO  at the gate$")
    host.send(signal.SIGINT)
    assert host.wait() == 0


def test_says_where_telemetry_goes_as_well(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver
) -> None:
    """With an endpoint of the user's, one line says that what is shown goes there, too."""
    host = run_host("host_gate", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    host.wait_for(
        "^traces, logs and metrics are shown here, "
        rf"and go to {re.escape(receiver.endpoint)} \(OTEL_EXPORTER_OTLP_ENDPOINT\)$"
    )


def test_hint_when_no_telemetry_came(run_host: Callable[..., HostProcess]) -> None:
    """An app without funcscope is told the one line that it needs."""
    host = run_host("host_v1")
    host.fetch("/hello/tea")

    assert host.stop() == 0
    assert "add `import funcscope.auto`" in host.output
