"""Payloads of triggers, in the protocol's messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from funcscope.contrib._local.payloads import (
    MESSAGING,
    TypedValue,
    as_json,
    make_payload,
    parse,
    takes_batches,
    typed,
)
from funcscope.contrib.host._worker.protocol import TypedData, function_rpc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from funcscope.contrib._local.app import BindingDict

_COLLECTIONS = {
    "collection_string": ("CollectionString", "string"),
    "collection_sint64": ("CollectionSInt64", "sint64"),
}
"""The message and the field of each collection in `TypedData`."""


@dataclass(frozen=True, slots=True)
class TriggerData:
    """The value of a trigger binding, and the metadata that comes with it."""

    value: TypedData
    metadata: Mapping[str, TypedData] = field(default_factory=dict[str, TypedData])


def trigger_data(
    value: object, binding: BindingDict, *, now: datetime | None = None
) -> TriggerData:
    """
    Turn an input into the payload that the host would send for a trigger.

    Args:
        value: A string, or anything that JSON has.
        binding: The trigger's binding; its type decides.
        now: When the event is said to have happened.
    """
    trigger = str(binding["type"])
    if takes_batches(trigger, binding):
        messages = parse(value)
        value = cast("object", messages) if isinstance(messages, list) else value
    payload = make_payload(trigger, value, binding, now=now)
    metadata = {name: _typed_data(_property(v, trigger)) for name, v in payload.metadata.items()}
    return TriggerData(_typed_data(payload.value), metadata)


def _typed_data(item: TypedValue) -> TypedData:
    protos, value = function_rpc(), item.value
    if item.kind in _COLLECTIONS:
        message, name = _COLLECTIONS[item.kind]
        value = getattr(protos, message)(**{name: value})
    return protos.TypedData(**{item.kind: value})


def _property(value: object, trigger: str) -> TypedValue:
    """Type a value of the metadata; a message's properties are JSON, text included."""
    is_json = trigger.lower() in MESSAGING and isinstance(value, str)
    return as_json(value) if is_json else typed(value)
