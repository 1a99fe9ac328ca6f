"""A v2 app with HTTP functions alone, and nothing of its own around them."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import logging

import azure.functions as func

app = func.FunctionApp()


@app.route("hello")
async def hello(req: func.HttpRequest) -> str:
    return "hello"


@app.route("logs")
async def logs(req: func.HttpRequest) -> str:
    logging.info("one line")
    return "logs"
