"""The end of a pipeline: whatever sends begins at once, and what hangs costs itself alone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.conftest import hang, request_of

from funcscope.telemetry._delivery.delivery import Delivery
from funcscope.telemetry._pipeline.context import SignalPipeline
from funcscope.telemetry._pipeline.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.telemetry.delivery.conftest import Collector

    MakeDelivery = Callable[..., Delivery]

BUDGET_S = 1.0
MUCH_LONGER_S = 30.0
SPANS, LOGS, METRICS = range(10), range(10, 20), range(20, 30)


@pytest.fixture
def never() -> Iterator[Callable[[], object]]:
    """Give a call that does not return during the test."""
    released = threading.Event()
    yield released.wait
    released.set()


def signal_of(part: str, call: Callable[[], object]) -> SignalPipeline:
    """Make the pipeline of a signal that has one call."""
    calls: dict[str, object] = {part: [call] if part in ("flushes", "ends") else call}
    return SignalPipeline(object(), **calls)  # type: ignore[arg-type]  # given by name


def end(pipeline: Pipeline, budget_s: float = BUDGET_S) -> None:
    """End a pipeline, and see that it keeps its budget."""
    start = time.monotonic()
    pipeline.end(budget_s)
    assert time.monotonic() - start < MUCH_LONGER_S


def test_integration_does_not_wait_for_a_collector(
    collector: Collector, make_worker: MakeDelivery
) -> None:
    """An integration is flushed within a budget that a hanging collector uses up."""
    collector.behaviour = hang
    began = threading.Event()
    delivery = make_worker(timeout_s=1000)

    def flush() -> None:
        collector.wait_for(1)  # so the other one hangs by now
        began.set()

    delivery.queue("traces").put(1)
    pipeline = Pipeline(delivery, {"logs": SignalPipeline(object(), flushes=[flush])})
    end(pipeline)

    assert began.is_set()


HANGS = ("flushes", "shutdown", "collect_elsewhere", "ends", "collect")


@pytest.mark.parametrize("part", HANGS)
def test_what_hangs_costs_itself_alone(
    collector: Collector,
    make_worker: MakeDelivery,
    never: Callable[[], object],
    part: str,
) -> None:
    """Whatever does not return, what goes to a collector is sent, and the others are called."""
    called: list[str] = []
    delivery = make_worker(signals=["traces", "logs", "metrics"])
    signals = {each: signal_of(each, partial(called.append, each)) for each in HANGS}
    signals[part] = signal_of(part, never)
    for number in SPANS:
        delivery.queue("traces").put(number)
    for number in LOGS:
        delivery.queue("logs").put(number)
    end(Pipeline(delivery, signals))

    assert collector.delivered() == Counter([*SPANS, *LOGS])
    assert set(called) == set(HANGS) - {part}


def test_metrics_are_collected_and_sent(collector: Collector, make_worker: MakeDelivery) -> None:
    """What is collected at the end is sent in the same budget, and spans do not wait for it."""
    delivery = make_worker(signals=["traces", "metrics"])

    def collect() -> None:
        collector.wait_for(1)  # the spans
        delivery.submit("metrics", request_of(*METRICS), len(METRICS))

    for number in SPANS:
        delivery.queue("traces").put(number)
    end(Pipeline(delivery, {"metrics": SignalPipeline(object(), collect=collect)}), PATIENCE_S)

    assert collector.delivered() == Counter([*SPANS, *METRICS])


@pytest.mark.parametrize("raised", [OSError, SystemExit])
def test_what_fails_costs_itself_alone(
    collector: Collector, make_worker: MakeDelivery, raised: type[BaseException]
) -> None:
    """What raises, and be it `SystemExit`, is logged, and its thread is there for the next time."""
    delivery = make_worker()
    failures = iter([raised("no")])
    called = threading.Semaphore(0)

    def flush() -> None:
        called.release()
        for failure in failures:
            raise failure

    pipeline = Pipeline(delivery, {"traces": SignalPipeline(object(), flushes=[flush])})
    delivery.queue("traces").put(1)

    assert pipeline.flush(PATIENCE_S)
    assert pipeline.flush(PATIENCE_S)
    assert called.acquire(timeout=0)
    assert called.acquire(timeout=0)
    assert collector.delivered() == Counter([1])


def test_threads_of_the_end_are_there_before_it(
    collector: Collector, make_worker: MakeDelivery
) -> None:
    """They start with the first worker's, have names, and are no more than there are calls."""
    before = set(threading.enumerate())
    delivery = make_worker()
    signals = {
        "logs": SignalPipeline(object(), flushes=[bool]),
        "metrics": SignalPipeline(object(), collect=bool, collect_elsewhere=bool),
        "traces": SignalPipeline(object(), shutdown=bool),
    }
    pipeline = Pipeline(delivery, signals)
    assert not set(threading.enumerate()) - before
    delivery.queue("traces").put(1)
    assert delivery.flush(PATIENCE_S)
    names = sorted(t.name for t in set(threading.enumerate()) - before if "funcscope" in t.name)
    end(pipeline)

    assert names == [
        "funcscope-collect",
        "funcscope-export-1",
        "funcscope-flush-logs",
        "funcscope-flush-metrics",
        "funcscope-flush-traces",
    ]


def test_threads_of_the_end_without_a_worker() -> None:
    """Where nothing goes through a worker, they are there as soon as the pipeline is."""
    before = set(threading.enumerate())
    Pipeline(Delivery([]), {"traces": SignalPipeline(object(), shutdown=bool)})

    assert [t.name for t in set(threading.enumerate()) - before] == ["funcscope-flush-traces"]
