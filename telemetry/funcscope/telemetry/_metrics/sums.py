"""Points of metrics: added up, as if what was measured had gone into one stream, and since when."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from time import time_ns
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.metrics.export import AggregationTemporality, Buckets

from funcscope.extensions.integration import reset_after_fork

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import (
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        Metric,
        NumberDataPoint,
    )

PointT = TypeVar("PointT", "NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint")

_MOST_COLLECTIONS = 8
_MOST_BUCKETS = 160
"""An exponential histogram's buckets of each sign by default (metrics SDK specification 1.50)."""


class StartTimes:
    """
    Has series start at the collection before the first that has them, as delta ones must.

    The SDK (1.45) has them start when a measurement of theirs is first recorded. Those of
    invocations are recorded when they are collected: a minute's would lie in a moment, or in none
    on a coarse clock, which the Collector's `cumulativetodelta` leaves out (docs/decisions/047).
    """

    def __init__(self) -> None:
        self._begin()
        reset_after_fork(self._begin)  # a child measures from zero on

    def _begin(self) -> None:
        # Several, as two threads may hand over what they have collected in another order.
        self._collections = deque([time_ns()], maxlen=_MOST_COLLECTIONS)
        self._starts: dict[int, int] = {}  # of cumulative series, which keep theirs

    def corrected(self, metric: Metric) -> Metric:
        """Return a metric whose series start so."""
        data: Any = metric.data  # of one kind, as its points are
        if getattr(data, "aggregation_temporality", None) is None:  # a gauge
            return metric
        keeps = data.aggregation_temporality is AggregationTemporality.CUMULATIVE
        points = [self._point(point, keeps=keeps) for point in data.data_points]
        return replace(metric, data=replace(data, data_points=points))

    def _point(self, point: PointT, *, keeps: bool) -> PointT:
        known, now = point.start_time_unix_nano or 0, point.time_unix_nano
        before = [time for time in self._collections if time <= known and time < now]
        start = self._starts.get(known) or max(before, default=known)
        if keeps:
            self._starts[known] = start
        if now not in self._collections:
            self._collections.append(now)
        return replace(point, start_time_unix_nano=start)


def later(one: NumberDataPoint, other: NumberDataPoint) -> NumberDataPoint:
    """Return the one of two values of a gauge that was seen last."""
    return one if one.time_unix_nano > other.time_unix_nano else other


def add_numbers(one: NumberDataPoint, other: NumberDataPoint) -> NumberDataPoint:
    """Add two sums."""
    return replace(
        one,
        value=one.value + other.value,
        **_of_both(one, other),
    )


def add_histograms(one: HistogramDataPoint, other: HistogramDataPoint) -> HistogramDataPoint:
    """Add two histograms; those with other bounds keep their sum and count, and no buckets."""
    has_buckets = list(one.explicit_bounds) == list(other.explicit_bounds)
    counts = [a + b for a, b in zip(one.bucket_counts, other.bucket_counts, strict=False)]
    return replace(
        one,
        count=one.count + other.count,
        sum=one.sum + other.sum,
        bucket_counts=counts if has_buckets else [],
        explicit_bounds=one.explicit_bounds if has_buckets else [],
        min=min(one.min, other.min),
        max=max(one.max, other.max),
        **_of_both(one, other),
    )


def add_exponential(
    one: ExponentialHistogramDataPoint, other: ExponentialHistogramDataPoint
) -> ExponentialHistogramDataPoint:
    """Add two exponential histograms, at a scale at which the buckets of both are not too many."""
    scale = min(one.scale, other.scale)
    while True:
        positive, negative = (
            _add_buckets(
                _rescaled(of_one, one.scale - scale), _rescaled(of_other, other.scale - scale)
            )
            for of_one, of_other in ((one.positive, other.positive), (one.negative, other.negative))
        )
        if max(len(positive.bucket_counts), len(negative.bucket_counts)) <= _MOST_BUCKETS:
            break
        scale -= 1
    return replace(
        one,
        count=one.count + other.count,
        sum=one.sum + other.sum,
        scale=scale,
        zero_count=one.zero_count + other.zero_count,
        positive=positive,
        negative=negative,
        flags=one.flags | other.flags,
        min=min(one.min, other.min),
        max=max(one.max, other.max),
        **_of_both(one, other),
    )


def _of_both(one: PointT, other: PointT) -> dict[str, Any]:
    """Return the fields that points of every kind have, which say when and by which examples."""
    start, other_start = one.start_time_unix_nano, other.start_time_unix_nano
    return {
        "start_time_unix_nano": min(start or other_start or 0, other_start or start or 0),
        "time_unix_nano": max(one.time_unix_nano, other.time_unix_nano),
        "exemplars": [*one.exemplars, *other.exemplars],
    }


def _rescaled(buckets: Buckets, steps: int) -> dict[int, int]:
    """Return counts by index, of buckets each of which takes in 2 ** steps of those before."""
    counts: dict[int, int] = {}
    for place, count in enumerate(buckets.bucket_counts):
        if count:
            index = (buckets.offset + place) >> steps
            counts[index] = counts.get(index, 0) + count
    return counts


def _add_buckets(one: dict[int, int], other: dict[int, int]) -> Buckets:
    indexes = one.keys() | other.keys()
    if not indexes:
        return Buckets(offset=0, bucket_counts=[])
    first, last = min(indexes), max(indexes)
    if last - first > _MOST_BUCKETS * 64:  # to be halved anyway
        return Buckets(offset=first, bucket_counts=[0] * (_MOST_BUCKETS + 1))
    counts = [one.get(i, 0) + other.get(i, 0) for i in range(first, last + 1)]
    return Buckets(offset=first, bucket_counts=counts)
