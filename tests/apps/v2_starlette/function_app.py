"""A Starlette app behind one function, with a mounted one."""

import funcscope.auto  # noqa: F401, I001

import os

import azure.functions as func
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


async def hello(request):
    return PlainTextResponse("hello")


async def named(request):
    trace.get_current_span().update_name("mine")
    return PlainTextResponse("named")


app_routes = [
    Route("/named/{name}", named),
    Route("/items/{item_id:int}", hello),
    Mount("/nested", routes=[Route("/things/{name}", hello)]),
]
web = Starlette(routes=app_routes)

if os.environ.get("INSTRUMENT"):
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor

    StarletteInstrumentor.instrument_app(web)

app = func.AsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
