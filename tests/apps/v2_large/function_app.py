"""An app with large messages, names and attributes."""

import logging

import azure.functions as func
from opentelemetry import trace

import funcscope.auto  # noqa: F401
from funcscope.telemetry import timed

LARGE = "a customer's order, https://app.net/f?code=s3cret; " * 2000

KEY = "S3cret" * 7 + "_XAzFuAbCdEQ=="
SECRETS = {
    "key": f"it is {KEY}",
    "pair": '{"value": "S3cretS3cretS3cret", "name": "Authorization", "more": 1}',
    "user": "https://app:S3cretS3cretS3cret/S3cretS3@host.example/",
    "texts": ["a", f"b {KEY}"],
}

app = func.FunctionApp()


@app.route("bad")
def bad(req: func.HttpRequest) -> str:
    """Say much, and fail."""
    span = trace.get_current_span()
    span.set_attribute("own", LARGE)
    with timed("stage") as stage:
        stage.set_attribute("own", LARGE)
        stage.update_name(LARGE)
        stage.add_event("event", {"own": LARGE})
    logging.getLogger("app").info("read %s", req.url)
    raise ValueError(f"cannot store {LARGE}")


@app.route("secrets")
def secrets(req: func.HttpRequest) -> str:
    """Say secrets in all attributes there are."""
    span = trace.get_current_span()
    span.set_attributes(SECRETS)
    span.add_event("event", SECRETS)
    span.add_link(span.get_span_context(), SECRETS)
    with trace.get_tracer("app").start_as_current_span("child", attributes=SECRETS):
        logging.getLogger("app").info("read %s", req.method, extra=SECRETS)
    return "read"
