"""Destinations beside each other: what is wrong with one costs itself alone."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.conftest import (
    Collector,
    accept,
    encode_number,
    hang,
    quick,
    slam,
    trickle,
)

from funcscope.telemetry._delivery.batcher import ExportOptions
from funcscope.telemetry._delivery.delivery import Delivery
from funcscope.telemetry._delivery.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.telemetry.delivery.conftest import Behaviour

    from funcscope.telemetry._config.otlp_target import OtlpTarget
    from funcscope.telemetry._delivery.batcher import ExportRequest
    from funcscope.telemetry._delivery.buffer import WorkerOptions
    from funcscope.telemetry._delivery.spool import SpoolRefusal

    MakeDelivery = Callable[..., Delivery]

HOUR_S = 3600.0
BUDGET_S = 1.0
MUCH_LONGER_S = 30.0


@pytest.fixture
def other() -> Iterator[Collector]:
    """Give a second collector, for log records."""
    server = Collector()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_delivery(collector: Collector, other: Collector) -> Iterator[MakeDelivery]:
    """Make deliveries of spans to one collector and of log records to the other."""
    made: list[Delivery] = []

    def make(
        spool: Spool | None = None,
        timeout_s: float = HOUR_S,
        options: WorkerOptions | None = None,
    ) -> Delivery:
        targets = [
            collector.target("traces", timeout_s=timeout_s),
            other.target("logs", timeout_s=timeout_s),
        ]
        exports = [ExportOptions(target, encode_number) for target in targets]
        made.append(Delivery(exports, spool=spool, options=options or quick()))
        return made[-1]

    yield make
    collector.stop()
    other.stop()
    for delivery in made:
        delivery.shutdown(0)


def put(delivery: Delivery, signal: str, *numbers: int) -> None:
    """Put numbers into a queue."""
    for number in numbers:
        delivery.queue(signal).put(number)


def export_threads() -> list[str]:
    """List the threads of workers by name."""
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("funcscope-export-"))


class HeldSpool(Spool):
    """A spool whose disk takes nothing until it is released."""

    def __init__(self, directory: Path) -> None:
        self.entered, self.may_go = threading.Event(), threading.Event()
        super().__init__(directory)

    def put(self, request: ExportRequest, target: OtlpTarget) -> SpoolRefusal | None:
        self.entered.set()
        self.may_go.wait(2 * MUCH_LONGER_S)
        return super().put(request, target)


FAULTS: dict[str, Behaviour] = {"hangs": hang, "trickles": trickle, "slams": slam}


@pytest.mark.parametrize("fault", FAULTS)
def test_healthy_destination_waits_for_no_other(
    collector: Collector, other: Collector, make_delivery: MakeDelivery, fault: str
) -> None:
    """What goes to a healthy destination arrives while another one is not done with its first."""
    collector.behaviour = FAULTS[fault]
    delivery = make_delivery()
    put(delivery, "traces", 1)
    delivery.flush_soon()
    collector.wait_for(1)
    for number in range(5):
        put(delivery, "logs", number)
        delivery.flush_soon()
        other.wait_for(number + 1)

    assert other.delivered() == Counter(range(5))


def test_worker_that_is_stuck_holds_no_other_up(
    collector: Collector,
    other: Collector,
    make_delivery: MakeDelivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does one that is held up in the system, where nothing can stop it."""
    entered, release = threading.Event(), threading.Event()
    connect = socket.socket.connect_ex

    def connect_to(sock: socket.socket, address: tuple[str, int]) -> int:
        if address[1] != collector.port:
            return connect(sock, address)
        entered.set()
        release.wait(PATIENCE_S)
        return errno.ECONNREFUSED

    monkeypatch.setattr("socket.socket.connect_ex", connect_to)
    delivery = make_delivery()
    put(delivery, "traces", 1)
    delivery.flush_soon()
    assert entered.wait(PATIENCE_S)
    put(delivery, "logs", 2)

    assert delivery.flush(PATIENCE_S, "logs")
    assert not delivery.drain(0.1)
    assert other.delivered() == Counter([2])
    release.set()


