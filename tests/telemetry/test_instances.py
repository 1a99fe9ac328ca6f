"""Metrics of instances that come and go add up, for backends of each kind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import count, pairwise
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from tests.patience import PROCESS_S
from tests.sdk_versions import since

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._config.resource import resource
from funcscope.telemetry._metrics.invocation import Initialization, InvocationMetrics
from funcscope.telemetry._metrics.redaction import redact_metrics
from funcscope.telemetry._pipeline.metrics import QueueMetricExporter
from funcscope.telemetry._redaction.redactor import DEFAULT
from funcscope.telemetry._triggers.choice import extractor_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Series = tuple[str, str, frozenset[tuple[str, str]]]  # who, the metric, the attributes

PREFERENCES = ("cumulative", "delta", "lowmemory")
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
DELTA = 1  # of `AggregationTemporality`
FUNCTION = Function(
    "orders", "/app", False, "app.orders", (Binding("t", "timerTrigger", "in", {}),)
)
EXTRACTOR = extractor_for(FUNCTION, route_prefix="api", environ={})


class Point(NamedTuple):
    """A point as a backend gets it: a counter's value, or how many a histogram has counted."""

    series: Series
    value: float
    start: int
    time: int
    is_delta: bool


class Backend:
    """
    Takes OTLP, and adds up as backends do.

    Args:
        has_ids: Whether it tells instances apart.
    """

    def __init__(self, *, has_ids: bool = True) -> None:
        self.points: list[Point] = []
        self._has_ids = has_ids

    def take(self, body: bytes) -> None:
        """Take a request."""
        for sent in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            named = {a.key: a.value.string_value for a in sent.resource.attributes}
            who = named["service.instance.id"] if self._has_ids else ""
            for metric in (m for scope in sent.scope_metrics for m in scope.metrics):
                data: Any = getattr(metric, metric.WhichOneof("data") or "")
                for point in data.data_points:
                    of = frozenset((a.key, a.value.string_value) for a in point.attributes)
                    is_sum = metric.HasField("sum")
                    value = point.as_double or point.as_int if is_sum else point.count
                    self.points.append(
                        Point(
                            (who, metric.name, of), value, point.start_time_unix_nano,
                            point.time_unix_nano, data.aggregation_temporality == DELTA,
                        )
                    )  # fmt: skip

    def series(self) -> dict[Series, list[Point]]:
        """Return the points of each series, as they came."""
        found: dict[Series, list[Point]] = defaultdict(list)
        for point in self.points:
            found[point.series].append(point)
        return found

    def totals(self, increase: Callable[[Point | None, Point], float]) -> Counter[str]:
        """Add up what each point adds to the one before it in its series, by metric."""
        totals: Counter[str] = Counter()
        for (_, name, _), points in self.series().items():
            for last, point in zip([None, *points], points, strict=False):
                totals[name] += int(point.value if point.is_delta else increase(last, point))
        return totals


def by_value(last: Point | None, point: Point) -> float:
    """Add as Prometheus does, which knows a reset by a value that is lower."""
    return point.value - (last.value if last is not None and last.value <= point.value else 0)


def by_start(last: Point | None, point: Point) -> float:
    """Add as OTLP has it: what has another start has begun at zero."""
    return point.value - (last.value if last is not None and last.start == point.start else 0)


def by_known_start(born: int) -> Callable[[Point | None, Point], float]:
    """Add as the Collector's `cumulativetodelta`, born then, which trusts no first point else."""

    def increase(last: Point | None, point: Point) -> float:
        if last is None and not born < point.start < point.time:
            return 0
        return by_value(last, point)

    return increase


class Instance:
    """
    A process that runs invocations of a function, and measures them as funcscope does.

    Args:
        preference: Which temporality the app settings ask for.
        name: The instance's.
        backends: Where it sends to.
    """

    def __init__(self, preference: str, name: str, *backends: Backend) -> None:
        self.backends = list(backends)
        environ = {TEMPORALITY: preference, "WEBSITE_INSTANCE_ID": name}

        def submit(body: bytes, _number: int) -> None:
            for backend in self.backends:
                backend.take(body)

        exporter = QueueMetricExporter(submit, lambda _: True, environ)
        self._reader = PeriodicExportingMetricReader(
            redact_metrics(exporter, DEFAULT), export_interval_millis=float("inf")
        )
        self.provider = MeterProvider(
            [self._reader], resource=resource(environ), shutdown_on_exit=False
        )
        meter = self.provider.get_meter("test")
        self._metrics = InvocationMetrics(meter, Initialization(), on_batch_ready=int)
        self._sent = count(1)
        meter.create_observable_counter("sent", [self._observe])

    def _observe(self, _options: CallbackOptions) -> Iterator[Observation]:
        self._metrics.record_pending()  # as `Pipeline.observe_with` does
        yield Observation(next(self._sent))

    def run(self, error_type: str | None = None, *, is_cold_start: bool = False) -> None:
        """Run an invocation."""
        context = PartialContext("7", FUNCTION.name, "/app", thread_local_storage=None)
        invocation = Invocation("7", FUNCTION, {}, context, is_cold_start)
        self._metrics.end(self._metrics.begin(invocation, EXTRACTOR), {}, error_type)

    def collect(self) -> None:
        """Collect, and send, as when the app idles and at its end."""
        self._reader.force_flush()

    def end(self) -> None:
        """Collect a last time, and be gone."""
        self.collect()
        self._reader.shutdown()


