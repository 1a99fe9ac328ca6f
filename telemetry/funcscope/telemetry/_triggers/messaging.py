"""
Triggers of messages and events: semantic conventions 1.44, messaging spans.

Storage queues: `azure.functions.QueueMessage`, which has no properties to link by.

Service Bus, queues and topics: messages are `azure.functions.ServiceBusMessage` or
`azure.servicebus.ServiceBusReceivedMessage`, which have the same names for what is read here.

Event Hubs, IoT Hub's events included: the partition is in the trigger's metadata, which all events
of a batch share (`eventhub.py` of azure-functions 2.3.0), under two names that mean the same
(`EventHubTriggerBindingStrategy` of the Event Hubs extension 5.x). OpenTelemetry's collector reads
the same keys of what a host sends (opentelemetry-collector-contrib,
`receiver/azurefunctionsreceiver`).

Event Grid, in either schema, `cloudevents`: `azure.functions.CloudEvent` keeps the extension
attributes that a trace context travels in; `EventGridEvent` drops what it does not know
(`eventgrid.py` of azure-functions 2.3.0).

Kafka: `azure.functions.KafkaEvent`. A message's key is left out: it often says who a message is
about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.telemetry._redaction.redactor import redact
from funcscope.telemetry._semconv import DEQUEUE_COUNT, EVENT_SUBJECT, EVENT_TYPE
from funcscope.telemetry._triggers.fields import Field, entries, epoch_s, read, text, whole
from funcscope.telemetry._triggers.table import DESTINATION, Family, messages_of, setting_field

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

_PARTITION = "PartitionContext"  # of Event Hubs

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


def _partition(event: object, key: str) -> object:
    metadata = entries(read(event, "metadata"))
    found = metadata.get(_PARTITION) or metadata.get(f"Trigger{_PARTITION}")
    return entries(found).get(key)


def _partition_field(name: str, key: str) -> Field[Invocation]:
    def read_first(invocation: Invocation) -> object:
        return text(_partition(messages_of(invocation.trigger)[0], key))

    return Field(name, f'`event.metadata["{_PARTITION}"]["{key}"]`', read_first)


EVENT_HUB = Family(
    title="Event Hubs",
    types=("eventHubTrigger",),
    faas_trigger="pubsub",
    kind=SpanKind.CONSUMER,
    system="eventhubs",
    constants=(
        setting_field(DESTINATION, "eventHubName"),
        setting_field("messaging.consumer.group.name", "consumerGroup"),
    ),
    invocation=(
        _partition_field("messaging.consumer.group.name", "ConsumerGroup"),
        _partition_field("messaging.destination.partition.id", "PartitionId"),
        _partition_field("server.address", "FullyQualifiedNamespace"),
    ),
    message=(
        Field(
            "messaging.eventhubs.message.enqueued_time",
            "`event.enqueued_time`, in seconds since 1970",
            lambda event: epoch_s(read(event, "enqueued_time")),
        ),
    ),
    destination=Field(
        DESTINATION,
        f'`event.metadata["{_PARTITION}"]["EventHubName"]`',
        lambda event: _partition(event, "EventHubName"),
    ),
    links='`event.metadata["Properties"]`; of a batch `events[0].metadata["PropertiesArray"]`',
)


def _topic(event: object) -> str | None:
    """Return the last segment of a resource id such as `/subscriptions/…/topics/orders`."""
    source = text(read(event, "topic")) or text(read(event, "source"))
    if source is None:
        return None
    return source.partition("?")[0].rstrip("/").rpartition("/")[2]


def _cloud_event(name: str, attribute: str) -> Field[object]:
    return _field(f"cloudevents.{name}", attribute, "CloudEvents", is_cloud_event=True)


def _own_schema(name: str, attribute: str) -> Field[object]:
    return _field(name, attribute, "Event Grid", is_cloud_event=False)


def _field(name: str, attribute: str, schema: str, *, is_cloud_event: bool) -> Field[object]:
    """Make an attribute of events in one of the schemas; CloudEvents have a `specversion`."""

    def read_clean(event: object) -> object:
        if bool(read(event, "specversion")) is not is_cloud_event:
            return None
        value = text(read(event, attribute))
        return None if value is None else redact(value)

    return Field(name, f"`event.{attribute}`, {schema} schema", read_clean)


EVENT_GRID = Family(
    title="Event Grid",
    types=("eventGridTrigger",),
    faas_trigger="pubsub",
    kind=SpanKind.CONSUMER,
    system="eventgrid",
    message=(
        Field("messaging.message.id", "`event.id`", lambda event: read(event, "id")),
        _cloud_event("event_id", "id"),
        _cloud_event("event_source", "source"),
        _cloud_event("event_spec_version", "specversion"),
        _cloud_event("event_type", "type"),
        _cloud_event("event_subject", "subject"),
        _own_schema(EVENT_TYPE, "event_type"),
        _own_schema(EVENT_SUBJECT, "subject"),
    ),
    destination=Field(DESTINATION, "last segment of `event.topic` or `event.source`", _topic),
    links="`event.extension_attrs`, CloudEvents schema",
)


def _kafka_partition(event: object) -> str | None:
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
        Field("messaging.destination.partition.id", "`event.partition`", _kafka_partition),
        Field(
            "messaging.kafka.offset", "`event.offset`", lambda event: whole(read(event, "offset"))
        ),
    ),
    destination=Field(DESTINATION, "`event.topic`", lambda event: read(event, "topic")),
    links="`event.headers`, plain or in base64",
)
