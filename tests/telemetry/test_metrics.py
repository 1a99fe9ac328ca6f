"""What is measured of an invocation, through the SDK's own reader."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.functions import HttpRequest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._metrics.invocation import Initialization, InvocationMetrics
from funcscope.telemetry._scope import BUCKETS_S
from funcscope.telemetry._triggers.choice import extractor_for

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
REQUEST = HttpRequest("GET", "https://app.net/api/orders/7", body=b"")
PACKAGES = (
    "_incubating.metrics.faas_metrics",
    "_incubating.metrics.messaging_metrics",
    "metrics.http_metrics",
    "_incubating.attributes.faas_attributes",
    "_incubating.attributes.messaging_attributes",
    "attributes.error_attributes",
    "attributes.http_attributes",
    "attributes.url_attributes",
)

Make = Callable[..., InvocationMetrics]
Points = dict[str, list[Any]]  # data points of either kind


class Collected:
    """A meter, and what was recorded with it."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self._provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.meter = self._provider.get_meter("test")

    @property
    def units(self) -> dict[str, str]:
        """The unit of each metric by name."""
        return {metric.name: metric.unit for metric in self._metrics()}

    @property
    def points(self) -> Points:
        """The data points of each metric by name."""
        return {metric.name: list(metric.data.data_points) for metric in self._metrics()}

    def attributes(self, name: str) -> list[Mapping[str, object]]:
        """Return the attributes of each of a metric's points."""
        return [dict(point.attributes) for point in self.points.get(name, [])]

    def close(self) -> None:
        self._provider.shutdown()

    def _metrics(self) -> Iterator[Any]:
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                yield from scope.metrics


@pytest.fixture
def collected() -> Iterator[Collected]:
    """Collect what is recorded with a meter of the SDK's."""
    collected = Collected()
    yield collected
    collected.close()


@pytest.fixture
def make(collected: Collected) -> Make:
    """Make metrics on clocks that a look moves on: time by 1 s, CPU time by 0.25 s."""

    def make(**options: Any) -> InvocationMetrics:
        time, cpu = count(10), count(5)
        return InvocationMetrics(
            collected.meter,
            options.pop("initialization", Initialization(clock=lambda: 0.0)),
            clock=lambda: float(next(time)),
            thread_clock=lambda: next(cpu) / 4,
            **options,
        )

    return make


def function(
    trigger: str = "httpTrigger", *, is_async: bool = False, **settings: object
) -> Function:
    """Make the function `orders`."""
    binding = Binding("req", trigger, "in", settings)
    return Function("orders", "/app", is_async, "app.orders", (binding,))


def invocation(
    function: Function, *, trigger: object = REQUEST, is_cold_start: bool = False
) -> Invocation:
    """Make a call of a function."""
    context = PartialContext("0f8e", function.name, "/app", thread_local_storage=None)
    return Invocation("0f8e", function, {"req": trigger}, context, is_cold_start)


def measure(
    metrics: InvocationMetrics,
    function: Function,
    error_type: str | None = None,
    *,
    is_cold_start: bool = False,
    environ: dict[str, str] | None = None,
    **outcome: str | int,
) -> None:
    """Measure one call, as the recorder does."""
    extractor = extractor_for(function, route_prefix="api", environ=environ or {})
    measurement = metrics.begin(invocation(function, is_cold_start=is_cold_start), extractor)
    metrics.end(measurement, {k.replace("__", "."): v for k, v in outcome.items()}, error_type)


def test_success_is_counted_and_timed(make: Make, collected: Collected) -> None:
    """A call that succeeds is an invocation with a duration, told by trigger and function."""
    measure(make(), function())

    (duration,) = collected.points["faas.invoke_duration"]
    (invocations,) = collected.points["faas.invocations"]
    assert duration.attributes == {"faas.trigger": "http", "faas.name": "orders"}
    assert (duration.count, duration.sum) == (1, 1)
    assert invocations.value == 1
    assert invocations.attributes == duration.attributes
    assert "faas.errors" not in collected.points


def test_error_is_counted_with_its_type(make: Make, collected: Collected) -> None:
    """A call that fails is an error and no invocation: the conventions count successful ones."""
    measure(make(), function("timerTrigger"), "ValueError")

    expected = {"faas.trigger": "timer", "faas.name": "orders", "error.type": "ValueError"}
    assert collected.attributes("faas.errors") == [expected]
    assert collected.attributes("faas.invoke_duration") == [expected]
    assert "faas.invocations" not in collected.points


