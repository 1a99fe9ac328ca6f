"""What tests/integration/test_sending.py calls, kills and looks for."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time

import azure.functions as func
from opentelemetry import trace

app = func.FunctionApp()
tracer = trace.get_tracer("app")


def handle(number, frame):
    print("the app handles", signal.Signals(number).name, file=sys.stderr, flush=True)
    sys.exit(3)


if "APP_HANDLES_SIGTERM" in os.environ:
    signal.signal(signal.SIGTERM, handle)


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    logging.info("hello")
    return "hello"


@app.route("later")
async def later(req: func.HttpRequest) -> str:
    await asyncio.sleep(0)
    logging.info("later")
    return "later"


@app.route("says")
async def says(req: func.HttpRequest) -> str:
    print(json.dumps({"said": req.url}), flush=True)
    return "said"


@app.route("fails")
def fails(req: func.HttpRequest) -> str:
    with tracer.start_as_current_span("step"):
        logging.info("about to fail")
    raise ValueError("as it should")


@app.route("slow")
def slow(req: func.HttpRequest) -> str:
    with tracer.start_as_current_span("step"):
        thread = threading.Thread(target=logging.info, args=("from a thread",))
        thread.start()
        thread.join()
        time.sleep(2.1)
    logging.info("slow")
    return "slow"


@app.route("stops")
def stops(req: func.HttpRequest) -> str:
    logging.info("stopping")
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(60)
    return "not stopped"


@app.route("stops_later")
async def stops_later(req: func.HttpRequest) -> str:
    logging.info("stopping")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60)
    return "not stopped"
