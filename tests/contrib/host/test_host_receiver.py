"""The OTLP receiver, fed by OpenTelemetry's own exporters and by hand."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import zlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from tests.patience import PATIENCE_S

from funcscope.contrib.host import Batch, HostError, OtlpReceiver, TelemetryStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESOURCE = Resource({"service.name": "shop"})
CHUNKED = b"transfer-encoding: chunked"
PROTOBUF = {"content-type": "application/x-protobuf"}


def post(
    receiver: OtlpReceiver,
    path: str,
    body: bytes | Iterable[bytes],
    headers: Mapping[str, str] = PROTOBUF,
) -> tuple[int, bytes]:
    """Send a request as it is; parts of a body go in chunks."""
    connection = http.client.HTTPConnection(urlsplit(receiver.endpoint).netloc, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def spans_named(name: str) -> bytes:
    """Make a request with a span."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.name, span.trace_id, span.span_id = name, b"t" * 16, b"s" * 8
    return request.SerializeToString()


@pytest.mark.parametrize("compression", list(Compression))
def test_spans(receiver: OtlpReceiver, store: TelemetryStore, compression: Compression) -> None:
    """A span comes out as it went in, whatever the compression."""
    exporter = OTLPSpanExporter(f"{receiver.endpoint}/v1/traces", compression=compression)
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.tracer")
    link = Link(SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(1)), {"n": 1})

    with (
        tracer.start_as_current_span("parent") as parent,
        pytest.raises(KeyError),
        tracer.start_as_current_span(
            "child", kind=SpanKind.SERVER, attributes={"a": ["x", "y"], "b": True}, links=[link]
        ),
    ):
        raise KeyError("gone")
    provider.shutdown()

    store.wait_for(lambda s: len(s.spans) == 2)
    child, root = store.spans
    assert (root.name, root.parent_id, root.status) == ("parent", "", "UNSET")
    assert child.parent_id == root.span_id == f"{parent.get_span_context().span_id:016x}"
    assert child.trace_id == root.trace_id == f"{parent.get_span_context().trace_id:032x}"
    assert (child.name, child.kind, child.status) == ("child", "SERVER", "ERROR")
    assert child.attributes == {"a": ["x", "y"], "b": True}
    assert child.events[0].attributes["exception.type"] == "KeyError"
    assert (child.links[0].trace_id, child.links[0].attributes) == (f"{10:032x}", {"n": 1})
    assert child.resource["service.name"] == "shop"
    assert child.scope == "shop.tracer"
    assert child.start_ns < child.end_ns


def test_logs(receiver: OtlpReceiver, store: TelemetryStore) -> None:
    """A log record comes out with severity, body, attributes and ids."""
    provider = LoggerProvider(resource=RESOURCE)
    exporter = OTLPLogExporter(f"{receiver.endpoint}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))

    provider.get_logger("shop.logger").emit(
        timestamp=7,
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body={"text": "low on tea"},
        attributes={"left": 2},
    )
    provider.shutdown()

    (record,) = store.wait_for(lambda s: s.logs)
    assert (record.severity, record.severity_number, record.time_ns) == ("WARN", 13, 7)
    assert record.body == {"text": "low on tea"}
    assert record.attributes == {"left": 2}
    assert (record.trace_id, record.span_id) == ("", "")


def test_metrics(receiver: OtlpReceiver, store: TelemetryStore) -> None:
    """Counters and histograms come out with their points."""
    exporter = OTLPMetricExporter(f"{receiver.endpoint}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1e9)
    provider = MeterProvider([reader], resource=RESOURCE)
    meter = provider.get_meter("shop.meter")

    meter.create_counter("sold", unit="{item}").add(3, {"item": "tea"})
    meter.create_histogram("duration", unit="s").record(0.5)
    provider.shutdown()

    metrics = {m.name: m for m in store.wait_for(lambda s: s.metrics)}
    assert (metrics["sold"].kind, metrics["sold"].unit) == ("sum", "{item}")
    assert metrics["sold"].points[0].value == 3
    assert metrics["sold"].points[0].attributes == {"item": "tea"}
    assert (metrics["duration"].kind, metrics["duration"].points[0].count) == ("histogram", 1)
    assert metrics["duration"].points[0].value == 0.5


def test_answers_with_the_signals_message(receiver: OtlpReceiver) -> None:
    """Success is answered by the response message of the signal."""
    status, body = post(receiver, "/v1/traces", ExportTraceServiceRequest().SerializeToString())

    assert status == 200
    assert ExportTraceServiceResponse.FromString(body) == ExportTraceServiceResponse()


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"\xff\xff\xff", {}, b"not the OTLP protobuf message"),
        (b"{}", {"content-type": "text/plain"}, b"text/plain"),
        (b"plain", {"content-encoding": "gzip"}, b"body is not gzip"),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], {"content-encoding": "gzip"}, b"cut short"),
        (b"", {"content-encoding": "br"}, b"'br' is not known"),
        (b"", {"content-length": "999999999"}, b"content length"),
        (b"", {"content-length": "many"}, b"content length"),
    ],
)
def test_refuses_garbage(
    receiver: OtlpReceiver, body: bytes, headers: dict[str, str], message: bytes
) -> None:
    """What is no OTLP is answered 400 with a reason, and the receiver goes on."""
    status, answer = post(receiver, "/v1/traces", body, {**PROTOBUF, **headers})

    assert status == 400
    assert message in answer
    assert post(receiver, "/v1/traces", b"")[0] == 200


