"""
Kafka triggers: `azure.functions.KafkaEvent`; semantic conventions 1.44, Kafka messaging spans.

A message's key is left out: it often says who a message is about.
"""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from funcscope.telemetry._triggers.fields import Field, read, whole
from funcscope.telemetry._triggers.table import DESTINATION, Family, setting_field


def _partition(event: object) -> str | None:
    number = whole(read(event, "partition"))
    return None if number is None else str(number)


KAFKA = Family(
    title="Kafka",
    types=("kafkaTrigger",),
    faas_trigger="pubsub",
    kind=SpanKind.CONSUMER,
    system="kafka",
    constants=(
        setting_field(DESTINATION, "topic"),
        setting_field("messaging.consumer.group.name", "consumerGroup"),
    ),
    message=(
        Field("messaging.destination.partition.id", "`event.partition`", _partition),
        Field(
            "messaging.kafka.offset", "`event.offset`", lambda event: whole(read(event, "offset"))
        ),
    ),
    destination=Field(DESTINATION, "`event.topic`", lambda event: read(event, "topic")),
    links="`event.headers`, plain or in base64",
)
