"""Measurements on their way to the courier."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

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

from funcscope.telemetry._pipeline.flush import SHUTDOWN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.metrics.view import Aggregation

    from funcscope.telemetry._pipeline.flush import Flush

    Submit = Callable[[bytes, int], object]


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
