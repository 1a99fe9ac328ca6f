"""One span for each invocation, below the host's."""

from __future__ import annotations

import logging
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry.baggage import get_all
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan

from funcscope.extensions import Reject
from funcscope.extensions.integration import (
    first_of,
    log_quietly,
    run_all,
)
from funcscope.telemetry._annotations import (
    FAILURES,
    ROUTE,
    reported_failures,
)
from funcscope.telemetry._context import (
    INVOCATION_SPAN,
    SPAN_KEY,
    attach_context,
    context_of,
    detach_context,
    host_parent,
    host_trace_headers,
    set_invocation_span,
)
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._integrations import integrate
from funcscope.telemetry._logs.correlation import bind, warn_once
from funcscope.telemetry._recording.deferred_end import (
    DeferredEnd,
    end_deferrers,
    find_deferrer,
    finish,
)
from funcscope.telemetry._recording.outcomes import (
    record_chosen_route,
    record_error,
    record_outcome,
    record_reported,
)
from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._spans.attributes import record_exception
from funcscope.telemetry._spans.contexts import BAGGAGE, begin_context, headers_reader
from funcscope.telemetry._spans.template import SpanTemplate, make_template
from funcscope.telemetry._triggers.extractor import NO_OUTCOME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token

    from opentelemetry.trace import Span

    from funcscope.extensions import Function, Invocation
    from funcscope.telemetry._metrics.invocation import Measurement
    from funcscope.telemetry._recording.active import ActiveSession
    from funcscope.telemetry._recording.session import Session
    from funcscope.telemetry._spans.builder import OwnSpan

    # Handed from the begin of an invocation to its end, the span twice where it is an `OwnSpan`. A
    # tuple is made and read in 0.13 µs, a class with slots in 0.37 (Python 3.13).
    Recording = tuple[
        ActiveSession,
        SpanTemplate,
        Span,
        "OwnSpan | None",
        Token[Context],
        float,
        "Measurement | None",
    ]

_new_dict: Callable[[type[Context]], Context] = dict.__new__
_put: Callable[[Context, str, object], object] = dict[str, object].setdefault
_add: Callable[[Context, Context], object] = dict[str, object].update

_MOST_TOLD = 256
"""How many characters are kept of an entry of baggage, which a caller chooses."""

_logger = logging.getLogger("funcscope.telemetry")


