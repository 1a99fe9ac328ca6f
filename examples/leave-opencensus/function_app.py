"""An app that was written for OpenCensus: one import has changed, and nothing else."""

import logging

import azure.functions as func
import requests
from funcscope.contrib.opencensus import OpenCensusExtension
from opencensus.trace import config_integration

config_integration.trace_integrations(["requests"])
OpenCensusExtension.configure()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("price")
def price(req: func.HttpRequest, context: func.Context) -> str:
    logging.info("asking for the rate")
    with context.tracer.span("convert") as span:
        span.add_attribute("currency", "EUR")
        rate = requests.get(req.url.replace("/price", "/rate"), timeout=10)
    return f"{10 * float(rate.text):.2f} EUR"


@app.route("rate")
async def rate(req: func.HttpRequest) -> str:
    return "0.92"
