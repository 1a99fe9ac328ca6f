"""The pipeline of all signals: funcscope's providers, and delivery over OTLP/HTTP."""

from __future__ import annotations

import logging
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import metrics
from opentelemetry.metrics import Observation

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._config.resource import resource
from funcscope.telemetry._delivery.batcher import ExportOptions, default_interval_s
from funcscope.telemetry._delivery.buffer import WorkerOptions
from funcscope.telemetry._delivery.delivery import Delivery
from funcscope.telemetry._delivery.stats import ITEMS
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._integrations import EXPORTERS
from funcscope.telemetry._metrics.measurements import has_measurements
from funcscope.telemetry._pipeline import traces
from funcscope.telemetry._pipeline.context import ExportContext, SignalPipeline
from funcscope.telemetry._pipeline.flush import (
    HURRIED_S,
    FlushThread,
    idle_interval_s,
    wait_for,
)
from funcscope.telemetry._pipeline.policies import Policies
from funcscope.telemetry._pipeline.tail_sampling import TailSampler
from funcscope.telemetry._redaction.scopes import redacted_resource
from funcscope.telemetry._semconv import EXPORTED_ITEMS, OUTCOME, REASON, SIGNAL, WAITING_ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import CallbackOptions, Meter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.telemetry._config.host import HostMode
    from funcscope.telemetry._config.settings import Settings, SignalSettings
    from funcscope.telemetry._delivery.spool import Spool
    from funcscope.telemetry._redaction.redactor import Redactor
    from funcscope.telemetry._values.exceptions import ExceptionText

_logger = logging.getLogger("funcscope.telemetry")

MEASURE_AGAIN_S = 10.0
"""Between two collections of metrics because the app is idle, at least."""

_COLLECTING = 0.75
"""How much of the budget of the end the collection of metrics may take."""

_LONG_AGO_S = float("-inf")
_MIB = 1024 * 1024
_HOUR_S = 3600.0
# Each has `build` and `queue_options`; loaded where they are needed, but for that of spans: without
# the SDK's nothing is exported.
_MODULES: Mapping[str, str] = {
    "metrics": "funcscope.telemetry._pipeline.metrics",
    "traces": traces.__name__,
    "logs": "funcscope.telemetry._pipeline.logs",
}


