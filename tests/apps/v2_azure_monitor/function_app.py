"""An app that exports by Azure Monitor's distro, set up by itself or by the worker."""

import logging
import os

import azure.functions as func

import funcscope.auto  # noqa: F401

if os.environ.get("CALLS_DISTRO"):
    from azure.monitor.opentelemetry import configure_azure_monitor

    configure_azure_monitor()

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    logging.getLogger("app").warning("inside")
    return "hello"


@app.route("later")
async def later(req: func.HttpRequest) -> str:
    logging.getLogger("app").warning("inside")
    return "later"
