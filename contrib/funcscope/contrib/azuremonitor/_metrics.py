"""
Metrics that Azure Monitor makes by itself, or is not to be paid for, left out.

What became of what is sent elsewhere (`funcscope.export.*`) is a dozen rows each minute, most of
them 0, of an app that is idle. The exporter (1.0.0b58) sends `http.server.request.duration` as the
standard metric of requests, which Azure Monitor also makes of the requests that it gets, ours or
the host's: both count.
"""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from funcscope.telemetry.integration import EXPORTED_ITEMS, SCOPE, WAITING_ITEMS

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics

_LEFT_OUT = frozenset({"http.server.request.duration", EXPORTED_ITEMS, WAITING_ITEMS})


def leave_out_own(exporter: Any) -> None:
    """Have an `AzureMonitorMetricExporter` leave out the metrics above."""
    export = exporter.export

    @wraps(export)
    def exported(metrics_data: MetricsData | None, *args: Any, **kwargs: Any) -> Any:
        if metrics_data is not None:
            resources = [_of_resource(resource) for resource in metrics_data.resource_metrics]
            metrics_data = replace(metrics_data, resource_metrics=resources)
        return export(metrics_data, *args, **kwargs)

    exporter.export = exported


def _of_resource(resource: ResourceMetrics) -> ResourceMetrics:
    return replace(resource, scope_metrics=[_of_scope(scope) for scope in resource.scope_metrics])


def _of_scope(scope: ScopeMetrics) -> ScopeMetrics:
    if scope.scope.name != SCOPE:
        return scope
    return replace(
        scope, metrics=[metric for metric in scope.metrics if metric.name not in _LEFT_OUT]
    )
