"""What a trigger tells for the expressions in the paths of a function's other bindings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from funcscope.contrib.host._worker.protocol import TypedData
    from funcscope.contrib.host._worker.triggers import TriggerData
    from funcscope.contrib.host._worker.worker import LoadedFunction


def facts_of(function: LoadedFunction, data: TriggerData) -> dict[str, object]:
    """
    Return the names that may stand in braces, with their values.

    They are the trigger's metadata, the properties of a JSON value, for HTTP those of route, query,
    headers and body, and the host's own. Source: azure-functions-host, `Utility.ApplyBindingData`,
    and azure-webjobs-sdk-extensions, `HttpTriggerAttributeBindingProvider.cs`.
    """
    facts: dict[str, object] = {name: value_of(item) for name, item in data.metadata.items()}
    if data.value.WhichOneof("data") == "http":
        facts |= _of_request(data.value.http)
    else:
        value = value_of(data.value)
        if function.trigger_type.lower() == "queuetrigger" and isinstance(value, str):
            facts.setdefault("QueueTrigger", value)
        facts |= _properties(value)
    return {**facts, "sys": {"methodname": function.name}}


def value_of(item: TypedData) -> object:
    """Return the value of a message of the protocol: JSON parsed, anything else as it is."""
    kind = item.WhichOneof("data")
    if kind is None:
        return None
    value = cast("object", getattr(item, kind))
    return parsed(value) if kind == "json" else value


def parsed(value: object) -> object:
    """Return what text says in JSON, and anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return cast("object", json.loads(value))
    except ValueError:
        return value


def _properties(value: object) -> dict[str, object]:
    found = parsed(value)
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _of_request(http: TypedData) -> dict[str, object]:
    query, headers = dict(http.query), dict(http.headers)
    kind = http.body.WhichOneof("data")
    body = None if kind is None else cast("object", getattr(http.body, kind))
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    return {
        **query,
        **_properties(body),
        **dict(http.params),
        "query": query,
        "headers": headers,
    }
