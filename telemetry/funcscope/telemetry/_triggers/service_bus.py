"""
Service Bus triggers, queues and topics: semantic conventions 1.44, Azure messaging spans.

Messages are `azure.functions.ServiceBusMessage` or `azure.servicebus.ServiceBusReceivedMessage`,
which have the same names for what is read here.
"""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from funcscope.telemetry._triggers.fields import Field, epoch_s, read
from funcscope.telemetry._triggers.table import DESTINATION, Family, setting_field

SERVICE_BUS = Family(
    title="Service Bus",
    types=("serviceBusTrigger",),
    faas_trigger="pubsub",
    kind=SpanKind.CONSUMER,
    system="servicebus",
    constants=(
        setting_field(DESTINATION, "queueName", "topicName"),
        setting_field("messaging.destination.subscription.name", "subscriptionName"),
    ),
    message=(
        Field("messaging.message.id", "`msg.message_id`", lambda msg: read(msg, "message_id")),
        Field(
            "messaging.message.conversation_id",
            "`msg.correlation_id`",
            lambda msg: read(msg, "correlation_id"),
        ),
        Field(
            "messaging.servicebus.message.delivery_count",
            "`msg.delivery_count`",
            lambda msg: read(msg, "delivery_count"),
        ),
        Field(
            "messaging.servicebus.message.enqueued_time",
            "`msg.enqueued_time_utc`, in seconds since 1970",
            lambda msg: epoch_s(read(msg, "enqueued_time_utc")),
        ),
    ),
    links="`msg.application_properties`, else `msg.user_properties`",
)
