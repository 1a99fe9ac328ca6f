"""An app with large messages, names and attributes."""

import logging

import azure.functions as func
from opentelemetry import trace

import funcscope.auto  # noqa: F401
from funcscope.telemetry import timed

LARGE = "a customer's order, https://app.net/f?code=s3cret; " * 2000

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
