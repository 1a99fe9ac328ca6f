"""
Complete the exporter's envelopes with what Azure's portal looks for.

The portal finds an invocation's traces and exceptions by `customDimensions['InvocationId']`, and a
function's requests by `operation_Name`. The exporter (1.0.0b58) takes the first from span
attributes, but not for a span's events, and the second from the span's name or route. It makes
them in methods that are not public; an exporter that has no such method sends what it makes itself.

An envelope's `sampleRate`, a percentage, says for how many items it stands, which the portal's
`itemCount` is made of. The exporter knows it from an attribute that its own samplers set; a span's
trace state says the same.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from funcscope.telemetry.integration import INVOCATION_ID, probability

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Takes an envelope, or several, and the attributes of the item of which it was made.
    Complete = Callable[[Any, Mapping[str, object]], Any]

_OPERATION = "ai.operation.name"
_NAME = "faas.name"
_OF_INVOCATION = (INVOCATION_ID, "faas.invocation_id", "faas.invocation.id", _NAME)
_STATUS = "http.response.status_code"
_OWN_RATE = "_MS.sampleRate"  # of the exporter's samplers


def complete_spans(exporter: object, *, has_failures: bool) -> None:
    """
    Complete what an exporter makes of invocations' spans.

    Args:
        exporter: An `AzureMonitorTraceExporter`.
        has_failures: Whether exceptions in spans' events are sent; False where the host sends
            them.
    """

    def complete_events(envelopes: Any, attributes: Mapping[str, object]) -> Any:
        sent = [e for e in envelopes if has_failures or e.data.base_type != "ExceptionData"]
        own = {key: str(attributes[key]) for key in _OF_INVOCATION if key in attributes}
        for envelope in sent:
            _name_operation(envelope, attributes)
            envelope.data.base_data.properties.update(own)
        return sent

    _complete_with(exporter, "_span_to_envelope", _complete_span)
    _complete_with(exporter, "_span_events_to_envelopes", complete_events)


def complete_logs(exporter: object) -> None:
    """Complete what an exporter, an `AzureMonitorLogExporter`, makes of invocations' records."""
    _complete_with(exporter, "_log_to_envelope", _name_operation)


def _complete_span(envelope: Any, attributes: Mapping[str, object]) -> Any:
    data = envelope.data.base_data
    # A dependency's; a request has it already.
    if getattr(data, "result_code", None) == "0" and _STATUS in attributes:
        data.result_code = str(attributes[_STATUS])
    return _name_operation(envelope, attributes)


def _name_operation(envelope: Any, attributes: Mapping[str, object]) -> Any:
    if _NAME in attributes:
        envelope.tags = {**envelope.tags, _OPERATION: str(attributes[_NAME])[:1024]}
    return envelope


def _weigh(made: Any, item: Any) -> None:
    """Say how many spans, or events of spans, one stands for; of log records nobody knows."""
    ratio = probability(getattr(getattr(item, "context", None), "trace_state", None))
    if ratio:
        for envelope in [made] if hasattr(made, "data") else made:
            envelope.sample_rate = 100 * ratio


def _complete_with(exporter: object, method: str, complete: Complete) -> None:
    """Complete what a method of one exporter, if it has that, makes of items."""
    make = getattr(exporter, method, None)
    if make is None:
        return

    @wraps(make)
    def completed(item: Any) -> Any:  # a span, or a record with its scope
        envelope = make(item)
        attributes: Mapping[str, object] = getattr(item, "log_record", item).attributes or {}
        if _OWN_RATE not in attributes:
            _weigh(envelope, item)
        return complete(envelope, attributes) if INVOCATION_ID in attributes else envelope

    setattr(exporter, method, completed)
