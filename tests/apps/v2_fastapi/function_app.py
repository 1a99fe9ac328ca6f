"""A FastAPI app behind one function, with routers, a mounted app, and threads."""

import funcscope.auto  # noqa: F401, I001

import logging
import os
import threading
from pathlib import Path

import azure.functions as func
from fastapi import APIRouter, FastAPI
from opentelemetry import trace
from starlette.staticfiles import StaticFiles

tracer = trace.get_tracer("app")
web = FastAPI(root_path=os.environ.get("ROOT_PATH", ""))
orders = APIRouter(prefix="/orders")
lines = APIRouter(prefix="/{order_id}/lines")
tenant = FastAPI()


@web.get("/items/{item_id}")
async def read_item(item_id: int):
    with tracer.start_as_current_span("work"):
        logging.info("item %s", item_id)
    return {"item_id": item_id}


@web.get("/threads/{item_id}")
def read_in_a_thread(item_id: int):
    assert threading.current_thread() is not threading.main_thread()
    with tracer.start_as_current_span("work"):
        logging.info("item %s in a thread", item_id)
    return {"item_id": item_id}


@web.get("/fails/{item_id}")
async def fails(item_id: int):
    raise KeyError(item_id)


@lines.get("/{line}")
async def read_line(order_id: int, line: int):
    return {"order_id": order_id, "line": line}


@tenant.get("/users/{user_id}")
async def read_user(user_id: str):
    return {"user_id": user_id}


orders.include_router(lines)
web.include_router(orders)
web.mount("/tenants/{tenant_id}", tenant)
web.mount("/static", StaticFiles(directory=Path(__file__).parent))

if os.environ.get("INSTRUMENT"):
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(
        web,
        server_request_hook=lambda span, scope: span.set_attribute("hook", scope["path"]),
        exclude_spans=["receive", "send"],
    )

app = func.AsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
