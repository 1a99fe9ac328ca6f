"""The start of telemetry: who exports what is decided and logged, and providers are set."""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from contextvars import Context
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from opentelemetry import _logs, metrics, trace

from funcscope.extensions.integration import guarded, log_quietly, report_with
from funcscope.telemetry._config.host import HostMode, decide_destinations
from funcscope.telemetry._integrations import AZURE_MONITOR
from funcscope.telemetry._logs.buffer import release
from funcscope.telemetry._logs.filters import break_loops
from funcscope.telemetry._metrics.invocation import InvocationMetrics
from funcscope.telemetry._pipeline.flush import FlushThread, attempt_each, idle_interval_s
from funcscope.telemetry._recording.forks import watch_forks
from funcscope.telemetry._recording.instrumentations import instrumentations
from funcscope.telemetry._recording.span_owners import (
    declared_sender,
    log_span_owners,
    name_records,
    others,
)
from funcscope.telemetry._scope import (
    get_logger,
    get_meter,
    get_tracer,
    has_meter_provider,
)
from funcscope.telemetry._sdk_settings import sdk_environment
from funcscope.telemetry._semconv import read_names
from funcscope.telemetry._spans.attributes import ExceptionEvents
from funcscope.telemetry._values.limits import limit_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, Tracer

    from funcscope.extensions import Invocation
    from funcscope.telemetry._config.host import Destinations
    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._metrics.invocation import Initialization
    from funcscope.telemetry._pipeline.pipeline import Pipeline
    from funcscope.telemetry._pipeline.tail_sampling import TailSampler
    from funcscope.telemetry._providers import OthersProvider
    from funcscope.telemetry._spans.builder import SpanBuilder

_logger = logging.getLogger("funcscope.telemetry")

_SLOWER = "spans are made by the SDK itself, which costs more: "
_TOO_OLD = "use opentelemetry-sdk 1.42 or later (%s is installed)"
_UNKNOWN = "opentelemetry-sdk %s is not as expected (%r), see whether a newer funcscope knows it"
_OLD = re.compile(r"1\.([1-3]?\d|4[01])\.")
"""An SDK before the first whose spans `SpanBuilder` can make, 1.42."""

_SPAN_BUILDER = "funcscope.telemetry._spans.builder"


class ActiveSession(NamedTuple):
    """
    Started telemetry: what begin and end of an invocation need.

    Attributes:
        tracer: Of funcscope's scope and whatever provider is set.
        mode: The host's own part.
        metrics: Measures invocations.
        spans: Makes spans at less than the tracer's cost; None where it does not fit.
        send_soon: Has everything sent, without waiting for it; None where nothing is.
        on_idle: The same when the app is idle; None where nothing does.
        pipeline: Sends over OTLP/HTTP; None where nothing is set up.
        tail_sampler: Decides which invocations are exported; None where all are.
        flush: Each invocation waits for it before its result goes to the host; None where it
            waits for nothing.
        awaits_outcome: Whether anything waits for how an invocation ends.
        exceptions: Where exceptions go as log events; None where no log is exported.
    """

    tracer: Tracer
    mode: HostMode
    metrics: InvocationMetrics
    spans: SpanBuilder | None = None
    send_soon: Callable[[], object] | None = None
    on_idle: Callable[[], object] | None = None
    pipeline: Pipeline | None = None
    tail_sampler: TailSampler | None = None
    flush: Callable[[], object] | None = None
    awaits_outcome: bool = False
    exceptions: ExceptionEvents | None = None

    def decide(
        self, invocation: Invocation, span: Span, duration_s: float, *, has_failed: bool
    ) -> None:
        """
        Export or drop all that waits for how an invocation ends.

        Args:
            invocation: The invocation, which has ended.
            span: Its span.
            duration_s: How long it took, in seconds.
            has_failed: Whether it failed.
        """
        try:
            release(invocation, has_failed=has_failed)
        finally:
            if self.tail_sampler is not None:
                ids = span.get_span_context()
                self.tail_sampler.decide(invocation, ids, duration_s, has_failed=has_failed)

    def without_builder(self, error: Exception) -> ActiveSession:
        """Return one whose spans the tracer starts, and warn of what does not fit."""
        _say_slower(error)
        return self._replace(spans=None)