@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_takes_chunks(
    receiver: OtlpReceiver, store: TelemetryStore, encoding: str, count: int
) -> None:
    """A body that comes in chunks, as that of OpenTelemetry for JavaScript, is put together."""
    body = spans_named("a" * 5000)
    if encoding == "gzip":
        body = gzip.compress(body)
    parts = (body[start : start + count] for start in range(0, len(body), count))

    status, _ = post(receiver, "/v1/traces", parts, {**PROTOBUF, "content-encoding": encoding})

    assert status == 200
    assert [span.name for span in store.spans] == ["a" * 5000]


@pytest.mark.parametrize(
    ("framing", "sent", "message"),
    [
        (CHUNKED, b"x\r\n", "is not the size of a chunk"),
        (CHUNKED, b"-1\r\n", "is not the size of a chunk"),
        (CHUNKED, b"", "is not the size of a chunk"),
        (CHUNKED, b"fffffff\r\n", "longer than"),
        (CHUNKED, b"5\r\nabc", "cut short: 3 bytes came of 5"),
        (b"content-length: 9", b"{}", "cut short: 2 bytes came of 9"),
    ],
)
def test_refuses_what_is_not_whole(
    receiver: OtlpReceiver, framing: bytes, sent: bytes, message: str
) -> None:
    """A body that ends early, or whose chunks are none, is answered 400 with the reason."""
    head = b"POST /v1/traces HTTP/1.1\r\ncontent-type: application/json\r\n"
    address = urlsplit(receiver.endpoint)
    with socket.create_connection((address.hostname, address.port), PATIENCE_S) as connection:
        connection.sendall(head + framing + b"\r\n\r\n" + sent)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.0 400")
    assert message in answer.decode()


def test_refuses_bombs(receiver: OtlpReceiver) -> None:
    """A small body that inflates beyond the limit is refused."""
    bomb = zlib.compress(bytes(65 * 1024 * 1024))

    status, answer = post(receiver, "/v1/logs", bomb, {**PROTOBUF, "content-encoding": "deflate"})

    assert status == 400
    assert b"longer than" in answer


def test_knows_three_paths(receiver: OtlpReceiver) -> None:
    """Any other path is answered 404."""
    assert post(receiver, "/v1/profiles", b"")[0] == 404


def test_stopping_finishes_what_is_under_way() -> None:
    """A request that is being handled when the receiver stops is answered first."""
    is_handling, may_finish = threading.Event(), threading.Event()
    answers: list[int] = []
    handled: list[bool] = []

    def handle(_: Batch) -> None:
        is_handling.set()
        may_finish.wait(PATIENCE_S)
        handled.append(True)

    with OtlpReceiver(handle) as receiver:
        sender = threading.Thread(
            target=lambda: answers.append(post(receiver, "/v1/traces", b"")[0])
        )
        sender.start()
        assert is_handling.wait(PATIENCE_S)
        threading.Timer(0.05, may_finish.set).start()
    assert handled
    sender.join()

    assert answers == [200]


def test_waiting_in_vain_tells_what_came(store: TelemetryStore) -> None:
    """A wait that times out says what the store holds."""
    with pytest.raises(HostError, match=r"waited 0.01 s in vain: spans: none"):
        store.wait_for(lambda s: s.spans, timeout_s=0.01)
