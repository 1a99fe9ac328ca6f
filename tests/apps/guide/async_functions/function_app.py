import funcscope.auto  # noqa: F401, I001


import asyncio
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

arrived = 0
both_are_here = asyncio.Event()


@app.route(route="both")
async def both(req: func.HttpRequest) -> str:
    global arrived
    arrived += 1
    if arrived == 2:
        both_are_here.set()
    await both_are_here.wait()
    logging.info("the other is here, too")
    return "met"
