"""Functions that log two lines, which nothing exports."""

import logging

import azure.functions as func

app = func.FunctionApp()
logger = logging.getLogger("app")


@app.route("hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    """Log twice, and answer."""
    logger.info("order %s", 7)
    logger.info("order %s is done", 7)
    return func.HttpResponse("hello")


@app.route("hello_async")
async def hello_async(req: func.HttpRequest) -> func.HttpResponse:
    """Log twice, and answer."""
    logger.info("order %s", 7)
    logger.info("order %s is done", 7)
    return func.HttpResponse("hello")
