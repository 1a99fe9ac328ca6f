"""Which metrics Azure Monitor does not get."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData

from funcscope.contrib.azuremonitor._metrics import leave_out_own
from funcscope.telemetry._semconv import EXPORTED_ITEMS

REQUESTS = "http.server.request.duration"


def names(data: MetricsData | None) -> list[tuple[str, str]]:
    """Return each metric with its scope."""
    return [
        (scope.scope.name, metric.name)
        for resource in ([] if data is None else data.resource_metrics)
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def test_some_of_ours_are_left_out() -> None:
    """Our metrics of requests and of what is sent are left out, and none of others."""
    got: list[MetricsData | None] = []
    exporter: Any = SimpleNamespace(export=lambda data, **_: got.append(data))
    leave_out_own(exporter)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    made = [("funcscope", REQUESTS), ("funcscope", EXPORTED_ITEMS), ("funcscope", "faas.errors")]
    for scope, name in (*made, ("web", REQUESTS)):
        provider.get_meter(scope).create_counter(name).add(1)
    data = reader.get_metrics_data()
    exporter.export(data, timeout_millis=10)
    exporter.export(None)

    assert names(got[0]) == [("funcscope", "faas.errors"), ("web", REQUESTS)]
    assert len(names(data)) == 4  # what other readers see
    assert got[1] is None