def test_request_has_the_required_attributes(make: Make, collected: Collected) -> None:
    """A request is told by method, scheme, route and status, not by its path: it has any value."""
    metrics, orders = make(), function(route="orders/{id}")
    measure(metrics, orders, http__response__status_code=200)
    measure(metrics, orders, "503", http__response__status_code=503)

    common = {"http.request.method": "GET", "url.scheme": "https", "http.route": "/api/orders/{id}"}
    assert collected.attributes("http.server.request.duration") == [
        {**common, "http.response.status_code": 200},
        {**common, "http.response.status_code": 503, "error.type": "503"},
    ]


def test_request_of_unknown_method_is_no_request(make: Make, collected: Collected) -> None:
    """Without the attributes that it must have, no request is recorded; the invocation is."""
    metrics, orders = make(), function()
    extractor = extractor_for(orders, route_prefix="api", environ={})
    metrics.end(metrics.begin(invocation(orders, trigger=None), extractor), {}, None)

    assert "http.server.request.duration" not in collected.points
    assert "faas.invoke_duration" in collected.points


def test_messages_are_timed(make: Make, collected: Collected) -> None:
    """Processing messages is told by system, operation and destination."""
    measure(make(), function("queueTrigger", queueName="parcels"), "ValueError")

    assert collected.attributes("messaging.process.duration") == [
        {
            "messaging.system": "azure_storage_queue",
            "messaging.operation.name": "process",
            "messaging.destination.name": "parcels",
            "error.type": "ValueError",
        }
    ]
    assert "http.server.request.duration" not in collected.points


def test_cpu_time_of_a_sync_function(make: Make, collected: Collected) -> None:
    """A sync function has its thread to itself, so its thread's CPU time is its own."""
    measure(make(), function())

    (cpu,) = collected.points["faas.cpu_usage"]
    assert cpu.sum == 0.25


def test_no_more_cpu_time_than_time(collected: Collected) -> None:
    """CPU time is taken within the duration, and so is never more."""
    clock = count().__next__
    initialization = Initialization(clock=lambda: 0.0)
    measure(
        InvocationMetrics(collected.meter, initialization, clock=clock, thread_clock=clock),
        function(),
    )

    (cpu,), (duration,) = (collected.points[f"faas.{n}"] for n in ("cpu_usage", "invoke_duration"))
    assert cpu.sum < duration.sum


def test_no_cpu_time_of_an_async_function(make: Make, collected: Collected) -> None:
    """Async functions share a thread: whose CPU time it was cannot be told."""
    measure(make(), function(is_async=True))

    assert "faas.cpu_usage" not in collected.points
    assert "faas.invoke_duration" in collected.points


def test_only_the_first_start_is_cold(make: Make, collected: Collected) -> None:
    """A cold start is counted once, for the function that met it."""
    metrics, orders = make(), function()
    measure(metrics, orders, is_cold_start=True)
    measure(metrics, orders)

    (cold,) = collected.points["faas.coldstarts"]
    assert cold.value == 1
    assert cold.attributes == {"faas.trigger": "http", "faas.name": "orders"}


def test_initialization_ends_with_the_last_function(make: Make, collected: Collected) -> None:
    """The app was ready when its last function was loaded, however late the first call comes."""
    times = iter([100.0, 101.0, 102.5])
    initialization = Initialization(clock=lambda: next(times))
    initialization.loaded()
    initialization.loaded()
    metrics, orders = make(initialization=initialization), function()
    measure(metrics, orders)
    measure(metrics, orders)

    (init,) = collected.points["faas.init_duration"]
    assert (init.count, init.sum) == (1, 2.5)


def test_initialization_without_a_load_ends_with_the_first_call(
    make: Make, collected: Collected
) -> None:
    """Where a worker loads functions unseen, the app is ready when it is first called."""
    times = iter([100.0, 103.0])
    measure(make(initialization=Initialization(clock=lambda: next(times))), function())

    (init,) = collected.points["faas.init_duration"]
    assert init.sum == 3


def test_warmup_is_no_invocation(make: Make, collected: Collected) -> None:
    """A warmup is measured by nothing, and the call after it did not start cold."""
    metrics = make()
    measure(metrics, function("warmupTrigger"), is_cold_start=True)
    assert collected.points == {}

    measure(metrics, function())
    assert "faas.coldstarts" not in collected.points
    assert "faas.init_duration" in collected.points


def test_what_the_host_measures_is_left_to_it(make: Make, collected: Collected) -> None:
    """Where the host exports the same two metrics, they are left out, and they alone."""
    measure(make(is_host_measuring=True), function(), is_cold_start=True)

    assert set(collected.points) == {
        "faas.coldstarts",
        "faas.cpu_usage",
        "faas.init_duration",
        "faas.invocations",
    }


