"""One span for each invocation, below the host's."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

from opentelemetry import _logs, trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind, StatusCode

from funcscope.extensions import Reject, propagate
from funcscope.extensions._status import report_with
from funcscope.telemetry._attributes import (
    function_attributes,
    invocation_attributes,
    record_failure,
    type_name,
)
from funcscope.telemetry._delivery import Delivery
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._exit import drain_at_exit
from funcscope.telemetry._headers import Headers
from funcscope.telemetry._host_json import route_prefix
from funcscope.telemetry._host_mode import HostMode, host_mode
from funcscope.telemetry._instrumentations import instrument
from funcscope.telemetry._log_buffer import settle
from funcscope.telemetry._log_destinations import log_destinations
from funcscope.telemetry._metrics import Initialization, InvocationMetrics
from funcscope.telemetry._names import REJECTED
from funcscope.telemetry._parent import context_of, context_with, host_parent
from funcscope.telemetry._processes import watch_forks
from funcscope.telemetry._record_fields import remember_span
from funcscope.telemetry._redaction import make_redactor
from funcscope.telemetry._scope import get_logger, get_meter, get_tracer, has_meter_provider, is_set
from funcscope.telemetry._settings import Settings, SignalSettings, read_settings
from funcscope.telemetry.triggers import Attributes, Description, Outcome, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from opentelemetry._logs import Logger
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Link, Span, SpanContext, Tracer

    from funcscope.extensions import Context, Function, Invocation, Step
    from funcscope.telemetry._invocation_span import Blueprint
    from funcscope.telemetry._kept_invocations import KeptInvocations
    from funcscope.telemetry._options import Value
    from funcscope.telemetry._pipeline import Pipeline
    from funcscope.telemetry._span_maker import SpanMaker

NO_LINKS: Sequence[Link] = ()
NO_OUTCOME = Outcome({})
ODD_TRIGGER = "the trigger of %s could not be described"

_logger = logging.getLogger("funcscope.telemetry")


@dataclass(frozen=True, slots=True)
class _Session:
    """
    What recording needs once it has started.

    Attributes:
        tracer: Ours, of whatever provider is set.
        spans: What makes spans at less than the tracer's cost; None where it does not fit.
        delivery: What has everything sent when the app is idle.
        pipeline: What sends over OTLP/HTTP; None where nothing is set up.
        kept: What decides which invocations to keep; None where all are.
        flush: What each invocation waits for before its result goes to the host; None where
            it waits for nothing.
        has_log_buffer: Whether log records wait for how the invocation ends.
        mode: What the host does itself.
        exceptions: Where exceptions go as log events; None where no log is exported.
        metrics: What measures.
    """

    tracer: Tracer
    spans: SpanMaker | None
    delivery: Delivery
    pipeline: Pipeline | None
    kept: KeptInvocations | None
    flush: Callable[[], object] | None
    has_log_buffer: bool
    mode: HostMode
    exceptions: Logger | None
    metrics: InvocationMetrics


@dataclass(frozen=True, slots=True)
class _Plan:
    """
    What does not change between a function's invocations.

    Attributes:
        description: How to describe them.
        constants: Attributes that all their spans have.
        kind: Their spans' kind.
        name: Their spans' name, where it is always the same.
        blueprint: What their spans have in common; None where the tracer makes them.
    """

    description: Description
    constants: Attributes
    kind: SpanKind
    name: str | None
    blueprint: Blueprint | None


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
        self._session: _Session | None = None
        self._is_warm = False
        self._is_drained = False
        self._initialization = Initialization(started_s)
        self._plans: dict[Function, _Plan] = {}

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
            _warm_up()
        else:
            threading.Thread(target=_warm_up, name="funcscope-warm-up", daemon=True).start()

    def around(self, invocation: Invocation) -> Step:
        """Record one invocation: a span that is current while the function runs."""
        session = self._session or self._start()
        plan = self._plans.get(invocation.function) or self._plan(session, invocation.function)
        description = plan.description
        parent = host_parent(invocation)
        if not description.is_recorded:
            yield from _unrecorded(session, invocation, parent)
            return
        span = _start_span(session, plan, invocation, parent)
        remember_span(invocation, span.get_span_context())
        session.delivery.began()
        started_s = perf_counter() if session.kept is not None else 0.0
        token = attach(context_with(span))
        outcome = NO_OUTCOME
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
        finally:
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

    def _start(self, *, has_host: bool = True) -> _Session:
        """Set the providers, once, before the first function runs."""
        settings = self.read_settings()
        with self._lock:
            if self._session is None:
                mode = host_mode(settings, self._environ)
                settings = self._decide_on_logs(settings, mode, has_host=has_host)
                pipeline = None
                if settings.exports_nothing and not self._span_processors:
                    _say_that_nothing_is_exported()
                else:
                    pipeline = _set_providers(settings, mode, self._span_processors, self._environ)
                if pipeline is not None:
                    report_with("delivery", pipeline.report)
                    if "metrics" in pipeline.signals:
                        pipeline.observe_with(get_meter())
                instrument(settings.instrument)
                _say_what_spans_are(mode)
                watch_forks()
                tracer = get_tracer()
                self._session = _Session(
                    tracer,
                    _span_maker(tracer),
                    _delivery(settings, pipeline),
                    pipeline,
                    None if pipeline is None else pipeline.kept,
                    _flush(settings, pipeline),
                    settings.log_buffer > 0,
                    mode,
                    get_logger(),
                    self._metrics(settings, mode),
                )
            return self._session

    def _decide_on_logs(self, settings: Settings, mode: HostMode, *, has_host: bool) -> Settings:
        """Leave log records to who exports them already, and say who does."""
        found = log_destinations(
            settings.logs,
            self._environ if has_host else {},
            is_otel=mode.emits_metrics,
            has_provider=is_set(_logs.get_logger_provider()),
        )
        if not settings.exports_nothing or found.are_exported:
            _logger.info("%s", found.sentence)
        if found.warning is not None:
            _logger.warning("%s", found.warning)
        return settings if found.are_ours else replace(settings, logs=SignalSettings())

    def _metrics(self, settings: Settings, mode: HostMode) -> InvocationMetrics:
        """Measure invocations where somebody exports that, and leave to the host what it emits."""
        wanted = settings.record_metrics
        return InvocationMetrics(
            get_meter(),
            self._initialization,
            is_on=wanted != "off" and has_meter_provider(),
            is_host_measuring=wanted == "auto" and mode.emits_metrics,
        )

    def _plan(self, session: _Session, function: Function) -> _Plan:
        """Work out once what does not change between a function's invocations."""
        settings = self.read_settings()
        description = describe(
            function,
            route_prefix=route_prefix(self._environ),
            environ=self._environ,
            max_links=settings.max_links,
            headers=Headers(
                settings.capture_request_headers,
                settings.capture_response_headers,
                make_redactor(settings.redact),
            ),
        )
        is_below = session.mode.owns_request_span
        kind = SpanKind.INTERNAL if is_below else description.kind
        constants = {**function_attributes(function, self._environ), **description.constants}
        plan = self._plans[function] = _Plan(
            description,
            constants,
            kind,
            name=f"function {function.name}" if is_below else None,
            blueprint=None
            if session.spans is None
            else session.spans.blueprint(kind, constants, is_redacted=description.is_redacted),
        )
        return plan


