"""A shop that is deployed: what it serves, and a timer that looks after it."""

import funcscope.auto

import logging

import azure.functions as func
from funcscope.telemetry import tag_request

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
PRICES = {"tea": 4.5, "biscuits": 2.25}


@app.route("prices/{item}")
async def price(req: func.HttpRequest) -> func.HttpResponse:
    item = req.route_params["item"]
    tag_request(**{"shop.item": item})
    if item not in PRICES:
        logging.warning("asked for %s, which is not sold here", item)
        return func.HttpResponse(status_code=404)
    return func.HttpResponse(str(PRICES[item]))


@app.timer_trigger("timer", schedule="0 0 * * * *")
def take_stock(timer: func.TimerRequest) -> None:
    logging.info("%d items are sold here", len(PRICES))
