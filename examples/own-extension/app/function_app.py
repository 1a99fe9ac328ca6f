"""An app with the extension: to import it is all."""

import funcscope.auto

import logging

import azure.functions as func
import functions_request_id

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("greeting")
    return func.HttpResponse("hello")


@app.queue_trigger("message", queue_name="orders", connection="AzureWebJobsStorage")
def order(message: func.QueueMessage) -> None:
    logging.info("an order came")
