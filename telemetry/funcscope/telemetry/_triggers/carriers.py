"""
Where messages keep the properties that a producer's trace context travels in.

A message is known by what it has, as functions get `azure.functions` 2.3.0's types or the Azure
SDKs' own (`azurefunctions-extensions-bindings-servicebus` and `-eventhub`).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from funcscope.telemetry._triggers.fields import entries, items, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funcscope.telemetry._triggers.links import Carrier

_ENCODED_AT_MOST = 2
_MISSING = object()
_NOTHING: Carrier = {}
_PLACES = (
    "application_properties",  # Service Bus
    "user_properties",  # Service Bus, from an older host
    "extension_attrs",  # CloudEvent
    "headers",  # Kafka
    "properties",  # azure.eventhub.EventData
)


def carriers_of(messages: Sequence[object]) -> list[Carrier]:
    """Return the properties of each message of a batch, or of a single one."""
    found = [_own(message) for message in messages]
    if not found or found[0] is not None:
        return [carrier or {} for carrier in found]
    # Events of one batch share their metadata, and parse all of it anew when asked: eventhub.py
    # of azure-functions 2.3.0. So the first is asked, and only where there is no other place.
    metadata = entries(read(messages[0], "metadata"))
    if len(messages) == 1 and "PropertiesArray" not in metadata:
        return [entries(metadata.get("Properties"))]
    shared = items(metadata.get("PropertiesArray"))[: len(messages)]
    return [*map(entries, shared), *({} for _ in messages[len(shared) :])]


def _own(message: object) -> Carrier | None:
    """Return a message's own properties; None where it has no place for any."""
    values = [v for name in _PLACES if (v := read(message, name, _MISSING)) is not _MISSING]
    if not values:
        return None
    return next(filter(None, (entries(v) or kafka_carrier(v) for v in values)), _NOTHING)


def kafka_carrier(headers: object) -> Carrier:
    """
    Read Kafka's headers: `[{"Key": …, "Value": …}]`.

    Values are in base64, once or twice (azure-functions-dotnet-worker#1720). A `traceparent`
    has dashes and base64 has none, which tells how often; `tracestate` is encoded as often.
    """
    found: dict[object, object] = {}
    for header in map(entries, items(headers)):
        name = str(header.get("Key", header.get("key", ""))).lower()
        found[name] = header.get("Value", header.get("value"))
    times = max((_times_encoded(found.get(n)) for n in ("traceparent", "diagnostic-id")), default=0)
    return {name: _decoded(value, times) for name, value in found.items()} if times else found


def _times_encoded(value: object) -> int:
    decoded = (_decoded(value, times) for times in range(_ENCODED_AT_MOST + 1))
    return next((times for times, text in enumerate(decoded) if _has_dash(text)), 0)


def _has_dash(value: object) -> bool:
    return "-" in value if isinstance(value, str) else isinstance(value, bytes) and b"-" in value


def _decoded(value: object, times: int) -> object:
    """Decode base64 so many times; what is no base64 is returned as it is."""
    for _ in range(times):
        if not isinstance(value, (str, bytes)):
            return value
        try:
            value = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return value
    return value
