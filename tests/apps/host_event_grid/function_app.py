"""A v2 app for the tests of Event Grid's webhooks, and of the headers of host.json."""

import json
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.event_grid_trigger(arg_name="event")
def moved(event: func.EventGridEvent) -> None:
    logging.info("moved %s", json.dumps([event.subject, event.event_type, event.get_json()]))
    if event.subject == "lost":
        raise ValueError("no such parcel")


@app.event_grid_trigger(arg_name="event")
def clouded(event: func.CloudEvent) -> None:
    logging.info("clouded %s", json.dumps([event.source, event.type, event.get_json()]))


@app.blob_trigger(
    arg_name="blob",
    path="uploads/{name}",
    connection="Storage",
    source=func.BlobSource.EVENT_GRID,
)
def uploaded(blob: func.InputStream) -> None:
    logging.info("uploaded %s %s", blob.name, blob.read())


@app.route("page")
def page(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x", headers={"X-Frame-Options": "SAMEORIGIN"})
