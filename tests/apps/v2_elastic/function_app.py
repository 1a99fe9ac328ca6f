"""Elastic's extension as its documentation sets it up, on a worker that knows no extensions."""

import azure.functions as func
from elasticapm.contrib.serverless.azure import ElasticAPMExtension

from funcscope.extensions import install

install()
ElasticAPMExtension.configure(
    service_name="app", transport_class="captured.Captured", server_url="http://127.0.0.1:9"
)
app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello", status_code=201)


@app.route("later")
async def later(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return func.HttpResponse("later", status_code=503)
