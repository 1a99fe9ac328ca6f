"""
Make the spans of invocations, by the rules of the SDK's tracer and at less than its cost.

Whatever of the provider does not fit is left to the tracer's own `start_span`: a provider that is
not the SDK's, a sampler that is not one of the SDK's simple ones, an SDK whose insides have changed
(opentelemetry-sdk 1.45, `sdk/trace/__init__.py` and `sampling.py`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol, cast

from opentelemetry.sdk.trace import (
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace._tracer_metrics import NoOpTracerMetrics
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, StaticSampler, TraceIdRatioBased
from opentelemetry.trace import SpanContext, SpanKind

from funcscope.extensions.integration import log_quietly
from funcscope.telemetry._context import (
    CALL_READER,
    TRACE_READER,
    context_of,
    host_parent,
    host_trace_headers,
    match_traceparent,
)
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._spans.attributes import host_instance
from funcscope.telemetry._spans.invocation_span import (
    FLAGS,
    Blueprint,
    InvocationSpan,
    UnsampledSpan,
    own_context,
)
from funcscope.telemetry._spans.redaction import RedactingProcessor
from funcscope.telemetry._spans.sampling import HostFlagSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.sampling import Sampler

    from funcscope.extensions import Invocation, RetryContext, TraceContext
    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._spans.invocation_span import Deliver, Ids, Origin, Teller
    from funcscope.telemetry._spans.template import Facts

    Decide = Callable[["SpanContext | None", int], "bool | None"]
    Ours = InvocationSpan | UnsampledSpan

_logger = logging.getLogger("funcscope.telemetry")

_new = object.__new__
_SAMPLED, _RANDOM = 1, 2
FACTS_HOLD = 63
"""For how many invocations of a function the host's id is taken for what it was."""
_FLAGS_AT = 53  # in a `traceparent` of version 00, at its end
_SAMPLED_FLAGS = frozenset(f"{bits:02x}" for bits in range(256) if bits & _SAMPLED)


class Delivering(Protocol):
    """A span processor of ours, which takes spans that have ended as they are."""

    @property
    def put(self) -> Deliver:
        """What takes a sampled one, to look at later and elsewhere, and whether it is an error."""
        ...


