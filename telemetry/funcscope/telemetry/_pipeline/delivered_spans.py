"""Spans on their way to the courier."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode

from funcscope.telemetry._otlp.spans import SpanEncoder
from funcscope.telemetry._pipeline.flush import HandingOver
from funcscope.telemetry._spans.invocation_span import InvocationSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from funcscope.telemetry._pipeline.flush import Put

_SAMPLED = 1


class DeliveredSpans(HandingOver, SpanProcessor):
    """Hands spans over when they have ended, those of invocations without a look at them."""

    @property
    def put(self) -> Put:
        """What takes an invocation's span that is sampled and has ended."""
        return self._put

    def on_end(self, span: ReadableSpan) -> None:
        """Take any other span."""
        context = span.context
        if context is not None and context.trace_flags & _SAMPLED:
            self._put(span, span.status.status_code is StatusCode.ERROR)


class ReadingEncoder:
    """Encodes spans, and finds out what those of invocations say."""

    def __init__(self) -> None:
        self._encoder = SpanEncoder()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._encoder.size

    def add(self, item: object) -> bool:
        """Encode one more."""
        if not isinstance(item, InvocationSpan):
            return self._encoder.add(cast("ReadableSpan", item))
        message = item.message()
        if message is None:
            return self._encoder.add(cast("ReadableSpan", item.encoded()))
        self._encoder.add_message(*message)
        return True

    def take(self) -> bytes:
        """Return the request with all that was added, and begin another."""
        return self._encoder.take()
