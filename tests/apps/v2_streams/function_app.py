"""HTTP streams: the function gets a Starlette request and returns a streaming response."""

import funcscope.auto  # noqa: F401, I001

import logging

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, StreamingResponse

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


async def chunks(text: str):
    for letter in text:
        yield letter


@app.route("stream", methods=[func.HttpMethod.GET])
async def stream(req: Request) -> StreamingResponse:
    logging.info("asked for %s", req.url.path)
    return StreamingResponse(chunks(req.query_params["text"]), media_type="text/plain")
