"""How what is recorded leaves: the providers, and one courier for what goes over OTLP/HTTP."""

from __future__ import annotations

import logging
import os
import time
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import metrics
from opentelemetry.metrics import Observation

from funcscope.telemetry._config.resource import resource
from funcscope.telemetry._delivery.options import ExportOptions, default_interval_s
from funcscope.telemetry._delivery.stats import ITEMS
from funcscope.telemetry._delivery.worker import ExportWorker
from funcscope.telemetry._integrations import EXPORTERS
from funcscope.telemetry._metrics.measurements import has_measurements
from funcscope.telemetry._pipeline.context import ExportContext
from funcscope.telemetry._pipeline.flush import FlushThread, attempt, wait_for
from funcscope.telemetry._pipeline.tail_sampling import KeptInvocations
from funcscope.telemetry._pipeline.traces import QueueSpanProcessor, encode
from funcscope.telemetry._redaction.limited import LimitedRedactor
from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._redaction.scopes import redacted_resource
from funcscope.telemetry._semconv import EXPORTED_ITEMS, OUTCOME, REASON, SIGNAL, WAITING_ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opentelemetry.metrics import CallbackOptions, Meter
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.telemetry._config.host import HostMode
    from funcscope.telemetry._config.otlp import OtlpSettings
    from funcscope.telemetry._config.settings import Settings, SignalSettings
    from funcscope.telemetry._delivery.spool import Spool
    from funcscope.telemetry._logs.records import LogSnapshot
    from funcscope.telemetry._otlp.request import EncodedItem
    from funcscope.telemetry._pipeline.logs import QueueLogProcessor
    from funcscope.telemetry._pipeline.metrics import QueueMetricExporter
    from funcscope.telemetry._values.exceptions import ExceptionText

    Put = Callable[[object, bool], object]

_logger = logging.getLogger("funcscope.telemetry")

MEASURE_AGAIN_S = 10.0
"""Between two collections of metrics because the app is idle, at least."""

_LONG_AGO_S = float("-inf")
_MIB = 1024 * 1024
_HOUR_S = 3600.0


