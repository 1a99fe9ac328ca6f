"""Metrics: the meter provider, where nobody has set one, and its way to delivery."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import metrics
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)

from funcscope.telemetry._integrations import EXPORTERS
from funcscope.telemetry._metrics.redaction import redact_metrics
from funcscope.telemetry._pipeline.context import SignalPipeline, each_exporter, make_exporter
from funcscope.telemetry._pipeline.flush import SHUTDOWN_S
from funcscope.telemetry._scope import is_provider_set

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.metrics.view import Aggregation

    from funcscope.telemetry._config.settings import SignalSettings
    from funcscope.telemetry._pipeline.context import ExportContext

    Flush = Callable[[float], bool]
    Submit = Callable[[bytes, int], object]
    Drop = Callable[[int, str], object]


def build(context: ExportContext, signal: SignalSettings) -> SignalPipeline | None:
    """Set a meter provider if there is none."""
    if is_provider_set(metrics.get_meter_provider()):
        return None
    file = context.settings.config_file
    if file is not None:
        provider = file.meter_provider(context.resource)
        declared = [redact_metrics(r, context.policies.redactor) for r in file.readers(provider)]
        metrics.set_meter_provider(provider)
        return SignalPipeline(
            provider, signal.exporters, collect_elsewhere=partial(_flush, declared)
        )
    exporters = each_exporter(
        "metrics", signal.exporters, lambda name: _exporter(context, name, signal.protocol)
    )
    if not exporters:
        return None
    readers = {
        name: made if isinstance(made, MetricReader) else PeriodicExportingMetricReader(made)
        for name, made in exporters.items()
    }
    provider = MeterProvider(
        list(readers.values()), resource=context.resource, shutdown_on_exit=False
    )
    metrics.set_meter_provider(provider)
    # What an integration sends to may be slow, and must not hold up what goes elsewhere.
    elsewhere = [reader for name, reader in readers.items() if name in EXPORTERS]
    others = [reader for name, reader in readers.items() if name not in EXPORTERS]
    return SignalPipeline(
        provider,
        tuple(exporters),
        collect=partial(_flush, others) if others else None,
        collect_elsewhere=partial(_flush, elsewhere) if elsewhere else None,
    )


def queue_options(*_: object) -> dict[str, object]:
    """Return what the queue of metrics has of its own: nothing, as requests come encoded."""
    return {}


def _flush(readers: Sequence[MetricReader]) -> None:
    for reader in readers:
        reader.force_flush()


def _exporter(context: ExportContext, name: str, protocol: str) -> MetricExporter | MetricReader:
    if context.is_queued("metrics", name):
        delivery = context.delivery
        exporter: MetricExporter = QueueMetricExporter(
            partial(delivery.submit, "metrics"),
            partial(delivery.flush, signal="metrics"),
            context.environ,
            drop=partial(delivery.drop_unencoded, "metrics"),
        )
    else:
        made = make_exporter(context, "metrics", name, protocol)
        if isinstance(made, MetricReader):  # one that is asked for the metrics, as Prometheus's
            return redact_metrics(made, context.policies.redactor)
        exporter = cast("MetricExporter", made)
    return redact_metrics(exporter, context.policies.redactor)


class QueueMetricExporter(MetricExporter):
    """
    Hands measurements over, encoded, by a module that is loaded when it is needed.

    Args:
        submit: Takes a request and the number of its points.
        flush: Sends what was taken, within seconds; tells whether that was all.
        environ: The app settings: temporality and aggregation as the OTLP exporter of
            OpenTelemetry Python reads them (1.45).
        drop: Takes the number of points that cannot be encoded, and what is wrong with them.
    """

    def __init__(
        self,
        submit: Submit,
        flush: Flush,
        environ: Mapping[str, str] = os.environ,
        *,
        drop: Drop | None = None,
    ) -> None:
        super().__init__(_temporality(environ), _aggregation(environ))
        self._submit = submit
        self._flush = flush
        self._drop = drop
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
        from funcscope.telemetry._otlp.metrics import encode_metrics

        encoded = encode_metrics(metrics_data)
        if encoded.lost and self._drop is not None:
            self._drop(encoded.lost, encoded.why)
        if encoded.points:
            self._submit(encoded.body, encoded.points)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        """Leave that to the delivery: what collects metrics must not wait for a collector."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ARG002
        """Send what was taken, and take no more."""
        self._is_shut_down = True
        self._flush(SHUTDOWN_S)


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