def _start_span(
    session: _Session, plan: _Plan, invocation: Invocation, parent: SpanContext | None
) -> Span:
    def tell() -> tuple[str, Told, Sequence[Link]]:
        description = plan.description
        name = plan.name or description.name(invocation)
        said = _captured(invocation, description)
        own = (invocation.id, invocation.context, invocation.is_cold_start)
        return name, Told(said, *own), _links(invocation, description)

    if plan.blueprint is not None and session.spans is not None:
        span = session.spans.start(plan.blueprint, parent, tell)
        if span is not None:
            return span
    name, describe_own, links = tell()
    attributes = {**plan.constants, **_described(describe_own, invocation)}
    return session.tracer.start_span(name, context_of(parent), plan.kind, attributes, links)


class Told:
    """
    What describes one invocation, made when it is wanted.

    Args:
        said: Makes what its trigger says.
        invocation_id: Its id.
        context: The worker's context.
        is_cold_start: Whether it is the first of the process.

    Attributes:
        said: Makes what its trigger says.
    """

    __slots__ = ("_context", "_id", "_is_cold_start", "said")

    def __init__(
        self,
        said: Callable[[], Attributes],
        invocation_id: str,
        context: Context,
        is_cold_start: bool,  # noqa: FBT001  (hot path)
    ) -> None:
        self.said = said
        self._id = invocation_id
        self._context = context
        self._is_cold_start = is_cold_start

    def __call__(self) -> Attributes:
        """Make all of it."""
        return self.said() | self.own()

    def own(self) -> Attributes:
        """Make what is the invocation's own."""
        return invocation_attributes(self._id, self._context, is_cold_start=self._is_cold_start)

    @property
    def key(self) -> object | None:
        """What all that the trigger says depends on; None where that is not known."""
        return getattr(self.said, "key", None)


