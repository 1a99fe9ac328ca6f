"""A v2 app that logs from every kind of thread, with telemetry or with propagation alone."""

import os

if "PROPAGATION_ALONE" in os.environ:
    from funcscope.extensions import install, propagate

    install()
    propagate()
else:
    import funcscope.auto  # noqa: F401

import asyncio
import threading

import azure.functions as func
from places import TIMEOUT_S, crowd, leftovers, log, log_around_loop, log_everywhere

from funcscope.extensions import no_propagation

app = func.FunctionApp()
release_threads = threading.Event()
outliving: list[threading.Thread] = []


@app.route("everywhere")
def everywhere(req: func.HttpRequest, context: func.Context) -> str:
    waits = log_everywhere(context.invocation_id)
    crowd.join()
    crowd.is_complete.result(TIMEOUT_S)
    for wait in waits:
        wait()
    asyncio.run(log_around_loop(context.invocation_id))
    return "x"


@app.route("everywhere_async")
async def everywhere_async(req: func.HttpRequest, context: func.Context) -> str:
    waits = log_everywhere(context.invocation_id)
    crowd.join()
    await asyncio.wait_for(asyncio.wrap_future(crowd.is_complete), TIMEOUT_S)
    for wait in waits:
        await asyncio.to_thread(wait)
    await log_around_loop(context.invocation_id)
    return "x"


@app.route("clean")
def clean(req: func.HttpRequest, context: func.Context) -> str:
    left = leftovers(context.thread_local_storage)
    assert not left, left
    return "x"


@app.route("outlives")
def outlives(req: func.HttpRequest, context: func.Context) -> str:
    def log_late() -> None:
        assert release_threads.wait(TIMEOUT_S)
        log("outlives", context.invocation_id)

    outliving.append(threading.Thread(target=log_late))
    outliving[-1].start()
    return "x"


@app.route("release")
def release(req: func.HttpRequest, context: func.Context) -> str:
    log("release", context.invocation_id)
    release_threads.set()
    for thread in outliving:
        thread.join()
    return "x"


@app.route("recipe")
def recipe(req: func.HttpRequest, context: func.Context) -> str:
    def as_documented(place: str) -> None:
        context.thread_local_storage.invocation_id = context.invocation_id
        log(place, context.invocation_id)

    carried = threading.Thread(target=as_documented, args=("recipe",))
    carried.start()
    alone = threading.Thread(target=as_documented, args=("recipe-alone",))
    with no_propagation():
        alone.start()
    for thread in (carried, alone):
        thread.join()
    return "x"


@app.route("recipe_in_a_loop")
async def recipe_in_a_loop(req: func.HttpRequest, context: func.Context) -> str:
    async def as_documented() -> None:
        context.thread_local_storage.invocation_id = context.invocation_id
        log("recipe-in-a-loop", context.invocation_id)

    thread = threading.Thread(target=lambda: asyncio.run(as_documented()))
    with no_propagation():
        thread.start()
    await asyncio.to_thread(thread.join)
    return "x"
