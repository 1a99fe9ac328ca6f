"""A v2 app that adds one import, with functions of every kind."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import azure.functions as func
from funcscope.extensions import FuncExtension, Reject
from funcscope.telemetry import Timing, timed

app = func.FunctionApp()
pool = ThreadPoolExecutor(4)
CROWD = 20
sync_crowd = threading.Barrier(CROWD)
async_crowd: list[asyncio.Event] = []

Timing("timing")


@app.route("hello/{name?}", methods=["GET"])
def hello(req: func.HttpRequest) -> str:
    logging.info("asked for %s", req.url)
    return "hello"


@app.route("later")
async def later(req: func.HttpRequest) -> str:
    await asyncio.sleep(0)
    logging.info("later")
    return "later"


@app.route("wants_context")
def wants_context(req: func.HttpRequest, context: func.Context) -> str:
    return context.invocation_id


@app.route("boom")
def boom(req: func.HttpRequest) -> str:
    raise ValueError(f"cannot reach {req.url}")


@app.route("boom_later")
async def boom_later(req: func.HttpRequest) -> str:
    raise ValueError("later")


@app.route("status/{code}")
def status(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x", status_code=int(req.url.rpartition("/")[2]))


@app.route("crowd")
def crowd(req: func.HttpRequest, context: func.Context) -> str:
    sync_crowd.wait(timeout=60)
    work_in_threads(context.invocation_id)
    sync_crowd.wait(timeout=60)
    return "x"


@app.route("crowd_later")
async def crowd_later(req: func.HttpRequest, context: func.Context) -> str:
    async_crowd.append(asyncio.Event())
    if len(async_crowd) == CROWD:
        for event in async_crowd:
            event.set()
    await async_crowd[0].wait()
    await asyncio.to_thread(work_in_threads, context.invocation_id)
    return "x"


def work_in_threads(expected: str) -> None:
    """Log from a thread of one's own and from a pool that all invocations share."""
    thread = threading.Thread(target=logging.info, args=("thread %s", expected))
    thread.start()
    future = pool.submit(logging.info, "pool %s", expected)
    thread.join()
    future.result()


@app.route("timing")
def timing(req: func.HttpRequest) -> str:
    with timed("stage"):
        logging.info("inside")
    return "x"


class NeedsToken(FuncExtension):
    def around_invocation(self, invocation):
        raise Reject(func.HttpResponse("who are you?", status_code=401))
        yield


@app.route("guarded")
@NeedsToken()
def guarded(req: func.HttpRequest) -> str:
    return "never"


@app.queue_trigger("msg", queue_name="%QUEUE%", connection="C")
def orders(msg: func.QueueMessage) -> None:
    logging.info("order %s", msg.get_body().decode())


@app.generic_trigger("context", type="orchestrationTrigger")
def orchestrator(context) -> str:
    logging.info("got %s", type(context).__name__)
    return "x"
