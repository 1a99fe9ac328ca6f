"""
Links to the contexts that came with messages, and where messages keep these.

W3C Trace Context in `traceparent` and `tracestate`, else the Azure SDKs' `Diagnostic-Id`, whose
value is a `traceparent` too. The host's span stays the parent: messaging spans, semantic
conventions 1.44.

A message is known by what it has, as functions get `azure.functions` 2.3.0's types or the Azure
SDKs' own (`azurefunctions-extensions-bindings-servicebus` and `-eventhub`).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Link, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from funcscope.telemetry._semconv import LINKS_DROPPED, LINKS_INVALID
from funcscope.telemetry._triggers.fields import entries, items, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.trace import SpanContext

    from funcscope.telemetry._semconv import Attributes

Carrier: TypeAlias = "Mapping[object, object]"

MAX_LINKS = 128
"""OpenTelemetry's own limit of links per span (`OTEL_SPAN_LINK_COUNT_LIMIT`)."""

_LONGEST_PARENT = 512
_LONGEST_STATE = 8192
_propagator = TraceContextTextMapPropagator()
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


class Linked(NamedTuple):
    """
    Links to the contexts of an invocation's messages, and counts of those without one.

    Attributes:
        links: One for each distinct valid context, in the messages' order.
        invalid: How many messages had a context that is not valid.
        dropped: How many distinct contexts there were beyond the limit.
    """

    links: tuple[Link, ...] = ()
    invalid: int = 0
    dropped: int = 0

    @property
    def attributes(self) -> Attributes:
        """Attributes that count the links that are missing; none where none is."""
        counts = {LINKS_INVALID: self.invalid, LINKS_DROPPED: self.dropped}
        return {name: count for name, count in counts.items() if count}


def link_to(carriers: Iterable[Carrier], *, max_links: int = MAX_LINKS) -> Linked:
    """
    Make links to the contexts in messages' properties.

    Args:
        carriers: The properties of each message.
        max_links: How many links to make at most.
    """
    by_ids: dict[tuple[int, int], Link] = {}
    invalid = 0
    for carrier in carriers:
        context = span_context(carrier)
        if context is None:
            continue
        if not context.is_valid:
            invalid += 1
            continue
        by_ids.setdefault((context.trace_id, context.span_id), Link(context))
    links = tuple(by_ids.values())
    limited = links[: max(max_links, 0)]
    return Linked(limited, invalid, len(links) - len(limited))


def span_context(carrier: Carrier) -> SpanContext | None:
    """
    Read the context in a message's properties, whatever they hold.

    Returns:
        None where there is none; an invalid context where there is one that cannot be read.
    """
    fields = {key: value for k, value in carrier.items() if (key := _name(k)) in _NAMES}
    parents = [fields[key] for key in ("traceparent", "diagnostic-id") if fields.get(key)]
    for parent in parents:
        context = _parse(_text(parent), _text(fields.get("tracestate")))
        if context.is_valid:
            return context
    return INVALID_SPAN_CONTEXT if parents else None


_NAMES = {"traceparent", "tracestate", "diagnostic-id"}


def _name(key: object) -> str:
    """Return a property's name in lower case; the SDKs' own message types have bytes."""
    return _text(key).lower()


def _text(value: object) -> str:
    """Return text as it is and bytes as ASCII; anything else is no context."""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return value if isinstance(value, str) else ""


def _parse(parent: str, state: str) -> SpanContext:
    """Parse a context; the propagator would log what is too long, for each message anew."""
    if len(parent) > _LONGEST_PARENT:
        return INVALID_SPAN_CONTEXT
    carrier = {"traceparent": parent}
    if state and len(state) <= _LONGEST_STATE:
        carrier["tracestate"] = state
    return get_current_span(_propagator.extract(carrier, context=Context())).get_span_context()


def carriers_of(messages: Sequence[object]) -> list[Carrier]:
    """Return the properties of each message of a batch, or of a single one."""
    carriers = [_own(message) for message in messages]
    if not carriers or carriers[0] is not None:
        return [carrier or {} for carrier in carriers]
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
    values: dict[object, object] = {}
    for header in map(entries, items(headers)):
        name = str(header.get("Key", header.get("key", ""))).lower()
        values[name] = header.get("Value", header.get("value"))
    times = max(_times_encoded(values.get(name)) for name in ("traceparent", "diagnostic-id"))
    return {name: _decoded(value, times) for name, value in values.items()} if times else values


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
