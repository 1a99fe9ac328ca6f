"""The meter provider, where nobody has set one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from funcscope.telemetry._metrics.redaction import redact_metrics
from funcscope.telemetry._pipeline.exporters import INTEGRATIONS, each_exporter, make_exporter
from funcscope.telemetry._scope import is_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader

    from funcscope.telemetry._config.settings import SignalSettings
    from funcscope.telemetry._pipeline.context import Setup


def set_provider(setup: Setup, signal: SignalSettings) -> None:
    """Set one if there is none."""
    if is_set(metrics.get_meter_provider()):
        return
    exporters = each_exporter(
        "metrics", signal.exporters, lambda name: _exporter(setup, name, signal.protocol)
    )
    if not exporters:
        return
    readers = {
        name: PeriodicExportingMetricReader(exporter) for name, exporter in exporters.items()
    }
    provider = MeterProvider(
        list(readers.values()), resource=setup.resource, shutdown_on_exit=False
    )
    metrics.set_meter_provider(provider)
    setup.pipeline.defers_measurements = "metrics" in setup.pipeline.signals
    # What an integration sends to may be slow, and must not hold up what goes elsewhere.
    elsewhere = [reader for name, reader in readers.items() if name in INTEGRATIONS]
    others = [reader for name, reader in readers.items() if name not in INTEGRATIONS]
    if others:
        setup.pipeline.measure_with(partial(_flush, others))
    if elsewhere:
        setup.pipeline.measure_elsewhere_with(partial(_flush, elsewhere))
    for reader in elsewhere:
        setup.pipeline.end_with(reader.force_flush)


def _flush(readers: Sequence[MetricReader]) -> None:
    for reader in readers:
        reader.force_flush()


def _exporter(setup: Setup, name: str, protocol: str) -> MetricExporter:
    if setup.is_carried("metrics", name):
        exporter: MetricExporter = setup.pipeline.metrics()
    else:
        exporter = cast("MetricExporter", make_exporter(setup, "metrics", name, protocol))
    return redact_metrics(exporter, setup.redactor)
