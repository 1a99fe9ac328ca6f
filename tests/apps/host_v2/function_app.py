"""A v2 app for the tests of the local host: HTTP in many shapes, and every kind of trigger."""

import json
import logging
import os
import typing
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="echo/{word:alpha}/{number:int?}", methods=["GET", "POST"])
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route_params": dict(req.route_params),
        "body": req.get_body().decode(),
        "x-test": req.headers.get("x-test"),
        "trace_parent": context.trace_context.trace_parent,
        "trace_state": context.trace_context.trace_state,
        "invocation_id": context.invocation_id,
    }
    response = func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json")
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; HttpOnly")
    return response


@app.route(route="echo/special")
async def special(req: func.HttpRequest) -> str:
    return "a literal beats a parameter"


@app.route(route="fail")
async def fail(req: func.HttpRequest) -> func.HttpResponse:
    logging.error("about to fail")
    raise ValueError("no tea left")


@app.route(route="environment")
def environment(req: func.HttpRequest) -> str:
    names = ("AzureWebJobsScriptRoot", "FUNCTIONS_WORKER_RUNTIME", "FROM_FILE", "FROM_SHELL")
    return json.dumps({"cwd": str(Path.cwd()), **{name: os.environ.get(name) for name in names}})


@app.queue_trigger(arg_name="message", queue_name="orders", connection="X")
@app.queue_output(arg_name="out", queue_name="bills", connection="X")
@app.blob_input(arg_name="template", path="templates/bill", connection="X")
def queue(message: func.QueueMessage, out: func.Out[str], template: func.InputStream) -> None:
    times = (message.insertion_time, message.time_next_visible, message.expiration_time)
    is_complete = bool(message.id and message.pop_receipt and times[0] < times[1] < times[2])
    report("queue", message.get_body().decode(), message.dequeue_count, is_complete, template)
    out.set("bill")


@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
def timer(timer: func.TimerRequest) -> None:
    report("timer", timer.past_due, timer.schedule)


@app.service_bus_queue_trigger(arg_name="message", queue_name="q", connection="X")
def service_bus(message: func.ServiceBusMessage) -> None:
    report("service_bus", message.get_body().decode(), message.delivery_count)


@app.service_bus_queue_trigger(
    arg_name="messages", queue_name="q", connection="X", cardinality="many"
)
def service_bus_batch(messages: typing.List[func.ServiceBusMessage]) -> None:  # noqa: UP006 -- the worker knows no list[…]
    report("service_bus_batch", [m.get_body().decode() for m in messages])


@app.event_hub_message_trigger(arg_name="event", event_hub_name="h", connection="X")
def event_hub(event: func.EventHubEvent) -> None:
    report("event_hub", event.get_body().decode(), event.sequence_number)


@app.event_hub_message_trigger(
    arg_name="events", event_hub_name="h", connection="X", cardinality="many"
)
def event_hub_batch(events: typing.List[func.EventHubEvent]) -> None:  # noqa: UP006 -- as above
    report("event_hub_batch", [e.get_body().decode() for e in events])


@app.event_grid_trigger(arg_name="event")
def event_grid(event: func.EventGridEvent) -> None:
    report("event_grid", event.event_type, event.get_json())


@app.cosmos_db_trigger(arg_name="documents", container_name="c", database_name="d", connection="X")
def cosmos(documents: func.DocumentList) -> None:
    report("cosmos", [dict(document) for document in documents])


@app.blob_trigger(arg_name="blob", path="uploads/{name}", connection="X")
def blob(blob: func.InputStream) -> None:
    report("blob", blob.name, blob.length, blob.read().decode())


@app.kafka_trigger(arg_name="event", topic="t", broker_list="b")
def kafka(event: func.KafkaEvent) -> None:
    report("kafka", event.get_body().decode(), event.topic)


@app.kafka_trigger(arg_name="events", topic="t", broker_list="b", cardinality="MANY")
def kafka_batch(events: typing.List[func.KafkaEvent]) -> None:  # noqa: UP006 -- as above
    report("kafka_batch", [e.get_body().decode() for e in events])


@app.generic_trigger(arg_name="event", type="rabbitMQTrigger", queueName="q")
def generic(event) -> None:
    report("generic", event)


def report(*values: object) -> None:
    """Log what a function got, for the tests to read."""
    logging.info("got %s", json.dumps(values, default=str))
