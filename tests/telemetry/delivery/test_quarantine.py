"""A body that a collector does not take, among those that it takes."""

from __future__ import annotations

import random
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.conftest import (
    Collector,
    DeadlineClock,
    accept,
    answering,
    flush_until_sent,
    hang,
    quick,
    request_of,
    slam,
)

from funcscope.telemetry._delivery.buffer import Quarantine, WorkerOptions
from funcscope.telemetry._delivery.retry import Backoff
from funcscope.telemetry._delivery.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.telemetry.delivery.conftest import Behaviour, Conversation

    from funcscope.telemetry._delivery.delivery import Delivery
    from funcscope.telemetry._delivery.stats import SignalCounts

    MakeWorker = Callable[..., Delivery]

BAD, ALSO_BAD = 0, 2**32 - 1  # no test counts up to the second
AT_ONCE = Backoff(0.001, 0.001, random=lambda: 1.0)
AT_THE_END = Backoff(1000.0, 1000.0, random=lambda: 1.0)


def picky(collector: Collector, refuse: Behaviour) -> Behaviour:
    """Make a behaviour that takes each body but those with a bad number."""

    def behave(conversation: Conversation) -> None:
        if {BAD, ALSO_BAD} & set(conversation.request.numbers):
            refuse(conversation)
            return
        collector.accepted += conversation.request.numbers
        conversation.answer()

    return behave


def put_one_by_one(worker: Delivery, *numbers: int) -> None:
    """Put each number into a body of its own."""
    for number in numbers:
        worker.queue("traces").put(number)
    worker.flush(PATIENCE_S)


def wait_until_tried(collector: Collector, number: int) -> None:
    """Wait until a number has come."""
    with collector.changed:
        assert collector.changed.wait_for(
            lambda: any(number in request.numbers for request in collector.requests), PATIENCE_S
        )


def counts_of(worker: Delivery) -> SignalCounts:
    """Return the counts of spans."""
    return worker.snapshot()["traces"]


