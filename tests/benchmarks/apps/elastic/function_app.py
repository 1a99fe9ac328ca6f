"""Functions with Elastic's extension, which these workers run no hooks of: we do."""

import importlib
import sys

import azure.functions as func

from funcscope.extensions import install

sys.unraisablehook = lambda _: None  # of gzip files that its transport leaves open
install()
elastic = importlib.import_module("elasticapm.contrib.serverless.azure")
elastic.ElasticAPMExtension.configure()
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
    elastic.ElasticAPMExtension.client._transport.flush()
