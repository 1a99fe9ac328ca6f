"""A v2 app that knows nothing of funcscope, and asks for a tracer provider when it is imported."""

import logging
import os
from importlib.metadata import entry_points
from typing import Any

import azure.functions as func

if "START" in os.environ:
    from funcscope.telemetry import start

    start()

if "AUTO" in os.environ:
    import funcscope.auto  # noqa: F401

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

app = func.FunctionApp()
HAS_PROVIDER = isinstance(trace.get_tracer_provider(), TracerProvider)


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    logging.getLogger("app").warning("hello from the app")
    return str(HAS_PROVIDER)


@app.route("facts")
def facts(req: func.HttpRequest) -> str:
    from opentelemetry import metrics, propagate
    from opentelemetry.instrumentation.requests import RequestsInstrumentor

    counter = metrics.get_meter("app").create_counter("asked")
    counter.add(1, {"url": "https://app.net/?code=hush"})
    is_on = RequestsInstrumentor().is_instrumented_by_opentelemetry
    return f"{sorted(propagate.get_global_textmap().fields)} {is_on}"


@app.route("fail")
def fail(req: func.HttpRequest) -> str:
    raise ValueError("https://app.net/api/fail?code=hush")


def instrumentor() -> Any:
    (entry,) = entry_points(group="opentelemetry_instrumentor", name="azure_functions")
    return entry.load()()


@app.route("off")
def off(req: func.HttpRequest) -> str:
    instrumentor().uninstrument()
    return "off"


@app.route("on")
def on(req: func.HttpRequest) -> str:
    instrumentor().instrument()
    return "on"


@app.route("is_on")
def is_on(req: func.HttpRequest) -> str:
    return str(instrumentor().is_instrumented_by_opentelemetry)


@app.route("late")
def late(req: func.HttpRequest) -> str:
    instrumentor().instrument(max_links=7)
    return "late"
