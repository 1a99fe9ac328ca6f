"""`funcscope view` and `funcscope run --view`, as processes of their own."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from tests.conftest import needs_library_worker
from tests.contrib.host.conftest import HostProcess
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def run_view() -> Iterator[Callable[..., HostProcess]]:
    """Start `funcscope view` with arguments; what still runs in the end is stopped."""
    started: list[HostProcess] = []

    def run(*arguments: str) -> HostProcess:
        kept = {n: v for n, v in os.environ.items() if not n.startswith("OTEL_")}
        started.append(HostProcess(["view", *arguments], kept))
        return started[-1]

    yield run
    for process in started:
        process.stop()


def page_of(process: HostProcess) -> str:
    """Return where a process serves its page."""
    return process.wait_for(r"traces on (http://127\.0\.0\.1:\d+/)")[1]


def fetch(url: str) -> Any:
    """Return what an address answers in JSON."""
    with urlopen(url, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def test_any_sender_is_shown(run_view: Callable[..., HostProcess]) -> None:
    """`funcscope view` receives what OpenTelemetry's own exporter sends, and stops when asked."""
    process = run_view("--port", "0", "--view-port", "0")
    endpoint = process.wait_for(r"receiving OTLP/HTTP on (http://\S+)")[1]
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    with provider.get_tracer("test").start_as_current_span("sell"):
        pass
    provider.shutdown()

    (row,) = fetch(f"{page_of(process)}api/invocations")["rows"]
    assert (row["title"], row["function"], row["status"]) == ("sell", "shop", "ok")
    assert fetch(f"{page_of(process)}api/about")["receiver"] == endpoint
    assert process.stop() == 0
    assert "Traceback" not in process.output


def test_a_taken_port_is_named(run_view: Callable[..., HostProcess]) -> None:
    """A port that is in use is named, with what to do; nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        receiving = run_view("--port", port, "--view-port", "0")
        serving = run_view("--port", "0", "--view-port", port)

        assert (receiving.wait(), serving.wait()) == (1, 1)
    assert f"cannot receive on port {port}: " in receiving.output
    assert "pass another --port" in receiving.output
    assert f"port {port} on 127.0.0.1 is in use" in serving.output
    assert "pass another --view-port" in serving.output


@needs_library_worker
def test_an_app_is_shown_while_it_runs(run_host: Callable[..., HostProcess]) -> None:
    """`--view` shows the host's requests and the app's telemetry, beside the terminal's trees."""
    host = run_host("host_traced", "--port", "0", "--view", "--view-port", "0")
    host.fetch("/api/hello")
    host.wait_for("GET /api/hello → 200")

    (row,) = fetch(f"{page_of(host)}api/invocations?function=hello")["rows"]
    trace = fetch(f"{page_of(host)}api/traces/{row['trace']}")
    assert (row["title"], row["trigger"], row["result"]) == ("GET /api/hello", "http", "200")
    assert row["cold"] is True
    assert [log["body"] for log in trace["logs"]] == ["good morning"]
    assert trace["spans"][0]["parent"] == row["request_span"]
