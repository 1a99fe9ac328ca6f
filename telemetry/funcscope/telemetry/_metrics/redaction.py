"""
Take secrets out of measurements, on their way to any exporter.

An instrumentation's attribute may hold a URL with its key, or be named by one. The SDK keeps a
stream for each set of attributes and goes on adding to it, so nothing of that is touched: what is
exported is a copy. Two streams that have become one without their secrets are added up, as no
metric may have two points with the same attributes (docs/decisions/033).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from opentelemetry.sdk.metrics.export import (
    ExponentialHistogramDataPoint,
    Gauge,
    HistogramDataPoint,
    MetricExporter,
    MetricReader,
    NumberDataPoint,
)

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._metrics.sums import (
    StartTimes,
    add_exponential,
    add_histograms,
    add_numbers,
    later,
)
from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._redaction.scopes import redacted_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.sdk.metrics._internal.exemplar import Exemplar
    from opentelemetry.sdk.metrics.export import (
        Metric,
        MetricsData,
        ResourceMetrics,
        ScopeMetrics,
    )

    from funcscope.telemetry._redaction.redactor import Redactor

Exporter = TypeVar("Exporter", MetricExporter, MetricReader)
Point: TypeAlias = "NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint"

_REMEMBERED = 2000

_logger = logging.getLogger("funcscope.telemetry")


class MetricRedactor:
    """
    Copies measurements without their secrets; what holds none is not copied.

    Args:
        redactor: Takes secrets out of attributes and texts.
        starts: Says since when they count; None to leave that as it is.
    """

    def __init__(self, redactor: Redactor = DEFAULT, starts: StartTimes | None = None) -> None:
        self._redactor = redactor
        self._starts = starts
        # What is exported is the same few streams each time.
        self._known: dict[frozenset[tuple[str, object]], dict[str, Any] | None] = {}
        self._once = OnceLog(_logger, logging.ERROR)

    def redacted(self, data: MetricsData) -> MetricsData:
        """Return measurements without secrets; a metric that cannot be redacted is left out."""
        return replace(data, resource_metrics=[self._resource(r) for r in data.resource_metrics])

    def _resource(self, resource: ResourceMetrics) -> ResourceMetrics:
        return replace(resource, scope_metrics=[self._scope(s) for s in resource.scope_metrics])

    def _scope(self, scope: ScopeMetrics) -> ScopeMetrics:
        metrics = [
            clean for metric in scope.metrics if (clean := self._guarded(metric)) is not None
        ]
        return replace(scope, scope=redacted_scope(scope.scope, self._redactor), metrics=metrics)

    def _guarded(self, metric: Metric) -> Metric | None:
        try:
            return self._metric(metric)
        except Exception as error:  # noqa: BLE001  (fails closed, whatever it is)
            # Without its message, which may hold the secret.
            kind = type(error).__name__
            self._once.log("a metric that could not be redacted is left out: %s", kind, key="")
            return None

    def _metric(self, metric: Metric) -> Metric:
        if self._starts is not None:
            metric = self._starts.corrected(metric)
        points: list[Point] = list(metric.data.data_points)
        redacted = [self._point(point) for point in points]
        description = self._redactor.redact(metric.description or "")
        is_same = all(new is old for new, old in zip(redacted, points, strict=True))
        if is_same and description == (metric.description or ""):
            return metric
        add = later if isinstance(metric.data, Gauge) else _added
        data: Any = metric.data  # of one kind, as its points are
        joined = replace(data, data_points=_joined(redacted, add))
        return replace(metric, description=description, data=joined)

    def _point(self, point: Point) -> Point:
        attributes = self._attributes(point.attributes)
        exemplars = [self._exemplar(exemplar) for exemplar in point.exemplars]
        if attributes is None and all(
            new is old for new, old in zip(exemplars, point.exemplars, strict=True)
        ):
            return point
        clean = point.attributes if attributes is None else attributes
        return replace(point, attributes=clean, exemplars=exemplars)

    def _exemplar(self, exemplar: Exemplar) -> Exemplar:
        attributes = self._attributes(exemplar.filtered_attributes)
        return exemplar if attributes is None else replace(exemplar, filtered_attributes=attributes)

    def _attributes(self, attributes: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return attributes without secrets; None if they hold none."""
        if not attributes:
            return None
        key = _key(attributes)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._redactor.redact_attributes(dict(attributes))
        return self._known[key]


def redact_metrics(exporter: Exporter, redactor: Redactor) -> Exporter:
    """Have an exporter or reader of metrics get them without their secrets; return it."""
    redacting = MetricRedactor(redactor, StartTimes())
    method = "_receive_metrics" if isinstance(exporter, MetricReader) else "export"
    export = cast("Callable[..., Any]", getattr(exporter, method))

    @wraps(export)
    def exported(metrics_data: MetricsData | None, *args: Any, **kwargs: Any) -> Any:
        data = None if metrics_data is None else redacting.redacted(metrics_data)
        return export(data, *args, **kwargs)

    # Its own, and not one around it: readers ask an exporter for more than its methods.
    setattr(exporter, method, exported)
    return exporter


def _joined(points: Iterable[Point], add: Callable[[Any, Any], Any]) -> list[Point]:
    """Return points of which no two have the same attributes."""
    joined: dict[frozenset[tuple[str, object]], Point] = {}
    for point in points:
        key = _key(point.attributes or {})
        joined[key] = add(joined[key], point) if key in joined else point
    return list(joined.values())


def _added(one: Any, other: Any) -> Point:
    if isinstance(one, HistogramDataPoint):
        return add_histograms(one, other)
    if isinstance(one, ExponentialHistogramDataPoint):
        return add_exponential(one, other)
    return add_numbers(one, other)


def _key(attributes: Mapping[str, Any]) -> frozenset[tuple[str, object]]:
    """Return what is equal where attributes are; `1`, `1.0` and `True` are three values."""
    return frozenset((name, _hashable(value)) for name, value in attributes.items())


def _hashable(value: object) -> tuple[object, object]:
    if isinstance(value, (list, tuple)):
        return "", tuple(map(_hashable, cast("Sequence[object]", value)))
    return type(value), value
