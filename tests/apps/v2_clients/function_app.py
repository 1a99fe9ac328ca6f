"""A v2 app that calls others."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import os

import azure.functions as func
import requests

app = func.FunctionApp()


@app.route("fetch")
def fetch(req: func.HttpRequest) -> func.HttpResponse:
    url = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/absent?code=s3cretKey&x=1"
    requests.get(url, timeout=60)
    return func.HttpResponse("fetched", headers={"X-Cost": "3", "Set-Cookie": "s3cretCookie"})