@pytest.fixture(params=[False, True], ids=["memory", "spool"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool | None:
    """Give a spool, or none."""
    return Spool(tmp_path) if request.param else None


@pytest.mark.parametrize("refuse", [answering(503), slam], ids=["503", "slam"])
def test_others_are_taken(
    collector: Collector, make_worker: MakeWorker, spool: Spool | None, refuse: Behaviour
) -> None:
    """What a collector does not take holds up nothing that it takes, and is kept."""
    collector.behaviour = picky(collector, refuse)
    worker = make_worker(spool=spool, max_items=1, options=quick(quarantine=AT_THE_END))
    put_one_by_one(worker, BAD, 1, 2, 3)
    wait_until_tried(collector, 3)
    assert not worker.flush(PATIENCE_S)

    assert collector.accepted == [1, 2, 3]
    assert (counts_of(worker).sent, dict(counts_of(worker).dropped)) == (3, {})

    collector.behaviour = accept
    worker.drain(PATIENCE_S)
    assert collector.accepted == [1, 2, 3, BAD]


@pytest.mark.parametrize("number_of_bad", [1, 2])
def test_others_are_taken_behind_one_that_is_never_answered(
    collector: Collector,
    make_worker: MakeWorker,
    spool: Spool | None,
    clock: DeadlineClock,
    number_of_bad: int,
) -> None:
    """A body that a collector chokes on holds up nothing that it takes, nor do two of them."""
    collector.behaviour = picky(collector, clock.timing_out(hang))
    bad = [BAD, ALSO_BAD][:number_of_bad]
    worker = make_worker(spool=spool, max_items=1, options=quick(quarantine=AT_THE_END))
    put_one_by_one(worker, *bad, *range(1, 21))
    wait_until_tried(collector, 20)
    assert not worker.flush(PATIENCE_S)

    assert collector.accepted == list(range(1, 21))
    assert (counts_of(worker).sent, dict(counts_of(worker).dropped)) == (20, {})

    collector.behaviour = accept
    worker.drain(PATIENCE_S)
    assert sorted(collector.accepted[20:]) == bad


def test_the_next_process_is_not_held_up_either(
    collector: Collector, make_worker: MakeWorker, tmp_path: Path, clock: DeadlineClock
) -> None:
    """What a process leaves in the spool that a collector chokes on holds up no other process."""
    collector.behaviour = picky(collector, clock.timing_out(hang))
    first = make_worker(spool=Spool(tmp_path), max_items=1, options=quick(quarantine=AT_THE_END))
    put_one_by_one(first, BAD)
    first.shutdown(PATIENCE_S)
    other = make_worker(spool=Spool(tmp_path), max_items=1, options=quick(quarantine=AT_THE_END))
    put_one_by_one(other, *range(1, 21))
    wait_until_tried(collector, 20)

    assert not other.flush(PATIENCE_S)
    assert collector.accepted == list(range(1, 21))


def test_an_attempt_that_takes_long_is_made_seldom() -> None:
    """A body that costs a time-out again takes a tenth of the time at most."""
    now = 0.0
    quarantine = Quarantine(16, WorkerOptions().quarantine, clock=lambda: now)
    quarantine.refused(BAD, cost_s=10.0)
    quarantine.passed_by(1)
    assert quarantine.next_at() == now + 1.0

    now = 1.0
    assert quarantine.due() == {BAD}
    quarantine.refused(BAD, cost_s=10.0)
    assert quarantine.next_at() == now + 90.0


def test_a_lap_ends() -> None:
    """What was refused has its turn again after a while, however much that is new comes."""
    now = 0.0
    quarantine = Quarantine(16, Backoff(1.0, 600.0), clock=lambda: now)
    quarantine.refused(BAD)
    quarantine.refused(ALSO_BAD)
    assert not quarantine.candidates(quarantine.due())[0](BAD)

    now = 601.0
    assert quarantine.candidates(quarantine.due())[0](BAD)


@pytest.mark.parametrize(
    ("refuse", "reason"),
    [(answering(503, b"too odd"), "HTTP 503: too odd"), (slam, "the answer broke off")],
    ids=["503", "slam"],
)
def test_it_is_dropped_in_the_end(
    collector: Collector,
    make_worker: MakeWorker,
    spool: Spool | None,
    refuse: Behaviour,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Refused once more after so many turns, it is dropped; the log and the counts tell why."""
    collector.behaviour = picky(collector, refuse)
    worker = make_worker(spool=spool, max_items=1, options=quick(lost_turns=3, quarantine=AT_ONCE))
    put_one_by_one(worker, BAD)
    until = time.monotonic() + 6 * PATIENCE_S  # a dozen requests, on a machine that may be busy
    for number in count(1):
        if worker.flush(PATIENCE_S):
            break
        assert time.monotonic() < until
        worker.queue("traces").put(number)

    tries = [request for request in collector.requests if BAD in request.numbers]
    assert len(tries) > 3
    assert sorted(collector.accepted) == list(range(1, number))
    counts = counts_of(worker)
    assert dict(counts.dropped) == {"refused": 1}
    assert counts.queued == counts.sent + 1
    why = f"{reason}, again and again while others are taken"
    assert sum(why in message for message in caplog.messages) == 1
    assert why in str(worker.stats.summary())


def test_nothing_is_dropped_while_nothing_is_taken(
    collector: Collector, make_worker: MakeWorker, spool: Spool | None
) -> None:
    """A collector that is in trouble costs no turns, however often it refuses."""
    collector.behaviours = [answering(503)] * 30
    options = quick(lost_turns=1, quarantine=AT_ONCE)
    worker = make_worker(spool=spool, max_items=1, options=options)
    put_one_by_one(worker, *range(4))

    assert flush_until_sent(worker)
    assert len(collector.requests) == 34
    assert sorted(collector.accepted) == list(range(4))
    assert dict(counts_of(worker).dropped) == {}


def test_nothing_is_dropped_by_refusals_alone(
    collector: Collector, make_worker: MakeWorker, spool: Spool | None
) -> None:
    """What was set aside loses no turn by being refused, while nothing else is taken."""
    collector.behaviour = picky(collector, answering(503))
    worker = make_worker(spool=spool, max_items=1, options=quick(lost_turns=2, quarantine=AT_ONCE))
    put_one_by_one(worker, BAD, 1)
    wait_until_tried(collector, 1)
    tried = len(collector.requests)
    collector.behaviour = answering(503)
    until = time.monotonic() + PATIENCE_S
    while len(collector.requests) < tried + 30 and time.monotonic() < until:
        worker.flush(PATIENCE_S)
    collector.behaviour = accept

    assert flush_until_sent(worker)
    assert sorted(collector.accepted) == [BAD, 1]


def test_nothing_is_dropped_that_is_alone(
    collector: Collector, make_worker: MakeWorker, spool: Spool | None
) -> None:
    """What is alone in the line loses no turn: nothing shows that the collector is well."""
    collector.behaviours = [answering(503)] * 30
    worker = make_worker(spool=spool, options=quick(lost_turns=1, quarantine=AT_ONCE))
    put_one_by_one(worker, 1)

    assert flush_until_sent(worker)
    assert collector.accepted == [1]


def test_nothing_is_dropped_at_random(
    collector: Collector, make_worker: MakeWorker, spool: Spool | None
) -> None:
    """A collector that refuses half of what comes gets it all in the end, and once."""
    chance = random.Random(1)

    def shed(conversation: Conversation) -> None:
        if chance.random() < 0.5:
            conversation.answer(503)
            return
        collector.accepted += conversation.request.numbers
        conversation.answer()

    collector.behaviour = shed
    worker = make_worker(spool=spool, max_items=1, options=quick(quarantine=AT_ONCE))
    put_one_by_one(worker, *range(100))

    assert flush_until_sent(worker)
    assert sorted(collector.accepted) == list(range(100))
    assert dict(counts_of(worker).dropped) == {}


BUSY = pytest.mark.parametrize(
    "busy", [answering(429), answering(429, retry_after="0"), answering(503, retry_after="0")]
)


@BUSY
def test_a_busy_collector(collector: Collector, make_worker: MakeWorker, busy: Behaviour) -> None:
    """What a collector has no time for is kept, whatever else it takes, and sent in the end."""
    collector.behaviours = [busy, answering(200)] * 20
    worker = make_worker(max_items=1, options=quick(lost_turns=0, quarantine=AT_ONCE))
    put_one_by_one(worker, *range(10))

    assert flush_until_sent(worker)
    assert dict(counts_of(worker).dropped) == {}
    assert counts_of(worker).sent == 10


@BUSY
def test_too_large_for_a_limit(
    collector: Collector, make_worker: MakeWorker, busy: Behaviour
) -> None:
    """A request that a collector is always too busy for lets the others go first, and stays."""
    collector.behaviour = picky(collector, busy)
    worker = make_worker(max_items=1, options=quick(lost_turns=0, quarantine=AT_THE_END))
    put_one_by_one(worker, BAD, *range(1, 21))
    wait_until_tried(collector, 20)
    worker.flush(PATIENCE_S)

    assert collector.accepted == list(range(1, 21))
    assert counts_of(worker).waiting == 1


def test_it_goes_first_when_memory_is_full(collector: Collector, make_worker: MakeWorker) -> None:
    """Where memory is full and there is no disk, what was set aside makes room for the others."""
    collector.behaviour = picky(collector, answering(503))
    worker = make_worker(
        max_items=1, options=quick(memory_bytes=2 * len(request_of(1)), quarantine=AT_THE_END)
    )
    put_one_by_one(worker, BAD, 1)
    wait_until_tried(collector, 1)
    put_one_by_one(worker, ALSO_BAD)  # memory is full now, and nothing else is known to be bad
    put_one_by_one(worker, 2)
    wait_until_tried(collector, 2)
    worker.flush(PATIENCE_S)

    assert collector.accepted == [1, 2]
    assert dict(counts_of(worker).dropped) == {"memory_full": 1}
    assert counts_of(worker).waiting == 1


def test_it_is_forgotten_once_another_process_has_sent_it(
    collector: Collector, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """What was set aside and is not in the shared spool any more is nothing to wait for."""
    collector.behaviour = picky(collector, answering(503))
    first = make_worker(spool=Spool(tmp_path), max_items=1, options=quick(quarantine=AT_ONCE))
    put_one_by_one(first, BAD, 1)
    wait_until_tried(collector, 1)
    assert not first.flush(PATIENCE_S)
    other = make_worker(spool=Spool(tmp_path))
    collector.behaviour = accept

    assert flush_until_sent(other)
    assert flush_until_sent(first)
    assert collector.accepted == [1, BAD]


def test_it_takes_more_than_an_hour() -> None:
    """Before a body is dropped, a collector has had an hour and more to come to itself."""
    options = WorkerOptions()
    waits = [options.quarantine.delay_s(number) for number in range(1, options.lost_turns + 1)]

    assert sum(waits) > 3600
    assert waits[0] == 1
