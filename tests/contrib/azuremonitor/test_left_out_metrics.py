"""Which metrics Azure Monitor does not get."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData

from funcscope.contrib.azuremonitor._metrics import without_requests

REQUESTS = "http.server.request.duration"


def names(data: MetricsData | None) -> list[tuple[str, str]]:
    """Return each metric with its scope."""
    return [
        (scope.scope.name, metric.name)
        for resource in ([] if data is None else data.resource_metrics)
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def test_requests_of_ours_are_left_out() -> None:
    """Our metric of requests is left out, and neither our others nor those of others."""
    got: list[MetricsData | None] = []
    exporter: Any = SimpleNamespace(export=lambda data, **_: got.append(data))
    without_requests(exporter)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    for scope, name in (("funcscope", REQUESTS), ("funcscope", "faas.errors"), ("web", REQUESTS)):
        provider.get_meter(scope).create_counter(name).add(1)
    data = reader.get_metrics_data()
    exporter.export(data, timeout_millis=10)
    exporter.export(None)

    assert names(got[0]) == [("funcscope", "faas.errors"), ("web", REQUESTS)]
    assert len(names(data)) == 3  # what other readers see
    assert got[1] is None
