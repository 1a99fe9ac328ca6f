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
from funcscope.telemetry._triggers.fields import (
    AttributeField,
    entries,
    epoch_s,
    property_field,
    read,
    text,
    whole,
)
from funcscope.telemetry._triggers.table import (
    DESTINATION,
    TriggerTable,
    messages_of,
    setting_field,
)

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

_CONSUMER = SpanKind.CONSUMER
_CONSUMER_GROUP = "messaging.consumer.group.name"
_MESSAGE_ID = "messaging.message.id"
_PARTITION_ID = "messaging.destination.partition.id"
_PARTITION = "PartitionContext"  # of Event Hubs
_SECONDS = ", in seconds since 1970"


def _partition(event: object, key: str) -> object:
    metadata = entries(read(event, "metadata"))
    context = metadata.get(_PARTITION) or metadata.get(f"Trigger{_PARTITION}")
    return entries(context).get(key)


def _partition_source(key: str) -> str:
    return f'`event.metadata["{_PARTITION}"]["{key}"]`'


def _partition_field(name: str, key: str) -> AttributeField[Invocation]:
    def read_first(invocation: Invocation) -> object:
        return text(_partition(messages_of(invocation.trigger)[0], key))

    return AttributeField(name, _partition_source(key), read_first)


def _topic(event: object) -> str | None:
    """Return the last segment of a resource id such as `/subscriptions/…/topics/orders`."""
    source = text(read(event, "topic")) or text(read(event, "source"))
    if source is None:
        return None
    return source.partition("?")[0].rstrip("/").rpartition("/")[2]


def _event_field(name: str, attribute: str, schema: str = "CloudEvents") -> AttributeField[object]:
    """Make an attribute of events in one of the schemas; CloudEvents have a `specversion`."""

    def read_clean(event: object) -> object:
        if bool(read(event, "specversion")) is not (schema == "CloudEvents"):
            return None
        value = text(read(event, attribute))
        return None if value is None else redact(value)

    return AttributeField(name, f"`event.{attribute}`, {schema} schema", read_clean)


def _number_text(value: object) -> str | None:
    number = whole(value)
    return None if number is None else str(number)


MESSAGES = (
    TriggerTable(
        "Storage queue",
        ("queueTrigger",),
        "pubsub",
        _CONSUMER,
        # No value of the conventions' enumeration (1.44) means storage queues.
        system="azure_storage_queue",
        constants=(setting_field(DESTINATION, "queueName"),),
        message=(
            property_field(_MESSAGE_ID, "msg.id"),
            property_field(DEQUEUE_COUNT, "msg.dequeue_count"),
        ),
    ),
    TriggerTable(
        "Service Bus",
        ("serviceBusTrigger",),
        "pubsub",
        _CONSUMER,
        system="servicebus",
        constants=(
            setting_field(DESTINATION, "queueName", "topicName"),
            setting_field("messaging.destination.subscription.name", "subscriptionName"),
        ),
        message=(
            property_field(_MESSAGE_ID, "msg.message_id"),
            property_field("messaging.message.conversation_id", "msg.correlation_id"),
            property_field("messaging.servicebus.message.delivery_count", "msg.delivery_count"),
            property_field(
                "messaging.servicebus.message.enqueued_time",
                "msg.enqueued_time_utc",
                epoch_s,
                _SECONDS,
            ),
        ),
        links="`msg.application_properties`, else `msg.user_properties`",
    ),
    TriggerTable(
        "Event Hubs",
        ("eventHubTrigger",),
        "pubsub",
        _CONSUMER,
        system="eventhubs",
        constants=(
            setting_field(DESTINATION, "eventHubName"),
            setting_field(_CONSUMER_GROUP, "consumerGroup"),
        ),
        invocation=(
            _partition_field(_CONSUMER_GROUP, "ConsumerGroup"),
            _partition_field(_PARTITION_ID, "PartitionId"),
            _partition_field("server.address", "FullyQualifiedNamespace"),
        ),
        message=(
            property_field(
                "messaging.eventhubs.message.enqueued_time",
                "event.enqueued_time",
                epoch_s,
                _SECONDS,
            ),
        ),
        destination=AttributeField(
            DESTINATION,
            _partition_source("EventHubName"),
            lambda event: _partition(event, "EventHubName"),
        ),
        links='`event.metadata["Properties"]`; of a batch `events[0].metadata["PropertiesArray"]`',
    ),
    TriggerTable(
        "Event Grid",
        ("eventGridTrigger",),
        "pubsub",
        _CONSUMER,
        system="eventgrid",
        message=(
            property_field(_MESSAGE_ID, "event.id"),
            _event_field("cloudevents.event_id", "id"),
            _event_field("cloudevents.event_source", "source"),
            _event_field("cloudevents.event_spec_version", "specversion"),
            _event_field("cloudevents.event_type", "type"),
            _event_field("cloudevents.event_subject", "subject"),
            _event_field(EVENT_TYPE, "event_type", "Event Grid"),
            _event_field(EVENT_SUBJECT, "subject", "Event Grid"),
        ),
        destination=AttributeField(
            DESTINATION, "last segment of `event.topic` or `event.source`", _topic
        ),
        links="`event.extension_attrs`, CloudEvents schema",
    ),
    TriggerTable(
        "Kafka",
        ("kafkaTrigger",),
        "pubsub",
        _CONSUMER,
        system="kafka",
        constants=(
            setting_field(DESTINATION, "topic"),
            setting_field(_CONSUMER_GROUP, "consumerGroup"),
        ),
        message=(
            property_field(_PARTITION_ID, "event.partition", _number_text),
            property_field("messaging.kafka.offset", "event.offset", whole),
        ),
        destination=property_field(DESTINATION, "event.topic"),
        links="`event.headers`, plain or in base64",
    ),
)
