"""
What a function's outputs are in storage: messages of a queue, the content of a blob.

The conversions are those of azure-functions-host, `FunctionBinding.cs` (`ReadAsEnumerable`,
`BindAsyncCollectorAsync`, `ConvertValueToStream`): a list is several messages, JSON objects are
indented in queues and compact in blobs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from funcscope.contrib.host._bindings.facts import parsed, value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funcscope.contrib.host._worker.protocol import TypedData

_COLLECTIONS = {"collection_string": "string", "collection_bytes": "bytes"}


def messages_of(value: TypedData) -> list[bytes]:
    """Return the bodies of the messages that an output is."""
    kind = value.WhichOneof("data")
    if kind in _COLLECTIONS:
        items = cast("Sequence[str | bytes]", getattr(getattr(value, kind), _COLLECTIONS[kind]))
        return [item if isinstance(item, bytes) else item.encode() for item in items]
    content = value_of(value)
    if isinstance(content, str) and _looks_like_json(content):
        content = parsed(content)
    if isinstance(content, list):
        return [_message(item) for item in cast("list[object]", content)]
    return [_message(content)]


def content_of(value: TypedData) -> bytes:
    """Return the content of the blob that an output is."""
    content = value_of(value)
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _looks_like_json(text: str) -> bool:
    stripped = text.strip()
    return stripped[:1] + stripped[-1:] in ("{}", "[]")


def _message(item: object) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, (dict, list)):
        return json.dumps(item, indent=2, ensure_ascii=False).encode()
    return b"" if item is None else str(item).encode()
