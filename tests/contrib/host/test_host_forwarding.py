"""What is received is handed on to the user's endpoint: unchanged, bounded, and told where not."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from tests.patience import PATIENCE_S

from funcscope.contrib.host import OtlpReceiver
from funcscope.contrib.host._forwarding import destination
from funcscope.contrib.host._forwarding.forwarder import Forwarder
from funcscope.contrib.host._forwarding.host_spans import encode_roots
from funcscope.contrib.host._traces.destinations import find_routes
from funcscope.contrib.host._traces.otlp import decode
from funcscope.contrib.host._traces.receiver import RawRequest
from funcscope.contrib.host._traces.traces import HostRequest, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.contrib.host import ReceivedSpan

    MakeSpan = Callable[..., ReceivedSpan]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HOST_SPAN_ID = "00f067aa0ba902b7"
HEADERS = (("Content-Type", "application/x-protobuf"), ("Content-Encoding", "gzip"))


class Collector:
    """
    A server that keeps what is posted to it.

    Attributes:
        answers: The statuses of the next answers; 200 when they are used up.
        received: Path, headers with names in lower case, and body of each request.
    """

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        self._changed = threading.Condition()
        self.url = ""

    def wait_for(self, count: int) -> None:
        """Wait until so many requests came."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, PATIENCE_S)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Keep a request, and return its status."""
        self.gate.wait(PATIENCE_S)
        with self._changed:
            self.received.append((path, headers, body))
            self._changed.notify_all()
            return self.answers.pop(0) if self.answers else 200


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            self.send_response(collector.answer(self.path, headers, body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        collector.gate.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector for a test."""
    with collecting() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no test wait for another try."""
    monkeypatch.setattr(destination, "_WAIT_S", 0.01)


def forwarder_to(collector: Collector, said: list[str], **settings: str) -> Forwarder:
    """Make a forwarder of all signals to a collector."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **settings}
    return Forwarder(find_routes(environment).forwarded, said.append)


def test_forwarded_as_received(collector: Collector) -> None:
    """The endpoint gets the same bytes and headers, without those of the connection."""
    body = gzip.compress(b"not decoded again")
    said: list[str] = []
    hop = (("Host", "127.0.0.1:1"), ("Connection", "close"), ("Content-Length", "7"))
    with forwarder_to(collector, said) as forwarder:
        forwarder.forward(RawRequest("/v1/logs", (*HEADERS, *hop, ("x-key", "k")), body))

    ((path, headers, received),) = collector.received
    assert (path, received, said) == ("/v1/logs", body, [])
    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["x-key"] == "k"
    assert headers["host"] == collector.url.removeprefix("http://")


def test_exporter_is_received_and_forwarded(collector: Collector) -> None:
    """What OpenTelemetry's own exporter sends gets to the endpoint as if it were sent there."""
    received: list[ReceivedSpan] = []
    with (
        forwarder_to(collector, []) as forwarder,
        OtlpReceiver(
            lambda batch: received.extend(batch.spans), on_request=forwarder.forward
        ) as receiver,
    ):
        exporter = OTLPSpanExporter(
            f"{receiver.endpoint}/v1/traces",
            headers={"x-key": "k"},
            compression=Compression.Gzip,
        )
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        provider.get_tracer("shop").start_span("work").end()
        provider.shutdown()

    ((path, headers, body),) = collector.received
    assert (path, headers["x-key"], headers["content-encoding"]) == ("/v1/traces", "k", "gzip")
    assert headers["user-agent"].startswith("OTel-OTLP-Exporter-Python")
    assert decode(path, gzip.decompress(body)).spans == tuple(received)
    assert [each.name for each in received] == ["work"]


def test_headers_of_the_settings(collector: Collector) -> None:
    """A key in the settings gets to the endpoint, if the app's exporter sends it or not."""
    environment = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/otlp?x=1".replace("//", "//u:p@"),
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret",
    }
    with Forwarder(find_routes(environment).forwarded, print) as forwarder:
        forwarder.forward(RawRequest("/v1/traces", HEADERS, b"x"))
        forwarder.forward(RawRequest("/v1/logs", HEADERS, b"not wanted there"))

    ((path, headers, _),) = collector.received
    assert path == "/otlp?x=1"
    assert headers["api-key"] == "secret"
    assert headers["authorization"] == "Basic dTpw"


def test_tried_again(collector: Collector) -> None:
    """What an endpoint cannot take now is sent again, in its order."""
    collector.answers = [503, 429]
    said: list[str] = []
    with forwarder_to(collector, said) as forwarder:
        for body in (b"1", b"2"):
            forwarder.forward(RawRequest("/v1/traces", HEADERS, body))

    assert [body for _, _, body in collector.received] == [b"1", b"1", b"1", b"2"]
    assert said == []


def test_failure_is_told_once(collector: Collector) -> None:
    """What is refused is told once, and counted in the end."""
    collector.answers = [401, 401, 401]
    said: list[str] = []
    with forwarder_to(collector, said) as forwarder:
        for _ in range(3):
            forwarder.forward(RawRequest("/v1/traces", HEADERS, b"x"))

    endpoint = f"{collector.url}/v1/traces"
    assert said == [
        f"traces do not get to {endpoint}: HTTP 401",
        f"3 requests of traces did not get to {endpoint}",
    ]


def test_endpoint_that_is_not_there() -> None:
    """An endpoint that nobody listens on is told, and ends nothing."""
    with collecting() as gone:
        pass
    said: list[str] = []
    with forwarder_to(gone, said) as forwarder:
        forwarder.forward(RawRequest("/v1/metrics", HEADERS, b"x"))

    assert said[0].startswith(f"metrics do not get to {gone.url}/v1/metrics: ")
    assert said[-1].startswith("1 request of metrics did not get to")


def test_endpoint_that_hangs(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that hangs holds up nobody: what is too much is dropped, the oldest first."""
    monkeypatch.setattr(destination, "MAX_WAITING", 1_000)
    said: list[str] = []
    collector.gate.clear()
    with forwarder_to(collector, said) as forwarder:
        for number in range(100):
            forwarder.forward(RawRequest("/v1/traces", HEADERS, bytes([number]) * 100))
        collector.gate.set()

    bodies = [body[0] for _, _, body in collector.received]
    assert bodies[-10:] == list(range(90, 100))
    assert len(bodies) <= 11
    assert said == [
        f"{100 - len(bodies)} requests of traces did not get to {collector.url}/v1/traces"
    ]


def test_end_is_not_held_up(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end comes though an endpoint hangs."""
    monkeypatch.setattr(destination, "_STOP_WITHIN_S", 0.2)
    said: list[str] = []
    collector.gate.clear()
    with forwarder_to(collector, said) as forwarder:
        for _ in range(3):
            forwarder.forward(RawRequest("/v1/traces", HEADERS, b"x"))

    assert said[-1].startswith("3 requests of traces did not get to")


def request_of(**fields: object) -> HostRequest:
    """Make an ended request."""
    values: dict[str, object] = {
        "title": "GET /api/hello/tea",
        "result": "200",
        "duration_s": 0.002,
        "function": "hello",
        "trigger": "httpTrigger",
        "started_ns": 1_000_000,
        "parent_id": "c" * 16,
        "trace_state": "a=1",
        **fields,
    }
    return HostRequest("i1", TRACE_ID, HOST_SPAN_ID, **values)  # type: ignore[arg-type]


def root_of(request: HostRequest, *spans: ReceivedSpan) -> ReceivedSpan:
    """Encode a request's span, and decode it again."""
    body = encode_roots(Trace(TRACE_ID, {"i1": request}, list(spans)))
    (root,) = decode("/v1/traces", body).spans
    return root


def test_root_of_a_request(span: MakeSpan) -> None:
    """The host's span is the parent of the function's, with the route's name and the app's own."""
    own = span(
        "GET /api/hello/{name}",
        HOST_SPAN_ID,
        attributes={"InvocationId": "i1", "faas.name": "hello"},
        resource={"service.name": "shop", "process.pid": 7, "replicas": 3, "spot": True},
    )

    root = root_of(request_of(), own)

    assert (root.name, root.kind, root.status) == ("GET /api/hello/{name}", "SERVER", "UNSET")
    assert (root.span_id, root.parent_id, root.trace_state) == (HOST_SPAN_ID, "c" * 16, "a=1")
    assert (root.start_ns, root.end_ns) == (1_000_000, 3_000_000)
    assert root.resource == {"service.name": "shop", "replicas": 3, "spot": True}
    assert root.attributes == {
        "faas.name": "hello",
        "InvocationId": "i1",
        "http.request.method": "GET",
        "url.path": "/api/hello/tea",
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    ("trigger", "kind"),
    [("queueTrigger", "CONSUMER"), ("serviceBusTrigger", "CONSUMER"), ("timerTrigger", "INTERNAL")],
)
def test_kinds_of_roots(span: MakeSpan, trigger: str, kind: str) -> None:
    """A message's span is a consumer's, and a timer's is neither server nor consumer."""
    root = root_of(request_of(trigger=trigger, title=f"{trigger} hello"), span("own"))

    assert (root.kind, root.name) == (kind, f"{trigger} hello")
    assert "url.path" not in root.attributes


def test_root_of_a_failure(span: MakeSpan) -> None:
    """A failed request says what its function raised, or why its answer could not be given."""
    failed = {"result": "500", "is_ok": False}
    raised = root_of(request_of(**failed, error="ValueError: bad\nworse"), span("own"))
    refused = root_of(request_of(**failed, problem="no valid response"), span("own"))

    assert (raised.status, raised.status_message) == ("ERROR", "ValueError: bad")
    assert raised.attributes["error.type"] == "ValueError"
    assert (refused.status_message, refused.attributes["error.type"]) == (
        "no valid response",
        "500",
    )


def test_traces_that_the_app_left_out_have_no_root(collector: Collector, span: MakeSpan) -> None:
    """No root is exported where no span of the app's was, where it runs, or a second time."""
    with forwarder_to(collector, []) as forwarder:
        forwarder.add_roots(Trace(TRACE_ID, {"i1": request_of()}))
        forwarder.add_roots(Trace(TRACE_ID, {"i1": request_of(result=None)}, [span("own")]))
        forwarder.add_roots(Trace(TRACE_ID, {"i1": request_of(is_sampled=False)}, [span("own")]))
        forwarder.add_roots(Trace(TRACE_ID, {"i1": request_of()}, [span("own")], is_late=True))
        forwarder.add_roots(Trace(TRACE_ID, {"i1": request_of()}, [span("own")]))

    assert len(collector.received) == 1
