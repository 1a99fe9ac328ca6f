"""The OTLP receiver and senders of JSON, such as OpenTelemetry's SDKs for JavaScript."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from funcscope.contrib.host import OtlpReceiver, TelemetryStore

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RESOURCE = {
    "attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}],
    "droppedAttributesCount": 0,
}
# As @opentelemetry/otlp-transformer writes it: times as texts, enumerations as numbers.
SPAN = {
    "traceId": TRACE_ID,
    "spanId": SPAN_ID,
    "parentSpanId": "",
    "name": "sell",
    "kind": 2,
    "startTimeUnixNano": "1700000000000000001",
    "endTimeUnixNano": "1700000000500000001",
    "attributes": [
        {"key": "n", "value": {"intValue": "9007199254740993"}},
        {"key": "traceId", "value": {"stringValue": "no id"}},
    ],
    "events": [],
    "links": [{"traceId": TRACE_ID, "spanId": SPAN_ID, "attributes": []}],
    "status": {"code": 2, "message": "sold out"},
    "flags": 257,
    "somethingNew": True,
}


def post(receiver: OtlpReceiver, path: str, body: object) -> tuple[int, str, object]:
    """Send JSON; return the status, the media type and the answer."""
    connection = http.client.HTTPConnection(urlsplit(receiver.endpoint).netloc, timeout=PATIENCE_S)
    text = body if isinstance(body, str) else json.dumps(body)
    try:
        connection.request("POST", path, text, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.load(response)
        return response.status, response.headers["content-type"], answer
    finally:
        connection.close()


def test_spans(receiver: OtlpReceiver, store: TelemetryStore) -> None:
    """A span in JSON comes out as one in protobuf does, and is answered in JSON."""
    request = {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"spans": [SPAN]}]}]}

    assert post(receiver, "/v1/traces", request) == (200, "application/json", {})

    (span,) = store.spans
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE_ID, SPAN_ID, "")
    assert (span.name, span.kind, span.status) == ("sell", "SERVER", "ERROR")
    assert (span.start_ns, span.end_ns - span.start_ns) == (1700000000000000001, 500_000_000)
    assert span.attributes == {"n": 9007199254740993, "traceId": "no id"}
    assert (span.links[0].trace_id, span.links[0].span_id) == (TRACE_ID, SPAN_ID)
    assert span.resource["service.name"] == "shop"


def test_logs_and_metrics(receiver: OtlpReceiver, store: TelemetryStore) -> None:
    """The other signals come in JSON, too."""
    log = {"traceId": TRACE_ID, "severityNumber": 13, "body": {"stringValue": "low on tea"}}
    point = {"asDouble": 2.5, "timeUnixNano": "1", "attributes": []}
    metric = {
        "name": "sold",
        "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]},
    }
    post(receiver, "/v1/logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]})
    post(receiver, "/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})

    assert (store.logs[0].body, store.logs[0].trace_id) == ("low on tea", TRACE_ID)
    (sold,) = store.metrics
    assert (sold.name, sold.temporality, sold.points[0].value) == ("sold", "CUMULATIVE", 2.5)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"text"',
        '{"resourceSpans": 7}',
        '{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "no hex"}]}]}]}',
        '{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 99}]}]}]}',
        "[" * 100_000,
    ],
)
def test_refuses_garbage(receiver: OtlpReceiver, store: TelemetryStore, body: str) -> None:
    """What is no request in JSON is answered 400 with a reason, and the receiver goes on."""
    status, media_type, answer = post(receiver, "/v1/traces", body)

    assert (status, media_type) == (400, "application/json")
    assert "body " in str(answer)
    assert post(receiver, "/v1/traces", {})[0] == 200
    assert store.spans == ()
