"""
Requests in OTLP: what is sent, by resource and scope.

`ExportTraceServiceRequest` and `ExportLogsServiceRequest` differ in what they hold alone, so the
fields below are those of both: `opentelemetry/proto/collector/{trace,logs}/v1`,
`resource/v1/resource.proto` and `InstrumentationScope` of opentelemetry-proto 1.45.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from funcscope.telemetry._otlp.values import attributes_field
from funcscope.telemetry._otlp.wire import delimited, text_field, varint

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    EncodedItem = tuple[bytes, Resource | None, InstrumentationScope | None]
    """An item's message, and what it is grouped by."""

_MAX_LENGTH_SIZE = 5
"""How many bytes a length takes at most: a message has less than 2 GiB."""

_MAX_HEADS = 64


OfT = TypeVar("OfT", "Resource", "InstrumentationScope")


class RequestBuilder:
    """
    Builds one request of encoded items, one at a time, so that others may run in between.

    For one thread. It groups as the SDK's exporter does: by equal resources and then scopes,
    each in the order in which they came first.

    Attributes:
        size: How many bytes the request may have: never too low, and too high by 4 bytes at
            most for each resource and scope.
    """

    __slots__ = ("_by_id", "_groups", "size")

    def __init__(self) -> None:
        # Messages by what they are of, each after its tag and length.
        self._groups: dict[_Head, dict[_Head, list[bytes]]] = {}
        # The same by identity, which is quicker than equality; it keeps the ids from being reused.
        self._by_id: dict[tuple[int, int], tuple[list[bytes], object, object]] = {}
        self.size = 0

    def add(
        self, message: bytes, resource: Resource | None, scope: InstrumentationScope | None
    ) -> None:
        """Add an item's message; where that raises, the request is what it was."""
        length = varint(len(message))
        key = id(resource), id(scope)
        known = self._by_id.get(key)
        if known is None:
            known = self._by_id[key] = (self._group(resource, scope), resource, scope)
        messages = known[0]
        messages += (b"\x12", length, message)
        self.size += 1 + len(length) + len(message)

    def build(self) -> bytes:
        """Return the request, joined once, as it can be large: nothing where there is no item."""
        request: list[bytes] = []
        for resource, scopes in self._groups.items():
            parts = [resource.head]
            for scope, messages in scopes.items():
                content = (scope.head, *messages, scope.tail)
                parts += (b"\x12", varint(sum(map(len, content))), *content)
            parts.append(resource.tail)
            request += (b"\x0a", varint(sum(map(len, parts))), *parts)
        return b"".join(request)

    def _group(self, resource: Resource | None, scope: InstrumentationScope | None) -> list[bytes]:
        """Return the messages of equal things; where there are none, the request grows by both."""
        of_resource, of_scope = _head(resource, _resource_message), _head(scope, _scope_message)
        if of_resource not in self._groups:
            self._groups[of_resource] = {}
            self.size += of_resource.size
        scopes = self._groups[of_resource]
        if of_scope not in scopes:
            scopes[of_scope] = []
            self.size += of_scope.size
        return scopes[of_scope]


class _Head:
    """
    The first and last fields of a request's group: a resource or scope, and its schema's URL.

    Compares as what it is of, with a hash that is made once: a resource's writes JSON.

    Attributes:
        size: How many bytes the group may have, beside what is in it.
    """

    __slots__ = ("_hash", "head", "of", "size", "tail")

    def __init__(self, of: object, message: bytes, schema_url: str | None) -> None:
        self.of = of
        self.head = b"\x0a" + delimited(message)
        self.tail = text_field(b"\x1a", schema_url)
        self.size = 1 + _MAX_LENGTH_SIZE + len(self.head) + len(self.tail)
        self._hash = hash(of)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Head) and self.of == other.of


_heads: dict[int, _Head] = {}
"""Heads of 64 resources and scopes, by id: an entry keeps its object, and so the id its own."""


def _head(of: OfT | None, encode: Callable[[OfT], bytes]) -> _Head:
    """Return the head of a resource or a scope: neither changes, so it is made once."""
    known = _heads.get(id(of))
    if known is not None:
        return known
    if of is None:
        return _Head(None, b"", None)
    known = _Head(of, encode(of), of.schema_url)
    if len(_heads) >= _MAX_HEADS:
        _heads.clear()
    _heads[id(of)] = known
    return known


def _resource_message(resource: Resource) -> bytes:
    return attributes_field(b"\x0a", resource.attributes)


def _scope_message(scope: InstrumentationScope) -> bytes:
    return b"".join(
        (
            text_field(b"\x0a", scope.name),
            text_field(b"\x12", scope.version),
            attributes_field(b"\x1a", scope.attributes),
        )
    )