def activate(
    settings: Settings,
    environ: Mapping[str, str],
    span_processors: Sequence[SpanProcessor],
    initialization: Initialization,
    *,
    has_host: bool,
) -> ActiveSession:
    """
    Set the providers that nobody has set, and log what is exported by whom.

    Args:
        settings: What the app asks for.
        environ: The app settings.
        span_processors: What the app adds to the tracer provider.
        initialization: How long the app took to be ready.
        has_host: Whether this is a worker; False in a process that a function started, of which
            the host exports nothing.
    """
    break_loops()
    limit_texts(settings.max_text_length)
    traces = others(trace.get_tracer_provider(), "tracer")
    logs = others(_logs.get_logger_provider(), "logger")
    measurements = others(metrics.get_meter_provider(), "meter")
    decide = partial(
        decide_destinations,
        environ=environ,
        has_host=has_host,
        traces=traces,
        logs=logs,
        metrics=measurements,
        declared=declared_sender(settings) if traces is None else None,
    )
    destinations = decide(settings)
    if logs is not None and logs.gets_records:
        guarded(name_records, _logger, "records of others' providers have no invocation's id")
    log_span_owners(traces, destinations.settings.traces.exporters)
    pipeline = _set_providers(destinations, span_processors, environ)
    exporters = () if pipeline is None else pipeline.log_exporters
    routing = destinations.routing
    if exporters != routing.exporters:  # one that could not be made exports nothing
        routing = decide(destinations.settings.with_log_exporters(exporters)).routing
    if destinations.is_export_wanted or routing.are_exported:
        _logger.info("%s", routing.sentence)
    if routing.warning is not None:
        _logger.warning("%s", routing.warning)
    settings, mode = destinations.settings, destinations.mode
    if settings.config_file is not None:
        measurements = others(metrics.get_meter_provider(), "meter")
    measuring = _measuring(settings, mode, initialization, pipeline, measurements)
    turn_on = partial(instrumentations.turn_on, settings.instrument)
    guarded(turn_on, _logger, "instrumentations are not turned on")
    _logger.info("%s", mode.sentence)
    guarded(watch_forks, _logger, "forked children may send what their parent has recorded")
    tracer = get_tracer()
    tail_sampler = None if pipeline is None else pipeline.tail_sampler
    send_soon = _send_soon(pipeline, idle_interval_s(settings))
    return ActiveSession(
        tracer=tracer,
        spans=_span_builder(tracer),
        send_soon=send_soon,
        on_idle=None if settings.flush == "interval" else send_soon,
        pipeline=pipeline,
        tail_sampler=tail_sampler,
        flush=_flush(settings, pipeline),
        awaits_outcome=settings.log_buffer > 0 or tail_sampler is not None,
        mode=mode,
        exceptions=_exceptions(settings.exception_signal, pipeline),
        metrics=measuring,
    )


def inactive(initialization: Initialization) -> ActiveSession:
    """Make one that records nothing: invocations run in the trace of their host."""
    return ActiveSession(
        tracer=trace.NoOpTracer(),
        mode=HostMode(
            owns_request_span=False, emits_metrics=False, has_sink=False, reason="it has failed"
        ),
        metrics=InvocationMetrics(metrics.NoOpMeter("funcscope"), initialization, is_on=False),
    )


def _load_sdk() -> ModuleType:
    """Import the SDK and its exporters, which `import funcscope.auto` leaves alone."""
    return import_module("funcscope.telemetry._pipeline.pipeline")


def warm_up(settings: Settings) -> None:
    """Import the SDK ahead of time; what is wrong with it is logged when it is needed."""
    with suppress(Exception):
        _load_sdk().load(settings)
        import_module(_SPAN_BUILDER)


def _set_providers(
    destinations: Destinations, span_processors: Sequence[SpanProcessor], environ: Mapping[str, str]
) -> Pipeline | None:
    """Set providers, or log why not: invocations are not recorded then, but run."""
    settings = destinations.settings
    if destinations.lack_of_azure_monitor is not None:
        _logger.info("%s", destinations.lack_of_azure_monitor)
    if settings.exports_nothing and not span_processors:
        if destinations.lack_of_exporters is not None:
            _logger.info("%s", destinations.lack_of_exporters)
        return None
    try:
        sdk_environment.hold_detectors()
        build = _load_sdk().build_pipeline
        # In an empty context, so that exporters' threads do not carry the first invocation.
        built = Context().run(build, settings, destinations.mode, span_processors, environ)
        pipeline = cast("Pipeline", built)
    except Exception:
        _logger.exception("nothing is exported: the OpenTelemetry SDK cannot be used")
        return None
    report_with("delivery", pipeline.report)
    return pipeline