def build_pipeline(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline:
    """
    Set the global providers that the settings ask for and nobody has set.

    Args:
        settings: What they ask for.
        mode: What the host does itself.
        span_processors: What the app adds; to the tracer provider that is set, whoever set it.
        environ: The app settings.
    """
    policies = Policies(settings, environ, mode)
    own, file = resource(environ), settings.config_file
    of = redacted_resource(own if file is None else file.resource(own), policies.redactor)
    context = ExportContext(
        settings,
        environ,
        of,
        policies,
        make_delivery(settings, of, policies.redactor),
        _tail_sampler(settings),
        span_processors,
        host_has_failures=mode.exports_failures,
    )
    built: dict[str, SignalPipeline] = {}
    for name, signal in _wanted(settings, span_processors):
        try:
            pipeline = import_module(_MODULES[name]).build(context, signal)
        except TelemetryError as error:
            _logger.error("%s are not exported: %s", name, error)  # noqa: TRY400  (says all)
        except Exception:
            _logger.exception("%s are not exported", name)
        else:
            if pipeline is not None:
                built[name] = pipeline
    return Pipeline(context.delivery, built, context.tail_sampler)


def load(settings: Settings) -> None:
    """Load what the signals that are exported need, ahead of time."""
    for name, signal in _wanted(settings, ()):
        import_module(_MODULES[name])
        for exporter in EXPORTERS.keys() & set(signal.exporters):
            import_module(EXPORTERS[exporter])


def _wanted(
    settings: Settings, span_processors: Sequence[SpanProcessor]
) -> Iterator[tuple[str, SignalSettings]]:
    """List the signals that need a provider."""
    for name in _MODULES:
        signal = settings.signals[name]
        if signal.exporters or (name == "traces" and span_processors):
            yield name, signal


def make_delivery(settings: Settings, resource: Resource, redactor: Redactor) -> Delivery:
    """Make what sends the signals that go over OTLP/HTTP; one for all, idle where there is none."""
    exports: list[ExportOptions] = []
    for name, signal in settings.signals.items():
        if signal.otlp is not None:
            own: dict[str, Any]  # of `ExportOptions`
            own = import_module(_MODULES[name]).queue_options(settings, resource, redactor)
            exports.append(
                ExportOptions(
                    signal.otlp.target,
                    interval_s=signal.otlp.interval_s
                    or (HURRIED_S if settings.is_hurried else default_interval_s(name)),
                    capacity=settings.queue_size,
                    policy=cast("Any", settings.drop_first),
                    **own,
                )
            )
    spool = _spool(settings)
    delivery = Delivery(
        exports, spool=spool, options=WorkerOptions(gap_s=idle_interval_s(settings))
    )
    if spool is not None and exports:
        delivery.flush_soon()  # for what an earlier process could not send
    return delivery


def _tail_sampler(settings: Settings) -> TailSampler | None:
    if settings.keep_ratio >= 1:
        return None
    slower_s = settings.keep_slower_ms / 1000 if settings.keep_slower_ms else None
    return TailSampler(settings.keep_ratio, slower_s, settings.queue_bytes)


def _spool(settings: Settings) -> Spool | None:
    if not settings.spool_dir:
        return None
    spool = import_module("funcscope.telemetry._delivery.spool").Spool(
        settings.spool_dir,
        settings.spool_max_mb * _MIB,
        settings.spool_max_age_h * _HOUR_S,
        fsync=settings.spool_fsync == "on",
    )
    return cast("Spool", spool)


class Pipeline:
    """
    The signals whose providers funcscope has set, and what sends them.

    Args:
        delivery: What sends over OTLP/HTTP.
        signals: What was built, by the signals' names.
        tail_sampler: Decides which invocations are exported; None where all are.

    Attributes:
        queued: The signals that go through the delivery.
        log_exporters: The exporters of log records that could be made.
        log_provider: Where these get records from; None where funcscope exports none.
        put_exception: Takes an invocation's exception as a log record that waits; None where
            none do.
        defers_measurements: Whether measurements may wait until metrics are collected, or a
            worker has time.
    """

    def __init__(
        self,
        delivery: Delivery,
        signals: Mapping[str, SignalPipeline],
        tail_sampler: TailSampler | None = None,
    ) -> None:
        self.delivery = delivery
        self.tail_sampler = tail_sampler
        self.queued: Sequence[str] = tuple(delivery.snapshot())
        logs = signals.get("logs", SignalPipeline(None))
        self.log_exporters: tuple[str, ...] = logs.exporters
        self.log_provider: LoggerProvider | None = cast("Any", logs.provider)
        self.put_exception: Callable[[ExceptionText], bool] | None = logs.put_exception
        self.defers_measurements: bool = "metrics" in signals and "metrics" in self.queued
        self._signals = signals
        is_collecting = any(signal.collect is not None for signal in signals.values())
        self._collecting = (
            FlushThread(self._collect, name="funcscope-collect") if is_collecting else None
        )
        self._flush_threads = _threads(signals, lambda signal: signal.flushes)
        collects = _threads(signals, lambda signal: [] if signal.ends else _elsewhere(signal))
        idle = _threads(signals, lambda signal: _elsewhere(signal) if signal.ends else [])
        self._collect_threads = [*collects, *idle]
        shutdowns = _threads(signals, lambda signal: [signal.shutdown])
        ends = _threads(signals, lambda signal: signal.ends)
        self._end_threads = [*self._flush_threads, *collects, *ends, *shutdowns]
        delivery.do_at_start(self.get_ready)
        if not self.queued:  # no worker starts
            self.get_ready()
        self._measured_at = _LONG_AGO_S
        self._has_ended = False
        self._lost_log = OnceLog(_logger)
        self._sampled_out_log = OnceLog(_logger, logging.INFO)

    @property
    def idle_flushes(self) -> Sequence[Callable[[], object]]:
        """The calls for an app that is idle: what integrations have is sent, metrics collected."""
        flushes = [thread.notify for thread in self._flush_threads]
        is_measuring = "metrics" in self.queued or bool(self._collect_threads)
        return [*flushes, self.measure] if is_measuring else flushes

    def get_ready(self) -> None:
        """Start the threads that the end needs, while threads can be started."""
        for thread in (self._collecting, *self._end_threads):
            if thread is not None:
                thread.get_ready()

    def sends_all_of(self, provider: object) -> bool:
        """Tell whether a provider needs no flush of its own, as all of it is sent from here."""
        return any(
            signal.provider is provider and signal.shutdown is None
            for signal in self._signals.values()
        )

    def measure(self) -> None:
        """Collect the metrics, unless that was done a short while ago."""
        now = time.monotonic()
        if now - self._measured_at < MEASURE_AGAIN_S:
            return
        self._measured_at = now
        self._collect()
        for thread in self._collect_threads:
            thread.notify()

    def _collect(self) -> None:
        """Collect what does not go to integrations."""
        for signal in self._signals.values():
            if signal.collect is not None:
                signal.collect()
                self.delivery.flush_soon()

    def report(self) -> dict[str, object]:
        """Tell what became of each signal's items, as plain data."""
        sampled_out = self._sampled_out()
        report: dict[str, object] = {
            signal: {"left out by FUNCSCOPE_KEEP_RATIO": number}
            for signal, number in sampled_out.items()
        }
        return report | {
            signal: {
                "queued": counts.queued,
                "waiting": counts.waiting,
                "sent": counts.sent,
                "retried": counts.retried,
                "spooled": counts.spooled,
                "dropped": dict(counts.dropped),
                "left out by FUNCSCOPE_KEEP_RATIO": sampled_out.get(signal, 0),
            }
            for signal, counts in self.delivery.snapshot().items()
        }

    def observe_with(self, meter: Meter, record_pending: Callable[[], object]) -> None:
        """
        Record the same as metrics.

        Args:
            meter: Makes the instruments.
            record_pending: Records the measurements that wait, before each collection.
        """

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            # The SDK observes before it reads what was recorded (`MeasurementConsumer.collect`,
            # 1.45).
            record_pending()
            yield from self._observe()

        meter.create_observable_counter(
            EXPORTED_ITEMS,
            [observe],
            "{item}",
            "Spans, log records and data points by what became of them.",
        )
        meter.create_observable_up_down_counter(
            WAITING_ITEMS,
            [self._observe_waiting],
            "{item}",
            "Spans, log records and data points that wait in memory to be sent.",
        )

    def _observe(self) -> Iterable[Observation]:
        for signal, counts in self.delivery.snapshot().items():
            for outcome in ("sent", "retried", "spooled"):
                number = getattr(counts, outcome)
                yield Observation(number, {SIGNAL: signal, OUTCOME: outcome})
            for reason, number in counts.dropped.items():
                yield Observation(number, {SIGNAL: signal, OUTCOME: "dropped", REASON: reason})
        for signal, number in self._sampled_out().items():
            yield Observation(number, {SIGNAL: signal, OUTCOME: "left_out"})

    def _observe_waiting(self, _options: CallbackOptions) -> Iterable[Observation]:
        for signal, counts in self.delivery.snapshot().items():
            yield Observation(counts.waiting, {SIGNAL: signal})

    def flush(self, timeout_s: float) -> bool:
        """Send what there is, and wait for that so many seconds at most."""
        deadline = time.monotonic() + timeout_s
        asked = [thread.ask() for thread in self._flush_threads]
        is_all_sent = self.delivery.flush(timeout_s)
        return wait_for(asked, deadline) and is_all_sent

    def end(self, budget_s: float) -> None:
        """
        Send what there is within a time, in seconds, and say what is lost.

        Called again, as at the exit that a SIGTERM leads to, it says what is new.
        """
        deadline = time.monotonic() + budget_s
        asked = [thread.ask() for thread in self._end_threads]
        if self._collecting is not None and self._is_measuring_due():
            self.delivery.flush_soon()  # what need not wait for the metrics
            self._measured_at = time.monotonic()
            collected = self._collecting.ask()
            self._collecting.help_out()
            collected.wait(budget_s * _COLLECTING)
        self._has_ended = True
        self.delivery.drain(max(0.0, deadline - time.monotonic()))
        if lost := self._describe_lost():
            self._lost_log.log("%s", lost)
        if sampled_out := self._describe_sampled_out():
            self._sampled_out_log.log("%s", sampled_out)
        for thread in self._end_threads:
            thread.help_out()
        wait_for(asked, deadline)

    def _is_measuring_due(self) -> bool:
        """Tell whether metrics are collected once more at the end."""
        if self.delivery.is_forked and not has_measurements(metrics.get_meter_provider()):
            return False
        return not self._has_ended or time.monotonic() - self._measured_at >= MEASURE_AGAIN_S

    def _sampled_out(self) -> Mapping[str, int]:
        return {} if self.tail_sampler is None else self.tail_sampler.sampled_out

    def _describe_sampled_out(self) -> str:
        """Say in one line what was not to be sent."""
        numbers = self._sampled_out().items()
        items = ", ".join(f"{number} {ITEMS[signal]}" for signal, number in numbers)
        return items and f"left out by FUNCSCOPE_KEEP_RATIO: {items}"

    def _describe_lost(self) -> str:
        """Say in one line what was dropped, and what is still in memory."""
        waiting = ", ".join(
            f"{counts.waiting} {ITEMS[signal]}"
            for signal, counts in self.delivery.snapshot().items()
            if counts.waiting
        )
        parts = [
            self.delivery.stats.summary(),
            waiting and f"telemetry not sent in time: {waiting}",
        ]
        return "; ".join(filter(None, parts))


def _elsewhere(signal: SignalPipeline) -> Sequence[Callable[[], object] | None]:
    return [signal.collect_elsewhere]


def _threads(
    signals: Mapping[str, SignalPipeline],
    calls: Callable[[SignalPipeline], Sequence[Callable[[], object] | None]],
) -> Sequence[FlushThread]:
    """Make a thread for each call of the signals; one that hangs costs itself alone."""
    return [
        FlushThread(call, name=f"funcscope-flush-{name}")
        for name, signal in signals.items()
        for call in calls(signal)
        if call is not None
    ]