def test_disk_that_is_slow_for_one_holds_no_other_up(
    collector: Collector, other: Collector, make_delivery: MakeDelivery, tmp_path: Path
) -> None:
    """While a worker waits for the disk, the other ones send."""
    spool = HeldSpool(tmp_path)
    collector.stop()
    delivery = make_delivery(spool)
    put(delivery, "traces", 1)
    delivery.flush_soon()
    assert spool.entered.wait(PATIENCE_S)
    put(delivery, "logs", 2)
    delivery.flush_soon()
    other.wait_for(1)

    assert not spool.may_go.is_set()
    spool.may_go.set()


@pytest.mark.parametrize("end", ["drain", "shutdown"])
def test_disk_that_hangs_holds_no_end_up(
    collector: Collector, make_delivery: MakeDelivery, tmp_path: Path, end: str
) -> None:
    """Whoever ends delivery waits for no disk that never answers."""
    spool = HeldSpool(tmp_path)
    collector.stop()
    delivery = make_delivery(spool)
    put(delivery, "traces", 1)
    delivery.flush_soon()
    assert spool.entered.wait(PATIENCE_S)
    put(delivery, "traces", 2)
    start = time.monotonic()

    assert not getattr(delivery, end)(BUDGET_S)
    assert time.monotonic() - start < MUCH_LONGER_S
    spool.may_go.set()


@pytest.mark.parametrize("end", ["drain", "shutdown"])
@pytest.mark.parametrize("fault", FAULTS)
def test_ends_have_one_deadline(
    collector: Collector, other: Collector, make_delivery: MakeDelivery, end: str, fault: str
) -> None:
    """Within one budget a healthy destination has everything, whatever another one does."""
    collector.behaviour = FAULTS[fault]
    delivery = make_delivery()
    put(delivery, "traces", 1)
    put(delivery, "logs", *range(100))
    start = time.monotonic()

    assert not getattr(delivery, end)(BUDGET_S)
    assert time.monotonic() - start < MUCH_LONGER_S
    assert other.delivered() == Counter(range(100))


def test_two_that_hang_cost_one_budget(
    collector: Collector, other: Collector, make_delivery: MakeDelivery
) -> None:
    """Destinations are waited for together, and not one after the other."""
    collector.behaviour = other.behaviour = hang
    delivery = make_delivery()
    put(delivery, "traces", 1)
    put(delivery, "logs", 2)
    start = time.monotonic()

    assert not delivery.flush(2.0)
    assert 2.0 <= time.monotonic() - start < 3.9


