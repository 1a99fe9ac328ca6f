"""A small shop, to be looked at through its traces."""

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import azure.functions as func

import funcscope.auto  # noqa: F401 -- all that the traces need
from funcscope.telemetry import Timing, timed

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="suppliers")

Timing("recommend")  # how long this function takes: a log line and a histogram


@app.route(route="products/{name}", methods=["GET"])
def product(req: func.HttpRequest) -> func.HttpResponse:
    """Look a product up: a sync function, which the worker runs on a thread."""
    name = req.route_params["name"]
    logging.info("looking up %s", name)
    time.sleep(0.01)
    return func.HttpResponse(f"{name}: in stock")


@app.route(route="prices/{name}", methods=["GET"])
async def price(req: func.HttpRequest) -> func.HttpResponse:
    """Ask for a price: an async function, which the worker runs on its event loop."""
    logging.info("asking for the price of %s", req.route_params["name"])
    await asyncio.sleep(0.02)
    return func.HttpResponse("12.50")


@app.route(route="pay", methods=["POST"])
def pay(req: func.HttpRequest) -> func.HttpResponse:
    """Fail: the host answers 500, and the trace tells why."""
    logging.warning("charging %s", req.get_json()["card"])
    raise ValueError("the card has expired")


@app.route(route="availability/{name}", methods=["GET"])
def availability(req: func.HttpRequest) -> func.HttpResponse:
    """Log from a thread and from a pool: the lines find their way to this invocation."""
    name = req.route_params["name"]
    audit = threading.Thread(target=logging.info, args=("audit: asked for %s", name))
    audit.start()
    answers = list(pool.map(ask_supplier, ["north", "south"]))
    audit.join()
    return func.HttpResponse(", ".join(answers))


def ask_supplier(supplier: str) -> str:
    """Ask one supplier; called on the pool."""
    logging.info("supplier %s answers", supplier)
    return f"{supplier}: 3"


@app.route(route="recommendations/{name}", methods=["GET"])
def recommend(req: func.HttpRequest) -> func.HttpResponse:
    """Time the stages of a function: each is a span of its own."""
    with timed("load-model"):
        time.sleep(0.03)
    with timed("rank"):
        time.sleep(0.01)
    return func.HttpResponse(f"{req.route_params['name']}, biscuits")


@app.queue_trigger(arg_name="message", queue_name="orders", connection="AzureWebJobsStorage")
def order(message: func.QueueMessage) -> None:
    """Take an order from a queue."""
    logging.info("order %s, attempt %s", message.get_json()["id"], message.dequeue_count)
