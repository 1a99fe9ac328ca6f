"""The meter provider, where nobody has set one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

from funcscope.telemetry._exporters import otlp_exporter
from funcscope.telemetry._scope import is_set

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

    from funcscope.telemetry._settings import SignalSettings
    from funcscope.telemetry._setup import Setup


def set_provider(setup: Setup, signal: SignalSettings) -> None:
    """Set one if there is none."""
    if is_set(metrics.get_meter_provider()):
        return
    readers = [
        PeriodicExportingMetricReader(
            setup.pipeline.metrics()
            if setup.is_carried("metrics", name)
            else _exporter(name, signal.protocol)
        )
        for name in signal.exporters
    ]
    provider = MeterProvider(readers, resource=setup.resource, shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    setup.pipeline.measure_with(provider.force_flush)
    setup.pipeline.defers_measurements = "metrics" in setup.pipeline.signals


def _exporter(name: str, protocol: str) -> MetricExporter:
    if name == "console":
        return ConsoleMetricExporter()
    return cast("MetricExporter", otlp_exporter(protocol, "metric_exporter", "OTLPMetricExporter"))
