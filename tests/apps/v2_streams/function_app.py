"""HTTP streams: the function gets a Starlette request and returns a streaming response."""

import funcscope.auto  # noqa: F401, I001

import asyncio
import logging
import time

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, StreamingResponse
from opentelemetry import trace
from starlette.background import BackgroundTask

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
tracer = trace.get_tracer("app")
gone = asyncio.Event()


async def chunks(text: str):
    for letter in text:
        yield letter


@app.route("stream", methods=[func.HttpMethod.GET])
async def stream(req: Request) -> StreamingResponse:
    logging.info("asked for %s", req.url.path)
    return StreamingResponse(chunks(req.query_params["text"]), media_type="text/plain")


async def slow_chunks():
    with tracer.start_as_current_span("producing"):
        for number in range(3):
            await asyncio.sleep(0)
            yield f"chunk {number};"
            logging.info("sent %s", number)


@app.route("slow", methods=[func.HttpMethod.GET])
async def slow(req: Request) -> StreamingResponse:
    later = BackgroundTask(logging.info, "afterwards")
    return StreamingResponse(slow_chunks(), status_code=203, background=later)


def blocking_chunks():
    for number in range(2):
        time.sleep(0)
        logging.info("read %s", number)
        yield f"{number};"


@app.route("blocking", methods=[func.HttpMethod.GET])
def blocking(req: Request) -> StreamingResponse:
    return StreamingResponse(blocking_chunks())


@app.route("upload", methods=[func.HttpMethod.POST])
async def upload(req: Request) -> JSONResponse:
    sizes = [len(chunk) async for chunk in req.stream() if chunk]
    return JSONResponse(sum(sizes))


async def broken_chunks():
    yield "begun"
    raise KeyError("lost")


@app.route("broken", methods=[func.HttpMethod.GET])
async def broken(req: Request) -> StreamingResponse:
    return StreamingResponse(broken_chunks())


async def endless_chunks():
    try:
        while True:
            yield "more;"
            await asyncio.sleep(0.01)
    finally:
        logging.info("nobody listens")
        gone.set()


@app.route("endless", methods=[func.HttpMethod.GET])
async def endless(req: Request) -> StreamingResponse:
    return StreamingResponse(endless_chunks())


@app.route("until_gone", methods=[func.HttpMethod.GET])
async def until_gone(req: Request) -> str:
    await gone.wait()
    return "gone"


@app.route("fails", methods=[func.HttpMethod.GET])
async def fails(req: Request) -> str:
    raise KeyError("at once")
