"""
Metrics in OTLP: `ExportMetricsServiceRequest`, without protobuf.

As in `opentelemetry/proto/metrics/v1/metrics.proto` of opentelemetry-proto 1.45, and as that
version's SDK exporter fills it in, which sends no start of a gauge and no data without points. The
numbers of a point's fields are its kind's own, but for its times, its count and its sum.

docs/decisions/054 says why.
"""

from __future__ import annotations

import logging
from struct import Struct, pack
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from opentelemetry.sdk.metrics.export import ExponentialHistogram, Gauge, Histogram, Sum

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._otlp.request import RequestBuilder
from funcscope.telemetry._otlp.values import attributes_field
from funcscope.telemetry._otlp.wire import (
    count_field,
    delimited,
    double,
    fixed64,
    text_field,
    time_field,
    varint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.sdk.metrics import Exemplar
    from opentelemetry.sdk.metrics.export import (
        Buckets,
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        Metric,
        MetricsData,
        NumberDataPoint,
    )

T = TypeVar("T")

_INT32 = 1 << 31
_LEFT_OUT = "metric %r is left out of what is exported: %s"

_logger = logging.getLogger("funcscope.telemetry")
_left_out = OnceLog(_logger, limit=128)

_sfixed64 = Struct("<q").pack


class EncodedMetrics(NamedTuple):
    """
    A request of metrics.

    Attributes:
        body: The request; empty where there is no point in it.
        points: How many points are in it.
        lost: How many could not be encoded.
        why: What was wrong with the last of these; empty where there are none.
    """

    body: bytes
    points: int
    lost: int
    why: str


def encode_metrics(data: MetricsData) -> EncodedMetrics:
    """
    Make a request of metrics.

    A metric that cannot be encoded is left out, where the SDK gives up the request; its name is
    logged, once, and its points are counted.
    """
    builder = RequestBuilder()
    points, lost, why = 0, 0, ""
    for of_resource in data.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                try:
                    builder.add(_metric_message(metric), of_resource.resource, of_scope.scope)
                    points += len(metric.data.data_points)
                except Exception as error:  # noqa: BLE001  (its numbers are the user's)
                    _left_out.log(_LEFT_OUT, metric.name, error, key=metric.name)
                    lost += len(metric.data.data_points)
                    why = f"metric {metric.name!r}: {error}"
    return EncodedMetrics(builder.build(), points, lost, why)


def _metric_message(metric: Metric) -> bytes:
    return b"".join(
        (
            text_field(b"\x0a", metric.name),
            text_field(b"\x12", metric.description),
            text_field(b"\x1a", metric.unit),
            _data_field(metric.data) if metric.data.data_points else b"",
        )
    )


def _data_field(data: Sum | Gauge | Histogram | ExponentialHistogram) -> bytes:
    if isinstance(data, Sum):
        monotonic = b"\x18\x01" if data.is_monotonic else b""
        return b"\x3a" + delimited(_aggregated(data, _sum_point) + monotonic)
    if isinstance(data, Histogram):
        return b"\x4a" + delimited(_aggregated(data, _histogram_point))
    if isinstance(data, Gauge):
        return b"\x2a" + delimited(_messages(b"\x0a", data.data_points, _number))
    return b"\x52" + delimited(_aggregated(data, _exponential_point))


def _aggregated(
    data: Sum | Histogram | ExponentialHistogram, encode: Callable[[Any], bytes]
) -> bytes:
    """Return points, which `encode` takes, and whether they are what was added since the last."""
    points = _messages(b"\x0a", data.data_points, encode)
    return points + count_field(b"\x10", data.aggregation_temporality)


def _messages(tag: bytes, items: Iterable[T], encode: Callable[[T], bytes]) -> bytes:
    return b"".join([tag + delimited(encode(item)) for item in items])


def _sum_point(point: NumberDataPoint) -> bytes:
    return time_field(b"\x11", point.start_time_unix_nano) + _number(point)


def _number(point: NumberDataPoint) -> bytes:
    value = point.value
    return b"".join(
        (
            time_field(b"\x19", point.time_unix_nano),
            b"\x31" + _sfixed64(value) if isinstance(value, int) else b"\x21" + double(value),
            _messages(b"\x2a", point.exemplars, _exemplar),
            attributes_field(b"\x3a", point.attributes),
        )
    )


def _histogram_point(point: HistogramDataPoint) -> bytes:
    return b"".join(
        (
            _measured(point),
            _packed(b"\x32", "Q", point.bucket_counts),
            _packed(b"\x3a", "d", point.explicit_bounds),
            _messages(b"\x42", point.exemplars, _exemplar),
            attributes_field(b"\x4a", point.attributes),
            _double_field(b"\x59", point.min),
            _double_field(b"\x61", point.max),
        )
    )


def _exponential_point(point: ExponentialHistogramDataPoint) -> bytes:
    return b"".join(
        (
            attributes_field(b"\x0a", point.attributes),
            _measured(point),
            b"\x30" + _sint32(point.scale),
            b"\x39" + fixed64(point.zero_count),
            _buckets_field(b"\x42", point.positive),
            _buckets_field(b"\x4a", point.negative),
            count_field(b"\x50", point.flags),
            _messages(b"\x5a", point.exemplars, _exemplar),
            _double_field(b"\x61", point.min),
            _double_field(b"\x69", point.max),
        )
    )


def _measured(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> bytes:
    """Return the fields that histograms of both kinds have: times, count and sum."""
    return b"".join(
        (
            time_field(b"\x11", point.start_time_unix_nano),
            time_field(b"\x19", point.time_unix_nano),
            b"\x21" + fixed64(point.count),
            _double_field(b"\x29", point.sum),
        )
    )


def _buckets_field(tag: bytes, buckets: Buckets) -> bytes:
    counts = b"".join(map(varint, buckets.bucket_counts))
    if not counts:
        return b""
    return tag + delimited(b"\x08" + _sint32(buckets.offset) + b"\x12" + delimited(counts))


def _exemplar(exemplar: Exemplar) -> bytes:
    value, trace_id, span_id = exemplar.value, exemplar.trace_id, exemplar.span_id
    if trace_id is None or span_id is None:
        ids = b""
    else:
        ids = b"\x22\x08" + span_id.to_bytes(8, "big") + b"\x2a\x10" + trace_id.to_bytes(16, "big")
    return b"".join(
        (
            time_field(b"\x11", exemplar.time_unix_nano),
            b"\x19" + double(value) if isinstance(value, float) else b"\x31" + _sfixed64(value),
            ids,
            attributes_field(b"\x3a", exemplar.filtered_attributes),
        )
    )


def _packed(tag: bytes, kind: str, numbers: Sequence[float]) -> bytes:
    """Return a field of numbers of eight bytes each, of a kind as in `struct`: nothing for none."""
    return tag + delimited(pack(f"<{len(numbers)}{kind}", *numbers)) if numbers else b""


def _double_field(tag: bytes, number: float | None) -> bytes:
    """Return a field that is sent whenever there is a number, be it the default."""
    return b"" if number is None else tag + double(number)


def _sint32(number: int) -> bytes:
    """
    Encode a signed number as a varint that is short for small ones: 0, -1, 1, -2 are 0, 1, 2, 3.

    Raises:
        ValueError: The number does not fit in 32 bits.
    """
    if not -_INT32 <= number < _INT32:
        raise ValueError(f"{number} does not fit in 32 bits")
    return varint(2 * number if number >= 0 else -2 * number - 1)