def scale(preference: str, draw: random.Random, *backends: Backend) -> Counter[str]:
    """Let an app scale from one instance to fifty and back; return what has happened."""
    truth: Counter[str] = Counter()
    names = (f"instance-{number}" for number in count())
    running: list[Instance] = []
    for wanted in (1, 3, 10, 50, 50, 20, 5, 1):
        while len(running) < wanted:
            running.append(Instance(preference, next(names), *backends))
            running[-1].run(is_cold_start=True)
            truth += Counter({"faas.coldstarts": 1, "faas.invocations": 1})
        while len(running) > wanted:
            running.pop(draw.randrange(len(running))).end()
        for instance in running:
            for _ in range(draw.randrange(4)):
                error_type = draw.choice([None, None, "ValueError", "KeyError"])
                instance.run(error_type)
                truth["faas.invocations" if error_type is None else "faas.errors"] += 1
            if draw.random() < 0.5:
                instance.collect()
    for instance in running:
        instance.end()
    truth["faas.invoke_duration"] = truth["faas.invocations"] + truth["faas.errors"]
    return truth


def seen(totals: Counter[str], truth: Counter[str]) -> Counter[str]:
    """Return what was added up of what has happened."""
    return Counter({name: totals[name] for name in truth})


@pytest.mark.parametrize("preference", PREFERENCES)
def test_one_to_fifty_to_one_is_the_truth(preference: str) -> None:
    """Whatever comes and goes, all backends that tell instances apart add up to the truth."""
    born, backend = 1, Backend()
    truth = scale(preference, random.Random(preference), backend)

    assert truth["faas.coldstarts"] >= 50
    for increase in (by_value, by_start, by_known_start(born)):
        assert seen(backend.totals(increase), truth) == truth, increase


@pytest.mark.parametrize("preference", PREFERENCES)
def test_backends_that_drop_the_ids_of_instances(preference: str) -> None:
    """Where instances are not told apart, deltas are the truth still, and running sums are not."""
    backend = Backend(has_ids=False)
    truth = scale(preference, random.Random(preference), backend)

    is_truth = seen(backend.totals(by_value), truth) == truth
    assert is_truth is (preference != "cumulative")


def check_times(backend: Backend) -> None:
    """Find each point's time where it has to be."""
    times: dict[str, set[int]] = defaultdict(set)  # a process's begin, and its collections
    for point in backend.points:
        who = point.series[0]
        times[who].add(min(p.start for p in backend.points if p.series[0] == who and p.start))
        times[who].add(point.time)

    for (who, name, _), points in backend.series().items():
        assert all(p.start < p.time for p in points), name
        assert {p.start for p in points} <= times[who], name
        for last, point in pairwise(points):
            if point.is_delta:
                assert point.start >= last.time, name
            else:
                assert (point.start, point.value >= last.value) == (last.start, True), name


@pytest.mark.parametrize("preference", PREFERENCES)
def test_no_time_is_left_out_or_told_twice(preference: str) -> None:
    """Deltas follow each other without gap or overlap; running sums keep their start, and grow."""
    backend = Backend()
    scale(preference, random.Random(preference), backend)

    check_times(backend)


@pytest.mark.parametrize("preference", PREFERENCES)
def test_what_is_measured_lies_within_its_time(preference: str) -> None:
    """A series starts before its first invocation, at the collection before that."""
    backend = Backend()
    instance = Instance(preference, "one", backend)
    begins, firsts = {}, {}
    for error_type, metric in ((None, "faas.invocations"), ("ValueError", "faas.errors")):
        begins[metric] = time_ns()
        instance.run(error_type)
        instance.collect()
        firsts[metric] = next(p for p in backend.points if p.series[1] == metric)
    instance.end()

    for metric, begin in begins.items():
        assert firsts[metric].start < begin < firsts[metric].time
    assert firsts["faas.errors"].start == firsts["faas.invocations"].time


FORKS = """
import os, sys, time
from tests.telemetry.test_instances import Backend, Instance
parents, childs = Backend(), Backend()
instance = Instance("cumulative", "one", parents)
instance.run()
instance.collect()
forked_at = time.time_ns()
if os.fork():
    assert not os.wait()[1]
else:
    forget_measurements(instance.provider)
    instance.backends[:] = [childs]
    instance.run()
    instance.end()
    (point,) = [p for p in childs.points if p.series[1] == "faas.invocations"]
    assert point.value == 1, point
    assert forked_at < point.start < point.time, (forked_at, point)
    assert point.series[0] != parents.points[0].series[0]
"""


@since(44, "an instance id of each forked child's own")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_is_an_instance() -> None:
    """What a forked child measures starts with it, under an id of its own."""
    code = "from funcscope.telemetry._metrics.measurements import forget_measurements" + FORKS
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        timeout=PROCESS_S,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("preference", PREFERENCES)
def test_a_process_in_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preference: str
) -> None:
    """A worker that its host starts in the place of one is a series of its own, and is added."""
    backend, command_line = Backend(), tmp_path / "cmdline"
    monkeypatch.setattr("funcscope.telemetry._config.resource.COMMAND_LINE", command_line)
    for worker_id in ("e9efd817-47a1", "cbef5957-cdb3"):
        command_line.write_text(f"worker.py\0--functions-worker-id\0{worker_id}\0")
        instance = Instance(preference, "one", backend)
        for _ in range(3):
            instance.run()
        instance.end()

    assert backend.totals(by_value)["faas.invocations"] == 6
    assert backend.totals(by_start)["faas.invocations"] == 6


@pytest.mark.parametrize("preference", PREFERENCES)
def test_what_is_observed_adds_up(preference: str) -> None:
    """What is observed as a running sum, as `funcscope.export.items` is, adds up as well."""
    backend = Backend()
    for name in ("one", "other"):
        instance = Instance(preference, name, backend)
        instance.collect()
        instance.collect()
        instance.end()

    assert backend.totals(by_value)["sent"] == 6
