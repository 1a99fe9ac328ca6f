"""
A trigger's object, made of plain data as a worker makes it of what its host sends.

The values and the names of their metadata are those that the converters of azure-functions 2.3.0
read; the converters themselves make the object.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, cast

from funcscope.contrib.testing._errors import TestingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions import Binding

Plain = dict[str, object]


class Datum(Protocol):
    """What converters read: `azure.functions.meta.Datum`."""

    value: Any
    type: str | None


_Payload = tuple["Datum", Plain]  # the value, and its metadata before it is made datums of

_PLAIN = (str, bytes, int, float, bool, type(None))


def is_plain(value: object) -> bool:
    """Tell whether a value is text, bytes or JSON, and not yet what a function gets."""
    if type(value) is dict:
        fields = cast("Mapping[object, object]", value)
        return all(isinstance(key, str) and is_plain(v) for key, v in fields.items())
    if type(value) is list:
        return all(map(is_plain, cast("list[object]", value)))
    return type(value) in _PLAIN


def trigger_object(value: object, binding: Binding, metadata: Mapping[str, object]) -> object:
    """
    Make what a function gets of plain data.

    Args:
        value: Text, bytes or anything that JSON has; a list is a batch where the trigger has
            `cardinality` many.
        binding: The trigger.
        metadata: What else the host would say, such as a message's `DequeueCount`; it is added to
            what stands for the rest.

    Raises:
        TestingError: The worker could make nothing of it.
    """
    if binding.type.lower() == "activitytrigger":
        return value  # what went through Durable's JSON is what it was
    from azure.functions import get_binding_registry

    converter: Any = get_binding_registry().get(binding.type)  # type: ignore[no-untyped-call]
    make = _MAKERS.get(binding.type.lower(), _any)
    datum, said = make(value, binding)
    if converter is None:  # `GenericBinding.decode`, azure-functions-runtime 1.3.0
        return cast("object", datum.value)
    sent = {name: _json(v) for name, v in {**said, **metadata}.items()}
    try:
        made: object = converter.decode(datum, trigger_metadata=sent)
    except Exception as error:
        raise TestingError(
            f"a {binding.type} cannot be made of {value!r}: {error!r}; pass an object of "
            "azure.functions instead"
        ) from error
    return made


def _datum(value: object, kind: str) -> Datum:
    from azure.functions.meta import Datum as Made

    return cast("Datum", Made(value, kind))


def _json(value: object) -> Datum:
    """Make a datum of a metadata value; text stays text, as the host sends it."""
    if hasattr(value, "type"):
        return cast("Datum", value)
    if isinstance(value, str):
        return _datum(value, "string")
    return _datum(json.dumps(value), "json")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else json.dumps(value)


def _parsed(value: object) -> object:
    if not isinstance(value, (str, bytes)):
        return value
    try:
        return cast("object", json.loads(value))
    except ValueError:
        return value


def _now(later: timedelta = timedelta()) -> str:
    return (datetime.now(timezone.utc) + later).strftime("%Y-%m-%dT%H:%M:%SZ")


def _items(value: object, binding: Binding) -> list[object] | None:
    """Return the messages of a batch; None where the trigger has one at a time."""
    if str(binding.settings.get("cardinality", "one")).lower() != "many":
        return None
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _strings(values: list[object]) -> Datum:
    return _datum(SimpleNamespace(string=[_text(value) for value in values]), "collection_string")


def _any(value: object, _binding: Binding) -> _Payload:
    if isinstance(value, bytes):
        return _datum(value, "bytes"), {}
    if isinstance(value, str):
        return _datum(value, "string"), {}
    return _datum(json.dumps(value), "json"), {}


def _as_json(value: object, _binding: Binding) -> _Payload:
    return _datum(_text(value), "json"), {}


def _rows(value: object, _binding: Binding) -> _Payload:
    parsed = _parsed(value)
    rows = cast("object", parsed) if isinstance(parsed, list) else [parsed]
    return _datum(json.dumps(rows), "json"), {}


def _text_alone(value: object, _binding: Binding) -> _Payload:
    return _datum(_text(value), "string"), {}


def _timer(value: object, _binding: Binding) -> _Payload:
    parsed = _parsed(value)
    changes = cast("Plain", parsed) if isinstance(parsed, dict) else {}
    status = {"Last": _now(), "LastUpdated": _now(), "Next": _now()}
    timer = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return _datum(json.dumps({**timer, **changes}), "json"), {}


def _queue(value: object, _binding: Binding) -> _Payload:
    said: Plain = {
        "Id": str(uuid.uuid4()),
        "DequeueCount": 1,
        "InsertionTime": _now(),
        "ExpirationTime": _now(timedelta(days=7)),
        "NextVisibleTime": _now(timedelta(minutes=10)),
        "PopReceipt": uuid.uuid4().hex,
    }
    return _datum(_text(value), "string"), said


def _blob(value: object, binding: Binding) -> _Payload:
    content = value if isinstance(value, bytes) else _text(value).encode()
    path = str(binding.settings.get("path") or "local")
    said: Plain = {
        "BlobTrigger": path,
        "Uri": f"http://127.0.0.1:10000/devstoreaccount1/{path}",
        "Properties": {"ContentLength": len(content)},
        "Metadata": {},
    }
    return _datum(content, "bytes"), said


def _service_bus(value: object, binding: Binding) -> _Payload:
    def said() -> Plain:
        return {
            "MessageId": uuid.uuid4().hex,
            "DeliveryCount": 1,
            "SequenceNumber": 1,
            "EnqueuedTimeUtc": _now(),
            "ApplicationProperties": {},
            "UserProperties": {},
        }

    items = _items(value, binding)
    if items is None:
        return _datum(_text(value), "string"), said()
    each = [said() for _ in items]
    return _strings(items), {f"{name}Array": [one[name] for one in each] for name in said()}


def _event_hub(value: object, binding: Binding) -> _Payload:
    said: Plain = {"EnqueuedTimeUtc": _now(), "SequenceNumber": 1, "Offset": "0"}
    items = _items(value, binding)
    if items is None:
        return _datum(_text(value), "string"), {**said, "SystemProperties": said}
    return _strings(items), {"SystemPropertiesArray": [said for _ in items]}


def _kafka(value: object, binding: Binding) -> _Payload:
    topic = str(binding.settings.get("topic") or "local")
    items = _items(value, binding)
    if items is None:
        said: Plain = {"Timestamp": _now(), "Partition": 0, "Offset": 0, "Topic": topic}
        return _datum(_text(value), "string"), {**said, "Headers": []}
    count = len(items)
    offsets = _datum(SimpleNamespace(sint64=list(range(count))), "collection_sint64")
    return _strings(items), {
        "TimestampArray": [_now()] * count,
        "KeyArray": [None] * count,
        "PartitionArray": [0] * count,
        "OffsetArray": offsets,
        "TopicArray": _strings([topic] * count),
        "HeadersArray": [list[object]() for _ in range(count)],
    }


def _event_grid(value: object, _binding: Binding) -> _Payload:
    parsed = _parsed(value)
    fields = cast("Plain", parsed) if isinstance(parsed, dict) else {}
    if "eventType" in fields or "specversion" in fields:
        return _datum(json.dumps(fields), "json"), {}
    event: Plain = {
        "id": str(uuid.uuid4()),
        "topic": "local",
        "subject": "local",
        "eventType": "local.event",
        "eventTime": _now(),
        "dataVersion": "1.0",
        "data": parsed,
    }
    return _datum(json.dumps(event), "json"), {}


_MAKERS: Mapping[str, Callable[[object, Binding], _Payload]] = {
    "blobtrigger": _blob,
    "cosmosdbtrigger": _rows,
    "entitytrigger": _text_alone,
    "eventgridtrigger": _event_grid,
    "eventhubtrigger": _event_hub,
    "kafkatrigger": _kafka,
    "mysqltrigger": _rows,
    "orchestrationtrigger": _text_alone,
    "queuetrigger": _queue,
    "servicebustrigger": _service_bus,
    "sqltrigger": _rows,
    "timertrigger": _timer,
    "warmuptrigger": _as_json,
}
