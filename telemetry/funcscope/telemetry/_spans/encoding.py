"""
The spans of invocations in OTLP, made of parts that many spans of one function share.

For the exporter's thread. That an id stands between shared parts saves CPU time there
(docs/decisions/022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from funcscope.telemetry._context import match_traceparent
from funcscope.telemetry._otlp.spans import ATTRIBUTES, encode_span, plain_message
from funcscope.telemetry._otlp.values import attributes_field
from funcscope.telemetry._spans.attributes import invocation_attributes
from funcscope.telemetry._spans.invocation_span import InvocationSpan
from funcscope.telemetry._spans.readable import after_noted_stage, has_stage, noted_state

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from funcscope.telemetry._otlp.request import EncodedItem
    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._spans.template import EncodedParts, HostFacts, SpanTemplate

_MAX_PARTS = 256
_GUID_LENGTH = 36
"""Of a host's invocation ids. A shorter one may stand in another attribute, by chance."""


def encode(item: object) -> EncodedItem:
    """Encode a span; one of an invocation is read only now."""
    readable = item
    if isinstance(item, InvocationSpan):
        message = _message_of_shared_parts(item)
        if message is not None:
            return message, item.fs_template.tracer.resource, item.fs_template.scope
        readable = item.to_encodable()
    return encode_span(after_noted_stage(cast("ReadableSpan", readable), item))


def _message_of_shared_parts(span: InvocationSpan) -> bytes | None:
    """Return a span's message, made of shared parts; None where it has more than these."""
    template = span.fs_template
    limits = template.limits
    if not template.is_redacted or span.fs_calls is not None or span.needs_sdk:
        return None
    origin = span.fs_origin
    parent = match_traceparent(origin) if isinstance(origin, str) else None
    start_ns, end_ns = span.start_time, span.end_time
    if parent is None or not end_ns or not start_ns:
        return None
    outcome = span.fs_outcome_attributes or {}
    try:
        trigger = _trigger_part(template, span.fs_snapshot)
        if trigger is None:
            return None
        name, trigger_field, count = trigger
        own_field, own_count = _invocation_part(template, span.fs_invocation_id, span.fs_host_facts)
        outcome_field = _outcome_part(template.encoded, outcome) if outcome else b""
        max_count = limits.max_span_attributes
        if max_count is not None and count + own_count + len(outcome) > max_count:
            return None
    except Exception:  # noqa: BLE001  (an unreadable trigger's: logged where it is read by itself)
        return None
    return plain_message(
        (bytes.fromhex(parent[1]), span.span_id().to_bytes(8, "big"), bytes.fromhex(parent[2])),
        name,
        template.kind,
        (start_ns, end_ns),
        (trigger_field, own_field, outcome_field),
        noted_state(span, int(parent[1], 16), None).to_header() if has_stage(span) else "",
    )


def _trigger_part(template: SpanTemplate, snapshot: object) -> tuple[str, bytes, int] | None:
    """Encode the constants and the trigger's attributes; None where no other has the same."""
    extractor, known = template.extractor, template.encoded.triggers
    key = extractor.cache_key(snapshot)
    if key is None:
        return None
    part = known.get(key)
    if part is None:
        attributes = {**template.redacted_constants, **extractor.attributes(snapshot)}
        field = attributes_field(ATTRIBUTES, attributes)
        _make_room(known)
        part = known[key] = (template.span_name(snapshot), field, len(attributes))
    return part


def _invocation_part(
    template: SpanTemplate, invocation_id: str, host_facts: HostFacts
) -> tuple[bytes, int]:
    """Encode an invocation's own attributes: its id, within what is the same for many."""
    content = invocation_id.encode()
    is_shared = len(content) == _GUID_LENGTH and invocation_id not in host_facts
    encoded = template.encoded
    known = encoded.invocations.get(host_facts) if is_shared else None
    if known is not None:
        parts, count = known
        return content.join(parts), count
    attributes = invocation_attributes(template.id_names, invocation_id, *host_facts)
    field = attributes_field(ATTRIBUTES, attributes)
    if is_shared:
        _make_room(encoded.invocations)
        encoded.invocations[host_facts] = (field.split(content), len(attributes))
    return field, len(attributes)


def _outcome_part(encoded: EncodedParts, outcome: Attributes) -> bytes:
    """Encode a result's attributes, which are the same object for many, changed by nobody."""
    known = encoded.outcomes.get(id(outcome))
    if known is None:
        _make_room(encoded.outcomes)
        known = encoded.outcomes[id(outcome)] = (outcome, attributes_field(ATTRIBUTES, outcome))
    return known[1]


def _make_room(known: dict[Any, Any]) -> None:
    if len(known) >= _MAX_PARTS:
        known.clear()
