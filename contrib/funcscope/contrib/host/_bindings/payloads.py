"""
What a function gets of a message or a blob that starts it.

The names of the metadata are those of azure-sdk-for-net, `QueueTriggerBinding.cs` and
`BlobTriggerBinding.cs`.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, cast

from funcscope.contrib.host._storage.connection import connection_name
from funcscope.contrib.host._worker.protocol import TypedData, function_rpc
from funcscope.contrib.host._worker.triggers import TriggerData

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib.host._storage.blobs import BlobContent
    from funcscope.contrib.host._storage.queues import TakenMessage

_DEFERRED = "supportsdeferredbinding"
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


def queue_data(message: TakenMessage, body: bytes, trigger: Mapping[str, object]) -> TriggerData:
    """Turn a message into the payload of a queue trigger."""
    now = datetime.now(timezone.utc)
    metadata = {
        "DequeueCount": as_json(message.dequeue_count),
        "ExpirationTime": as_text(_stamp(message.expires or _NEVER)),
        "Id": as_text(message.id),
        "InsertionTime": as_text(_stamp(message.inserted or now)),
        "NextVisibleTime": as_text(_stamp(message.next_visible or _NEVER)),
        "PopReceipt": as_text(message.pop_receipt),
    }
    text = text_of(body)
    if text is not None:
        metadata["QueueTrigger"] = as_text(text)
    return TriggerData(content_data(body, trigger), metadata)


def blob_data(
    blob: BlobContent, trigger: Mapping[str, object], parts: Mapping[str, str]
) -> TriggerData:
    """
    Turn a blob into the payload of a blob trigger.

    Args:
        blob: The blob, read.
        trigger: The trigger's binding.
        parts: The parts of its name, by the names in the trigger's path.
    """
    entry = blob.entry
    metadata = {
        "BlobTrigger": as_text(entry.path),
        "Uri": as_json(blob.url),
        "Properties": as_json(entry.properties),
        "Metadata": as_json(entry.metadata),
        **{name: as_text(part) for name, part in parts.items()},
    }
    if is_deferred(trigger):
        return TriggerData(reference_data(trigger, entry.container, entry.name), metadata)
    return TriggerData(content_data(blob.content, trigger, default="binary"), metadata)


def is_deferred(binding: Mapping[str, object]) -> bool:
    """Tell whether a function takes a client of the SDK in the place of a blob's content."""
    properties = binding.get("properties")
    if not isinstance(properties, dict):
        return False
    fields = cast("dict[str, object]", properties)
    wanted = {str(value).lower() for key, value in fields.items() if key.lower() == _DEFERRED}
    return wanted == {"true"}


def reference_data(binding: Mapping[str, object], container: str, name: str) -> TypedData:
    """
    Make what a client of the SDK is made of.

    Source: azure-sdk-for-net, `BlobsExtensionConfigProvider.cs`, and `blobSdkType.py` of
    azurefunctions-extensions-bindings-blob 1.1.
    """
    content = {
        "Connection": connection_name(binding),
        "ContainerName": container,
        "BlobName": name,
    }
    protos = function_rpc()
    return protos.TypedData(
        model_binding_data=protos.ModelBindingData(
            version="1.0",
            source="AzureStorageBlobs",
            content_type="application/json",
            content=json.dumps(content).encode(),
        )
    )


def content_data(
    content: bytes, binding: Mapping[str, object], *, default: str = "string"
) -> TypedData:
    """
    Type the content of a message or a blob by its binding's `dataType`.

    Args:
        content: What it holds.
        binding: The binding.
        default: The type where the binding says none: `string` or `binary`.
    """
    kind = str(binding.get("dataType") or default).lower()
    text = text_of(content) if kind == "string" else None
    protos = function_rpc()
    return protos.TypedData(bytes=content) if text is None else protos.TypedData(string=text)


def text_of(content: bytes) -> str | None:
    """Return UTF-8 as text, None where it is not that."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def as_text(value: str) -> TypedData:
    """Make a text of the protocol."""
    return function_rpc().TypedData(string=value)


def as_json(value: object) -> TypedData:
    """Make JSON of the protocol."""
    return function_rpc().TypedData(json=json.dumps(value))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
