"""Functions with a span by hand, which Azure Monitor's distro exports."""

import importlib

import azure.functions as func
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from tests.benchmarks.by_hand import attributes_of, host_context

# By name: the checkers' environment has no distro. The logger, since a worker's root logs at
# INFO: the distro would export what its own exporter logs of each export, without an end.
distro = importlib.import_module("azure.monitor.opentelemetry")
distro.configure_azure_monitor(logger_name="app")
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
