"""OpenCensus's tracer for the length of an invocation."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from opentelemetry.context import attach, detach
from opentelemetry.trace import format_span_id, get_current_span

from funcscope.contrib.opencensus._bridge import Bridge, context_with, problems
from funcscope.contrib.opencensus._census import NullContextManager, execution_context
from funcscope.contrib.opencensus._census import Span as CensusSpan
from funcscope.contrib.opencensus._census import Tracer as CensusTracer
from funcscope.contrib.opencensus._span_context import FollowingSampler, LiveSpanContext
from funcscope.contrib.opencensus._translation import fill

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from funcscope.contrib.opencensus._census import Recorded
    from funcscope.extensions import Invocation

SAMPLER = FollowingSampler()


class Tracing:
    """
    OpenCensus's tracer in one invocation, current from when this is made until `end()`.

    What OpenCensus has as its current span at first stands for the invocation's own: attributes
    that are added outside any other span are the invocation's.
    """

    def __init__(self, invocation: Invocation) -> None:
        self._span = get_current_span()
        self._before = execution_context.get_opencensus_full_context()
        self._bridge = Bridge()
        base = self._span.get_span_context()
        # The constructor makes it OpenCensus's current tracer.
        tracer = CensusTracer(LiveSpanContext(base), SAMPLER, self._bridge)
        self._root = self._make_root(invocation.function_name, tracer.tracer)
        execution_context.set_current_span(self._root)
        self._token = attach(context_with(self._root, self._span))
        with suppress(Exception):  # Microsoft's classes let us
            setattr(invocation.context, "tracer", tracer)  # noqa: B010  (no field that types know)

    def _make_root(self, name: str, tracer: object) -> Recorded:
        """Make what stands for the invocation's span; no tracer made it, so none exports it."""
        span_id = format_span_id(self._span.get_span_context().span_id)
        root: Recorded = CensusSpan(name, NullContextManager(), span_id=span_id)
        root.context_tracer = tracer
        return root

    def end(self) -> None:
        """End what the function left open, and make current what was before."""
        try:
            self._end_open()
            _fill_root(self._span, self._root)
        except Exception as error:  # noqa: BLE001  (the context is restored all the same)
            problems.log("an invocation's spans of OpenCensus's could not be ended", error=error)
        finally:
            detach(self._token)
            execution_context.set_opencensus_full_context(*self._before)

    def _end_open(self) -> None:
        """End the spans that are open where the function ends; those of its threads go on."""
        span = execution_context.get_current_span()
        while isinstance(span, CensusSpan):
            self._bridge.export(span)
            span = span.parent_span


def _fill_root(span: Span, root: Recorded) -> None:
    """Put on an invocation's span what was recorded outside any span of OpenCensus's."""
    is_touched = root.attributes or root.annotations or root.message_events or root.links
    if (is_touched or root.status.code) and span.is_recording():
        fill(span, root, None)
