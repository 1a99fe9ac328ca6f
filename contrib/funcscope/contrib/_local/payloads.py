"""
Payloads of each kind of trigger as the host sends them, made of text, bytes or JSON.

The values and the names of their metadata are those that the converters of azure-functions 2.3.0
read (`queue.py`, `timer.py`, `servicebus.py`, `eventhub.py`, `eventgrid.py`, `kafka.py`, …).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class TypedValue(NamedTuple):
    """
    A value as the FunctionRpc protocol has it.

    Attributes:
        kind: The field of `TypedData` that it is in, such as `string` or `collection_string`.
        value: Text or bytes; a collection's is a sequence.
    """

    kind: str
    value: str | bytes | Sequence[str] | Sequence[int]


@dataclass(frozen=True, slots=True)
class TriggerPayload:
    """
    The value of a trigger binding, and the metadata that comes with it.

    Attributes:
        metadata: Plain values, and typed ones of those that have another type than a plain one's.
    """

    value: TypedValue
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class _Event:
    """
    An event in plain data.

    Attributes:
        settings: The trigger binding's own, such as `path`.
        time: When it happened, as the host writes it.
        messages: The messages of a batch; None where the trigger takes one at a time.
    """

    value: object
    settings: Mapping[str, object]
    now: datetime
    messages: list[object] | None

    @property
    def time(self) -> str:
        return self.time_after(timedelta())

    @property
    def fields(self) -> dict[str, object]:
        """The value where it is a JSON object; none where it is something else."""
        value = parse(self.value)
        return cast("dict[str, object]", value) if isinstance(value, dict) else {}

    def time_after(self, delay: timedelta) -> str:
        return (self.now + delay).strftime("%Y-%m-%dT%H:%M:%SZ")

    def setting(self, name: str) -> str:
        return str(self.settings.get(name) or "local")


_Maker: TypeAlias = "Callable[[_Event], TriggerPayload]"

MESSAGING = frozenset({"eventhubtrigger", "kafkatrigger", "servicebustrigger"})
"""The triggers that get a message with properties, or a batch of them."""


def make_payload(
    trigger: str, value: object, settings: Mapping[str, object], *, now: datetime | None = None
) -> TriggerPayload:
    """
    Make the payload that the host would send for a trigger.

    Args:
        trigger: The binding's type, such as `queueTrigger`.
        value: Text, bytes or anything that JSON has.
        settings: The other properties of the binding.
        now: When the event is said to have happened.
    """
    messages = _as_list(value) if takes_batches(trigger, settings) else None
    event = _Event(value, settings, now or datetime.now(timezone.utc), messages)
    make = _PAYLOADS.get(trigger.lower())
    return TriggerPayload(typed(value)) if make is None else make(event)


def takes_batches(trigger: str, settings: Mapping[str, object]) -> bool:
    """Tell whether a trigger gets several messages at a time."""
    is_many = str(settings.get("cardinality", "one")).lower() == "many"
    return is_many and trigger.lower() in MESSAGING


def as_text(value: object) -> str:
    """Return text as it is, bytes decoded, and anything else as JSON."""
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else json.dumps(value)


def parse(value: object) -> object:
    """Return the value of text that holds JSON, and anything else as it is."""
    if not isinstance(value, (str, bytes)):
        return value
    try:
        return cast("object", json.loads(value))
    except ValueError:
        return value


def as_json(value: object) -> TypedValue:
    """Encode a value as JSON."""
    return TypedValue("json", json.dumps(value))


def typed(value: object) -> TypedValue:
    """Type a value: text and bytes stay what they are, and anything else goes as JSON."""
    if isinstance(value, TypedValue):
        return value
    if isinstance(value, bytes):
        return TypedValue("bytes", value)
    return TypedValue("string", value) if isinstance(value, str) else as_json(value)


def _rows(event: _Event) -> TriggerPayload:
    """Send a list of documents or of rows; a single one is made a list."""
    return TriggerPayload(as_json(_as_list(parse(event.value))))


def _as_list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _text(value: object) -> TypedValue:
    return TypedValue("string", as_text(value))


def _texts(values: Sequence[object]) -> TypedValue:
    return TypedValue("collection_string", [as_text(value) for value in values])


def _queue(event: _Event) -> TriggerPayload:
    metadata = {
        "Id": str(uuid.uuid4()),
        "DequeueCount": 1,
        "InsertionTime": event.time,
        "ExpirationTime": event.time_after(timedelta(days=7)),
        "NextVisibleTime": event.time_after(timedelta(minutes=10)),
        "PopReceipt": uuid.uuid4().hex,
    }
    return TriggerPayload(_text(event.value), metadata)


def _timer(event: _Event) -> TriggerPayload:
    status = dict.fromkeys(("Last", "LastUpdated", "Next"), event.time)
    timer = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return TriggerPayload(as_json({**timer, **event.fields}))


def _service_bus(event: _Event) -> TriggerPayload:
    if event.messages is None:
        return TriggerPayload(_text(event.value), _service_bus_properties(event))
    messages = [_service_bus_properties(event) for _ in event.messages]
    arrays = {
        f"{name}Array": [message[name] for message in messages]
        for name in _service_bus_properties(event)
    }
    return TriggerPayload(_texts(event.messages), arrays)


def _service_bus_properties(event: _Event) -> dict[str, object]:
    return {
        "MessageId": uuid.uuid4().hex,
        "DeliveryCount": 1,
        "SequenceNumber": 1,
        "EnqueuedTimeUtc": event.time,
        "ApplicationProperties": {},
        "UserProperties": {},
    }


def _event_hub(event: _Event) -> TriggerPayload:
    properties = {"EnqueuedTimeUtc": event.time, "SequenceNumber": 1, "Offset": "0"}
    if event.messages is None:
        metadata = {**properties, "SystemProperties": properties}
        return TriggerPayload(_text(event.value), metadata)
    array = [properties] * len(event.messages)
    return TriggerPayload(_texts(event.messages), {"SystemPropertiesArray": array})


def _kafka(event: _Event) -> TriggerPayload:
    topic = event.setting("topic")
    if event.messages is None:
        properties = {"Timestamp": event.time, "Partition": 0, "Offset": 0, "Topic": topic}
        return TriggerPayload(_text(event.value), {**properties, "Headers": []})
    count = len(event.messages)
    arrays = {
        "TimestampArray": [event.time] * count,
        "KeyArray": [None] * count,
        "PartitionArray": [0] * count,
        "OffsetArray": TypedValue("collection_sint64", list(range(count))),
        "TopicArray": _texts([topic] * count),
        "HeadersArray": [list[object]()] * count,
    }
    return TriggerPayload(_texts(event.messages), arrays)


def _event_grid(event: _Event) -> TriggerPayload:
    if "eventType" in event.fields or "specversion" in event.fields:
        return TriggerPayload(as_json(event.fields))
    envelope = {
        "id": str(uuid.uuid4()),
        "topic": "local",
        "subject": "local",
        "eventType": "local.event",
        "eventTime": event.time,
        "dataVersion": "1.0",
        "data": parse(event.value),
    }
    return TriggerPayload(as_json(envelope))


def _blob(event: _Event) -> TriggerPayload:
    content = event.value if isinstance(event.value, bytes) else as_text(event.value).encode()
    path = event.setting("path")
    metadata = {
        "BlobTrigger": path,
        "Uri": f"http://127.0.0.1:10000/devstoreaccount1/{path}",
        "Properties": {"ContentLength": len(content)},
        "Metadata": {},
    }
    return TriggerPayload(TypedValue("bytes", content), metadata)


_PAYLOADS: Mapping[str, _Maker] = {
    "blobtrigger": _blob,
    "cosmosdbtrigger": _rows,
    "eventgridtrigger": _event_grid,
    "eventhubtrigger": _event_hub,
    "kafkatrigger": _kafka,
    "queuetrigger": _queue,
    "servicebustrigger": _service_bus,
    "timertrigger": _timer,
}
