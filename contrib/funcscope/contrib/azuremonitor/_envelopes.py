"""
What the exporter leaves out of the envelopes that it makes, and Azure's portal looks for.

The portal finds an invocation's traces and exceptions by `customDimensions['InvocationId']`, and a
function's requests by `operation_Name`. The exporter (1.0.0b58) takes the first from span
attributes, but not for a span's events, and the second from the span's name or route. It makes
them in methods that are not public; an exporter that has no such method sends what it makes itself.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Make = Callable[[Any], Any]  # of a span or a log record, an envelope or several

_OPERATION = "ai.operation.name"
_NAME = "faas.name"
_ID = "faas.invocation_id"
_OF_INVOCATION = ("InvocationId", _ID, _NAME)
_STATUS = "http.response.status_code"


def complete_spans(exporter: object, *, has_failures: bool) -> None:
    """
    Complete what an exporter makes of invocations' spans.

    Args:
        exporter: An `AzureMonitorTraceExporter`.
        has_failures: Whether exceptions in spans' events are sent; False where the host sends
            them.
    """

    def of_span(make: Make) -> Make:
        @wraps(make)
        def made(span: Any) -> Any:
            envelope = make(span)
            said = _said(span)
            if _ID in said:
                _name_operation(envelope, said)
                data = envelope.data.base_data
                # A dependency's; a request has it already.
                if getattr(data, "result_code", None) == "0" and _STATUS in said:
                    data.result_code = str(said[_STATUS])
            return envelope

        return made

    def of_events(make: Make) -> Make:
        @wraps(make)
        def made(span: Any) -> Any:
            said = _said(span)
            envelopes = make(span)
            if _ID not in said:
                return envelopes
            kept = [e for e in envelopes if has_failures or e.data.base_type != "ExceptionData"]
            for envelope in kept:
                _name_operation(envelope, said)
                properties = envelope.data.base_data.properties
                properties.update({key: str(said[key]) for key in _OF_INVOCATION if key in said})
            return kept

        return made

    _change(exporter, "_span_to_envelope", of_span)
    _change(exporter, "_span_events_to_envelopes", of_events)


def complete_logs(exporter: object) -> None:
    """Complete what an exporter, an `AzureMonitorLogExporter`, makes of invocations' records."""

    def of_record(make: Make) -> Make:
        @wraps(make)
        def made(readable_log_record: Any) -> Any:
            envelope = make(readable_log_record)
            said = _said(readable_log_record.log_record)
            if _ID in said:
                _name_operation(envelope, said)
            return envelope

        return made

    _change(exporter, "_log_to_envelope", of_record)


def _said(item: Any) -> Mapping[str, object]:
    found: Mapping[str, object] | None = item.attributes
    return found or {}


def _name_operation(envelope: Any, said: Mapping[str, object]) -> None:
    if _NAME in said:
        envelope.tags = {**envelope.tags, _OPERATION: str(said[_NAME])[:1024]}


def _change(exporter: object, method: str, change: Callable[[Make], Make]) -> None:
    """Put something around a method of one exporter, if it has that."""
    found = getattr(exporter, method, None)
    if found is not None:
        setattr(exporter, method, change(found))
