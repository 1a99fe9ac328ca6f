"""A Flask app behind one function, with a blueprint."""

import funcscope.auto  # noqa: F401, I001

import logging
import os

import azure.functions as func
from flask import Blueprint, Flask
from opentelemetry import trace

tracer = trace.get_tracer("app")
web = Flask(__name__)
shop = Blueprint("shop", __name__, url_prefix="/shop")


@web.get("/items/<int:item_id>")
def read_item(item_id: int):
    with tracer.start_as_current_span("work"):
        logging.info("item %s", item_id)
    return {"item_id": item_id}


@shop.get("/orders/<order_id>")
def read_order(order_id: str):
    return {"order_id": order_id}


@web.get("/fails/<int:item_id>")
def fails(item_id: int):
    raise KeyError(item_id)


@web.get("/declines/<int:item_id>")
def declines(item_id: int):
    return "SECRET of a customer", 503


web.register_blueprint(shop)

if os.environ.get("INSTRUMENT") == "flask":
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    FlaskInstrumentor().instrument_app(
        web, request_hook=lambda span, environ: span.set_attribute("hook", environ["PATH_INFO"])
    )

wsgi_app = web.wsgi_app
if os.environ.get("INSTRUMENT") == "wsgi":
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    wsgi_app = OpenTelemetryMiddleware(wsgi_app)

app = func.WsgiFunctionApp(app=wsgi_app, http_auth_level=func.AuthLevel.ANONYMOUS)
