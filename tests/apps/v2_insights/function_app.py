"""An app that answers in every way, and logs inside of invocations and outside of any."""

import logging
import os
import threading

import azure.functions as func
from azure.functions.decorators.core import AuthLevel

import funcscope.auto  # noqa: F401

if os.environ.get("CONNECTION_STRING"):
    from funcscope.contrib.azuremonitor import configure

    configure(os.environ["CONNECTION_STRING"])

app = func.FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)
logger = logging.getLogger("app")
called = threading.Event()


def log_later() -> None:
    called.wait(60)
    logger.warning("outside")


threading.Thread(target=log_later, daemon=True).start()


@app.route("status/{code}")
def status(req: func.HttpRequest) -> func.HttpResponse:
    code = int(req.url.rpartition("/")[2])
    logger.warning("inside %s", code)
    called.set()
    return func.HttpResponse(status_code=code)


@app.route("later/{code}")
async def later(req: func.HttpRequest) -> func.HttpResponse:
    code = int(req.url.rpartition("/")[2])
    logger.warning("inside %s", code)
    return func.HttpResponse(status_code=code)


@app.route("raises")
def raises(req: func.HttpRequest) -> str:
    raise ValueError("no such order")


@app.queue_trigger("msg", queue_name="orders", connection="Storage")
async def queued(msg: func.QueueMessage) -> None:
    logger.warning("inside queue")
