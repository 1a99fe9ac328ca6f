"""Our OTLP bytes of metrics say what the SDK's do, whatever was measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as sdk_encode
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.sdk.metrics import Exemplar, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from tests.telemetry.test_otlp_encoding import (
    assert_same,
    ids,
    int64s,
    times,
    trace_ids,
)

from funcscope.telemetry._otlp.metrics import encode_metrics

PROPERTY = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.just("x" * 130)
doubles = st.floats() | st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -float("inf")])
numbers = int64s | doubles
counts = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1])
int32s = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, -1, 1, 63, -64, 64])
starts = st.none() | st.just(0) | times
# What else there is in attributes is the same in spans and log records.
attributes = st.none() | st.dictionaries(texts.filter(bool), texts | numbers, max_size=2)
exemplars = st.lists(
    st.builds(Exemplar, attributes, numbers, times, st.none() | ids, st.none() | trace_ids),
    max_size=1,
)
buckets = st.builds(Buckets, int32s, st.lists(counts, max_size=4))
common = {"attributes": attributes, "start_time_unix_nano": starts, "time_unix_nano": times}
number_points = st.builds(NumberDataPoint, **common, value=numbers, exemplars=exemplars)
histogram_points = st.builds(
    HistogramDataPoint,
    **common,
    count=counts,
    sum=st.none() | numbers,
    bucket_counts=st.lists(counts, max_size=4) | st.lists(counts, max_size=4).map(tuple),
    explicit_bounds=st.lists(doubles, max_size=4),
    min=st.none() | doubles,
    max=st.none() | doubles,
    exemplars=exemplars,
)
exponential_points = st.builds(
    ExponentialHistogramDataPoint,
    **common,
    count=counts,
    sum=st.none() | numbers,
    scale=int32s,
    zero_count=counts,
    positive=buckets,
    negative=buckets,
    flags=st.integers(0, 2**32 - 1) | st.just(0),
    min=st.none() | doubles,
    max=st.none() | doubles,
    exemplars=exemplars,
)
temporalities = st.sampled_from(AggregationTemporality)
data = st.one_of(
    st.builds(Sum, st.lists(number_points, max_size=2), temporalities, st.booleans()),
    st.builds(Gauge, st.lists(number_points, max_size=2)),
    st.builds(Histogram, st.lists(histogram_points, max_size=2), temporalities),
    st.builds(ExponentialHistogram, st.lists(exponential_points, max_size=2), temporalities),
)
metrics = st.builds(Metric, texts, st.none() | texts, st.none() | texts, data)
instrumentations = st.builds(
    InstrumentationScope, texts, st.none() | texts, st.none() | texts, attributes
)


@st.composite
def requests(draw: st.DrawFn) -> MetricsData:
    """Draw metrics of some scopes of some resources: the SDK has none of these twice."""
    resources = st.builds(Resource, attributes, st.none() | texts)
    return MetricsData(
        [
            ResourceMetrics(
                resource,
                [
                    ScopeMetrics(scope, draw(st.lists(metrics, min_size=1, max_size=2)), "")
                    for scope in draw(
                        st.lists(instrumentations, min_size=1, max_size=2, unique=True)
                    )
                ],
                "",
            )
            for resource in draw(st.lists(resources, min_size=1, max_size=2, unique=True))
        ]
    )


def points_of(given: MetricsData) -> list[Any]:
    """Return the points of all metrics."""
    return [
        point
        for of_resource in given.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
        for point in metric.data.data_points
    ]


@PROPERTY
@given(requests())
def test_metrics_are_the_sdks(given: MetricsData) -> None:
    """Whatever metrics hold, protobuf reads our bytes as the message that the SDK makes."""
    request, points, *_ = encode_metrics(given)

    assert_same(ExportMetricsServiceRequest.FromString(request), sdk_encode(given))
    assert points == len(points_of(given))


def test_what_the_sdk_collects() -> None:
    """What the SDK's instruments of each kind collect, with examples of a trace, is the SDK's."""
    reader = InMemoryMetricReader()
    views = [View(instrument_name="e", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider([reader], views=views, shutdown_on_exit=False)
    meter = provider.get_meter("m", "1", "https://schema", {"a": 1})
    meter.create_observable_gauge("g", [lambda _: [Observation(2.5, {"b": "c"})]])
    span = NonRecordingSpan(SpanContext(7 << 100, 7 << 60, False, TraceFlags(1)))
    with use_span(span):
        for value in (1, 2, 1000, 0):
            meter.create_counter("c", "1", "counts").add(value, {"d": True})
            meter.create_up_down_counter("u").add(-value)
            meter.create_histogram("h", "s").record(value / 10)
            meter.create_histogram("e").record(value)
    collected = reader.get_metrics_data()
    assert collected is not None

    request, points, *_ = encode_metrics(collected)

    assert_same(ExportMetricsServiceRequest.FromString(request), sdk_encode(collected))
    assert points == 5
    assert any(point.exemplars for point in points_of(collected))
    provider.shutdown()


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "1", None], ids=str)
def test_a_metric_that_cannot_be_encoded_is_left_out(
    caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    """A number that OTLP has no room for costs its metric alone, which is named once."""

    def metric(name: str, value: Any) -> Metric:
        return Metric(name, None, None, Gauge([NumberDataPoint({}, 0, 1, value)]))

    bad = metric(f"bad {value}", value)
    scope = ScopeMetrics(InstrumentationScope("m"), [metric("1", 1), bad, bad, metric("2", 2)], "")
    request, points, lost, why = encode_metrics(
        MetricsData([ResourceMetrics(Resource.get_empty(), [scope], "")])
    )

    (group,) = ExportMetricsServiceRequest.FromString(request).resource_metrics
    assert [each.name for each in group.scope_metrics[0].metrics] == ["1", "2"]
    assert (points, lost) == (2, 2)
    assert why.startswith(f"metric 'bad {value}': ")
    assert caplog.text.count(f"bad {value}") == 1


def test_indexes_of_buckets_have_32_bits() -> None:
    """An index that OTLP has no room for is refused, and not sent as another one."""
    given = ExponentialHistogramDataPoint(
        {}, 1, 2, 1, 1, 2**31, 0, Buckets(0, []), Buckets(0, []), 0, 1, 1
    )
    data = ExponentialHistogram([given], AggregationTemporality.DELTA)
    scope = ScopeMetrics(InstrumentationScope("m"), [Metric("large", None, None, data)], "")

    made = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))
    assert (made.body, made.points, made.lost) == (b"", 0, 1)
