"""Functions with a span of OpenTelemetry's SDK, by hand."""

import azure.functions as func
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from tests.benchmarks.by_hand import attributes_of, host_context

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app")
app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer in a span."""
    with tracer.start_as_current_span(
        "GET /api/hello",
        context=host_context(context),
        kind=SpanKind.SERVER,
        attributes=attributes_of(req, context),
    ):
        return func.HttpResponse("hello")


@app.route("hello_async")
async def hello_async(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer in a span."""
    with tracer.start_as_current_span(
        "GET /api/hello",
        context=host_context(context),
        kind=SpanKind.SERVER,
        attributes=attributes_of(req, context),
    ):
        return func.HttpResponse("hello")
