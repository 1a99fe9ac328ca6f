"""A batch of Service Bus messages is one invocation, and each message has a span of its own."""

import funcscope.auto

import json
import logging
from typing import List  # the worker does not load a function that takes a `list[…]`

import azure.functions as func
from funcscope.telemetry import each_message
from opentelemetry import trace

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("orders", methods=["POST"])
@app.service_bus_queue_output("queue", queue_name="orders", connection="SERVICE_BUS")
def accept(req: func.HttpRequest, queue: func.Out[str]) -> str:
    queue.set(req.get_body().decode())
    return "accepted"


@app.service_bus_queue_trigger(
    "messages", queue_name="orders", connection="SERVICE_BUS", cardinality="many"
)
def pack(messages: List[func.ServiceBusMessage]) -> None:
    for message in each_message(messages):
        order = json.loads(message.get_body())
        trace.get_current_span().set_attribute("shop.order", order["order"])
        logging.info("packing %s", order["item"])
