"""Storage queue triggers: `azure.functions.QueueMessage`, which has no properties to link by."""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from funcscope.telemetry._semconv import DEQUEUE_COUNT
from funcscope.telemetry._triggers.fields import Field, read
from funcscope.telemetry._triggers.table import DESTINATION, Family, setting_field

QUEUE = Family(
    title="Storage queue",
    types=("queueTrigger",),
    faas_trigger="pubsub",
    kind=SpanKind.CONSUMER,
    # No value of the conventions' enumeration (1.44) means storage queues.
    system="azure_storage_queue",
    constants=(setting_field(DESTINATION, "queueName"),),
    message=(
        Field("messaging.message.id", "`msg.id`", lambda msg: read(msg, "id")),
        Field(DEQUEUE_COUNT, "`msg.dequeue_count`", lambda msg: read(msg, "dequeue_count")),
    ),
)
