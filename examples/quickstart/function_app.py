"""A function that answers, one that works in stages, and one that may fail."""

import funcscope.auto

import logging
from concurrent.futures import ThreadPoolExecutor

import azure.functions as func
from funcscope.telemetry import tag_request, timed

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
pool = ThreadPoolExecutor(2)


@app.route("hello/{name?}")
def hello(req: func.HttpRequest) -> str:
    name = req.route_params.get("name", "world")
    logging.info("greeting %s", name)
    return f"Hello, {name}!"


@app.route("report")
def report(req: func.HttpRequest) -> str:
    with timed("collect"):  # a child span
        lines = list(pool.map(count, ["north", "south"]))
    tag_request(lines=sum(lines))  # an attribute of the invocation's span
    return f"{sum(lines)} lines"


def count(region: str) -> int:
    logging.info("counting %s", region)  # from a thread, with its invocation all the same
    return len(region)


@app.route("divide")
async def divide(req: func.HttpRequest) -> str:
    return str(int(req.params["a"]) / int(req.params["b"]))