def test_requests_that_are_counted_where_they_go(make: Make, collected: Collected) -> None:
    """Where a backend counts the requests that it gets, their durations are left out, alone."""
    measure(make(are_requests_counted=True), function())

    assert "http.server.request.duration" not in collected.points
    assert "faas.invoke_duration" in collected.points


def test_nothing_is_measured_when_off(make: Make, collected: Collected) -> None:
    """Switched off, nothing is recorded."""
    measure(make(is_on=False), function(), is_cold_start=True)

    assert collected.points == {}


def test_buckets_are_in_seconds(make: Make, collected: Collected) -> None:
    """Every duration is exported in the buckets that the conventions advise, in seconds."""
    metrics = make()
    measure(metrics, function(), is_cold_start=True)
    measure(metrics, function("queueTrigger"))

    durations = {
        name: points[0]
        for name, points in collected.points.items()
        if isinstance(points[0], HistogramDataPoint)
    }
    assert len(durations) == 5
    for name, point in durations.items():
        assert tuple(point.explicit_bounds) == BUCKETS_S
        assert collected.units[name] == "s"


class Broken(NoOpMeter):
    """A meter whose instruments fail."""

    def create_counter(self, *args: Any, **kwargs: Any) -> Any:
        """Make no counter at all."""
        return None


def test_broken_meter_reaches_no_function(caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong with an app's own meter provider is said once, and raises nothing."""
    metrics = InvocationMetrics(Broken("broken"), Initialization())
    for _ in range(3):
        measure(metrics, function(), is_cold_start=True)
        measure(metrics, function())

    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "not measured" in caplog.text


@given(
    st.builds(SimpleNamespace, method=st.text() | st.none(), url=st.text() | st.integers()),
    st.dictionaries(st.text(), st.text() | st.none()),
    st.none() | st.text(),
    st.text(),
)
def test_nothing_raises(
    request: object, outcome: dict[str, Any], error_type: str | None, trigger: str
) -> None:
    """Whatever is said of an invocation, measuring it raises nothing."""
    metrics = InvocationMetrics(NoOpMeter("test"), Initialization())
    orders = function(trigger)
    extractor = extractor_for(orders, route_prefix="api", environ={})
    measurement = metrics.begin(invocation(orders, trigger=request), extractor)
    metrics.end(measurement, outcome, error_type)


def test_names_are_the_conventions(make: Make, collected: Collected) -> None:
    """Every metric and attribute name is one of the installed conventions' package."""
    metrics = make()
    measure(metrics, function(), "500", is_cold_start=True, http__response__status_code=500)
    measure(metrics, function("serviceBusTrigger", queueName="q", subscriptionName="s"))
    known = {
        value
        for package in PACKAGES
        for name, value in vars(importlib.import_module(f"opentelemetry.semconv.{package}")).items()
        if name.isupper() and isinstance(value, str)
    }

    used = {key for name in collected.points for each in collected.attributes(name) for key in each}
    assert set(collected.points) | used <= known


def test_documentation_names_every_metric(make: Make, collected: Collected) -> None:
    """The reference's table has the metrics that are recorded, with their units."""
    metrics = make()
    measure(metrics, function(), is_cold_start=True)
    measure(metrics, function("queueTrigger"), "ValueError")
    environ = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
    measure(metrics, function("mcpToolTrigger"), environ=environ)
    rows = re.findall(r"^\| `([\w.]+)` \| \w+ \| `([^`]+)` \|", DOCS.read_text(), re.MULTILINE)

    assert dict(rows) == collected.units


def test_measurements_wait_until_they_are_settled(make: Make, collected: Collected) -> None:
    """Where that is asked for, nothing is recorded in an invocation, and all of it when settled."""
    crowds: list[int] = []
    metrics, orders = make(on_batch_ready=lambda: crowds.append(1)), function()
    for _ in range(256):
        measure(metrics, orders)
    assert "faas.invocations" not in collected.points
    assert crowds == [1]

    metrics.record_pending()
    (invocations,) = collected.points["faas.invocations"]
    (duration,) = collected.points["faas.invoke_duration"]
    assert (invocations.value, duration.count, duration.sum) == (256, 256, 256)


def test_a_measurement_that_waits_keeps_its_trace(make: Make, collected: Collected) -> None:
    """An exemplar of what is recorded later is of the span that was current when it ended."""
    metrics = make(on_batch_ready=int)
    flags = TraceFlags(TraceFlags.SAMPLED)
    with use_span(NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=False, trace_flags=flags))):
        measure(metrics, function())
    metrics.record_pending()

    (duration,) = collected.points["faas.invoke_duration"]
    assert [(e.trace_id, e.span_id) for e in duration.exemplars] == [(0xA, 0xB)]
