"""Invocations that last longer than their function runs: their response is sent after it."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import StatusCode

from funcscope.extensions.integration import entered, first_of, log_quietly
from funcscope.telemetry._context import SPAN_KEY
from funcscope.telemetry._metrics.invocation import off_thread
from funcscope.telemetry._spans.attributes import record_exception
from funcscope.telemetry._values.exceptions import type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    from funcscope.extensions import Invocation
    from funcscope.telemetry._metrics.invocation import Measurement
    from funcscope.telemetry._recording.active import ActiveSession
    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._triggers.extractor import InvocationOutcome

_logger = logging.getLogger("funcscope.telemetry")


class DeferredEnd(NamedTuple):
    """
    The end of an invocation that is recorded after its function has returned.

    Attributes:
        session: The telemetry that has started.
        invocation: The invocation.
        span: Its span.
        measurement: Its measurement; None where nothing is measured.
        outcome: The outcome that the function's result shows.
        started_s: When it began, as `perf_counter` tells it.
    """

    session: ActiveSession
    invocation: Invocation
    span: Span
    measurement: Measurement | None
    outcome: InvocationOutcome
    started_s: float

    def end(
        self,
        attributes: Attributes,
        *,
        error: BaseException | None = None,
        error_type: str | None = None,
    ) -> Callable[[], object] | None:
        """
        Record it, once the invocation is over.

        Args:
            attributes: What is known of it by now.
            error: What it failed with.
            error_type: What it failed with, where that is no exception.

        Returns:
            A call to wait for, on a thread that may block; None for nothing.
        """
        with entered(self.invocation):  # what is exported from here on is the invocation's
            token = attach(Context({SPAN_KEY: self.span}))
            try:
                self._end(attributes, error, error_type)
            except Exception as failed:  # noqa: BLE001  (its span ends all the same)
                what = "the end of %r could not be recorded"
                log_quietly(_logger, logging.ERROR, what, self.invocation, error=failed)
            finally:
                detach(token)
                self.span.end()
        return self.session.flush

    def _end(
        self, attributes: Attributes, error: BaseException | None, error_type: str | None
    ) -> None:
        self.span.set_attributes(attributes)
        if error is not None:
            error_type = type_name(error)
            record_exception(self.span, error, self.session.exceptions)
        elif error_type is not None and self.span.is_recording():
            self.span.set_attribute("error.type", error_type)
            self.span.set_status(StatusCode.ERROR)
        error_type = error_type or self.outcome.error_type
        finish(
            self.session,
            self.invocation,
            self.span,
            None if self.measurement is None else off_thread(self.measurement),
            {**self.outcome.attributes, **attributes},
            error_type,
            self.started_s,
        )


def finish(
    session: ActiveSession,
    invocation: Invocation,
    span: Span,
    measurement: Measurement | None,
    attributes: Attributes,
    error_type: str | None,
    started_s: float,
) -> None:
    """
    Measure an invocation that is over, and decide on what waits for its outcome.

    Args:
        session: The telemetry that has started.
        invocation: The invocation.
        span: Its span, which is current.
        measurement: Its measurement; None where nothing is measured.
        attributes: Those of its outcome.
        error_type: `error.type` of its span; None where it succeeded.
        started_s: When it began, as `perf_counter` has it.
    """
    fault: BaseException | None = None
    try:
        if measurement is not None:
            session.metrics.end(measurement, attributes, error_type)
    except BaseException as failed:  # noqa: BLE001  (raised below)
        fault = failed
    try:
        if session.awaits_outcome:
            duration_s = perf_counter() - started_s
            session.decide(invocation, span, duration_s, has_failed=error_type is not None)
    except BaseException as failed:  # noqa: BLE001  (raised below)
        fault = first_of(fault, failed)
    if fault is not None:
        raise fault


Deferrer: TypeAlias = "Callable[[Invocation, object], Callable[[DeferredEnd], object] | None]"
"""Returns what takes the end of an invocation, by its result, and records it later; None where its
function's end is its own."""

end_deferrers: list[Deferrer] = []


def defer_ends_with(deferrer: Deferrer) -> None:
    """Ask this for every result of a function from now on."""
    end_deferrers.append(deferrer)


def find_deferrer(invocation: Invocation, result: object) -> Callable[[DeferredEnd], object] | None:
    """Return what takes the end of an invocation; None where its function's end is its own."""
    for deferrer in end_deferrers:
        try:
            defer = deferrer(invocation, result)
        except Exception as error:  # noqa: BLE001  (then it does not)
            what = "whether %r lasts cannot be told"
            log_quietly(_logger, logging.ERROR, what, invocation, error=error)
        else:
            if defer is not None:
                return defer
    return None
