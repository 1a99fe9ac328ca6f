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
from funcscope.telemetry._metrics.measurements import has_measurements
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
        redactor = context.policies.redactor
        declared = [_EndingReader(redact_metrics(r, redactor)) for r in file.readers(provider)]
        metrics.set_meter_provider(provider)
        return SignalPipeline(
            provider,
            signal.exporters,
            collect_elsewhere=partial(_flush, declared),
            ends=_ends(context, provider, declared),
        )
    exporters = each_exporter(
        "metrics", signal.exporters, lambda name: _exporter(context, name, signal.protocol)
    )
    if not exporters:
        return None
    made = {
        name: made if isinstance(made, MetricReader) else PeriodicExportingMetricReader(made)
        for name, made in exporters.items()
    }
    provider = MeterProvider(list(made.values()), resource=context.resource, shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    return _pipeline(
        context, provider, {name: _EndingReader(reader) for name, reader in made.items()}
    )


def _pipeline(
    context: ExportContext, provider: MeterProvider, readers: Mapping[str, _EndingReader]
) -> SignalPipeline:
    """Make the pipeline; what one sends to may be slow, and must not hold up what goes to ours."""
    ours = [name for name in readers if name == "console" or context.is_queued("metrics", name)]
    integrations = [reader for name, reader in readers.items() if name in EXPORTERS]
    others = [
        reader for name, reader in readers.items() if name not in EXPORTERS and name not in ours
    ]
    ends = _ends(context, provider, others)
    elsewhere = [*integrations, *others]
    return SignalPipeline(
        provider,
        tuple(readers),
        collect=partial(_flush, [readers[name] for name in ours]) if ours else None,
        collect_elsewhere=partial(_flush, elsewhere) if elsewhere else None,
        ends=[*ends, partial(_flush, integrations)] if ends and integrations else ends,
    )


class _EndingReader:
    """
    A reader of metrics, until it is shut down: by us, or by the app with its provider.

    The SDK's collects and exports after that, too, and warns of a second time (1.45).

    Args:
        reader: The SDK's, or somebody's; its `shutdown` is replaced.
    """

    def __init__(self, reader: MetricReader) -> None:
        self._flush = reader.force_flush
        self._shutdown: Callable[..., None] = cast("Any", reader).shutdown
        self._is_shut_down = False
        setattr(reader, "shutdown", self.shutdown)  # noqa: B010  (mypy: a method)

    def flush(self) -> None:
        """Collect and export."""
        if not self._is_shut_down:
            self._flush()

    def shutdown(self, *args: Any, **kwargs: Any) -> None:
        """Do so for the last time, as far as it does, and shut its exporter down."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self._shutdown(*args, **kwargs)


def _ends(
    context: ExportContext, provider: MeterProvider, readers: Sequence[_EndingReader]
) -> list[Callable[[], object]]:
    """Return what shuts readers down, but in a forked child that has measured nothing."""

    def end(reader: _EndingReader) -> None:
        if not context.delivery.is_forked or has_measurements(provider):
            reader.shutdown()

    return [partial(end, reader) for reader in readers]


def queue_options(*_: object) -> dict[str, object]:
    """Return what the queue of metrics has of its own: nothing, as requests come encoded."""
    return {}


def _flush(readers: Sequence[_EndingReader]) -> None:
    for reader in readers:
        reader.flush()


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
