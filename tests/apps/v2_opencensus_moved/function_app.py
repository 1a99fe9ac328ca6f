"""What an app that uses OpenCensus in all its ways does, with only its import changed."""

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import azure.functions as func
import requests
from opencensus.trace import config_integration, execution_context


def add_handler() -> None:
    from opencensus.ext.azure.log_exporter import AzureLogHandler

    sending = {"connection_string": os.environ["SEND_TO"], "storage_path": os.environ["SPOOL"]}
    logging.getLogger().addHandler(AzureLogHandler(**sending))


if os.environ.get("LOG_HANDLER") == "before":
    add_handler()

from funcscope.contrib.opencensus import OpenCensusExtension  # noqa: E402

if os.environ.get("LOG_HANDLER") == "after":
    add_handler()
config_integration.trace_integrations(os.environ.get("INTEGRATIONS", "requests").split(","))
if "CONFIGURE" in os.environ:
    OpenCensusExtension.configure(libraries=["requests"])

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span("parent"):
        logging.info("asking", extra={"custom_dimensions": {"order": 17, "customer": {"id": "c"}}})
        requests.get(url="http://example.com")
    return "hello"


@app.route("later")
async def later(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span("parent"):
        await asyncio.sleep(0)
        context.tracer.add_attribute_to_current_span("id", context.invocation_id)
        with context.tracer.span("child"):
            await asyncio.sleep(0)
    return "later"


@app.route("plain")
def plain(req: func.HttpRequest) -> str:
    requests.get(url="http://example.com")
    with execution_context.get_opencensus_tracer().span("current"):
        return "plain"


@app.route("fails")
def fails(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span("parent"):
        raise ValueError("no such order")


def work(tracer, name: str) -> None:
    with tracer.span(name):
        logging.info(name)


@app.route("threads")
def threads(req: func.HttpRequest, context: func.Context) -> str:
    with context.tracer.span("parent"), ThreadPoolExecutor(1) as pool:
        thread = threading.Thread(target=work, args=(context.tracer, "thread"))
        thread.start()
        thread.join()
        pool.submit(work, execution_context.get_opencensus_tracer(), "pool").result()
    return "threads"
