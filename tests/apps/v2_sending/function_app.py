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
from opentelemetry import metrics, trace

app = func.FunctionApp()
tracer = trace.get_tracer("app")


def handle(number, frame):
    print("the app handles", signal.Signals(number).name, file=sys.stderr, flush=True)
    sys.exit(3)


class Blocking(logging.Handler):
    def emit(self, record):
        if record.name == "funcscope.invocations":
            released.wait(60)


if "APP_BLOCKS_WARNINGS" in os.environ:
    logging.getLogger().addHandler(Blocking())

if "APP_HANDLES_SIGTERM" in os.environ:
    signal.signal(signal.SIGTERM, handle)


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    logging.info("hello")
    return "hello"


@app.route("measures")
def measures(req: func.HttpRequest) -> str:
    meter = metrics.get_meter("app")
    meter.create_counter("large").add(2**63)
    meter.create_counter("small").add(1)
    return "measured"


@app.route("later")
async def later(req: func.HttpRequest) -> str:
    await asyncio.sleep(0)
    logging.info("later")
    return "later"


@app.route("says")
async def says(req: func.HttpRequest) -> str:
    print(json.dumps({"said": req.url}), flush=True)
    return "said"


released, released_later = threading.Event(), asyncio.Event()


def wait_in_vain() -> None:
    trace.get_current_span().set_attribute("url.query", "code=secret")
    print(json.dumps({"said": "it hangs"}), flush=True)
    released.wait(60)


@app.route("hangs")
def hangs(req: func.HttpRequest) -> str:
    wait_in_vain()
    return "released"


async def wait_later_in_vain() -> None:
    print(json.dumps({"said": "it hangs"}), flush=True)
    await released_later.wait()


@app.route("hangs_later")
async def hangs_later(req: func.HttpRequest) -> str:
    await wait_later_in_vain()
    return "released"


@app.route("releases")
async def releases(req: func.HttpRequest) -> str:
    released.set()
    released_later.set()
    return "released"


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
