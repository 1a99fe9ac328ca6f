"""Orders go through two queues; those that cannot be priced end in a poison queue."""

import funcscope.auto

import json
import logging

import azure.functions as func
from funcscope.telemetry import bind, tag_request

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

STORAGE = "AzureWebJobsStorage"
PRICES = {"tea": 4.5, "biscuits": 2.25}


def identify(order: str) -> None:
    """Write the order's number on the invocation's span, and on its log records from here on."""
    tag_request(**{"shop.order": order})
    bind(order=order)


@app.route("orders/{order}/{item}", methods=["POST"])
@app.queue_output("queue", queue_name="orders", connection=STORAGE)
def accept(req: func.HttpRequest, queue: func.Out[str]) -> func.HttpResponse:
    identify(req.route_params["order"])
    logging.info("accepted")
    queue.set(json.dumps(dict(req.route_params)))
    return func.HttpResponse("accepted", status_code=202)


@app.queue_trigger("message", queue_name="orders", connection=STORAGE)
@app.queue_output("queue", queue_name="parcels", connection=STORAGE)
def price(message: func.QueueMessage, queue: func.Out[str]) -> None:
    asked = message.get_json()
    identify(asked["order"])
    logging.info("pricing %s, attempt %s", asked["item"], message.dequeue_count)
    queue.set(json.dumps({**asked, "price": PRICES[asked["item"]]}))


@app.queue_trigger("message", queue_name="parcels", connection=STORAGE)
async def ship(message: func.QueueMessage) -> None:
    parcel = message.get_json()
    identify(parcel["order"])
    logging.info("shipping %s for %s", parcel["item"], parcel["price"])


@app.queue_trigger("message", queue_name="orders-poison", connection=STORAGE)
def give_up(message: func.QueueMessage) -> None:
    """Say of a message that the host has given up which order it was."""
    asked = message.get_json()
    identify(asked["order"])
    logging.error("nobody could price %s", asked["item"])
