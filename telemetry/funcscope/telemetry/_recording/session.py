"""
The session of a process: its options and settings, and when its telemetry starts and ends.

docs/decisions/024 says why.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from opentelemetry import _logs, metrics, trace

from funcscope.extensions import propagate
from funcscope.extensions.integration import (
    Once,
    guarded,
    lock_of,
    log_quietly,
    report_with,
    when_idle,
)
from funcscope.telemetry._config.azure_monitor import SETTING, is_loaded_by_app, is_the_hosts
from funcscope.telemetry._config.host import HostMode, host_mode
from funcscope.telemetry._config.log_routing import route_logs
from funcscope.telemetry._config.settings import (
    DISABLED,
    Settings,
    read_settings,
)
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._integrations import AZURE_MONITOR, NEEDS_AZURE_MONITOR
from funcscope.telemetry._logs.buffer import release
from funcscope.telemetry._logs.filters import LOG_FILTERS, break_loops
from funcscope.telemetry._metrics.invocation import Initialization, InvocationMetrics
from funcscope.telemetry._pipeline.flush import IDLE_INTERVAL_S, FlushThread, attempt_each
from funcscope.telemetry._pipeline.shutdown import drain_at_exit
from funcscope.telemetry._recording.forks import watch_forks
from funcscope.telemetry._recording.instrumentations import instrumentations
from funcscope.telemetry._recording.span_owners import other_owner, second_request
from funcscope.telemetry._scope import (
    get_logger,
    get_meter,
    get_tracer,
    has_meter_provider,
    is_provider_set,
)
from funcscope.telemetry._spans.attributes import ExceptionEvents
from funcscope.telemetry._values.limits import limit_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, Tracer

    from funcscope.extensions import Invocation
    from funcscope.telemetry._config.log_routing import LogRouting
    from funcscope.telemetry._config.options import Value
    from funcscope.telemetry._logs.filters import Filter
    from funcscope.telemetry._pipeline.pipeline import Pipeline
    from funcscope.telemetry._pipeline.tail_sampling import TailSampler
    from funcscope.telemetry._spans.builder import SpanBuilder

_logger = logging.getLogger("funcscope.telemetry")

OTHER_SDK = "spans are made by the SDK itself, which costs more: it is not as expected (%s)"
"""Logged once, with what was not as expected."""
_SPAN_BUILDER = "funcscope.telemetry._spans.builder"
_PROVIDERS = (trace.get_tracer_provider, metrics.get_meter_provider, _logs.get_logger_provider)


class ActiveSession(NamedTuple):
    """
    What begin and end of an invocation need, once telemetry has started.

    Attributes:
        tracer: Ours, of whatever provider is set.
        spans: What makes spans at less than the tracer's cost; None where it does not fit.
        on_idle: What has everything sent when the app is idle; None where nothing does.
        pipeline: What sends over OTLP/HTTP; None where nothing is set up.
        tail_sampler: What decides which invocations are exported; None where all are.
        flush: What each invocation waits for before its result goes to the host; None where
            it waits for nothing.
        awaits_outcome: Whether anything waits for how an invocation ends.
        mode: What the host does itself.
        exceptions: Where exceptions go as log events; None where no log is exported.
        metrics: What measures.
    """

    tracer: Tracer
    spans: SpanBuilder | None
    on_idle: Callable[[], object] | None
    pipeline: Pipeline | None
    tail_sampler: TailSampler | None
    flush: Callable[[], object] | None
    awaits_outcome: bool
    mode: HostMode
    exceptions: ExceptionEvents | None
    metrics: InvocationMetrics

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
                trace_id = span.get_span_context().trace_id
                self.tail_sampler.decide(invocation, trace_id, duration_s, has_failed=has_failed)


class Session:
    """
    The settings of this process, and what is done once in it: warm-up, start and drain.

    Settings are read when the first function was loaded, providers set when the first
    invocation starts: what the app set at import wins, and an environment that the host
    fills late (Linux Consumption's placeholders) is complete by then.

    Args:
        started_s: When the app began to be imported, as `perf_counter` tells it.
        environ: The app settings.

    Attributes:
        environ: The same.
        active: What recording needs; None before the first invocation.
    """

    def __init__(
        self, started_s: float | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.environ = environ
        self.active: ActiveSession | None = None
        # Held while attributes are set, and nothing else.
        self._lock = lock_of(self)
        self._starting = Once()
        self._given: dict[str, Value] = {}
        self._span_processors: list[SpanProcessor] = []
        self._log_filters: list[Filter] = []
        self._settings: Settings | None = None
        self._has_started = False
        self._is_warm = False
        self._is_drained = False
        self._initialization = Initialization(started_s)

    def configure(
        self,
        given: Mapping[str, Value],
        span_processors: Sequence[SpanProcessor],
        log_filters: Sequence[Filter] = (),
    ) -> None:
        """
        Take options from code; later ones win over earlier ones, processors and filters add up.

        Raises:
            TelemetryError: The first invocation has started.
        """
        with self._lock:
            is_late = self._has_started
            if not is_late:
                self._given = {**self._given, **given}
                self._span_processors.extend(span_processors)
                self._log_filters.extend(log_filters)
                self._settings = None
        if is_late:
            raise TelemetryError(
                "configure() comes too late, the first invocation has started: "
                "call it when the app is imported"
            )
        LOG_FILTERS.set(self._log_filters)

    def successor(self, environ: Mapping[str, str]) -> Session:
        """Make one that is configured alike; nothing of it is sent when the process ends."""
        successor = Session(environ=environ)
        with self._lock:
            successor._given = dict(self._given)
            successor._span_processors = list(self._span_processors)
            successor._log_filters = list(self._log_filters)
        successor._is_drained = True
        LOG_FILTERS.set(successor._log_filters)
        return successor

    def read_settings(self) -> Settings:
        """Read the settings, once, and log what is wrong with them."""
        while (settings := self._settings) is None:
            given = self._given
            read = read_settings(self.environ, given)
            with self._lock:
                is_first = self._settings is None and self._given is given
                if is_first:
                    self._settings = read
            for problem in read.problems if is_first else ():
                _logger.error("%s", problem)
        return settings

    def prepare(self, function_directory: str) -> None:
        """
        Make ready when a function was loaded: name wrong settings, and load the SDK meanwhile.

        The SDK takes about 0.1 s to import, which the first invocation would wait for. A thread
        does it while the worker answers its host. In the v1 model the worker goes on importing
        the app, and two threads had better not import one package: there it is done at once.
        """
        self._initialization.loaded()
        break_loops()
        settings = self.read_settings()
        if settings.redact_stream == "on":
            redact_stream = import_module("funcscope.telemetry._logs.stream").redact_stream
            redact_stream(settings.redact)
        instrumentations.turn_on(settings.instrument)  # what was not yet when the app began
        if settings.propagate == "on":
            propagate(leave=settings.leave_threads)
        self._drain_at_exit(settings)
        with self._lock:
            if settings.exports_nothing or self._is_warm:
                return
            self._is_warm = True
        if (Path(function_directory) / "function.json").is_file():
            _warm_up(settings)
        else:
            warming = threading.Thread(target=_warm_up, args=(settings,), daemon=True)
            warming.name = "funcscope-warm-up"
            warming.start()

    def _drain_at_exit(self, settings: Settings, *, at_signal: bool = True) -> None:
        """
        Have what waits sent before the process ends.

        When a function is loaded, as no signal handler can be set on the thread of a pool, where
        a first invocation may run.
        """
        with self._lock:
            if self._is_drained or not settings.shutdown_budget_ms:
                return
            self._is_drained = True
        drain_at_exit(self._end, settings.shutdown_budget_ms / 1000, at_signal=at_signal)

    def _end(self, budget_s: float) -> None:
        if self.active is not None and self.active.pipeline is not None:
            self.active.pipeline.end(budget_s)

    def start_in_child(self) -> None:
        """Make ready in a process that a function started, of which the host exports nothing."""
        settings = self.read_settings()
        if settings.propagate == "on":
            propagate(leave=settings.leave_threads)
        self._drain_at_exit(settings, at_signal=False)  # who ends it does not wait for us
        if self.active is None:
            self.start(has_host=False)

    def start(self, *, has_host: bool = True) -> ActiveSession:
        """Set the providers, once, before the first function runs."""
        settings = self.read_settings()

        def start() -> None:
            with self._lock:
                self._has_started = True
            session = self._new_session(settings, has_host=has_host)
            if session.on_idle is not None:
                when_idle(session.on_idle)
            self.active = session

        self._starting.do(start)
        if self.active is None:
            raise TelemetryError("what records is still being set up: this invocation has no span")
        return self.active

    def leave_spans_to_sdk(self, active: ActiveSession, error: Exception) -> None:
        """Have the tracer start all spans from now on, and warn of what does not fit."""
        if self.active is active:
            log_quietly(_logger, logging.WARNING, OTHER_SDK, repr(error))
            self.active = active._replace(spans=None)

    def _new_session(self, settings: Settings, *, has_host: bool) -> ActiveSession:
        try:
            return _activate(
                settings,
                self.environ,
                self._span_processors,
                self._initialization,
                has_host=has_host,
            )
        except Exception as error:  # noqa: BLE001  (logged once, and not tried in each invocation)
            log_quietly(_logger, logging.ERROR, "invocations are not recorded", error=error)
            return _inactive(self._initialization)


def _activate(
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
    has_azure_monitor = is_loaded_by_app() and any(is_provider_set(get()) for get in _PROVIDERS)
    if has_azure_monitor:  # what goes there is for who exports there already
        settings = settings.without_implied(AZURE_MONITOR)
    elif settings.lacks_azure_monitor:
        what = "nothing is exported to Azure Monitor, though %s is set: %s"
        _logger.info(what, SETTING, NEEDS_AZURE_MONITOR)
    mode = host_mode(settings, environ, has_host=has_host, has_azure_monitor=has_azure_monitor)
    route = _log_router(settings, mode, environ if has_host else {})
    is_asked_for = not settings.exports_nothing
    _log_span_owners(settings)
    routing = route(settings.logs.exporters)
    settings = settings.with_log_exporters(routing.exporters)
    pipeline = None
    if settings.exports_nothing and not span_processors:
        _log_lack_of_exporters(settings, environ)
    else:
        pipeline = _set_providers(settings, mode, span_processors, environ)
    exporters = () if pipeline is None else pipeline.log_exporters
    if exporters != routing.exporters:  # one that could not be made exports nothing
        routing = route(exporters)
    _log_routing(routing, is_asked_for=is_asked_for)
    if pipeline is not None:
        report_with("delivery", pipeline.report)
    measuring = _metrics(settings, mode, initialization, pipeline)
    if pipeline is not None and "metrics" in pipeline.queued:
        observe = partial(pipeline.observe_with, get_meter(), measuring.record_pending)
        guarded(observe, _logger, "what is sent is not measured")
    turn_on = partial(instrumentations.turn_on, settings.instrument)
    guarded(turn_on, _logger, "instrumentations are not turned on")
    _log_span_kind(mode)
    guarded(watch_forks, _logger, "forked children may send what their parent has recorded")
    tracer = get_tracer()
    tail_sampler = None if pipeline is None else pipeline.tail_sampler
    return ActiveSession(
        tracer=tracer,
        spans=_span_builder(tracer),
        on_idle=_idle_flush(settings, pipeline),
        pipeline=pipeline,
        tail_sampler=tail_sampler,
        flush=_flush(settings, pipeline),
        awaits_outcome=settings.log_buffer > 0 or tail_sampler is not None,
        mode=mode,
        exceptions=_exceptions(pipeline),
        metrics=measuring,
    )


def _inactive(initialization: Initialization) -> ActiveSession:
    """Make one that records nothing: invocations run in the trace of their host."""
    return ActiveSession(
        tracer=trace.NoOpTracer(),
        spans=None,
        on_idle=None,
        pipeline=None,
        tail_sampler=None,
        flush=None,
        awaits_outcome=False,
        mode=HostMode(
            owns_request_span=False, emits_metrics=False, has_sink=False, reason="it has failed"
        ),
        exceptions=None,
        metrics=InvocationMetrics(metrics.NoOpMeter("funcscope"), initialization, is_on=False),
    )


def _exceptions(pipeline: Pipeline | None) -> ExceptionEvents | None:
    """Return what takes exceptions as log events; None where no log is exported."""
    logger = get_logger()
    if logger is None:
        return None
    return ExceptionEvents(logger, None if pipeline is None else pipeline.put_exception)


def _warm_up(settings: Settings) -> None:
    """Import the SDK ahead of time; what is wrong with it is logged when it is needed."""
    with suppress(Exception):
        _load_sdk().load(settings)
        import_module(_SPAN_BUILDER)


def _log_router(
    settings: Settings, mode: HostMode, environ: Mapping[str, str]
) -> Callable[[tuple[str, ...]], LogRouting]:
    """Return what decides who exports log records, for exporters of ours that are there."""
    has_provider = is_provider_set(_logs.get_logger_provider())  # asked before ours is set
    return lambda exporters: route_logs(
        settings.logs._replace(exporters=exporters),
        environ,
        is_otel=mode.emits_metrics,
        has_provider=has_provider,
        is_hosts_resource=is_the_hosts(settings.connection_string, environ),
    )


def _log_routing(routing: LogRouting, *, is_asked_for: bool) -> None:
    if is_asked_for or routing.are_exported:
        _logger.info("%s", routing.sentence)
    if routing.warning is not None:
        _logger.warning("%s", routing.warning)


def _log_span_owners(settings: Settings) -> None:
    """Log whose spans are, before a provider of ours is set, where that can be found out."""
    try:
        provider = trace.get_tracer_provider()
        is_asked_for = bool(settings.traces.exporters)
        sentences = other_owner(provider, is_asked_for=is_asked_for), second_request()
    except Exception as error:  # noqa: BLE001  (somebody's provider)
        log_quietly(_logger, logging.WARNING, "who has spans cannot be told: %r", error)
        return
    for sentence in filter(None, sentences):
        _logger.info("%s", sentence)


def _metrics(
    settings: Settings, mode: HostMode, initialization: Initialization, pipeline: Pipeline | None
) -> InvocationMetrics:
    """Measure invocations where somebody exports that, and leave to the host what it emits."""
    wanted = settings.record_metrics
    worker = pipeline.worker if pipeline is not None and pipeline.defers_measurements else None
    measuring = InvocationMetrics(
        get_meter(),
        initialization,
        is_on=wanted != "off" and has_meter_provider(),
        is_host_measuring=wanted == "auto" and mode.emits_metrics,
        on_batch_ready=None if worker is None else worker.notify,
    )
    if worker is not None:
        worker.do_each_round(measuring.record_pending)
    return measuring


def _load_sdk() -> ModuleType:
    """Import the SDK and its exporters, which `import funcscope.auto` leaves alone."""
    return import_module("funcscope.telemetry._pipeline.pipeline")


def _set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline | None:
    """Set providers, or log why not: invocations are not recorded then, but run."""
    try:
        pipeline = _load_sdk().build_pipeline(settings, mode, span_processors, environ)
    except Exception:
        _logger.exception("nothing is exported: the OpenTelemetry SDK cannot be used")
        return None
    return cast("Pipeline | None", pipeline)


def _idle_flush(settings: Settings, pipeline: Pipeline | None) -> Callable[[], object] | None:
    """
    Return what has everything sent when the app is idle; None where intervals alone send.

    A function app may be suspended once it is idle, with whatever waits in a batch. Under load
    nothing is flushed: batches are sent as they fill.
    """
    if settings.flush == "interval":
        return None
    providers = (trace.get_tracer_provider(), _logs.get_logger_provider())
    flushes = [
        flush
        for provider in providers
        if not (pipeline is not None and pipeline.sends_all_of(provider))
        and (flush := getattr(provider, "force_flush", None))
    ]
    notify = None
    if pipeline is not None:
        flushes.extend(pipeline.flushes)
        if pipeline.is_measuring:
            flushes.append(pipeline.measure)
        notify = pipeline.worker.flush_soon if pipeline.queued else None
    if not flushes:
        return notify
    return FlushThread(partial(attempt_each, flushes), IDLE_INTERVAL_S, notify).notify


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
        log_quietly(_logger, logging.WARNING, OTHER_SDK, repr(error))
        return None


def _log_lack_of_exporters(settings: Settings, environ: Mapping[str, str]) -> None:
    if environ.get(DISABLED, "").strip():
        _logger.info("nothing is exported: %s=%s", DISABLED, environ[DISABLED])
    elif not settings.lacks_exporter and not is_provider_set(trace.get_tracer_provider()):
        _logger.info(
            "nothing is exported: set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=console"
        )


def _log_span_kind(mode: HostMode) -> None:
    what = "INTERNAL, below the host's" if mode.owns_request_span else "of their trigger's kind"
    _logger.info("spans of invocations are %s: %s", what, mode.reason)
