"""The triggers of which little is said: hubs, Dapr topics, warm-up, and whatever else there is."""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from funcscope.telemetry._semconv import HUB, HUB_CATEGORY, HUB_EVENT
from funcscope.telemetry._triggers.table import DESTINATION, Family, setting_field

HUBS = Family(
    title="SignalR and Web PubSub",
    types=("signalRTrigger", "webPubSubTrigger"),
    faas_trigger="other",
    # The payload holds the user's id and query: nothing is read of it.
    constants=(
        setting_field(HUB, "hubName", "hub"),
        setting_field(HUB_CATEGORY, "category", "eventType"),
        setting_field(HUB_EVENT, "event", "eventName"),
    ),
)

DAPR_TOPIC = Family(
    title="Dapr topic",
    types=("daprTopicTrigger",),
    faas_trigger="pubsub",
    kind=SpanKind.CONSUMER,
    system="dapr",
    constants=(setting_field(DESTINATION, "topic"),),
)

WARMUP = Family(
    title="Warm-up", types=("warmupTrigger",), faas_trigger="other", kind=SpanKind.INTERNAL
)

OTHER = Family(title="Any other", types=("any other",), faas_trigger="other")
