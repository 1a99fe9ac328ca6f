import funcscope.auto  # noqa: F401, I001


import logging

import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, StreamingResponse

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="upload", methods=[func.HttpMethod.POST])
async def upload(req: Request) -> JSONResponse:
    sizes = [len(chunk) async for chunk in req.stream() if chunk]
    logging.info("%s bytes came", sum(sizes))
    return JSONResponse({"bytes": sum(sizes), "chunks": len(sizes)})


@app.route(route="numbers", methods=[func.HttpMethod.GET])
async def numbers(req: Request) -> StreamingResponse:
    async def lines():
        for number in range(5):
            yield f"{number}\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
