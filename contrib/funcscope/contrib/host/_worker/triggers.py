"""
What the host sends for each kind of trigger, made from one piece of text or JSON.

The values and the names of their metadata are those that the converters of azure-functions 2.3.0
read (`queue.py`, `timer.py`, `servicebus.py`, `eventhub.py`, `eventgrid.py`, `kafka.py`, …).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias, cast

from funcscope.contrib.host._worker.protocol import Protos, TypedData, function_rpc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.contrib._local.app import Binding


@dataclass(frozen=True, slots=True)
class TriggerData:
    """The value of a trigger binding, and the metadata that comes with it."""

    value: TypedData
    metadata: Mapping[str, TypedData] = field(default_factory=dict[str, TypedData])


@dataclass(frozen=True, slots=True)
class _Input:
    """What a converter may use."""

    value: object
    binding: Binding
    protos: Protos
    now: datetime

    @property
    def items(self) -> list[object]:
        """The input as a batch."""
        value = parsed(self.value)
        return cast("list[object]", value) if isinstance(value, list) else [self.value]

    @property
    def is_batch(self) -> bool:
        return str(self.binding.get("cardinality", "one")).lower() == "many"

    def setting(self, name: str, default: str = "local") -> str:
        return str(self.binding.get(name) or default)

    def text(self, value: object) -> TypedData:
        return self.protos.TypedData(string=as_text(value))

    def json(self, value: object) -> TypedData:
        return self.protos.TypedData(json=json.dumps(value))

    def strings(self, values: list[object]) -> TypedData:
        collection = self.protos.CollectionString(string=[as_text(value) for value in values])
        return self.protos.TypedData(collection_string=collection)


_Converter: TypeAlias = "Callable[[_Input], TriggerData]"


def trigger_data(value: object, binding: Binding, *, now: datetime | None = None) -> TriggerData:
    """
    Turn an input into what the host would send for a trigger.

    Args:
        value: A string, or anything that JSON has.
        binding: The trigger's binding; its type decides.
        now: When the event is said to have happened.
    """
    convert = _CONVERTERS.get(str(binding["type"]).lower(), _any)
    return convert(_Input(value, binding, function_rpc(), now or datetime.now(timezone.utc)))


def as_text(value: object) -> str:
    """Return a string as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def parsed(value: object) -> object:
    """Return the value of a string that holds JSON, and anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return cast("object", json.loads(value))
    except json.JSONDecodeError:
        return value


def _any(given: _Input) -> TriggerData:
    is_text = isinstance(given.value, str)
    return TriggerData(given.text(given.value) if is_text else given.json(given.value))


def _queue(given: _Input) -> TriggerData:
    expires = given.now + timedelta(days=7)
    metadata = {
        "Id": given.text(str(uuid.uuid4())),
        "DequeueCount": given.json(1),
        "InsertionTime": given.text(_time(given.now)),
        "ExpirationTime": given.text(_time(expires)),
        "NextVisibleTime": given.text(_time(given.now + timedelta(minutes=10))),
        "PopReceipt": given.text(uuid.uuid4().hex),
    }
    return TriggerData(given.text(given.value), metadata)


def _timer(given: _Input) -> TriggerData:
    value = parsed(given.value)
    changes = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    status = {"Last": _time(given.now), "LastUpdated": _time(given.now), "Next": _time(given.now)}
    timer = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return TriggerData(given.json({**timer, **changes}))


def _service_bus(given: _Input) -> TriggerData:
    if not given.is_batch:
        metadata = {name: given.json(v) for name, v in _service_bus_properties(given).items()}
        return TriggerData(given.text(given.value), metadata)
    messages = [_service_bus_properties(given) for _ in given.items]
    names = _service_bus_properties(given)
    metadata = {f"{name}Array": given.json([m[name] for m in messages]) for name in names}
    return TriggerData(given.strings(given.items), metadata)


def _service_bus_properties(given: _Input) -> dict[str, object]:
    return {
        "MessageId": uuid.uuid4().hex,
        "DeliveryCount": 1,
        "SequenceNumber": 1,
        "EnqueuedTimeUtc": _time(given.now),
        "ApplicationProperties": {},
        "UserProperties": {},
    }


def _event_hub(given: _Input) -> TriggerData:
    properties = {"EnqueuedTimeUtc": _time(given.now), "SequenceNumber": 1, "Offset": "0"}
    if given.is_batch:
        array = given.json([properties for _ in given.items])
        return TriggerData(given.strings(given.items), {"SystemPropertiesArray": array})
    metadata = {name: given.json(value) for name, value in properties.items()}
    metadata["SystemProperties"] = given.json(properties)
    return TriggerData(given.text(given.value), metadata)


def _kafka(given: _Input) -> TriggerData:
    topic = given.setting("topic")
    if not given.is_batch:
        properties = {"Timestamp": _time(given.now), "Partition": 0, "Offset": 0, "Topic": topic}
        metadata = {name: given.json(value) for name, value in properties.items()}
        metadata["Headers"] = given.json([])
        return TriggerData(given.text(given.value), metadata)
    count = len(given.items)
    offsets = given.protos.CollectionSInt64(sint64=range(count))
    metadata = {
        "TimestampArray": given.json([_time(given.now)] * count),
        "KeyArray": given.json([None] * count),
        "PartitionArray": given.json([0] * count),
        "OffsetArray": given.protos.TypedData(collection_sint64=offsets),
        "TopicArray": given.strings([topic] * count),
        "HeadersArray": given.json([list[object]() for _ in range(count)]),
    }
    return TriggerData(given.strings(given.items), metadata)


def _event_grid(given: _Input) -> TriggerData:
    value: object = parsed(given.value)
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if "eventType" in fields or "specversion" in fields:
        return TriggerData(given.json(fields))
    event: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "topic": "local",
        "subject": "local",
        "eventType": "local.event",
        "eventTime": _time(given.now),
        "dataVersion": "1.0",
        "data": value,
    }
    return TriggerData(given.json(event))


def _cosmos(given: _Input) -> TriggerData:
    value = parsed(given.value)
    return TriggerData(given.json(cast("object", value) if isinstance(value, list) else [value]))


def _blob(given: _Input) -> TriggerData:
    content = as_text(given.value).encode()
    path = given.setting("path")
    metadata = {
        "BlobTrigger": given.text(path),
        "Uri": given.text(f"http://127.0.0.1:10000/devstoreaccount1/{path}"),
        "Properties": given.json({"ContentLength": len(content)}),
        "Metadata": given.json({}),
    }
    return TriggerData(given.protos.TypedData(bytes=content), metadata)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_CONVERTERS: dict[str, _Converter] = {
    "blobtrigger": _blob,
    "cosmosdbtrigger": _cosmos,
    "eventgridtrigger": _event_grid,
    "eventhubtrigger": _event_hub,
    "kafkatrigger": _kafka,
    "queuetrigger": _queue,
    "servicebustrigger": _service_bus,
    "timertrigger": _timer,
}
