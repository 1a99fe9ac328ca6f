"""
Event Hubs triggers, IoT Hub's events included: semantic conventions 1.44, Azure messaging spans.

The partition is in the trigger's metadata, which all events of a batch share (`eventhub.py` of
azure-functions 2.3.0), under two names that mean the same (`EventHubTriggerBindingStrategy` of the
Event Hubs extension 5.x). OpenTelemetry's collector reads the same keys of what a host sends
(opentelemetry-collector-contrib, `receiver/azurefunctionsreceiver`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from funcscope.telemetry._triggers.fields import Field, entries, epoch_s, read, text
from funcscope.telemetry._triggers.table import DESTINATION, Family, messages_of, setting_field

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

_PARTITION = "PartitionContext"


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
