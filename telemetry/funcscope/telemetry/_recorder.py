"""One span for each invocation, below the host's."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry.context import attach, detach
from opentelemetry.trace import StatusCode

from funcscope.extensions import Reject, propagate
from funcscope.telemetry._attributes import record_failure, type_name
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._exit import drain_at_exit
from funcscope.telemetry._lasting import Rest, find_keeper, keepers
from funcscope.telemetry._log_buffer import settle
from funcscope.telemetry._metrics import Initialization
from funcscope.telemetry._names import REJECTED
from funcscope.telemetry._parent import context_of, context_with, host_parent
from funcscope.telemetry._plan import make_plan, start_span
from funcscope.telemetry._record_fields import remember_span
from funcscope.telemetry._routes import ROUTE, tell_route
from funcscope.telemetry._session import start_session, warm_up
from funcscope.telemetry._settings import Settings, read_settings
from funcscope.telemetry.triggers import Attributes, Description, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, SpanContext

    from funcscope.extensions import Function, Invocation, Step
    from funcscope.telemetry._options import Value
    from funcscope.telemetry._plan import Plan
    from funcscope.telemetry._session import Session

NO_OUTCOME = Outcome({})

_logger = logging.getLogger("funcscope.telemetry")


class Recorder:
    """
    Records the invocations of this process.

    Settings are read when the first function was loaded, providers set when the first
    invocation starts: what the app set at import wins, and an environment that the host
    fills late (Linux Consumption's placeholders) is complete by then.

    Args:
        started_s: When the app began to be imported, as `perf_counter` tells it.
        environ: The app settings.
    """

    def __init__(
        self, started_s: float | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._given: dict[str, Value] = {}
        self._span_processors: list[SpanProcessor] = []
        self._settings: Settings | None = None
        self._session: Session | None = None
        self._is_warm = False
        self._is_drained = False
        self._initialization = Initialization(started_s)
        self._plans: dict[Function, Plan] = {}

    def configure(
        self, given: Mapping[str, Value], span_processors: Sequence[SpanProcessor]
    ) -> None:
        """
        Take options from code; later ones win over earlier ones, processors add up.

        Raises:
            TelemetryError: The first invocation has started.
        """
        with self._lock:
            if self._session is not None:
                raise TelemetryError(
                    "configure() comes too late, the first invocation has started: "
                    "call it when the app is imported"
                )
            self._given.update(given)
            self._span_processors.extend(span_processors)
            self._settings = None

    def read_settings(self) -> Settings:
        """Read the settings, once, and say what is wrong with them."""
        with self._lock:
            if self._settings is None:
                self._settings = read_settings(self._environ, self._given)
                for problem in self._settings.problems:
                    _logger.error("%s", problem)
            return self._settings

    def prepare(self, function_directory: str) -> None:
        """
        Make ready when a function was loaded: name wrong settings, and load the SDK meanwhile.

        The SDK takes about 0.1 s to import, which the first invocation would wait for. A thread
        does it while the worker answers its host. In the v1 model the worker goes on importing
        the app, and two threads had better not import one package: there it is done at once.
        """
        self._initialization.loaded()
        settings = self.read_settings()
        if settings.propagate == "on":
            propagate(leave=settings.leave_threads)
        self._drain_at_exit(settings)
        with self._lock:
            if settings.exports_nothing or self._is_warm:
                return
            self._is_warm = True
        if (Path(function_directory) / "function.json").is_file():
            warm_up(settings)
        else:
            warming = threading.Thread(target=warm_up, args=(settings,), daemon=True)
            warming.name = "funcscope-warm-up"
            warming.start()

    def around(self, invocation: Invocation) -> Step:
        """Record one invocation: a span that is current while the function runs."""
        session = self._session or self._start()
        plan = self._plans.get(invocation.function) or self._plan(session, invocation.function)
        description = plan.description
        parent = host_parent(invocation)
        if not description.is_recorded:
            yield from _unrecorded(session, invocation, parent)
            return
        span = start_span(session, plan, invocation, parent)
        remember_span(invocation, span.get_span_context())
        session.delivery.began()
        started_s = perf_counter() if session.kept is not None else 0.0
        token = attach(context_with(span))
        outcome = NO_OUTCOME
        keep = None
        metrics = session.metrics
        measured: Attributes = {}
        measurement = None
        if metrics.is_on:
            measured = description.measured(invocation)
            measurement = metrics.begin(invocation, description)
        try:
            result = yield
        except BaseException as error:
            if invocation.is_rejected and isinstance(error, Reject):
                span.set_attributes({REJECTED: True})
                outcome = _record_result(span, description, invocation, error.response)
            else:
                outcome = Outcome(description.failure(error), type_name(error))
                span.set_attributes(outcome.attributes)
                record_failure(span, error, session.exceptions)
            raise
        else:
            outcome = _record_result(span, description, invocation, result)
            if keepers:
                keep = find_keeper(invocation, result)
        finally:
            if ROUTE in invocation.state:
                own_name = None if plan.name else description.name(invocation)
                measured = tell_route(invocation, span, own_name, measured)
            if keep is not None:
                detach(token)
                keep(Rest(session, invocation, span, measurement, measured, outcome, started_s))
            else:
                has_failed = outcome.error_type is not None
                # Before the context is detached, so that exemplars find the trace.
                if measurement is not None:
                    metrics.end(measurement, measured, outcome.attributes, outcome.error_type)
                if session.has_log_buffer:
                    settle(invocation, has_failed=has_failed)
                detach(token)
                if session.kept is not None:
                    duration_s = perf_counter() - started_s
                    trace_id = span.get_span_context().trace_id
                    session.kept.settle(invocation, trace_id, duration_s, has_failed=has_failed)
                span.end()
                if session.flush is not None:
                    invocation.finish_with(session.flush)
                session.delivery.ended()

    def _drain_at_exit(self, settings: Settings) -> None:
        """
        Have what waits sent before the process ends.

        When a function is loaded, as no signal handler can be set on the thread of a pool, where
        a first invocation may run.
        """
        with self._lock:
            if self._is_drained or not settings.shutdown_budget_ms:
                return
            self._is_drained = True
        drain_at_exit(self._end, settings.shutdown_budget_ms / 1000)

    def _end(self, budget_s: float) -> None:
        session = self._session
        if session is not None and session.pipeline is not None:
            session.pipeline.end(budget_s)

    def start_in_child(self) -> None:
        """Make ready in a process that a function started, of which the host exports nothing."""
        settings = self.read_settings()
        if settings.propagate == "on":
            propagate(leave=settings.leave_threads)
        self._drain_at_exit(settings)
        if self._session is None:
            self._start(has_host=False)

    def _start(self, *, has_host: bool = True) -> Session:
        """Set the providers, once, before the first function runs."""
        settings = self.read_settings()
        with self._lock:
            if self._session is None:
                self._session = start_session(
                    settings,
                    self._environ,
                    self._span_processors,
                    self._initialization,
                    has_host=has_host,
                )
            return self._session

    def _plan(self, session: Session, function: Function) -> Plan:
        """Work out once what does not change between a function's invocations."""
        plan = make_plan(session, self.read_settings(), self._environ, function)
        self._plans[function] = plan
        return plan


def _unrecorded(session: Session, invocation: Invocation, parent: SpanContext | None) -> Step:
    """Let an invocation that gets no span run in the host's trace."""
    if parent is not None:
        remember_span(invocation, parent)
    session.delivery.began()
    token = attach(context_of(parent))
    has_failed = True
    try:
        yield
        has_failed = False
    finally:
        settle(invocation, has_failed=has_failed)
        detach(token)
        if session.kept is not None:
            trace_id = 0 if parent is None else parent.trace_id
            session.kept.settle(invocation, trace_id, 0.0, has_failed=has_failed)
        if session.flush is not None:
            invocation.finish_with(session.flush)
        session.delivery.ended()


def _record_result(
    span: Span, description: Description, invocation: Invocation, result: object
) -> Outcome:
    outcome = description.result(invocation, result)
    if not span.is_recording():
        return outcome
    say = getattr(span, "say", span.set_attributes)
    say(outcome.attributes)
    if outcome.error_type is not None:
        span.set_attribute("error.type", outcome.error_type)
        span.set_status(StatusCode.ERROR)
    return outcome
