"""How an invocation ended, recorded on its span: what it returned, raised, or reported."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from opentelemetry.trace import StatusCode

from funcscope.extensions import Reject
from funcscope.telemetry._annotations import STATUS, record_route, reported_failures
from funcscope.telemetry._logs.correlation import warn_once
from funcscope.telemetry._semconv import REJECTED
from funcscope.telemetry._spans.attributes import record_exception
from funcscope.telemetry._triggers.extractor import InvocationOutcome
from funcscope.telemetry._values.exceptions import type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    from funcscope.extensions import Invocation
    from funcscope.telemetry._spans.attributes import ExceptionEvents
    from funcscope.telemetry._spans.template import SpanTemplate
    from funcscope.telemetry._triggers.extractor import TriggerExtractor


def record_error(
    span: Span,
    extractor: TriggerExtractor,
    exceptions: ExceptionEvents | None,
    invocation: Invocation,
    error: BaseException,
) -> InvocationOutcome:
    """Record what the function raised, or what a guard answered in its place."""
    if invocation.is_rejected and issubclass(type(error), Reject):
        error = cast("Reject", error)
        _guarded(lambda: span.set_attributes({REJECTED: True}))
        outcome = extractor.outcome(invocation, error.response)
        record_outcome(span, outcome)
    elif STATUS in invocation.state and type(error) is Exception:
        outcome = InvocationOutcome(extractor.error_attributes, str(invocation.state[STATUS]))
        record_outcome(span, outcome)
    else:
        outcome = InvocationOutcome(extractor.error_attributes, type_name(error))
        _guarded(lambda: span.set_attributes(outcome.attributes))
        _guarded(lambda: record_exception(span, error, exceptions))
    return outcome


def _guarded(record: Callable[[], object]) -> None:
    """Record on a span; what a foreign tracer raises costs neither metrics nor logs theirs."""
    try:
        record()
    except Exception as error:  # noqa: BLE001  (logged once)
        warn_once(f"a span could not be told how its invocation ended: {error!r}")


def record_reported(
    span: Span,
    exceptions: ExceptionEvents | None,
    invocation: Invocation,
    outcome: InvocationOutcome,
) -> InvocationOutcome:
    """Record what failed although the function returned; the last one is the span's status."""
    for error in reported_failures(invocation):
        _guarded(partial(record_exception, span, error, exceptions))
        outcome = InvocationOutcome(outcome.attributes, type_name(error))
    return outcome


def record_outcome(span: Span, outcome: InvocationOutcome) -> None:
    """Record what a result shows, on a span that may be a foreign tracer's."""

    def record() -> None:
        if span.is_recording():
            span.set_attributes(outcome.attributes)
            if outcome.error_type is not None:
                span.set_attribute("error.type", outcome.error_type)
                span.set_status(StatusCode.ERROR, outcome.description)

    _guarded(record)


def record_chosen_route(
    span: Span, template: SpanTemplate, invocation: Invocation, outcome: InvocationOutcome
) -> InvocationOutcome:
    """Record the route that a web framework chose, for the span and for those who measure."""
    own_name = None if template.name else template.span_name(template.snapshot(invocation))
    route = record_route(invocation, span, own_name)
    return InvocationOutcome({**outcome.attributes, **route}, outcome.error_type)
