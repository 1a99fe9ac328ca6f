"""Metrics as series of points, bounded in number and length."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funcscope.contrib.host._view.records import encode_json, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from funcscope.contrib.host._traces.otlp import ReceivedMetric, ReceivedPoint

MAX_SERIES = 500
MAX_POINTS = 240  # an hour at one each 15 s
_MAX_KEY = 4_096  # bytes of a series' description

_SeriesPoint = tuple[int, object, int]  # milliseconds since 1970, value, count


@dataclass(slots=True)
class MetricSeries:
    """The points of one metric with one set of attributes, in the order of arrival."""

    description: bytes
    points: deque[_SeriesPoint] = field(
        default_factory=lambda: deque[_SeriesPoint](maxlen=MAX_POINTS)
    )

    def encode(self) -> bytes:
        """Return it as JSON."""
        return b'{"of":%s,"points":%s}' % (self.description, encode_json(list(self.points)))


class MetricHistory:
    """
    Keeps the series that got points last; any thread may call.

    Args:
        clock: Nanoseconds since 1970: points are put where they arrive.
    """

    def __init__(self, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._series: dict[bytes, MetricSeries] = {}
        self._left_out = 0
        self._version = 0

    @property
    def version(self) -> int:
        """A number that grows with each change."""
        return self._version

    def add(self, metrics: Iterable[ReceivedMetric]) -> None:
        """Keep the points of metrics."""
        at_ms = self._clock() // 1_000_000
        for metric in metrics:
            for point in metric.points:
                self._add_point(_describe(metric, point), (at_ms, plain(point.value), point.count))

    def clear(self) -> None:
        """Forget every series."""
        with self._lock:
            self._version += 1
            self._series.clear()

    def encode(self) -> bytes:
        """Return all series as JSON, in the order of their descriptions."""
        with self._lock:
            series = b",".join(self._series[key].encode() for key in sorted(self._series))
            return b'{"left_out":%d,"series":[%s]}' % (self._left_out, series)

    def _add_point(self, key: bytes, point: _SeriesPoint) -> None:
        with self._lock:
            self._version += 1
            if len(key) > _MAX_KEY:
                self._left_out += 1
                return
            series = self._series.pop(key, None) or MetricSeries(key)
            self._series[key] = series  # as the one that got a point last
            series.points.append(point)
            if len(self._series) > MAX_SERIES:
                del self._series[next(iter(self._series))]
                self._left_out += 1


def _describe(metric: ReceivedMetric, point: ReceivedPoint) -> bytes:
    """Encode what tells a series from others."""
    return encode_json(
        {
            "name": plain(metric.name),
            "unit": plain(metric.unit),
            "kind": metric.kind,
            "temporality": metric.temporality,
            "service": plain(metric.resource.get("service.name", "")),
            "attributes": plain(dict(sorted(point.attributes.items()))),
        }
    )
