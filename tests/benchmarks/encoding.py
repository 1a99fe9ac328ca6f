"""What OTLP's bytes cost, beside the SDK's: `python -m tests.benchmarks.encoding`."""

from __future__ import annotations

import sys
import uuid
from statistics import median
from time import time_ns
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.exporter.otlp.proto.common import _log_encoder, trace_encoder
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)
from tests.benchmarks.rounds import measure, print_timings, time_calls

from funcscope.telemetry._config.resource import resource
from funcscope.telemetry._otlp.logs import encode_record
from funcscope.telemetry._otlp.request import RequestBuilder
from funcscope.telemetry._otlp.spans import encode_span

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, ITEMS = 60, 512
TARGET = 0.2  # of the SDK's time

ENVIRON = {
    "WEBSITE_SITE_NAME": "orders",
    "WEBSITE_INSTANCE_ID": "5f1c" * 16,
    "WEBSITE_OWNER_NAME": f"{uuid.UUID(int=7)}+orders-westeuropewebspace",
    "WEBSITE_RESOURCE_GROUP": "orders-production",
    "REGION_NAME": "West Europe",
}
PARENT = SpanContext(0xABCDEF << 90, 0xABCDEF << 30, is_remote=True, trace_flags=TraceFlags(1))
APP = f"/subscriptions/{uuid.UUID(int=7)}/resourceGroups/orders-production/providers"


def make_spans() -> list[ReadableSpan]:
    """Make spans as funcscope's are of an HTTP function, below the host's."""
    provider = TracerProvider(resource=resource(ENVIRON), shutdown_on_exit=False)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("funcscope.telemetry", "0.1.0")
    parent = set_span_in_context(NonRecordingSpan(PARENT))
    for number in range(ITEMS):
        function, invocation_id = f"order{number % 8}", str(uuid.uuid4())
        attributes: dict[str, str | int | bool] = {
            "faas.name": function,
            "code.function.name": f"function_app.{function}",
            "azure.functions.trigger.type": "httpTrigger",
            "cloud.resource_id": f"{APP}/Microsoft.Web/sites/orders/functions/{function}",
            "faas.invocation_id": invocation_id,
            "InvocationId": invocation_id,
            "faas.coldstart": False,
            "faas.instance": "5f1c" * 16,
            "faas.trigger": "http",
            "http.request.method": "GET",
            "url.scheme": "https",
            "url.path": f"/api/orders/{number}",
            "http.route": "/api/orders/{id}",
            "server.address": "orders.azurewebsites.net",
            "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
        }
        span = tracer.start_span("GET /api/orders/{id}", parent, SpanKind.SERVER, attributes)
        span.set_attribute("http.response.status_code", 404 if number % 50 == 0 else 200)
        span.end()
    return list(exporter.get_finished_spans())


def make_records() -> list[ReadableLogRecord]:
    """Make log records as `logging` gives them, with six attributes."""
    provider = LoggerProvider(resource=resource(ENVIRON), shutdown_on_exit=False)
    exporter = cast("Any", InMemoryLogRecordExporter)()  # not typed in the SDK
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("function_app")
    context = set_span_in_context(NonRecordingSpan(PARENT))
    for number in range(ITEMS):
        logger.emit(
            timestamp=time_ns(),
            context=context,
            severity_text="INFO",
            body=f"order {number} was found in {number % 7} ms",
            attributes={
                "code.file.path": "/home/site/wwwroot/function_app.py",
                "code.function.name": "find_order",
                "code.line.number": 42 + number % 5,
                "faas.name": "order",
                "faas.invocation_id": str(uuid.uuid4()),
                "order.is_new": bool(number % 2),
            },
        )
    return list(exporter.get_finished_logs())


def main() -> int:
    """Measure, print, and fail where a target is missed."""
    spans, records = make_spans(), make_records()

    def add_spans() -> None:
        builder = RequestBuilder()
        for span in spans:
            builder.add(*encode_span(span))
        builder.build()

    def add_records() -> None:
        builder = RequestBuilder()
        for record in records:
            builder.add(*encode_record(record))
        builder.build()

    ways: dict[str, Callable[[], object]] = {
        "span, ours": add_spans,
        "span, SDK": lambda: trace_encoder.encode_spans(spans).SerializePartialToString(),
        "record, ours": add_records,
        "record, SDK": lambda: _log_encoder.encode_logs(records).SerializePartialToString(),
    }
    for way in ways.values():
        way()

    def timed(way: Callable[[], object]) -> Callable[[], float]:
        return lambda: time_calls(1, way) / ITEMS

    timings = measure(ROUNDS, {name: timed(way) for name, way in ways.items()})
    print_timings("OTLP", timings)
    ratios = [
        median(timings[f"{kind}, ours"]) / median(timings[f"{kind}, SDK"])
        for kind in ("span", "record")
    ]
    print(f"beside the SDK's: {ratios[0]:.2f} and {ratios[1]:.2f}, at most {TARGET}")
    return int(max(ratios) > TARGET)


if __name__ == "__main__":
    sys.exit(main())