def test_one_that_hangs_leaves_time_where_no_thread_can_be_started(
    collector: Collector,
    other: Collector,
    make_delivery: MakeDelivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is first recorded as Python ends is sent in turn, each destination in its time."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr("funcscope.telemetry._delivery.worker.start_detached", refuse)
    collector.behaviour = hang
    delivery = make_delivery()
    put(delivery, "traces", 1)
    put(delivery, "logs", 2)
    start = time.monotonic()

    assert not delivery.drain(BUDGET_S)
    assert time.monotonic() - start < MUCH_LONGER_S
    assert other.delivered() == Counter([2])


def test_flush_of_a_signal_waits_for_its_destination_alone(
    collector: Collector, other: Collector, make_delivery: MakeDelivery
) -> None:
    """A signal whose destination has taken everything is flushed, whatever the other ones have."""
    collector.behaviour = hang
    delivery = make_delivery()
    put(delivery, "traces", 1)
    put(delivery, "logs", 2)

    assert delivery.flush(PATIENCE_S, "logs")
    assert other.delivered() == Counter([2])


def test_thread_for_each_destination_that_has_something(
    collector: Collector, other: Collector, make_delivery: MakeDelivery
) -> None:
    """A destination's thread starts with its first item, and has a number in its name."""
    delivery = make_delivery()
    delivery.flush_soon()
    assert export_threads() == []
    put(delivery, "logs", 1)
    delivery.flush_soon()
    other.wait_for(1)
    assert export_threads() == ["funcscope-export-2"]
    put(delivery, "traces", 1)

    assert delivery.flush(PATIENCE_S)
    assert export_threads() == ["funcscope-export-1", "funcscope-export-2"]


def test_shutdown_leaves_no_thread(collector: Collector, make_delivery: MakeDelivery) -> None:
    """After a shutdown there is no thread, though a request of one was never answered."""
    collector.behaviour = hang
    before = set(threading.enumerate())
    delivery = make_delivery()
    put(delivery, "traces", 1)
    put(delivery, "logs", 2)
    delivery.flush_soon()
    collector.wait_for(1)

    assert not delivery.shutdown(BUDGET_S)
    assert [t.name for t in set(threading.enumerate()) - before if "funcscope" in t.name] == []


def test_everything_is_accounted_for_at_a_shutdown(
    collector: Collector, make_delivery: MakeDelivery
) -> None:
    """What a hanging request had is dropped and counted, once."""
    collector.behaviour = hang
    delivery = make_delivery()
    put(delivery, "traces", *range(10))
    put(delivery, "logs", *range(10))
    delivery.shutdown(BUDGET_S)
    traces, logs = delivery.snapshot()["traces"], delivery.snapshot()["logs"]

    assert (traces.queued, dict(traces.dropped)) == (10, {"shutdown": 10})
    assert (logs.queued, logs.sent, dict(logs.dropped)) == (10, 10, {})


def test_memory_that_one_has_filled(
    collector: Collector, other: Collector, make_delivery: MakeDelivery
) -> None:
    """Where a destination's requests fill the memory, the other one still sends all it has."""
    collector.stop()
    delivery = make_delivery(options=quick(memory_bytes=1_000))
    put(delivery, "traces", *range(2_000))
    assert not delivery.flush(PATIENCE_S)
    put(delivery, "logs", *range(5_000))

    assert delivery.flush(PATIENCE_S, "logs")
    assert other.delivered() == Counter(range(5_000))
    assert not delivery.snapshot()["traces"].dropped


@pytest.mark.parametrize("number", [300, 700, 5_000])
def test_flush_that_waits_for_memory(
    collector: Collector, other: Collector, make_delivery: MakeDelivery, number: int
) -> None:
    """A flush sends the last items, too, for which there was no room at first."""
    collector.stop()
    delivery = make_delivery(options=quick(memory_bytes=1_000))
    put(delivery, "traces", *range(2_000))
    assert not delivery.flush(PATIENCE_S)
    put(delivery, "logs", *range(number))

    assert delivery.flush(PATIENCE_S, "logs")
    assert other.delivered() == Counter(range(number))


def test_memory_is_shared(
    collector: Collector, other: Collector, make_delivery: MakeDelivery
) -> None:
    """What one destination's leave is what another's requests have, and always one piece more."""
    collector.stop()
    other.stop()
    delivery = make_delivery(options=quick(memory_bytes=1_000))
    put(delivery, "traces", *range(2_000))
    assert not delivery.flush(PATIENCE_S)
    put(delivery, "logs", *range(2_000))
    assert not delivery.flush(PATIENCE_S)

    assert 2_000 - 512 - 100 <= len(delivery.queue("logs")) < 2_000  # and the rest of a piece
    assert delivery.snapshot()["logs"].waiting == 2_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_has_workers_of_its_own(
    collector: Collector, other: Collector, make_delivery: MakeDelivery
) -> None:
    """A forked child sends to all destinations, though its parent waits for one of them."""
    collector.behaviours = [hang]
    delivery = make_delivery()
    put(delivery, "traces", 1)
    put(delivery, "logs", 2)
    delivery.flush_soon()
    collector.wait_for(1)
    other.wait_for(1)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            put(delivery, "traces", 3)
            put(delivery, "logs", 4)
            status = 0 if delivery.flush(PATIENCE_S) else 2
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert collector.delivered() == Counter([3])
    assert other.delivered() == Counter([2, 4])


def test_order_within_a_destination(
    collector: Collector, other: Collector, make_delivery: MakeDelivery
) -> None:
    """A destination gets requests in the order of their making, however slow another one is."""
    collector.behaviours = [hang, accept]
    delivery = make_delivery(timeout_s=0.2)
    put(delivery, "traces", *range(2_000))
    put(delivery, "logs", *range(2_000))

    assert delivery.flush(PATIENCE_S, "logs")
    assert other.accepted == list(range(2_000))