class SpanMaker:
    """
    Makes spans as one tracer of the SDK's would.

    Args:
        tracer: The tracer.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._ids = tracer.id_generator
        self._processor = cast("SynchronousMultiSpanProcessor", tracer.span_processor)
        self._sampler = tracer.sampler
        self._decide = decision_of(tracer.sampler)
        # The SDK counts its spans where OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED says so.
        metrics = tracer._tracer_metrics  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._counts_spans = type(metrics) is not NoOpTracerMetrics
        # What is decided below any sampled parent; None where that depends.
        self._of_sampled: bool | None = None
        if type(self._ids) is RandomIdGenerator and not self._counts_spans:
            self._of_sampled = decision_of_sampled(tracer.sampler)
        self._is_same_of_roots = decision_of_roots(tracer.sampler) is self._of_sampled
        self._deliver = self._end  # once: a method is an object each time
        self._known: tuple[SpanProcessor, ...] | None = None
        self._puts: tuple[Deliver, ...] = ()
        self._redacting: RedactingProcessor | None = None
        self._has_others = False
        self._is_reported = False
        # What is asked of the SDK later on is asked for now, where it is not too late.
        _ = tracer._tracer_config.is_enabled, self._processor._on_ending  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._look_at_processors()

    def blueprint(self, teller: Teller, *, is_redacted: bool) -> Blueprint:
        """
        Work out what the spans of one function have in common.

        Args:
            teller: Describes its invocations.
            is_redacted: Whether what it says of them has no secrets.
        """
        redacting = self._redacting
        if redacting is None:
            return Blueprint(self._tracer, teller)
        rewrite = cast("Any", redacting)._on_ending  # noqa: SLF001
        return Blueprint(
            self._tracer,
            teller,
            redacting.redactor,
            rewrite,
            is_redacted=is_redacted,
            is_cut=redacting.lengths.span is not None,
        )

    def start(
        self, blueprint: Blueprint, invocation: Invocation, beside: Context | None = None
    ) -> Ours | None:
        """
        Start a span below the host's; None where only the tracer itself can.

        Args:
            blueprint: What its function's spans have in common.
            invocation: What it is of.
            beside: What its context has beside it; None for nothing.
        """
        tracer = self._tracer
        if tracer.sampler is not self._sampler or not tracer._tracer_config.is_enabled:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            return None
        context, trace_parent, trace_state = invocation.context, "", ""
        sent: TraceContext | None
        retry: RetryContext | None
        read_call = CALL_READER.known(type(context)) or CALL_READER.learn(type(context))
        sent, retry = read_call(context)
        if sent is not None:
            read_sent = TRACE_READER.known(type(sent)) or TRACE_READER.learn(type(sent))
            trace_parent, trace_state = read_sent(sent)
        is_sampled, record_end = self._of_sampled, None
        origin: Origin
        if (
            is_sampled is not None
            and (trace_parent or "")[_FLAGS_AT:] in _SAMPLED_FLAGS
            # What is no valid parent is none, and its span a root.
            and (self._is_same_of_roots or match_traceparent(trace_parent))
        ):
            origin = (trace_parent, trace_state) if trace_state else trace_parent
        else:
            parent = host_parent(host_trace_headers(invocation.context))
            origin, is_sampled = self._decided(parent)
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
            captured = blueprint.capture(invocation)
        except Exception as error:  # noqa: BLE001  (an odd trigger costs what it says, not the span)
            captured = blueprint.teller.odd(invocation, error)
        # Not the worker's objects: they keep the host's whole message, with its body.
        retry_count, facts_hold = 0 if retry is None else retry.retry_count, blueprint.facts_hold
        if not facts_hold or retry_count or invocation.is_cold_start:
            facts = _facts(blueprint, invocation.is_cold_start, retry_count, sent)
        else:
            facts, blueprint.facts_hold = blueprint.facts, facts_hold - 1
        links = blueprint.links
        span = _new(InvocationSpan)  # the SDK's own `__new__` is for its tracer
        span.__init__(  # type: ignore[misc]
            blueprint,
            origin,
            captured,
            () if links is None else links(invocation),
            self._deliver,
            record_end,
            invocation.id,
            facts,
        )
        if self._has_others:
            try:
                self._processor.on_start(span, parent_context=context_of(span.parent, beside))
            except Exception as error:  # noqa: BLE001  (a processor of the app's costs no span)
                self._report(error)
        return span

    def _decided(self, parent: SpanContext | None) -> tuple[Ids, bool | None]:
        """Make a span's ids, and decide whether it is sampled; None where only the sampler can."""
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        is_sampled = self._decide(parent, trace_id)
        ids = self._ids
        own = own_context(parent, trace_id, ids, ids.generate_span_id, is_sampled=bool(is_sampled))
        return (own, parent), is_sampled

    def _end(self, span: InvocationSpan, is_error: bool) -> None:  # noqa: FBT001  (hot path)
        # Asked again, as a function may have added one.
        if self._processor._span_processors is not self._known:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            self._look_at_processors()
        if not self._has_others:
            for put in self._puts:
                put(span, is_error)
            return
        full: Any = span.full
        self._processor._on_ending(full)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._processor.on_end(full._readable_span())  # noqa: SLF001

    def _report(self, error: Exception) -> None:
        """Say once that a processor fails."""
        if not self._is_reported:
            self._is_reported = True
            what = "a span processor fails where the span of an invocation starts"
            log_quietly(_logger, logging.ERROR, what, error=error)

    def _look_at_processors(self) -> None:
        """Find out whether anybody but us wants to see spans start and end."""
        known = self._processor._span_processors  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        redacting = [p for p in known if type(p) is RedactingProcessor]
        deliveries = [p for p in known if callable(getattr(p, "put", None))]
        self._redacting = redacting[0] if redacting else None
        self._puts = tuple(cast("Delivering", delivery).put for delivery in deliveries)
        self._has_others = len(redacting) + len(deliveries) < len(known)
        self._known = known


def _facts(
    blueprint: Blueprint,
    is_cold_start: bool,  # noqa: FBT001  (kept as it stands)
    retry_count: int,
    sent: TraceContext | None,
) -> Facts:
    """
    Return what an invocation's own attributes are made of, and note what others have alike.

    The host tells its id with each invocation, in a map that takes longer to ask than all else
    does, and has one as long as it lives (azure-functions-host 4.x, `AddLogUserCategory` and
    `GrpcWorkerChannel.AddAdditionalTraceContext`), which a worker may outlive. One tuple for all
    of which it is the same.
    """
    instance = host_instance(sent)
    if instance != blueprint.facts[2]:
        blueprint.facts = False, 0, instance
    blueprint.facts_hold = 0 if sent is None else FACTS_HOLD
    return (
        (is_cold_start, retry_count, instance) if is_cold_start or retry_count else blueprint.facts
    )


