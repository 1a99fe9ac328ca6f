"""
What clients of real services do is told below the invocation, with no secret in it.

`make test-services` starts the servers (scripts/services.py), and these tests beside them.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]  # has no types
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Run

    from funcscope.contrib.host import ReceivedSpan

    Runner = Callable[..., Run]
    Caller = Callable[..., dict[str, Any]]
    Sent = dict[str, list[str]]  # the traceparents that came with each call of a name

SERVICES = json.loads(os.environ.get("TEST_SERVICES", "{}"))
PYTHON = f"{sys.prefix}-services/bin/python"

pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(not SERVICES, reason="needs servers: make test-services"),
]

INSTRUMENTATION = "opentelemetry.instrumentation."
AZURE = "azure.core.tracing.ext.opentelemetry_span"
SCOPES = {
    "requests": {f"{INSTRUMENTATION}requests"},
    "httpx": {f"{INSTRUMENTATION}httpx"},
    "httpx_async": {f"{INSTRUMENTATION}httpx"},
    "aiohttp": {f"{INSTRUMENTATION}aiohttp_client"},
    "urllib3": {f"{INSTRUMENTATION}urllib3"},
    "grpc": {f"{INSTRUMENTATION}grpc"},
    "sqlite": {f"{INSTRUMENTATION}sqlalchemy"},
    "sqlalchemy": {f"{INSTRUMENTATION}sqlalchemy", f"{INSTRUMENTATION}psycopg"},
    "psycopg": {f"{INSTRUMENTATION}psycopg"},
    "psycopg_async": {f"{INSTRUMENTATION}psycopg"},
    "redis": {f"{INSTRUMENTATION}redis"},
    "blob": {AZURE},
    "queue": {AZURE},
    "cosmos": {AZURE, f"{INSTRUMENTATION}requests"},  # both of what it asks first, for the account
    "service_bus": {AZURE},
    "event_hubs": {AZURE},
}
"""By function: the scopes of the spans below its invocation's."""

HTTP = ("requests", "httpx", "httpx_async", "aiohttp", "urllib3")


@pytest.fixture
def sent() -> Sent:
    """Take the traceparents that arrive."""
    return {}


@pytest.fixture
def http(sent: Sent) -> Iterator[str]:
    """Answer any path with an empty object; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("?")[0].split("/")[1]
            sent.setdefault(name, []).append(self.headers.get("traceparent", ""))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def grpc_server(sent: Sent) -> Iterator[str]:
    """Answer any call; yield the address."""

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, call: Any) -> Any:
            sent["grpc"] = [dict(call.invocation_metadata).get("traceparent", "")]
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"sold")

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def store() -> str:
    """Name a container and a queue."""
    return f"orders-{uuid.uuid4()}"


@pytest.fixture
def services(http: str, grpc_server: str, store: str) -> dict[str, Any]:
    """Make the environment of an app that calls all of them."""
    settings = {**SERVICES, "http": http, "grpc": grpc_server, "store": store}
    return {
        "TEST_SERVICES": json.dumps(settings),
        "FUNCSCOPE_INSTRUMENT": "auto",
        "PYTHONWARNINGS": "default",
    }


def below(spans: tuple[ReceivedSpan, ...], top: ReceivedSpan) -> list[ReceivedSpan]:
    """Return all that is below a span."""
    children = [span for span in spans if span.parent_id == top.span_id]
    return children + [span for child in children for span in below(spans, child)]


def stored(store: str) -> list[str]:
    """Return the traceparents that Azurite got with what was asked of a container or queue."""
    lines = Path(SERVICES["azurite_log"]).read_text().splitlines()
    requests = [line for line in lines if "RequestHeaders:" in line and f"/{store}" in line]
    found = [re.search(r'"traceparent":"([^"]*)"', line) for line in requests]
    return [match[1] if match else "" for match in found]


def secrets() -> set[str]:
    """Return what must not leave: that of the servers, and what the app has in calls."""
    urls = [SERVICES["postgres"], SERVICES["redis"]]
    passwords = {re.search(r":([^:/]+)@", url)[1] for url in urls}  # type: ignore[index]
    key = re.search(r"AccountKey=([^;]+)", SERVICES["azurite"])[1]  # type: ignore[index]
    return {*passwords, key, "s3cret", "czNjcmV0S2V5"}


def test_calls_of_services(
    run: Runner, call: Caller, path: str, services: dict[str, Any], store: str, sent: Sent
) -> None:
    """
    Each call is below its invocation, and what it sends names its span; no secret leaves.

    Each function has one client, or one of its ways; that of `psycopg_refused` is refused.
    """
    calls = [call(f"by_{name}") for name in (*SCOPES, "psycopg_refused")]
    result = run("v2_services", calls, path=path, env=services, python=PYTHON)
    failed = [outcome["error"] for outcome in result.outcomes if not outcome["ok"]]
    clients: dict[str, set[str]] = {}
    for index, (name, scopes) in enumerate(SCOPES.items()):
        spans = below(result.spans, result.span(index))
        assert {span.scope for span in spans} == scopes, name
        assert {span.trace_id for span in spans} == {result.span(index).trace_id}
        outgoing = [span for span in spans if span.kind in ("CLIENT", "PRODUCER")]
        clients[name] = {f"00-{span.trace_id}-{span.span_id}-01" for span in outgoing}
        for record in result.messages(index):
            body = str(record.body)
            if body.startswith("sent with "):
                sent.setdefault(name, []).append(body.removeprefix("sent with "))
    # Cosmos has a thread of its own that looks for regions, in no invocation.
    sent["cosmos"] = [parent for parent in sent["cosmos"] if result.span().trace_id in parent]
    sent["azurite"] = stored(store)
    clients["azurite"] = clients["blob"] | clients["queue"]

    assert len(failed) == 1
    assert "password authentication failed" in failed[0]
    assert sent.keys() == {*HTTP, "cosmos", "grpc", "azurite", "service_bus", "event_hubs"}
    for name, parents in sent.items():
        assert parents
        assert set(parents) <= clients[name], name
    everything = repr((result.spans, result.logs, result.points))
    assert [secret for secret in secrets() if secret in everything] == []
