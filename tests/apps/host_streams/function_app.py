"""Functions that stream, for the local host."""

import funcscope.auto  # noqa: F401, I001

import asyncio
import logging
import os

import azure.functions as func
from azurefunctions.extensions.http.fastapi import (
    JSONResponse,
    PlainTextResponse,
    Request,
    StreamingResponse,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("upload")
async def upload(req: Request) -> PlainTextResponse:
    chunks = []
    async for chunk in req.stream():
        if chunk:
            logging.info("came %s", chunk.decode())
            chunks.append(chunk.decode().upper())
    return PlainTextResponse("".join(chunks), status_code=201)


go = asyncio.Event()


async def first_and_second():
    yield "first;"
    await go.wait()
    yield "second;"


@app.route("waits")
async def waits(req: Request) -> StreamingResponse:
    return StreamingResponse(first_and_second())


@app.route("go")
async def let_go(req: Request) -> str:
    go.set()
    return "gone"


@app.route("seen/{word}")
async def seen(req: Request) -> JSONResponse:
    found = {
        "method": req.method,
        "url": str(req.url),
        "params": dict(req.path_params),
        "body": (await req.body()).decode(),
        "x-t": req.headers["x-t"],
    }
    return JSONResponse(found, headers={"x-app": "1"})


async def numbers():
    for number in range(3):
        yield f"{number};"
        logging.info("produced %s", number)


@app.route("slow")
async def slow(req: Request) -> StreamingResponse:
    return StreamingResponse(numbers())


@app.route("fails")
async def fails(req: Request) -> str:
    raise KeyError("at once")


async def broken():
    yield "begun"
    raise KeyError("lost")


@app.route("breaks")
async def breaks(req: Request) -> StreamingResponse:
    return StreamingResponse(broken())


async def endless_chunks():
    try:
        while True:
            yield "more;"
            await asyncio.sleep(0.01)
    finally:
        logging.info("nobody listens")


@app.route("endless")
async def endless(req: Request) -> StreamingResponse:
    return StreamingResponse(endless_chunks())


@app.route(route="leaves", methods=[func.HttpMethod.GET])
async def leaves(req: Request) -> str:
    os._exit(3)
