"""What tools are compared on: sync, async, threads, an exception, an answer of 500, a message."""

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import tools

own = getattr(tools, os.environ["COMPARED"])()

import azure.functions as func  # noqa: E402

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
pool = ThreadPoolExecutor(1)


def work():
    with own():
        logging.getLogger("app").info("working")


def decorated(function):
    """Decorate what Sentry's documentation says to decorate: sync functions, as others break."""
    if os.environ["COMPARED"] != "sentry":
        return function
    from sentry_sdk.integrations.serverless import serverless_function

    return serverless_function(function)


@app.route("sync")
@decorated
def sync(req: func.HttpRequest) -> func.HttpResponse:
    work()
    return func.HttpResponse("done")


@app.route("later")
async def later(req: func.HttpRequest) -> func.HttpResponse:
    work()
    return func.HttpResponse("done")


@app.route("threads")
@decorated
def threads(req: func.HttpRequest) -> func.HttpResponse:
    pool.submit(work).result()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return func.HttpResponse("done")


@app.route("fails")
@decorated
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("out of stock")


@app.route("answers_500")
@decorated
def answers_500(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("no", status_code=500)


@app.queue_trigger(arg_name="message", queue_name="orders", connection="AzureWebJobsStorage")
@decorated
def order(message: func.QueueMessage) -> None:
    work()
