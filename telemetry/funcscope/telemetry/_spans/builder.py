"""
Make the spans of invocations, by the rules of the SDK's tracer and at less than its cost.

Whatever of the provider does not fit is left to the tracer's own `start_span`: a provider that is
not the SDK's, a sampler that is not one of the SDK's simple ones, an SDK whose insides have changed
(opentelemetry-sdk 1.45, `sdk/trace/__init__.py` and `sampling.py`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.trace import (
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanContext

from funcscope.extensions import Function
from funcscope.extensions.integration import log_quietly
from funcscope.telemetry._context import (
    CALL_READER,
    TRACE_READER,
    context_of,
    match_traceparent,
)
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._spans.ids import FLAGS, UnsampledSpan, own_context
from funcscope.telemetry._spans.invocation_span import InvocationSpan
from funcscope.telemetry._spans.redaction import RedactingProcessor
from funcscope.telemetry._spans.sampling import SAMPLED, HostFlagSampler, Ratio, decisions_of
from funcscope.telemetry._spans.template import SpanTemplate
from funcscope.telemetry._triggers.extractor import DescribedSnapshot, TriggerExtractor

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from funcscope.extensions import Invocation, RetryContext, TraceContext
    from funcscope.telemetry._spans.ids import Ids, Origin
    from funcscope.telemetry._spans.invocation_span import Deliver

    OwnSpan = InvocationSpan | UnsampledSpan

_logger = logging.getLogger("funcscope.telemetry")

_new = object.__new__
_FLAGS_AT = 53  # in a `traceparent` of version 00, at its end
_SAMPLED_FLAGS = frozenset(f"{bits:02x}" for bits in range(256) if bits & SAMPLED)


class SpanBuilder:
    """
    Makes spans as one tracer of the SDK's would.

    Args:
        tracer: The tracer.

    Attributes:
        redacting: The provider's processor that takes secrets out; None where it has none.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._ids = tracer.id_generator
        self._processor = cast("SynchronousMultiSpanProcessor", tracer.span_processor)
        self._sampler = sampler = tracer.sampler
        flag = self._host_flag = sampler if type(sampler) is HostFlagSampler else None
        self._decisions = decisions = decisions_of(sampler) if flag is None else flag.decisions
        # The SDK counts its spans where OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED says so.
        metrics = tracer._tracer_metrics  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._counts_spans = type(metrics).__name__ != "NoOpTracerMetrics"
        # The decision below any sampled parent, with which a `traceparent` need not be parsed
        # (docs/decisions/022); None where that depends.
        self._of_sampled: bool | None = None
        decision = decisions.sampled
        if type(self._ids) is RandomIdGenerator and not self._counts_spans:
            self._of_sampled = decision if isinstance(decision, bool) else None
        self._is_same_of_roots = decisions.roots is self._of_sampled
        self._deliver = self._end  # once: a method is an object each time (docs/decisions/022)
        self._known: tuple[SpanProcessor, ...] | None = None
        self._puts: tuple[Deliver, ...] = ()
        self.redacting: RedactingProcessor | None = None
        self._has_others = False
        self._is_reported = False
        # What is asked of the SDK later on is asked for now, where it is not too late: 1.40 and
        # 1.41 cannot tell whether a trace's id is random, and make the spans themselves.
        _ = self._ids.is_trace_id_random
        _ = tracer._tracer_config.is_enabled, self._processor._on_ending  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._look_at_processors()

    def start(
        self, template: SpanTemplate, invocation: Invocation, beside: Context | None = None
    ) -> OwnSpan | None:
        """
        Start a span below the host's; None where only the tracer itself can.

        It does by itself what several functions would, as each costs two to three times in a worker
        what it costs in a loop (docs/decisions/022).

        Args:
            template: What its function's spans have in common.
            invocation: The invocation.
            beside: What the span's context has beside it; None for nothing.
        """
        tracer = self._tracer
        if tracer.sampler is not self._sampler or not tracer._tracer_config.is_enabled:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            return None
        # Properties of the worker's that only return an attribute are not called: a class is
        # inspected once (docs/decisions/022).
        context, trace_parent, trace_state = invocation.context, "", ""
        sent: TraceContext | None
        retry: RetryContext | None
        read_call = CALL_READER.known(type(context)) or CALL_READER.inspect(type(context))
        sent, retry = read_call(context)
        if sent is not None:
            read_sent = TRACE_READER.known(type(sent)) or TRACE_READER.inspect(type(sent))
            trace_parent, trace_state = read_sent(sent)
        is_sampled, record_end = self._of_sampled, None
        origin: Origin
        if (
            is_sampled is not None
            and (trace_parent or "")[_FLAGS_AT:] in _SAMPLED_FLAGS
            # An invalid parent is none, and its span a root.
            and (self._is_same_of_roots or match_traceparent(trace_parent))
        ):
            origin = (trace_parent, trace_state) if trace_state else trace_parent
        else:
            parent = template.parent(invocation)
            origin, is_sampled = self._decide_with_ids(parent)
            if is_sampled is None:
                return None
            if self._counts_spans:
                decision = Decision.RECORD_AND_SAMPLE if is_sampled else Decision.DROP
                record_end = tracer._tracer_metrics.start_span(parent, decision)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if not is_sampled:
            return UnsampledSpan(origin, self._ids)
        if self._processor._span_processors is not self._known:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            self._look_at_processors()
        try:
            snapshot = template.snapshot(invocation)
        except Exception as error:  # noqa: BLE001  (it costs the trigger's attributes, not the span)
            snapshot = template.on_snapshot_error(invocation, error)
        # Nothing of the worker's is kept: its objects have the host's whole message, with its body.
        # The host's id is read in one of 64 invocations, as that takes 1.6 µs (docs/decisions/022).
        retry_count = 0 if retry is None else retry.retry_count
        reads_left = template.host_id_reads_left
        if not reads_left or retry_count or invocation.is_cold_start:
            host_facts = template.read_host_facts(invocation.is_cold_start, retry_count, sent)
        else:
            host_facts, template.host_id_reads_left = template.host_facts, reads_left - 1
        links = template.links
        span = _new(InvocationSpan)  # the SDK's own `__new__` is for its tracer
        span.__init__(  # type: ignore[misc]
            template,
            origin,
            snapshot,
            () if links is None else links(invocation),
            self._deliver,
            record_end,
            invocation.id,
            host_facts,
        )
        if self._has_others:
            try:
                self._processor.on_start(span, parent_context=context_of(span.parent, beside))
            except Exception as error:  # noqa: BLE001  (a processor of the app's costs no span)
                self._report(error)
        return span

    def _decide_with_ids(self, parent: SpanContext | None) -> tuple[Ids, bool | None]:
        """Make a span's ids, and decide whether it is sampled; None where only the sampler can."""
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        flag, ids = self._host_flag, self._ids
        decision = self._decisions.below(parent if flag is None else flag.deciding_parent(parent))
        state = None if parent is None else parent.trace_state
        is_sampled: bool | None
        if isinstance(decision, Ratio):
            is_sampled, state = decision.decide(trace_id, state)
        else:
            is_sampled = decision(trace_id) if callable(decision) else decision
        own = own_context(
            parent, trace_id, state, ids, ids.generate_span_id, is_sampled=bool(is_sampled)
        )
        return (own, parent), is_sampled

    def _end(self, span: InvocationSpan, is_error: bool) -> None:  # noqa: FBT001  (hot path)
        # Asked again, as a function may have added one.
        if self._processor._span_processors is not self._known:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            self._look_at_processors()
        if not self._has_others:
            for put in self._puts:
                put(span, is_error)
            return
        span.materialize()
        self._processor._on_ending(span)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._processor.on_end(span._readable_span())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def put_unfinished(self, span: ReadableSpan) -> None:
        """Send a span that goes on, like one that failed; processors of the app's see no end."""
        if self.redacting is not None:
            self.redacting.rewrite(cast("Span", span))  # of which it needs what can be read
        if span.context is not None and span.context.trace_flags & SAMPLED:
            for put in self._puts:
                put(cast("InvocationSpan", span), True)  # noqa: FBT003  (as others put)

    def _report(self, error: Exception) -> None:
        """Log once that a processor fails."""
        if not self._is_reported:
            self._is_reported = True
            message = "a span processor fails where the span of an invocation starts"
            log_quietly(_logger, logging.ERROR, message, error=error)

    def _look_at_processors(self) -> None:
        """Find out whether anybody but us wants to see spans start and end."""
        known = self._processor._span_processors  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        redacting = [p for p in known if type(p) is RedactingProcessor]
        deliveries = [p for p in known if callable(getattr(p, "put", None))]
        self.redacting = redacting[0] if redacting else None
        # They take a sampled span to be read later, and whether a status was set on it.
        self._puts = tuple(cast("Any", delivery).put for delivery in deliveries)
        self._has_others = len(redacting) + len(deliveries) < len(known)
        self._known = known