def span_maker(provider: object, tracer: object) -> SpanMaker | None:
    """
    Return what makes spans for a provider and its tracer; None for others than the SDK's.

    Raises:
        Exception: The SDK is not as expected.
    """
    if type(provider) is not TracerProvider or type(tracer) is not Tracer:
        return None
    if type(tracer.span_processor) is not SynchronousMultiSpanProcessor:
        return None
    maker = SpanMaker(tracer)
    if not _fits(tracer):
        raise TelemetryError("its spans differ from ours")
    return maker


def _fits(tracer: Tracer) -> bool:
    """Try, without telling any processor, whether a span of ours is exported as the SDK's is."""
    blueprint = Blueprint(tracer, _Tried(), clock=lambda: 1)
    ids = SpanContext(1, 2, is_remote=False, trace_flags=FLAGS[_SAMPLED]), None
    span = InvocationSpan(blueprint, ids, None, (), lambda _span, _is_error: None)
    span.set_attribute("d", value=True)
    span.end(3)
    light = span.exported().to_json()
    full: Any = span.full
    return bool(light == full._readable_span().to_json())  # noqa: SLF001


class _Tried:
    """What describes a span that is made to try."""

    name, kind = "x", SpanKind.INTERNAL
    constants: Attributes = {"a": 1}  # noqa: RUF012  (never changed)

    links = None

    def capture(self, invocation: Invocation) -> object:  # noqa: ARG002
        return None

    def odd(self, invocation: Invocation, error: Exception) -> object:  # noqa: ARG002
        return None

    def tell(self, *_: object, **__: object) -> _Tried:
        return self

    def key(self, captured: object) -> object:  # noqa: ARG002
        return None

    def __call__(self) -> Attributes:
        return {"b": "c"}

    said = own = __call__


def decision_of_sampled(sampler: Sampler) -> bool | None:
    """Return how a sampler decides below any sampled parent; None where that depends."""
    return _decision_of_part(sampler, "_remote_parent_sampled")


def decision_of_roots(sampler: Sampler) -> bool | None:
    """Return how a sampler decides where there is no parent; None where that depends."""
    return _decision_of_part(sampler, "_root")


def _decision_of_part(sampler: Sampler, part: str) -> bool | None:
    if type(sampler) is HostFlagSampler:
        sampler = sampler.sampler
    if type(sampler).should_sample is ParentBased.should_sample:
        sampler = getattr(sampler, part)
    return _decision_of_static(sampler)


def _decision_of_static(sampler: Sampler) -> bool | None:
    if type(sampler).should_sample is not StaticSampler.should_sample:
        return None
    decision = cast("StaticSampler", sampler)._decision  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return {Decision.RECORD_AND_SAMPLE: True, Decision.DROP: False}.get(decision)


def decision_of(sampler: Sampler) -> Decide:
    """
    Return how a sampler decides, where its decision needs the parent and the trace id alone.

    What is returned takes these two, and tells whether a span is sampled; None where only the
    sampler itself can tell.
    """
    if type(sampler) is HostFlagSampler:
        return _with_host_flag(sampler)
    decides_by = type(sampler).should_sample
    if decides_by is StaticSampler.should_sample:
        known = _decision_of_static(sampler)
        return lambda _parent, _trace_id: known
    if decides_by is TraceIdRatioBased.should_sample:
        bound, most = cast("TraceIdRatioBased", sampler).bound, TraceIdRatioBased.TRACE_ID_LIMIT
        return lambda _parent, trace_id: trace_id & most < bound
    if decides_by is ParentBased.should_sample:
        return _by_parent(cast("Any", sampler))
    return lambda _parent, _trace_id: None


def _by_parent(sampler: Any) -> Decide:  # which keeps its parts to itself
    root = decision_of(sampler._root)  # noqa: SLF001
    sampled = decision_of(sampler._remote_parent_sampled)  # noqa: SLF001
    unsampled = decision_of(sampler._remote_parent_not_sampled)  # noqa: SLF001

    def decide(parent: SpanContext | None, trace_id: int) -> bool | None:
        if parent is None:
            return root(None, trace_id)
        is_sampled = parent.trace_flags & _SAMPLED
        return (sampled if is_sampled else unsampled)(parent, trace_id)

    return decide


def _with_host_flag(sampler: HostFlagSampler) -> Decide:
    inner = decision_of(sampler.sampler)

    def decide(parent: SpanContext | None, trace_id: int) -> bool | None:
        if parent is None or parent.trace_flags & _SAMPLED:
            return inner(parent, trace_id)
        sampler.say()
        return inner(parent if sampler.is_honoured else None, trace_id)

    return decide
