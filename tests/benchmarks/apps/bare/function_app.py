"""Functions without anything around them."""

import azure.functions as func

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    """Answer."""
    return func.HttpResponse("hello")


@app.route("hello_async")
async def hello_async(req: func.HttpRequest) -> func.HttpResponse:
    """Answer."""
    return func.HttpResponse("hello")
