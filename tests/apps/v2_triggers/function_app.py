"""A v2 app with a function for each trigger."""

import funcscope.auto  # noqa: F401, I001  (what this app is about)

import logging
from typing import List  # noqa: UP035  (the worker takes no other)

import azure.functions as func
from funcscope.telemetry import each_message

app = func.FunctionApp()


@app.timer_trigger("timer", schedule="%SCHEDULE%")
def tick(timer: func.TimerRequest) -> None:
    logging.info("late" if timer.past_due else "in time")


@app.queue_trigger("msg", queue_name="%QUEUE%", connection="C")
def queue(msg: func.QueueMessage) -> None:
    logging.info(msg.get_json())


@app.blob_trigger("blob", path="uploads/{name}", connection="C")
def blob(blob: func.InputStream) -> None:
    logging.info(blob.read())


@app.service_bus_queue_trigger("msg", queue_name="%QUEUE%", connection="C")
def bus_queue(msg: func.ServiceBusMessage) -> None:
    logging.info(msg.get_body())


@app.service_bus_topic_trigger(
    "messages", topic_name="news", subscription_name="all", connection="C", cardinality="many"
)
def bus_topic(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006
    logging.info(len(messages))


@app.service_bus_topic_trigger(
    "messages", topic_name="news", subscription_name="all", connection="C", cardinality="many"
)
async def bus_each(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006
    for message in each_message(messages):
        logging.info("got %s", message.message_id)


@app.event_hub_message_trigger("event", event_hub_name="readings", connection="C")
def hub_one(event: func.EventHubEvent) -> None:
    logging.info(event.get_body())


@app.event_hub_message_trigger(
    "events", event_hub_name="readings", connection="C", cardinality="many"
)
def hub_batch(events: List[func.EventHubEvent]) -> None:  # noqa: UP006
    for event in each_message(events):
        logging.info(event.get_body())


@app.event_grid_trigger("event")
def grid_cloud(event: func.CloudEvent) -> None:
    logging.info(event.id)


@app.event_grid_trigger("event")
def grid_own(event: func.EventGridEvent) -> None:
    logging.info(event.id)


@app.cosmos_db_trigger("documents", container_name="orders", database_name="shop", connection="C")
def cosmos(documents: func.DocumentList) -> None:
    logging.info(len(documents))


@app.kafka_trigger("event", topic="%TOPIC%", broker_list="B", consumer_group="billing")
def kafka_one(event: func.KafkaEvent) -> None:
    logging.info(event.topic)


@app.kafka_trigger("events", topic="%TOPIC%", broker_list="B", cardinality="many")
def kafka_batch(events: List[func.KafkaEvent]) -> None:  # noqa: UP006
    for event in each_message(events):
        logging.info(event.offset)


@app.sql_trigger("rows", table_name="dbo.orders", connection_string_setting="C")
def sql(rows: str) -> None:
    logging.info(len(rows))


@app.mysql_trigger("rows", table_name="orders", connection_string_setting="C")
def mysql(rows: func.MySqlRowList) -> None:
    logging.info(len(rows))


@app.generic_trigger("city", type="activityTrigger")
def activity(city: str) -> str:
    return city


@app.generic_trigger("history", type="orchestrationTrigger")
def orchestration(history) -> str:
    logging.info("replaying")
    return "{}"


@app.warm_up_trigger("warmup")
def warmup(warmup) -> None:
    logging.info("warm")


@app.mcp_tool_trigger("call", tool_name="%TOOL%", description="Save a snippet")
def mcp_tool(call: str) -> str:
    return "saved"


@app.generic_trigger(
    "event", type="signalRTrigger", hubName="chat", category="messages", event="send"
)
def signalr(event: str) -> None:
    logging.info("event")


@app.generic_trigger("event", type="webPubSubTrigger", hub="game", eventType="user", eventName="go")
def web_pubsub(event: str) -> None:
    logging.info("event")


@app.generic_trigger("event", type="brandNewTrigger")
def generic(event: str) -> None:
    logging.info("event")