def _captured(invocation: Invocation, description: Description) -> Callable[[], Attributes]:
    """Keep what describes a trigger, or describe it now; an odd one costs that, not the span."""
    try:
        if description.capture is not None:
            return description.capture(invocation)
        said = description.attributes(invocation)
    except Exception:
        _logger.exception(ODD_TRIGGER, invocation.function_name)
        said = {}
    return lambda: said


def _described(describe: Callable[[], Attributes], invocation: Invocation) -> Attributes:
    try:
        return describe()
    except Exception:
        _logger.exception(ODD_TRIGGER, invocation.function_name)
        return {}


def _links(invocation: Invocation, description: Description) -> Sequence[Link]:
    try:
        return description.links(invocation)
    except Exception:
        _logger.exception(ODD_TRIGGER, invocation.function_name)
        return NO_LINKS


def _unrecorded(session: _Session, invocation: Invocation, parent: SpanContext | None) -> Step:
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
        session.delivery.ended()


def _load_sdk() -> ModuleType:
    """Import the SDK and its exporters, which `import funcscope.auto` leaves alone."""
    return import_module("funcscope.telemetry._providers")


def _warm_up() -> None:
    """Import the SDK ahead of time; what is wrong with it is said when it is needed."""
    with suppress(Exception):
        _load_sdk()


def _set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline | None:
    """Set providers, or say once why not: invocations are not recorded then, but run."""
    try:
        found = _load_sdk().set_providers(settings, mode, span_processors, environ)
    except Exception:
        _logger.exception("nothing is exported: the OpenTelemetry SDK cannot be used")
        return None
    return cast("Pipeline | None", found)


def _delivery(settings: Settings, pipeline: Pipeline | None) -> Delivery:
    """Have everything sent when the app is idle, unless the settings leave that to intervals."""
    if settings.flush == "interval":
        return Delivery(())
    providers = (trace.get_tracer_provider(), _logs.get_logger_provider())
    carried = () if pipeline is None else pipeline.carried
    flushes = [
        flush
        for provider in providers
        if provider not in carried and (flush := getattr(provider, "force_flush", None))
    ]
    if pipeline is None or not pipeline.signals:
        return Delivery(flushes)
    if "metrics" in pipeline.signals:
        flushes.append(pipeline.measure)
    return Delivery(flushes, pipeline.courier.wake)


def _flush(settings: Settings, pipeline: Pipeline | None) -> Callable[[], object] | None:
    """Return what each invocation waits for, if the settings ask for that."""
    if settings.flush != "invocation" or pipeline is None:
        return None
    return partial(pipeline.flush, settings.flush_budget_ms / 1000)


def _span_maker(tracer: Tracer) -> SpanMaker | None:
    """Return what makes spans for the provider that is set, if that is the SDK's."""
    provider = trace.get_tracer_provider()
    if not type(provider).__module__.startswith("opentelemetry.sdk."):
        return None
    try:
        maker = import_module("funcscope.telemetry._span_maker")
        return cast("SpanMaker | None", maker.span_maker(provider, tracer))
    except Exception:
        _logger.exception("spans are made by the SDK itself, which costs more: it is another one")
        return None


def _say_that_nothing_is_exported() -> None:
    if not is_set(trace.get_tracer_provider()):
        _logger.info(
            "nothing is exported: set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=console"
        )


def _say_what_spans_are(mode: HostMode) -> None:
    what = "INTERNAL, below the host's" if mode.owns_request_span else "of their trigger's kind"
    _logger.info("spans of invocations are %s: %s", what, mode.reason)


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
