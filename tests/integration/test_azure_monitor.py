"""Azure Monitor's own distro beside us, with a stand-in for its ingestion on loopback."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]
Envelope = dict[str, Any]

BY_APP = {"CALLS_DISTRO": "1"}
BY_WORKER = {"PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true"}


class Ingestion(ThreadingHTTPServer):
    """Takes what Azure Monitor's exporters send, and says that it has accepted all of it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def connection_string(self) -> str:
        """What an app is told to send here."""
        endpoint = f"http://127.0.0.1:{self.server_address[1]}/"
        return (
            f"InstrumentationKey={'0' * 8}-0000-0000-0000-{'0' * 12};IngestionEndpoint={endpoint}"
        )


class _Handler(BaseHTTPRequestHandler):
    server: Ingestion

    def do_POST(self) -> None:
        """Take one batch: the breeze protocol's `/v2.1/track`."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        batch = json.loads(body)
        self.server.envelopes.extend(batch)
        taken = {"itemsReceived": len(batch), "itemsAccepted": len(batch), "errors": []}
        answer = json.dumps(taken).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def ingestion() -> Iterator[Ingestion]:
    """Take Azure Monitor's telemetry on loopback."""
    with Ingestion() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.library_worker
@pytest.mark.parametrize("path", ["protobuf", "native", "native_sync"])
@pytest.mark.parametrize("caller", [BY_APP, BY_WORKER], ids=["app", "worker"])
def test_azure_monitor(
    run: Runner, call: Caller, host: Any, path: str, ingestion: Ingestion, caller: dict[str, str]
) -> None:
    """Beside Azure Monitor's distro an invocation has one span, and logs go out once."""
    calls = [call("hello"), call("later")]
    result = run(
        "v2_azure_monitor",
        calls,
        path=path,
        python=f"{sys.prefix}-azure-monitor/bin/python",
        env={
            **caller,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
            "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "OTEL_TRACES_SAMPLER": "always_on",  # the distro's own leaves out some
            "PYTHONWARNINGS": "default",
        },
    )
    spans = [_item(e) for e in ingestion.envelopes if _kind(e) == "RemoteDependencyData"]
    logs = [_item(e) for e in ingestion.envelopes if _kind(e) == "MessageData"]

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    assert [(name, trace) for name, trace, _ in spans] == [
        ("function hello", host.trace_id),
        ("function later", host.trace_id),
    ]
    assert [said["faas.invocation_id"] for *_, said in spans] == [made["id"] for made in calls]
    assert [log[:2] for log in logs if log[0] == "inside"] == [("inside", host.trace_id)] * 2
    assert (result.spans, result.logs) == ((), ())


def _kind(envelope: Envelope) -> str:
    return str(envelope["data"]["baseType"])


def _item(envelope: Envelope) -> tuple[str, str, dict[str, str]]:
    """Return an item's name or message, its trace id, and its properties."""
    data = envelope["data"]["baseData"]
    trace = envelope["tags"]["ai.operation.id"]
    return data.get("name") or data["message"], trace, data["properties"]
