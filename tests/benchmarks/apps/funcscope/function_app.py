"""Functions with funcscope, as the README sets it up."""

import azure.functions as func

import funcscope.auto  # noqa: F401

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    """Answer."""
    return func.HttpResponse("hello")


@app.route("hello_async")
async def hello_async(req: func.HttpRequest) -> func.HttpResponse:
    """Answer."""
    return func.HttpResponse("hello")
