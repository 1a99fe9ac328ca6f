"""An ASGI app behind one function."""

import funcscope.auto  # noqa: F401, I001

import logging

import azure.functions as func
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request):
    logging.info("in the framework")
    return PlainTextResponse("hello", status_code=202)


app = func.AsgiFunctionApp(
    app=Starlette(routes=[Route("/api/hello", hello)]), http_auth_level=func.AuthLevel.ANONYMOUS
)
