"""The SDK's processors and metric exporter of ours, which hand over to the courier."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any, cast

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
)
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode

from funcscope.telemetry._invocation_span import InvocationSpan
from funcscope.telemetry._otlp_logs import LogEncoder
from funcscope.telemetry._otlp_spans import SpanEncoder
from funcscope.telemetry._pending_records import PendingRecord, resolved_to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.metrics.view import Aggregation
    from opentelemetry.sdk.trace import ReadableSpan

    Put = Callable[[object, bool], object]
    Flush = Callable[[float], bool]
    Close = Callable[[], object]
    Submit = Callable[[bytes, int], object]

SHUTDOWN_S = 10.0
"""How long a provider that the app shuts down waits for what it has; the SDK waits 30 s."""

_SAMPLED = 1


class _HandingOver:
    """
    What both processors do alike.

    Args:
        put: Takes a span or a record, and whether it tells of an error.
        flush: Sends what was taken, within seconds; tells whether that was all.
        close: Lets `put` take no more.
    """

    def __init__(self, put: Put, flush: Flush, close: Close) -> None:
        self._put = put
        self._flush = flush
        self._close = close

    def shutdown(self) -> None:
        """Send what was taken, and take no more."""
        self._flush(SHUTDOWN_S)
        self._close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what was taken."""
        return self._flush(timeout_millis / 1000)


class DeliveredSpans(_HandingOver, SpanProcessor):
    """Hands spans over when they have ended, those of invocations without a look at them."""

    def put(self, span: InvocationSpan) -> None:
        """Take an invocation's span that is sampled and has ended."""
        self._put(span, span.is_error)

    def on_end(self, span: ReadableSpan) -> None:
        """Take any other span."""
        context = span.context
        if context is not None and context.trace_flags & _SAMPLED:
            self._put(span, span.status.status_code is StatusCode.ERROR)


class DeliveredLogs(_HandingOver, LogRecordProcessor):
    """Hands log records over as they are made."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take one, as it is now and without its context, as the SDK's batches do (1.45)."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        readable = ReadableLogRecord(
            log_record=record,
            resource=log_record.resource or Resource.get_empty(),
            instrumentation_scope=log_record.instrumentation_scope,
            limits=log_record.limits,
        )
        pending = resolved_to()
        if pending is not None:
            pending.append(readable)
            return
        severity = record.severity_number
        is_error = severity is not None and severity.value >= SeverityNumber.ERROR.value
        self._put(readable, is_error)

    def put(self, record: PendingRecord, is_error: bool) -> None:  # noqa: FBT001  (hot path)
        """Take a record that is still to be looked at."""
        self._put(record, is_error)


class _Encoding:
    """What both encoders do alike."""

    def __init__(self, encoder: SpanEncoder | LogEncoder) -> None:
        self._encoder = encoder

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._encoder.size

    def take(self) -> bytes:
        """Return the request with all that was added, and begin another."""
        return self._encoder.take()


class ReadingEncoder(_Encoding):
    """Encodes spans, and finds out what those of invocations say."""

    def __init__(self) -> None:
        self._spans = SpanEncoder()
        super().__init__(self._spans)

    def add(self, item: object) -> bool:
        """Encode one more."""
        span = item.encoded() if isinstance(item, InvocationSpan) else item
        return self._spans.add(cast("ReadableSpan", span))


class RecordEncoder(_Encoding):
    """Encodes log records, and finds out what those that wait say."""

    def __init__(self) -> None:
        self._records = LogEncoder()
        super().__init__(self._records)

    def add(self, item: object) -> bool:
        """Encode one more."""
        if not isinstance(item, PendingRecord):
            return self._records.add(cast("ReadableLogRecord", item))
        added = [self._records.add(readable) for readable in item.resolve()]
        return bool(added) and all(added)


class DeliveredMetrics(MetricExporter):
    """
    Hands measurements over, encoded by the SDK's encoder, which is loaded when it is needed.

    Args:
        submit: Takes a request and the number of its points.
        flush: Sends what was taken, within seconds; tells whether that was all.
        environ: The app settings: temporality and aggregation as the OTLP exporter of
            OpenTelemetry Python reads them (1.45).
    """

    def __init__(
        self, submit: Submit, flush: Flush, environ: Mapping[str, str] = os.environ
    ) -> None:
        super().__init__(_temporality(environ), _aggregation(environ))
        self._submit = submit
        self._flush = flush
        self._is_shut_down = False

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002  (the SDK's signature)
    ) -> MetricExportResult:
        """Take measurements."""
        if self._is_shut_down:
            return MetricExportResult.FAILURE
        from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

        body = encode_metrics(metrics_data).SerializeToString()
        self._submit(body, _points(metrics_data))
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        """Leave that to the courier: what collects metrics must not wait for a collector."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ARG002
        """Send what was taken, and take no more."""
        self._is_shut_down = True
        self._flush(SHUTDOWN_S)


def _points(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


def _temporality(environ: Mapping[str, str]) -> dict[type, AggregationTemporality]:
    wanted = environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower()
    delta: dict[str, tuple[type, ...]] = {
        "delta": (Counter, Histogram, ObservableCounter),
        "lowmemory": (Counter, Histogram),
    }
    kinds = (
        Counter,
        Histogram,
        ObservableCounter,
        ObservableGauge,
        ObservableUpDownCounter,
        UpDownCounter,
    )
    return {
        kind: AggregationTemporality.DELTA
        if kind in delta.get(wanted, ())
        else AggregationTemporality.CUMULATIVE
        for kind in kinds
    }


def _aggregation(environ: Mapping[str, str]) -> dict[type, Aggregation]:
    name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
    is_exponential = environ.get(name, "").strip().lower() == "base2_exponential_bucket_histogram"
    return {
        Histogram: ExponentialBucketHistogramAggregation()
        if is_exponential
        else ExplicitBucketHistogramAggregation()
    }
