"""A v2 app for the tests of the local host's storage."""

import json
import logging
import os
from pathlib import Path

import azure.functions as func
import azurefunctions.extensions.bindings.blob as types

import funcscope.auto  # noqa: F401

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="ping")
def ping(req: func.HttpRequest) -> str:
    return "pong"


@app.queue_trigger(arg_name="message", queue_name="orders", connection="AzureWebJobsStorage")
def order(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    seen = {
        "body": body,
        "id": message.id,
        "dequeue_count": message.dequeue_count,
        "is_complete": bool(message.pop_receipt)
        and message.insertion_time < message.time_next_visible < message.expiration_time,
    }
    logging.info("order %s", json.dumps(seen))
    if body.endswith("0"):
        raise ValueError(f"no tea left for {body}")


@app.queue_trigger(arg_name="message", queue_name="%SLOW_QUEUE%", connection="Storage")
def slow(message: func.QueueMessage) -> None:
    logging.info("slow begins")
    Path(os.environ["GATE"]).read_text("utf-8")
    logging.info("slow ends at attempt %s", message.dequeue_count)


@app.blob_trigger(arg_name="blob", path="uploads/{name}.{ext}", connection="Storage")
def upload(blob: func.InputStream, context) -> None:
    content = blob.read()
    seen = {
        "name": blob.name,
        "uri": blob.uri,
        "length": blob.length,
        "metadata": blob.metadata,
        "type": blob.blob_properties["ContentType"],
        "content": content.decode("latin-1"),
    }
    logging.info("upload %s", json.dumps(seen))
    if content == b"bad":
        raise ValueError("no tea in it")


@app.blob_trigger(arg_name="client", path="clients/in/{name}", connection="AzureWebJobsStorage")
def client(client: types.BlobClient) -> None:
    logging.info("client %s has %s", client.blob_name, client.download_blob().readall().decode())