def _say_slower(error: Exception) -> None:
    """Warn of an SDK whose spans cannot be made for less, and say what to do."""
    from opentelemetry.sdk.version import __version__ as sdk

    if _OLD.match(sdk):
        log_quietly(_logger, logging.WARNING, _SLOWER + _TOO_OLD, sdk)
    else:
        log_quietly(_logger, logging.WARNING, _SLOWER + _UNKNOWN, sdk, error)


def _measuring(
    settings: Settings,
    mode: HostMode,
    initialization: Initialization,
    pipeline: Pipeline | None,
    others: OthersProvider | None,
) -> InvocationMetrics:
    """Measure invocations where somebody exports that, and leave to the host what it emits."""
    wanted = settings.record_metrics
    delivery = None
    if pipeline is not None and pipeline.defers_measurements:
        delivery = pipeline.delivery
    measuring = InvocationMetrics(
        get_meter(),
        initialization,
        is_on=wanted != "off" and has_meter_provider(),
        is_host_measuring=wanted == "auto" and mode.emits_metrics,
        are_requests_counted=wanted == "auto" and bool(others and others.is_all(AZURE_MONITOR)),
        on_batch_ready=None if delivery is None else delivery.notify,
    )
    if delivery is not None:
        delivery.do_each_round(measuring.record_pending)
    if pipeline is not None and "metrics" in pipeline.queued:
        observe = partial(pipeline.observe_with, get_meter(), measuring.record_pending)
        guarded(observe, _logger, "what is sent is not measured")
    return measuring


def _send_soon(pipeline: Pipeline | None, interval_s: float) -> Callable[[], object] | None:
    """
    Return the call that has everything sent, as when the app is idle; None where nothing is.

    A function app may be suspended once it is idle, with whatever waits in a batch. Under load
    nothing is flushed: batches are sent as they fill.
    """
    providers = (trace.get_tracer_provider(), _logs.get_logger_provider())
    flushes: list[Callable[[], object]] = [
        flush
        for provider in providers
        if not (pipeline is not None and pipeline.sends_all_of(provider))
        and (flush := getattr(provider, "force_flush", None))
    ]
    notify = None
    if pipeline is not None:
        quick = pipeline.idle_flushes
        if quick or len(flushes) > 1:  # one that hangs costs itself alone
            flushes = [FlushThread(flush).notify for flush in flushes]
        flushes.extend(quick)
        notify = pipeline.delivery.flush_soon if pipeline.queued else None
    if not flushes:
        return notify
    return FlushThread(
        partial(attempt_each, flushes), interval_s, notify, name="funcscope-delivery"
    ).notify


def _flush(settings: Settings, pipeline: Pipeline | None) -> Callable[[], object] | None:
    """Return what each invocation waits for, if the settings ask for that."""
    if settings.flush != "invocation" or pipeline is None:
        return None
    return partial(pipeline.flush, settings.flush_budget_ms / 1000)


def _span_builder(tracer: Tracer) -> SpanBuilder | None:
    """Return what makes spans for the provider that is set, if that is the SDK's."""
    provider = trace.get_tracer_provider()
    if not type(provider).__module__.startswith("opentelemetry.sdk."):
        return None
    try:
        builder = import_module(_SPAN_BUILDER)
        return cast("SpanBuilder | None", builder.span_builder_for(provider, tracer))
    except Exception as error:  # noqa: BLE001  (logged, and of no further use)
        _say_slower(error)
        return None


def _exceptions(signal: str, pipeline: Pipeline | None) -> ExceptionEvents | None:
    """Return what takes exceptions as log events; None where they are events of spans alone."""
    logger = get_logger(None if pipeline is None else pipeline.log_provider)
    if logger is None and signal != "logs":
        return None
    put = None if pipeline is None else pipeline.put_exception
    # Here, as an app that exports no log records need not have it.
    from funcscope.telemetry._logs.capture import bound_attributes

    return ExceptionEvents(
        logger,
        put,
        on_span=signal == "logs/dup",
        id_names=read_names(os.environ).invocation_id,
        bound=bound_attributes,
    )
