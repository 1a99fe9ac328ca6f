"""The span that is current in OpenTelemetry, as OpenCensus's propagators read it."""

from __future__ import annotations

from secrets import randbits
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanContext, format_span_id, format_trace_id, get_current_span

from funcscope.contrib.opencensus._census import SpanContext as CensusSpanContext
from funcscope.contrib.opencensus._census import TraceOptions, Tracestate

if TYPE_CHECKING:
    from opentelemetry.trace import TraceState

    class _SpanContext:
        """Stands for OpenCensus's, which has no types."""

else:
    _SpanContext = CensusSpanContext


class LiveSpanContext(_SpanContext):
    """
    An OpenCensus `SpanContext` whose ids are those of the span that is current where it is read.

    A tracer of OpenCensus's (`tracers/context_tracer.py`, 0.11.4) has one such object and writes
    the last span's id into it, whichever task started that: requests sent at once by two tasks
    would name each other's spans in their headers. What it writes counts here only where no span
    is current, such as in a thread that nothing was carried into.

    Args:
        base: The invocation's span.
    """

    def __init__(self, base: SpanContext) -> None:
        # OpenCensus's own checks the ids' format, and makes random ones where it finds none.
        self.from_header = True
        self._base = base if base.is_valid else _random()
        self._last: str | None = format_span_id(self._base.span_id)

    def _current(self) -> SpanContext:
        current = get_current_span().get_span_context()
        return current if current.is_valid else self._base

    @property
    def trace_id(self) -> str:
        """The trace, in 32 hexadecimal digits."""
        return format_trace_id(self._current().trace_id)

    @property
    def span_id(self) -> str | None:
        """The span, in 16 hexadecimal digits."""
        current = self._current()
        return self._last if current is self._base else format_span_id(current.span_id)

    @span_id.setter
    def span_id(self, span_id: str | None) -> None:
        self._last = span_id

    @property
    def trace_options(self) -> Any:  # a TraceOptions, which has no types
        """A copy of the trace's flags, which say whether it is sampled."""
        return TraceOptions("1" if self._current().trace_flags.sampled else "0")

    @property
    def tracestate(self) -> Any:  # a Tracestate, which has no types
        """The state that vendors add to the trace; None where there is none."""
        return _tracestate(self._current().trace_state)


class FollowingSampler:
    """Has tracers of OpenCensus's record what OpenTelemetry's sampler is to decide about."""

    def should_sample(self, span_context: Any) -> bool:  # a SpanContext, which has no types
        """
        Tell whether a tracer makes spans at all.

        That of an invocation does. One that an integration makes for a thread of it has a copy of
        the context, with the decision.
        """
        if isinstance(span_context, LiveSpanContext) or span_context.span_id is None:
            return True
        return bool(span_context.trace_options.get_enabled())


def _random() -> SpanContext:
    """Make a trace where none was sent and telemetry is off, as OpenCensus does."""
    trace_id, span_id = randbits(128) or 1, randbits(64) or 1
    return SpanContext(trace_id, span_id, is_remote=False)


def _tracestate(state: TraceState) -> Any:  # a Tracestate, which has no types
    if not state:
        return None
    copy = Tracestate()
    for key, value in state.items():
        try:
            copy[key] = value
        except ValueError:  # OpenCensus follows the first edition of W3C's Trace Context
            continue
    return copy
