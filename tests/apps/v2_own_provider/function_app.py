"""A v2 app that has made a tracer provider of its own."""

import azure.functions as func
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import funcscope.auto  # noqa: F401

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