def set_providers(
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

    Returns:
        What sends what goes over OTLP/HTTP.
    """
    # In an empty context, so that exporters' threads do not carry the first invocation.
    return Context().run(_set_providers, settings, mode, span_processors, environ)


def load(settings: Settings) -> None:
    """Load what the signals that are exported need, ahead of time."""
    for _, signal, module in _wanted(settings, ()):
        import_module(module)
        for name in EXPORTERS.keys() & set(signal.exporters):
            import_module(EXPORTERS[name])


def _wanted(
    settings: Settings, span_processors: Sequence[SpanProcessor]
) -> Iterator[tuple[str, SignalSettings, str]]:
    """List the signals that need a provider, with the module that sets it."""
    if settings.metrics.exporters:
        yield "metrics", settings.metrics, "funcscope.telemetry._pipeline.metrics"
    if settings.traces.exporters or span_processors:
        yield "traces", settings.traces, "funcscope.telemetry._pipeline.traces"
    if settings.logs.exporters:
        yield "logs", settings.logs, "funcscope.telemetry._pipeline.logs"


def _set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline:
    pipeline = Pipeline(settings, environ)
    flag = settings.parent_flag
    redactor = LimitedRedactor(make_redactor(settings.redact), settings.max_text_length)
    setup = ExportContext(
        settings,
        environ,
        pipeline,
        redacted_resource(resource(environ), redactor),
        redactor,
        span_processors,
        is_honoured=flag == "honour" or (flag == "auto" and mode.has_sink),
        has_host_failures=mode.exports_failures,
    )
    for name, signal, module in _wanted(settings, span_processors):
        try:
            import_module(module).set_provider(setup, signal)
        except Exception:
            _logger.exception("%s are not exported", name)
    return pipeline


class Pipeline:
    """
    What carries the signals that are sent over OTLP/HTTP.

    Args:
        settings: What is sent, and how.
        environ: The app settings.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        carried = {name: signal.otlp for name, signal in _signals(settings).items() if signal.otlp}
        self.signals = tuple(carried)
        self.kept = _kept(settings)
        spool = _spool(settings)
        exports = [self._export_options(name, otlp) for name, otlp in carried.items()]
        self.courier = ExportWorker(exports, spool=spool)
        if spool is not None and self.signals:
            self.courier.flush_soon()  # for what an earlier process could not send
        self.log_exporters: tuple[str, ...] = ()
        """By what log records leave: the exporters that could be made."""
        self.translate_log: Callable[[LogSnapshot], ReadableLogRecord] | None = None
        """What makes the SDK's records of those that wait."""
        self.put_exception: Callable[[ExceptionText], bool] | None = None
        """What takes an invocation's exception as a record that waits, and says whether it does."""
        self.carried: list[object] = []
        """Providers of ours that need no flush: what they have goes through the courier, or to
        integrations."""
        self.defers_measurements = False
        """Whether measurements may wait until metrics are collected, or the courier has time."""
        self._settle: Callable[[], object] = int  # nothing to do
        self.flushes: list[Callable[[], object]] = []
        """What sends the spans and log records that go to integrations; each may block."""
        self._flush_threads: list[FlushThread] = []
        self._measure: Callable[[], object] | None = None
        self._measure_elsewhere: Callable[[], object] | None = None
        self._measured_at = _LONG_AGO_S
        self._has_ended = False
        self._lost = ""
        self._told_left_out = ""
        self._ends: list[Callable[[], object]] = []

    def spans(self) -> QueueSpanProcessor:
        """Make the processor that hands spans over."""
        return QueueSpanProcessor(
            self._put("traces"), self.courier.flush, self.courier.queue("traces").close
        )

    def logs(self) -> QueueLogProcessor:
        """Make the processor that hands log records over."""
        made = _of("logs").QueueLogProcessor(
            self._put("logs"), self.courier.flush, self.courier.queue("logs").close
        )
        return cast("QueueLogProcessor", made)

    def metrics(self) -> QueueMetricExporter:
        """Make the exporter that hands measurements over."""

        def submit(body: bytes, count: int) -> None:
            self.courier.submit("metrics", body, count)

        made = _of("metrics").QueueMetricExporter(submit, self.courier.flush, self._environ)
        return cast("QueueMetricExporter", made)

    def measure_with(self, measure: Callable[[], object]) -> None:
        """Have the metrics collected by this when the app is idle, and at the end."""
        self._measure = measure

    def settle_with(self, settle: Callable[[], object]) -> None:
        """Have measurements recorded by this on the courier's thread, and before a collection."""
        self._settle = settle
        self.courier.do_each_round(settle)

    def measure_elsewhere_with(self, measure: Callable[[], object]) -> None:
        """Have those that do not go through the courier collected and sent when the app is idle."""
        self._measure_elsewhere = measure

    @property
    def is_measuring(self) -> bool:
        """Whether there is something to do when the app is idle."""
        return "metrics" in self.signals or self._measure_elsewhere is not None

    def flush_with(self, flush: Callable[[], object]) -> None:
        """Have this called when the app is idle, when asked, and at the end: for an integration."""
        self.flushes.append(flush)
        self._flush_threads.append(FlushThread(flush))
        self._ends.append(flush)

    def end_with(self, end: Callable[[], object]) -> None:
        """Have this called at the end, for what does not go through the courier."""
        self._ends.append(end)

    def measure(self) -> None:
        """Collect the metrics, unless that was done a short while ago."""
        now = time.monotonic()
        if now - self._measured_at < MEASURE_AGAIN_S:
            return
        self._measured_at = now
        self._collect()
        if self._measure_elsewhere is not None:
            self._measure_elsewhere()

    def _collect(self) -> None:
        """Collect what the courier carries."""
        if self._measure is not None:
            self._measure()
            self.courier.flush_soon()

    def report(self) -> dict[str, object]:
        """Tell what became of each signal's items, as plain data."""
        left_out = self._left_out()
        told: dict[str, object] = {
            signal: {"left out by FUNCSCOPE_KEEP_RATIO": number}
            for signal, number in left_out.items()
        }
        return told | {
            signal: {
                "queued": counts.queued,
                "waiting": counts.waiting,
                "sent": counts.sent,
                "retried": counts.retried,
                "spooled": counts.spooled,
                "dropped": dict(counts.dropped),
                "left out by FUNCSCOPE_KEEP_RATIO": left_out.get(signal, 0),
            }
            for signal, counts in self.courier.snapshot().items()
        }

    def observe_with(self, meter: Meter) -> None:
        """Tell the same as metrics."""
        meter.create_observable_counter(
            EXPORTED_ITEMS,
            [self._observe],
            "{item}",
            "Spans, log records and data points by what became of them.",
        )
        meter.create_observable_up_down_counter(
            WAITING_ITEMS,
            [self._observe_waiting],
            "{item}",
            "Spans, log records and data points that wait in memory to be sent.",
        )

    def _observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        # The SDK observes before it reads what was recorded (`MeasurementConsumer.collect`, 1.45).
        self._settle()
        for signal, counts in self.courier.snapshot().items():
            for outcome in ("sent", "retried", "spooled"):
                number = getattr(counts, outcome)
                yield Observation(number, {SIGNAL: signal, OUTCOME: outcome})
            for reason, number in counts.dropped.items():
                yield Observation(number, {SIGNAL: signal, OUTCOME: "dropped", REASON: reason})
        for signal, number in self._left_out().items():
            yield Observation(number, {SIGNAL: signal, OUTCOME: "left_out"})

    def _observe_waiting(self, _options: CallbackOptions) -> Iterable[Observation]:
        for signal, counts in self.courier.snapshot().items():
            yield Observation(counts.waiting, {SIGNAL: signal})

    def flush(self, timeout_s: float) -> bool:
        """Send what there is, and wait for that so many seconds at most."""
        deadline = time.monotonic() + timeout_s
        asked = [thread.ask() for thread in self._flush_threads]
        is_all_sent = self.courier.flush(timeout_s)
        return wait_for(asked, deadline) and is_all_sent

    def end(self, budget_s: float) -> None:
        """
        Send what there is within a time, in seconds, and say what is lost.

        Called again, as at the exit that a SIGTERM leads to, it says what is new.
        """
        deadline = time.monotonic() + budget_s
        is_asked = not self.courier.is_forked or has_measurements(metrics.get_meter_provider())
        if is_asked and (
            not self._has_ended or time.monotonic() - self._measured_at >= MEASURE_AGAIN_S
        ):
            self._measured_at = time.monotonic()
            attempt(self._collect)
        self._has_ended = True
        self.courier.drain(max(0.0, deadline - time.monotonic()))
        lost = self._describe_lost()
        if lost not in ("", self._lost):
            _logger.warning("%s", lost)
        self._lost = lost
        left_out = self._describe_left_out()
        if left_out not in ("", self._told_left_out):
            _logger.info("%s", left_out)
        self._told_left_out = left_out
        for end in self._ends:
            attempt(end)

    def _left_out(self) -> Mapping[str, int]:
        return {} if self.kept is None else self.kept.left_out

    def _describe_left_out(self) -> str:
        """Say in one line what was not to be sent."""
        numbers = self._left_out().items()
        told = ", ".join(f"{number} {ITEMS[signal]}" for signal, number in numbers)
        return told and f"left out by FUNCSCOPE_KEEP_RATIO: {told}"

    def _describe_lost(self) -> str:
        """Say in one line what was dropped, and what is still in memory."""
        waiting = ", ".join(
            f"{counts.waiting} {ITEMS[signal]}"
            for signal, counts in self.courier.snapshot().items()
            if counts.waiting
        )
        parts = [
            self.courier.stats.summary(),
            waiting and f"telemetry not sent in time: {waiting}",
        ]
        return "; ".join(filter(None, parts))

    def _encoder(self, signal: str) -> Callable[[object], EncodedItem] | None:
        if signal == "traces":
            return encode
        if signal == "metrics":
            return None
        encode_log = _of("logs").encode
        return lambda item: cast("EncodedItem", encode_log(self.translate_log, item))

    def _put(self, signal: str) -> Put:
        put = cast("Put", self.courier.queue(signal).put)
        weigh = _of("logs").weigh if signal == "logs" else None  # as in `_weighed`
        return put if self.kept is None else self.kept.holding(signal, put, weigh)

    def _export_options(self, signal: str, otlp: OtlpSettings) -> ExportOptions:
        settings = self._settings
        return ExportOptions(
            otlp.target,
            self._encoder(signal),
            otlp.interval_s or default_interval_s(signal),
            settings.queue_size,
            cast("Any", settings.drop_first),
            **_weighed(settings, signal),
        )


def _weighed(settings: Settings, signal: str) -> dict[str, Any]:  # of `ExportOptions`
    """Bound by bytes what waits where it is known: log records. Spans are looked at later."""
    if signal != "logs":
        return {}
    return {"capacity_bytes": settings.queue_bytes, "weigh": _of("logs").weigh}


def _of(signal: str) -> Any:  # a module of ours
    """Load what delivers a signal, which an app that does not export it need not have."""
    return import_module(f"funcscope.telemetry._pipeline.{signal}")


def _signals(settings: Settings) -> dict[str, SignalSettings]:
    return {"traces": settings.traces, "logs": settings.logs, "metrics": settings.metrics}


def _kept(settings: Settings) -> KeptInvocations | None:
    if settings.keep_ratio >= 1:
        return None
    slower_s = settings.keep_slower_ms / 1000 if settings.keep_slower_ms else None
    return KeptInvocations(settings.keep_ratio, slower_s, settings.queue_bytes)


def _spool(settings: Settings) -> Spool | None:
    if not settings.spool_dir:
        return None
    made = import_module("funcscope.telemetry._delivery.spool").Spool(
        os.path.expandvars(settings.spool_dir),
        settings.spool_max_mb * _MIB,
        settings.spool_max_age_h * _HOUR_S,
    )
    return cast("Spool", made)
