"""What failed spans say, each text once in a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._console.values import first_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from funcscope.contrib.host._traces.otlp import Attributes, ReceivedSpan

EXCEPTION_EVENTS = ("exception", "faas.invocation.exception")
"""Events that tell of an exception: OpenTelemetry's, and that of semantic conventions 1.44."""


def failure_of(span: ReceivedSpan) -> str:
    """
    Describe a failed span on one line: by its recorded exception, else by its status.

    `""` for a span that did not fail.
    """
    if span.status != "ERROR":
        return ""
    for event in span.events:
        if event.name in EXCEPTION_EVENTS:
            return exception_line(event.attributes)
    kind = str(span.attributes.get("error.type") or "error")
    message = first_line(span.status_message)
    if not message or message == kind:
        return kind
    return message if message.startswith(f"{kind}: ") else f"{kind}: {message}"


def exception_line(attributes: Attributes) -> str:
    """Return the first line of an exception that attributes tell of, `""` for none."""
    kind = first_line(attributes.get("exception.type", ""))
    message = first_line(attributes.get("exception.message", ""))
    return f"{kind or 'error'}: {message}" if message else kind


def above_failures(spans: Iterable[ReceivedSpan]) -> set[str]:
    """Return the ids of the spans that failed, and of those that they are below."""
    by_id = {span.span_id: span for span in spans}
    found: set[str] = set()
    for failed in (span for span in by_id.values() if span.status == "ERROR"):
        span: ReceivedSpan | None = failed
        while span is not None and span.span_id not in found:
            found.add(span.span_id)
            span = by_id.get(span.parent_id)
    return found


def told_above(spans: Iterable[ReceivedSpan]) -> set[str]:
    """
    Return the ids of failed spans whose text a span below tells.

    An exception that goes through several spans fails each of them; it is read once, where it
    came from.
    """
    by_id = {span.span_id: span for span in spans if span.status == "ERROR"}
    told: set[str] = set()
    for span in by_id.values():
        text, parent = failure_of(span), by_id.get(span.parent_id)
        while parent is not None and parent.span_id not in told and failure_of(parent) == text:
            told.add(parent.span_id)
            parent = by_id.get(parent.parent_id)
    return told
