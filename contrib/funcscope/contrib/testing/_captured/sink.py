"""
OpenTelemetry's providers, set once in a process and read by one test after another.

A process has one provider of each kind for good, and an app keeps tracers and meters of it. So what
changes from test to test lies behind them: the sampler, the span processors, and which test a span
belongs to.
"""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from funcscope.contrib.testing._captured.records import Log, Point
from funcscope.telemetry.integration import (
    MetricRedactor,
    Policies,
    is_provider_set,
    logger_provider,
    resource,
    tracer_provider,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import Span, Tracer
    from opentelemetry.sdk.trace.sampling import Sampler

    from funcscope.telemetry.integration import LogCapture, Settings

    _Series = tuple[str, tuple[tuple[str, str], ...]]

_logger = logging.getLogger("funcscope.testing")
_CHANGES = (Counter, Histogram, ObservableCounter, ObservableUpDownCounter, UpDownCounter)


class Sink(SpanProcessor, LogRecordProcessor):
    """
    Keeps the records of the test that runs, and none of the tests before.

    A span belongs to the test that started its trace: what a thread of an earlier test ends, or
    starts below a span of that test, is left out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._test = 0
        self._tests: dict[int, int] = {}
        self._spans: list[ReadableSpan] = []
        self._logs: list[Log] = []
        self._points: dict[_Series, Point] = {}
        self._reader: InMemoryMetricReader | None = None
        self._redacting = MetricRedactor()
        self._capture: LogCapture | None = None
        self._tracers = self._set_tracer_provider()
        self._loggers = self._set_logger_provider()
        self._set_meter_provider()

    def start(self) -> None:
        """Begin with nothing: a test starts."""
        with self._lock:
            self._test += 1
            self._spans, self._logs = [], []
        self._collect()
        self._points = {}

    def stop(self) -> None:
        """Keep nothing until the next test starts."""
        if self._capture is not None:
            self._capture.stop()
        with self._lock:
            self._test += 1

    def follow(self, settings: Settings, environ: Mapping[str, str]) -> None:
        """Apply a test's settings to what it records, where the providers are the plugin's own."""
        policies = Policies(settings, environ)
        if self._tracers is not None:
            chosen = tracer_provider(Resource.get_empty()).sampler
            _replace_sampler(self._tracers, policies.sampler(chosen))
            _replace_processors(self._tracers, policies.span_processor(), self)
        if self._loggers is not None:
            processor, self._capture = policies.capture_logs(self._loggers, [self])
            _replace_log_processors(self._loggers, processor)
            self._capture.start()

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended."""
        with self._lock:
            return list(self._spans)

    @property
    def logs(self) -> list[Log]:
        """The log records."""
        with self._lock:
            return list(self._logs)

    @property
    def points(self) -> list[Point]:
        """The measurements."""
        self._collect()
        return list(self._points.values())

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Count the trace of a span without a parent in this process to the test that runs."""
        parent = trace.get_current_span(parent_context).get_span_context()
        if not parent.is_valid or parent.is_remote:
            with self._lock:
                self._tests[span.get_span_context().trace_id] = self._test

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span of the running test."""
        with self._lock:
            if span.context is not None and self._is_of_test(span.context.trace_id):
                self._spans.append(span)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Keep a log record of the running test."""
        log = _log(log_record)
        with self._lock:
            if self._is_of_test(log.trace_id):
                self._logs.append(log)

    def _is_of_test(self, trace_id: int) -> bool:
        """Tell whether a trace is the running test's, or nobody's."""
        return self._tests.get(trace_id, self._test) == self._test

    def _set_tracer_provider(self) -> TracerProvider | None:
        provider = trace.get_tracer_provider()
        if not is_provider_set(provider):
            own = tracer_provider(resource({}))
            trace.set_tracer_provider(own)
            return own
        if isinstance(provider, TracerProvider):
            provider.add_span_processor(self)
        else:
            _logger.warning("no spans: the tracer provider is %r, not the SDK's", provider)
        return None

    def _set_logger_provider(self) -> LoggerProvider | None:
        provider = _logs.get_logger_provider()
        if not is_provider_set(provider):
            own = logger_provider(resource({}))
            _logs.set_logger_provider(own)
            return own
        if isinstance(provider, LoggerProvider):
            provider.add_log_record_processor(self)
        else:
            _logger.warning("no logs: the logger provider is %r, not the SDK's", provider)
        return None

    def _set_meter_provider(self) -> None:
        if is_provider_set(metrics.get_meter_provider()):
            _logger.warning("no metrics: a meter provider was set before the first test")
            return
        changes = dict.fromkeys(_CHANGES, AggregationTemporality.DELTA)
        self._reader = InMemoryMetricReader(preferred_temporality=cast("Any", changes))
        provider = MeterProvider([self._reader], resource=resource({}), shutdown_on_exit=False)
        metrics.set_meter_provider(provider)

    def _collect(self) -> None:
        """Add the measurements since the last time."""
        measured = self._reader.get_metrics_data() if self._reader is not None else None
        if measured is None:
            return
        for of_resource in self._redacting.redacted(measured).resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    self._add_points(metric)

    def _add_points(self, metric: Any) -> None:
        for data in metric.data.data_points:
            attributes = dict(data.attributes or {})
            key = metric.name, tuple(sorted((name, repr(v)) for name, v in attributes.items()))
            is_histogram = not hasattr(data, "value")
            value = data.sum if is_histogram else data.value
            count = getattr(data, "count", 1)
            before = self._points.get(key)
            if before is not None and (is_histogram or hasattr(metric.data, "is_monotonic")):
                value, count = before.value + value, before.count + count if is_histogram else 1
            self._points[key] = Point(metric.name, metric.unit or "", attributes, value, count)


def _log(emitted: ReadWriteLogRecord) -> Log:
    record, scope = emitted.log_record, emitted.instrumentation_scope
    return Log(
        body=record.body,
        severity=record.severity_text or "",
        logger=scope.name if scope is not None else "",
        attributes=dict(record.attributes or {}),
        trace_id=record.trace_id or 0,
        span_id=record.span_id or 0,
        time_ns=record.timestamp or record.observed_timestamp or 0,
        event_name=record.event_name or "",
    )


@cache
def sink() -> Sink:
    """Return the process's sink; the first time, providers are set."""
    return Sink()


# An SDK's provider is made once and for all; what stands below reaches into opentelemetry-sdk 1.45.
def _replace_sampler(provider: TracerProvider, sampler: Sampler) -> None:
    provider.sampler = sampler
    tracers = cast("dict[object, Tracer]", getattr(provider, "_tracers", {}))
    for tracer in list(tracers.values()):
        tracer.sampler = sampler


def _replace_processors(provider: TracerProvider, *processors: SpanProcessor) -> None:
    _set_all(provider, "_active_span_processor", "_span_processors", processors)


def _replace_log_processors(provider: LoggerProvider, *processors: LogRecordProcessor) -> None:
    _set_all(provider, "_multi_log_record_processor", "_log_record_processors", processors)


def _set_all(provider: object, multi: str, name: str, processors: Iterable[object]) -> None:
    holder = getattr(provider, multi)
    setattr(holder, name, tuple(processors))
