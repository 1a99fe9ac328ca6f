"""A v2 app with the functions that pages of the docs call without showing them."""

import logging
import time

import azure.functions as func
from opentelemetry import trace
from opentelemetry.trace import SpanKind

import funcscope.auto  # noqa: F401
from funcscope.telemetry import bind, timed

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hello/{name?}", methods=["GET"])
def hello(req: func.HttpRequest) -> str:
    logging.info("greeting")
    return "hello"


@app.queue_trigger("message", queue_name="orders", connection="STORAGE")
def order(message: func.QueueMessage) -> None:
    logging.info("order %s", message.get_body().decode())


@app.blob_trigger("blob", path="uploads/{name}", connection="STORAGE")
def upload(blob: func.InputStream) -> None:
    logging.info("uploaded %s", blob.name)


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:01")
def tick(timer: func.TimerRequest) -> None:
    raise ValueError("nothing ticks")


@app.route("fail")
def fail(req: func.HttpRequest) -> str:
    with timed("pay"), timed("charge"):
        raise ValueError("the card has expired")


@app.route("call")
def call(req: func.HttpRequest) -> str:
    tracer = trace.get_tracer("shop")
    asked = {
        "http.request.method": "GET",
        "url.full": "http://api.example.com:8080/v1/items",
        "server.address": "api.example.com",
        "server.port": 8080,
        "http.response.status_code": 404,
    }
    tracer.start_span("GET", kind=SpanKind.CLIENT, attributes=asked).end()
    queried = {
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "db.query.text": "SELECT * FROM orders WHERE id = ?",
        "server.address": "db.local",
        "server.port": 5432,
    }
    tracer.start_span("SELECT shop", kind=SpanKind.CLIENT, attributes=queried).end()
    return "called"


@app.route("logs")
def logs(req: func.HttpRequest) -> str:
    bind(order_id=17)
    logging.info("i", extra={"colour": "red"})
    logging.warning("w")
    for text in ("e", "f", "g"):
        logging.error(text)
    return "logged"


@app.route("slow")
def slow(req: func.HttpRequest) -> str:
    time.sleep(1.1)
    return "slept"
