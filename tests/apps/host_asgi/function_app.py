"""An ASGI app that says when it starts and ends."""

from contextlib import asynccontextmanager

import azure.functions as func
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request):
    return PlainTextResponse("hello")


@asynccontextmanager
async def lifespan(app):
    print("lifespan begun")
    yield
    print("lifespan ended")


app = func.AsgiFunctionApp(
    app=Starlette(routes=[Route("/api/hello", hello)], lifespan=lifespan),
    http_auth_level=func.AuthLevel.ANONYMOUS,
)