def span_builder_for(provider: object, tracer: object) -> SpanBuilder | None:
    """
    Return what makes spans for a provider and its tracer; None for others than the SDK's.

    Raises:
        Exception: The SDK is not as expected.
    """
    if type(provider) is not TracerProvider or type(tracer) is not Tracer:
        return None
    if type(tracer.span_processor) is not SynchronousMultiSpanProcessor:
        return None
    builder = SpanBuilder(tracer)
    if not _fits(tracer):
        raise TelemetryError("its spans differ from ours")
    return builder


def _fits(tracer: Tracer) -> bool:
    """Try, unseen by any processor, whether a span of ours is exported as the SDK's is."""
    extractor = TriggerExtractor(Function("x", "", is_async=False, qualified_name="x"), {"a": 1})
    template = SpanTemplate(tracer, extractor, clock=lambda: 1)
    ids = SpanContext(1, 2, is_remote=False, trace_flags=FLAGS[SAMPLED]), None
    snapshot = DescribedSnapshot("x", {"b": "c"})
    span = InvocationSpan(template, ids, snapshot, (), lambda _span, _is_error: None)
    span.set_attribute("d", value=True)
    span.end(3)
    unmaterialized = span.to_readable().to_json()
    span.materialize()
    return bool(unmaterialized == span._readable_span().to_json())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