class Recorder:
    """
    Records the invocations of this process.

    Args:
        session: The settings, and what begins and ends with the process.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._has_failed = False
        self._templates: dict[Function, SpanTemplate] = {}

    def successor(self, environ: Mapping[str, str]) -> Recorder:
        """Make one configured alike that has recorded nothing, as each test wants its own."""
        return Recorder(self.session.successor(environ))

    # Both are long, as each function that runs once per invocation is felt
    # (docs/decisions/022): they do themselves what nearly all invocations need.

    def begin(self, invocation: Invocation) -> Recording:
        """Begin to record an invocation: its span is current from now on."""
        session = self.session.active or self.session.start()
        function = invocation.function
        template = self._templates.get(function) or self._template(session, function)
        extractor, builder = template.extractor, session.spans
        # Nearly no invocation has more than its span.
        beside: Context | None = None
        if invocation.outer_context is not None:
            beside = begin_context(invocation, template.baggage)
        elif template.baggage is not None:
            request = invocation.args.get(template.baggage)
            read = headers_reader(type(request))
            try:
                if read is None or BAGGAGE in read(request):
                    beside = begin_context(invocation, template.baggage)
            except AttributeError:  # no request as others of its class
                pass
        if not extractor.is_recorded:
            return _begin_unrecorded(session, template, invocation, beside)
        span: Span | None = None
        own: OwnSpan | None = None
        if builder is not None:
            try:
                span = own = builder.start(template, invocation, beside)
            except Exception as error:  # noqa: BLE001  (logged there)
                span = self._start_otherwise(session, template, invocation, beside, error)
        if span is None:
            span = self._start_span(template, invocation, beside)
        invocation.state[INVOCATION_SPAN] = span
        started_s = perf_counter() if session.tail_sampler is not None else 0.0
        context = _new_dict(Context)  # a third of what its constructor takes
        _put(context, SPAN_KEY, span)
        if beside is not None:
            _add(context, beside)
        token = attach_context(context)
        if beside is not None:
            self._record_baggage(span, template, beside)
        metrics = session.metrics
        measurement = metrics.begin(invocation, extractor) if metrics.is_on else None
        return session, template, span, own, token, started_s, measurement

    def end(
        self,
        invocation: Invocation,
        recording: Recording,
        result: object,
        error: BaseException | None = None,
    ) -> None:
        """Record what the function returned, or raised, or what a guard answered in its place."""
        session, template, span, own, token, started_s, measurement = recording
        extractor, state = template.extractor, invocation.state
        if not extractor.is_recorded:
            _end_unrecorded(session, template, span, token, invocation, error)
            return
        outcome, attributes, defer = NO_OUTCOME, NO_OUTCOME.attributes, None
        # Whatever goes wrong at one step, the others are made, and it is reported after that.
        fault: BaseException | None = None
        try:
            if error is not None:
                outcome = record_error(span, extractor, session.exceptions, invocation, error)
            else:
                if (
                    own is None
                    or own.takes_outcome
                    or measurement is not None
                    or session.awaits_outcome
                ):
                    outcome = extractor.outcome(invocation, result)
                if outcome.error_type is None:
                    attributes = outcome.attributes
                else:
                    record_outcome(span, outcome)
                if FAILURES in state:
                    outcome = record_reported(span, session.exceptions, invocation, outcome)
                if end_deferrers:
                    defer = find_deferrer(invocation, result)
            if ROUTE in state:
                outcome = record_chosen_route(span, template, invocation, outcome)
        except BaseException as failed:  # noqa: BLE001  (raised below)
            fault = failed
        if defer is not None:
            end = DeferredEnd(session, invocation, span, measurement, outcome, started_s)
            _defer(end, token, defer)
        else:
            if measurement is not None or session.awaits_outcome:
                try:
                    # Before the context is detached, so that exemplars find the trace.
                    finish(
                        session,
                        invocation,
                        span,
                        measurement,
                        outcome.attributes,
                        outcome.error_type,
                        started_s,
                    )
                except BaseException as failed:  # noqa: BLE001  (raised below)
                    fault = first_of(fault, failed)
            try:
                detach_context(token)
            except ValueError:
                pass  # closed from another context, where there is nothing to restore
            except BaseException as failed:  # noqa: BLE001  (raised below)
                fault = first_of(fault, failed)
            try:
                if own is not None:
                    own.end_with(attributes)
                else:
                    try:
                        span.set_attributes(attributes)
                    finally:
                        span.end()
            except BaseException as failed:  # noqa: BLE001  (raised below)
                fault = first_of(fault, failed)
            if session.flush is not None:
                invocation.finish_with(session.flush)
        if fault is not None:
            raise fault

    def _start_span(
        self, template: SpanTemplate, invocation: Invocation, beside: Context | None
    ) -> Span:
        """Have the tracer start a span; one that records nothing where it cannot."""
        try:
            return self._started(template.start_span(invocation, beside))
        except Exception as error:  # noqa: BLE001  (a sampler or processor of the app's)
            if not self._has_failed:
                self._has_failed = True
                what = "an invocation of %s has no span, as none could be started"
                name = invocation.function_name
                log_quietly(_logger, logging.ERROR, what, name, error=error)
            parent = host_parent(host_trace_headers(invocation.context))
            return INVALID_SPAN if parent is None else NonRecordingSpan(parent)

    def _record_baggage(self, span: Span, template: SpanTemplate, context: Context) -> None:
        """Have the span and log records of an invocation tell of what its caller has sent."""
        try:
            wanted = self.session.read_settings().baggage_keys
            if not wanted:  # of nearly all apps
                return
            sent, redactor = get_all(context), template.redactor or DEFAULT
            keys = [key for key in wanted if key in sent]
            told = {key: str(redactor.redact_value(key, sent[key]))[:_MOST_TOLD] for key in keys}
            if told:
                span.set_attributes(told)
                bind(**told)
        except Exception as error:  # noqa: BLE001  (logged once, whatever a tracer raises)
            warn_once(f"an invocation could not be told its caller's baggage: {error!r}")

    @staticmethod
    def _started(span: Span | None) -> Span:
        """Return a span that a tracer has started, which may be another's than OpenTelemetry's."""
        if span is None:
            raise TelemetryError("the tracer returned None for a span")
        return span

    def _start_otherwise(
        self,
        session: ActiveSession,
        template: SpanTemplate,
        invocation: Invocation,
        beside: Context | None,
        error: Exception,
    ) -> Span:
        """Have the tracer start a span where the builder could not, and from now on if it can."""
        span = self._start_span(template, invocation, beside)
        if span.is_recording():
            self.session.leave_spans_to_sdk(session, error)
        return span

    def _template(self, session: ActiveSession, function: Function) -> SpanTemplate:
        """Work out once what the spans of a function have in common."""
        integrate(function)
        redacting = None if session.spans is None else session.spans.redacting
        template = make_template(
            function,
            self.session.read_settings(),
            self.session.environ,
            session.tracer,
            session.mode,
            redacting,
        )
        self._templates[function] = template
        return template


def _defer(end: DeferredEnd, token: Token[Context], defer: Callable[[DeferredEnd], object]) -> None:
    """Leave the end of an invocation to what records it when its response has been sent."""
    span, outcome = end.span, end.outcome

    def hand_over() -> None:
        try:
            defer(end)
        except BaseException:
            span.end()
            raise

    run_all(
        lambda: outcome.error_type is None and span.set_attributes(outcome.attributes),
        lambda: _detach(token),
        hand_over,
    )


def _detach(token: Token[Context]) -> None:
    with suppress(ValueError):  # closed from another context
        detach_context(token)


def _begin_unrecorded(
    session: ActiveSession, template: SpanTemplate, invocation: Invocation, beside: Context | None
) -> Recording:
    """Let an invocation that gets no span run in the host's trace."""
    parent = host_parent(host_trace_headers(invocation.context))
    span = INVALID_SPAN if parent is None else NonRecordingSpan(parent)
    if parent is not None:
        set_invocation_span(invocation, span)
    return session, template, span, None, attach_context(context_of(parent, beside)), 0.0, None


def _end_unrecorded(
    session: ActiveSession,
    template: SpanTemplate,
    span: Span,
    token: Token[Context],
    invocation: Invocation,
    error: BaseException | None,
) -> None:
    """End an invocation without a span, and log what failed where nothing else can tell of it."""
    is_answered = invocation.is_rejected and issubclass(type(error), Reject)

    reported = reported_failures(invocation)

    def log_failures() -> None:
        raised = [] if error is None or is_answered else [template.extractor.original_error(error)]
        for each in (*reported, *raised):
            record_exception(INVALID_SPAN, each, session.exceptions)

    run_all(
        log_failures,
        lambda: session.decide(
            invocation, span, 0.0, has_failed=error is not None or bool(reported)
        ),
        lambda: _detach(token),
    )
    if session.flush is not None:
        invocation.finish_with(session.flush)
