"""A v2 app for the tests of the local host's inputs and outputs."""

import json
import logging

import azure.functions as func
import azurefunctions.extensions.bindings.blob as types

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="bills/{number}")
@app.blob_input(arg_name="bill", path="bills/{number}.json", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="copy", path="copies/{number}-{query.by}.json", connection="Storage")
@app.queue_output(arg_name="told", queue_name="%TOLD%", connection="AzureWebJobsStorage")
def bill(
    req: func.HttpRequest, bill: func.InputStream, copy: func.Out[bytes], told: func.Out[str]
) -> str:
    if bill is None:
        return "no bill"
    content = bill.read()
    copy.set(content)
    told.set(req.route_params["number"])
    return content.decode()


@app.queue_trigger(arg_name="message", queue_name="customers", connection="Storage")
@app.blob_output(
    arg_name="$return", path="letters/{Customer.id}/{DateTime:yyyy}.txt", connection="Storage"
)
def write(message: func.QueueMessage) -> str:
    return f"dear {message.get_json()['customer']['name']}"


@app.route(route="outputs/{kind}")
@app.queue_output(arg_name="out", queue_name="outputs", connection="Storage")
def outputs(req: func.HttpRequest, out: func.Out[str]) -> str:
    values = {
        "text": "tea",
        "bytes": b"tea",
        "texts": ["tea", "milk"],
        "json": json.dumps({"tea": 1}),
        "jsons": json.dumps([{"tea": 1}, 2, "milk"]),
    }
    out.set(values[req.route_params["kind"]])
    return "sent"


@app.route(route="outputs/message")
@app.queue_output(arg_name="out", queue_name="outputs", connection="Storage")
def message(req: func.HttpRequest, out: func.Out[func.QueueMessage]) -> str:
    out.set(func.QueueMessage(id="7", body=b"tea"))
    return "sent"


@app.route(route="clients/{name}")
@app.blob_input(arg_name="blob", path="clients/{name}", connection="AzureWebJobsStorage")
@app.blob_input(arg_name="box", path="clients/{name}", connection="AzureWebJobsStorage")
@app.blob_input(arg_name="stream", path="clients/{name}", connection="AzureWebJobsStorage")
def clients(
    req: func.HttpRequest,
    blob: types.BlobClient,
    box: types.ContainerClient,
    stream: types.StorageStreamDownloader,
) -> str:
    names = [found.name for found in box.list_blobs()]
    return json.dumps([blob.get_blob_properties().size, names, stream.readall().decode()])


@app.route(route="wrong")
@app.queue_output(arg_name="out", queue_name="no_queue!", connection="AzureWebJobsStorage")
def wrong(req: func.HttpRequest, out: func.Out[str]) -> str:
    out.set("tea")
    return "sent"


@app.route(route="unconnected")
@app.blob_input(arg_name="bill", path="bills/1", connection="Nowhere")
@app.queue_output(arg_name="out", queue_name="told", connection="Nowhere")
def unconnected(req: func.HttpRequest, bill: func.InputStream, out: func.Out[str]) -> str:
    out.set("tea")
    return bill.read().decode() if req.params.get("read") else "unread"


@app.blob_trigger(arg_name="blob", path="quiet/{name}", connection="AzureWebJobsStorage")
def quiet(blob: func.InputStream) -> None:
    logging.info("quiet %s %s", blob.name, blob.read().decode())


@app.blob_trigger(arg_name="blob", path="out/{name}", connection="AzureWebJobsStorage")
@app.blob_input(arg_name="beside", path="beside/{name}", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="out", queue_name="{name}", connection="AzureWebJobsStorage")
def follow(blob: func.InputStream, beside: func.InputStream, out: func.Out[str]) -> None:
    out.set(f"{blob.read().decode()} {beside.read().decode()}")


@app.queue_trigger(arg_name="message", queue_name="told", connection="AzureWebJobsStorage")
def told(message: func.QueueMessage) -> None:
    logging.info("told of %s", message.get_body().decode())
