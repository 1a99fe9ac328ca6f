"""Functions with spans, logs and metrics of OpenTelemetry's SDK, by hand."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import azure.functions as func
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from tests.benchmarks.by_hand import attributes_of, host_context

tracer_provider = TracerProvider()
tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(tracer_provider)
logger_provider = LoggerProvider()
logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
set_logger_provider(logger_provider)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))

tracer = trace.get_tracer("app")
meter = metrics.get_meter("app")
durations = meter.create_histogram("faas.invoke_duration", unit="s")
invocations = meter.create_counter("faas.invocations", unit="{invocation}")
logger = logging.getLogger("app")
logger.addHandler(LoggingHandler(logger_provider=logger_provider))
app = func.FunctionApp()


@contextmanager
def recorded(req: func.HttpRequest, context: func.Context) -> Iterator[None]:
    """Record an invocation: its span, its duration, and that it took place."""
    labels = {"faas.trigger": "http", "faas.name": context.function_name}
    start = perf_counter()
    with tracer.start_as_current_span(
        "GET /api/hello",
        context=host_context(context),
        kind=SpanKind.SERVER,
        attributes=attributes_of(req, context),
    ):
        try:
            yield
        finally:
            durations.record(perf_counter() - start, labels)
            invocations.add(1, labels)


@app.route("hello")
def hello(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Log twice, and answer."""
    with recorded(req, context):
        logger.info("order %s", 7)
        logger.info("order %s is done", 7)
        return func.HttpResponse("hello")


@app.route("hello_async")
async def hello_async(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Log twice, and answer."""
    with recorded(req, context):
        logger.info("order %s", 7)
        logger.info("order %s is done", 7)
        return func.HttpResponse("hello")
