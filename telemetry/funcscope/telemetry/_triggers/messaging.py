"""
Event Grid triggers, in either schema: semantic conventions 1.44, `cloudevents`.

`azure.functions.CloudEvent` keeps the extension attributes that a trace context travels in;
`EventGridEvent` drops what it does not know (`eventgrid.py` of azure-functions 2.3.0).
"""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from funcscope.telemetry._redaction.redactor import redact
from funcscope.telemetry._semconv import EVENT_SUBJECT, EVENT_TYPE
from funcscope.telemetry._triggers.fields import Field, read, text
from funcscope.telemetry._triggers.table import DESTINATION, Family


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
