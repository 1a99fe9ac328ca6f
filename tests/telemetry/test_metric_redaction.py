"""No secret leaves in a measurement, and what is measured stays right."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from funcscope.telemetry._metrics.redaction import MetricRedactor, redact_metrics
from funcscope.telemetry._pipeline.metrics import QueueMetricExporter
from funcscope.telemetry._redaction.redactor import DEFAULT, make_redactor
from funcscope.telemetry._redaction.scopes import redacted_resource

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://app.net/f?code="
CLEAN = f"{URL}REDACTED"


def measured(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """Return the points that would be exported, by metric."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    redacted = MetricRedactor(DEFAULT).redacted(data)
    return {
        metric.name: list(metric.data.data_points)
        for resource in redacted.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """Read what a meter measures."""
    return InMemoryMetricReader()


@pytest.fixture
def meter(reader: InMemoryMetricReader) -> Any:
    """Measure with every aggregation of the SDK."""
    exponential = View(
        instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation()
    )
    filtered = View(instrument_name="filtered", attribute_keys={"n"})
    provider = MeterProvider(
        [reader],
        views=[exponential, filtered],
        exemplar_filter=AlwaysOnExemplarFilter(),
        shutdown_on_exit=False,
    )
    return provider.get_meter(__name__)


def test_attributes_of_points(reader: InMemoryMetricReader, meter: Any) -> None:
    """Values and names of attributes are redacted; what holds no secret is the same point."""
    meter.create_counter("one").add(1, {"url.full": f"{URL}a", "n": 1, f"to.{URL}a": True})
    meter.create_counter("plain").add(1, {"n": 1})
    points = measured(reader)

    assert points["one"][0].attributes == {"url.full": CLEAN, "n": 1, f"to.{CLEAN}": True}
    assert points["plain"][0].attributes == {"n": 1}


def test_the_sdk_keeps_what_it_has(reader: InMemoryMetricReader, meter: Any) -> None:
    """What is measured goes on from where it was: only what is exported is changed."""
    counter = meter.create_counter("one")
    last: list[Any] = []
    for _ in range(3):
        counter.add(1, {"u": f"{URL}a"})
        counter.add(2, {"u": f"{URL}b"})
        last = measured(reader)["one"]

    assert [(point.value, point.attributes) for point in last] == [(9, {"u": CLEAN})]


def test_streams_that_become_one_are_added_up(reader: InMemoryMetricReader, meter: Any) -> None:
    """No metric has two points with the same attributes, and none is lost."""
    histogram = meter.create_histogram("histogram")
    exponential = meter.create_histogram("exponential")
    number = meter.create_up_down_counter("number")
    for key, values in (("a", (1, 8, 100)), ("b", (3, 2000))):
        for value in values:
            histogram.record(value, {"u": f"{URL}{key}"})
            exponential.record(value, {"u": f"{URL}{key}"})
            number.add(value, {"u": f"{URL}{key}"})
    number.add(7, {"u": "other"})
    points = measured(reader)
    (whole,), (scaled,) = points["histogram"], points["exponential"]

    assert [point.value for point in points["number"]] == [2112, 7]
    for point in (whole, scaled):
        assert (point.count, point.sum, point.min, point.max) == (5, 2112, 1, 2000)
        assert dict(point.attributes) == {"u": CLEAN}
    assert sum(whole.bucket_counts) == sum(scaled.positive.bucket_counts) == 5
    assert len(whole.bucket_counts) == len(whole.explicit_bounds) + 1


def test_a_merged_exponential_histogram_is_as_if_it_were_measured_so(
    reader: InMemoryMetricReader, meter: Any
) -> None:
    """Each value is in the bucket that the merged scale has for it, however far apart they are."""
    histogram = meter.create_histogram("exponential")
    low, high = [0.001, 0.0012, 0.0019], [5e8, 7e8, 9e8, 0.0]
    for value in low:
        histogram.record(value, {"u": f"{URL}a"})
    for value in high:
        histogram.record(value, {"u": f"{URL}b"})
    (point,) = measured(reader)["exponential"]
    base = 2.0 ** (2.0**-point.scale)
    within = [
        sum(base ** (point.positive.offset + i) < value <= base ** (point.positive.offset + i + 1)
            for value in low + high if value > 0)
        for i in range(len(point.positive.bucket_counts))
    ]  # fmt: skip

    assert within == list(point.positive.bucket_counts)
    assert point.zero_count == 1
    assert point.count == 7


def test_a_gauge_says_what_was_seen_last(reader: InMemoryMetricReader, meter: Any) -> None:
    """Of two values of a gauge that become one, the later one counts."""

    def observe(_options: CallbackOptions) -> Iterator[Observation]:
        yield Observation(1, {"u": f"{URL}a"})
        yield Observation(2, {"u": f"{URL}b"})

    meter.create_observable_gauge("gauge", [observe])
    points = measured(reader)["gauge"]

    assert len(points) == 1
    assert points[0].value in (1, 2)


def test_exemplars(reader: InMemoryMetricReader, meter: Any) -> None:
    """What a view leaves out of a point stands in its exemplars, redacted."""
    meter.create_histogram("filtered").record(3, {"n": 1, "url.full": f"{URL}s3cret"})
    (point,) = measured(reader)["filtered"]

    assert dict(point.attributes) == {"n": 1}
    assert [dict(e.filtered_attributes) for e in point.exemplars] == [{"url.full": CLEAN}]


class Kept(MetricExporter):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(preferred_temporality={})
        self.texts: list[str] = []

    def export(self, metrics_data: MetricsData, *_args: Any, **_kwargs: Any) -> MetricExportResult:
        """Keep it."""
        self.texts.append(metrics_data.to_json())
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Have nothing."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: Any) -> None:
        """Do nothing."""


def measure(exporter: MetricExporter) -> None:
    """Measure with a secret in each place, and export once."""
    resource = redacted_resource(Resource({"process.command": "run --password s3cret"}), DEFAULT)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter("m", attributes={"url": f"{URL}s3cret"})
    meter.create_counter("one", description=f"of {URL}s3cret").add(1, {f"{URL}s3cret": "x"})
    meter.create_histogram("two").record(1, {"u": f"{URL}s3cret"})
    provider.force_flush()
    provider.shutdown()


def test_every_exporter() -> None:
    """Whatever exports, the export worker, the console or another one, gets no secret."""
    bodies: list[bytes] = []
    delivered = QueueMetricExporter(lambda body, _points: bodies.append(body), lambda _s: True, {})
    kept, console = Kept(), io.StringIO()
    measure(redact_metrics(delivered, DEFAULT))
    measure(redact_metrics(kept, DEFAULT))
    with redirect_stdout(console):
        measure(redact_metrics(ConsoleMetricExporter(out=console), DEFAULT))
    sent = b"".join(bodies).decode("latin-1"), "".join(kept.texts), console.getvalue()

    for text in sent:
        assert "s3cret" not in text
        assert text.count("REDACTED") >= 5


def test_an_exporter_stays_what_it_is() -> None:
    """A reader finds the temporality and class that it looks for."""
    wanted = {int: AggregationTemporality.DELTA}
    exporter = ConsoleMetricExporter(preferred_temporality=wanted)  # type: ignore[arg-type]  # any
    redacting = redact_metrics(exporter, DEFAULT)

    assert redacting is exporter
    assert isinstance(redacting, ConsoleMetricExporter)


def test_names_of_ones_own(reader: InMemoryMetricReader, meter: Any) -> None:
    """A user's names count in measurements."""
    meter.create_counter("one").add(1, {"clientId": "a", "n": 1})
    data = reader.get_metrics_data()
    assert data is not None

    redacted = MetricRedactor(make_redactor(["clientid"])).redacted(data).to_json()
    assert '"clientId": "REDACTED"' in redacted


def test_a_metric_that_cannot_be_redacted_is_left_out(
    reader: InMemoryMetricReader, meter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault costs the metric, never a secret, and is said once."""

    class Failing:
        """Fails for one metric."""

        def redact(self, text: str) -> str:
            if text == "bad":
                raise ValueError(text)
            return text

        redact_name = redact

        def redact_attributes(self, _attributes: object) -> None:
            """Change nothing."""

    meter.create_counter("one", description="bad").add(1)
    meter.create_counter("two", description="good").add(1)
    redacting = MetricRedactor(Failing())  # type: ignore[arg-type]  # what it needs
    for _ in range(2):
        data = reader.get_metrics_data()
        assert data is not None
        assert [
            metric.name
            for resource in redacting.redacted(data).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ] == ["two"]

    assert [record.levelname for record in caplog.records] == ["ERROR"]
