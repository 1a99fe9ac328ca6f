"""Items that wait to be encoded."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patience import PATIENCE_S

from funcscope.telemetry._delivery.queue import Queue, WeighedQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._delivery.queue import DropPolicy


def make_queue(
    capacity: int = 1000,
    policy: DropPolicy = "keep_errors",
    *,
    batch_size: int = 512,
    on_batch_ready: Callable[[], object] = lambda: None,
) -> Queue:
    """Make a queue whose batches are larger than most that a test puts."""
    return Queue(capacity, policy, batch_size=batch_size, on_batch_ready=on_batch_ready)


def make_weighed_queue(
    capacity: int,
    policy: DropPolicy = "keep_errors",
    *,
    max_bytes: int,
    weigh: Callable[[object], int],
) -> WeighedQueue:
    """Make a queue that counts bytes."""
    return WeighedQueue(
        capacity,
        policy,
        max_bytes=max_bytes,
        weigh=weigh,
        batch_size=512,
        on_batch_ready=lambda: None,
    )


@pytest.mark.parametrize(
    ("policy", "left"),
    [("oldest", [3, 4, 5]), ("newest", [1, 2, 3]), ("keep_errors", [1, 4, 5])],
)
def test_policy(policy: DropPolicy, left: list[int]) -> None:
    """What is dropped first is what the policy says; here the first item is an error."""
    queue = make_queue(3, policy)
    for number in range(1, 6):
        queue.put(number, number == 1)

    assert queue.take(10) == left
    assert queue.dropped == {"queue_full": 2}


def test_oldest_error_goes_last() -> None:
    """Only where there is nothing but errors, the oldest of them goes."""
    queue = make_queue(2)
    queue.put("line")
    for number in range(3):
        queue.put(number, True)

    assert queue.take(10) == [1, 2]


@given(
    capacity=st.integers(1, 5),
    policy=st.sampled_from(["oldest", "newest", "keep_errors"]),
    are_errors=st.lists(st.booleans(), max_size=20),
)
def test_nothing_is_lost_uncounted(
    capacity: int, policy: DropPolicy, are_errors: list[bool]
) -> None:
    """What was put is in the queue, within its capacity, or counted; errors are kept longest."""
    queue = make_queue(capacity, policy)
    for number, is_error in enumerate(are_errors):
        queue.put((number, is_error), is_error)
        assert len(queue) <= capacity
    left = queue.take(100)

    assert len(left) + sum(queue.dropped.values()) == len(are_errors)
    if policy == "keep_errors":
        errors = [item for item in left if item in {(n, True) for n in range(20)}]
        assert len(errors) == min(capacity, sum(are_errors))


def test_take_leaves_the_rest() -> None:
    """Items are taken in order, no more than asked for."""
    queue = make_queue()
    for number in range(5):
        queue.put(number)

    assert [queue.take(2), queue.take(2), queue.take(2), queue.take(2)] == [[0, 1], [2, 3], [4], []]


def test_full_batch_is_told() -> None:
    """The first item after a pause says so, and each beyond a full body's."""
    calls: list[int] = []
    queue = make_queue(10, batch_size=3, on_batch_ready=lambda: calls.append(len(queue)))
    for number in range(5):
        queue.put(number)

    assert calls == [0, 3, 4]
    queue.take(10)
    queue.put(0)
    queue.pause()
    queue.put(1)
    assert calls == [0, 3, 4, 1]


def test_closed_queue_counts() -> None:
    """What is put into a closed queue is dropped, and counted."""
    queue = make_queue()
    queue.put(1)
    queue.close()
    queue.put(2)
    queue.put(3)

    assert queue.take(10) == [1]
    assert queue.dropped == {"shutdown": 2}


def test_many_threads() -> None:
    """Threads that put while others take lose nothing uncounted, and stay within the bound."""
    queue = make_queue(100)
    puts, threads = 5_000, 8
    taken: list[object] = []
    is_over = threading.Event()

    def put() -> None:
        for number in range(puts):
            queue.put(number, number % 7 == 0)

    def take() -> None:
        while not is_over.is_set():
            taken.extend(queue.take(10))

    workers = [threading.Thread(target=put) for _ in range(threads)]
    taker = threading.Thread(target=take)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in (taker, *workers):
            thread.start()
        for thread in workers:
            thread.join()
        is_over.set()
        taker.join()
    finally:
        sys.setswitchinterval(interval)

    assert len(queue) <= 100 + threads
    assert len(taken) + len(queue) + queue.dropped["queue_full"] == puts * threads


def test_reset_forgets() -> None:
    """After a reset, as in a forked child, the queue is empty and works."""
    queue = make_queue()
    queue.put(1)
    queue.reset()
    queue.put(2)

    assert queue.take(10) == [2]


def test_nobody_waits_for_a_thread_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue offers the interpreter each time as long as items are taken, and seldom else."""
    offers: list[float] = []
    monkeypatch.setattr(time, "sleep", offers.append)
    queue = make_queue(100, batch_size=10)
    for number in range(10_000):
        queue.put(number)

    assert 0 < len(offers) < 250
    assert len(queue.take(10)) == 10
    offers.clear()
    for number in range(20):
        queue.put(number)
    assert len(offers) == 20


def test_a_busy_thread_lets_another_take_items() -> None:
    """One that puts without a pause offers the interpreter to a thread that waits to take items."""
    capacity, number_of_items = 1000, 20_000
    queue = make_queue(capacity)
    taken, is_done = 0, threading.Event()

    def take() -> None:
        nonlocal taken
        while not (is_done.is_set() and not len(queue)):
            taken += len(queue.take(1000))
            time.sleep(0)

    before = sys.getswitchinterval()
    sys.setswitchinterval(5)  # seconds: nobody is interrupted who does not offer it
    try:
        taker = threading.Thread(target=take)
        taker.start()
        for number in range(number_of_items):
            queue.put(number)
        is_done.set()
        taker.join(PATIENCE_S)
    finally:
        sys.setswitchinterval(before)

    # How often it is taken up is the system's affair; never would be all that did not fit.
    dropped = queue.dropped.get("queue_full", 0)
    assert taken + dropped == number_of_items
    assert dropped < number_of_items - capacity


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ("oldest", ["bb", "ccc", "dddd"]),
        ("newest", ["eeee", "bb", "ccc"]),
        ("keep_errors", ["eeee", "dddd"]),
    ],
)
def test_policy_by_bytes(policy: DropPolicy, left: list[str]) -> None:
    """A queue that counts bytes drops by the same policy; here the first item is an error."""
    queue = make_weighed_queue(100, policy, max_bytes=9, weigh=lambda item: len(str(item)))
    for item in ("eeee", "bb", "ccc", "dddd"):
        queue.put(item, item == "eeee")

    assert queue.take(10) == left
    assert queue.dropped == {"queue_full": 4 - len(left)}


def test_room_is_there_again() -> None:
    """What is taken makes room, and what is too large for a queue is let in where it is alone."""
    queue = make_weighed_queue(100, max_bytes=4, weigh=lambda item: len(str(item)))
    for _ in range(3):
        queue.put("too large")
        assert queue.take(1) == ["too large"]
        queue.put("aa")
        queue.put("bb")
        assert queue.take(1) == ["aa"]
        queue.put("cc")
        assert queue.take(5) == ["bb", "cc"]

    assert queue.dropped == {}


@given(
    policy=st.sampled_from(["oldest", "newest", "keep_errors"]),
    items=st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=20),
    capacity=st.integers(1, 5),
)
def test_bytes_are_bounded(
    policy: DropPolicy, items: list[tuple[int, bool]], capacity: int
) -> None:
    """Whatever is put, a queue has no more bytes than it may, and counts what it has not."""
    queue = make_weighed_queue(capacity, policy, max_bytes=10, weigh=lambda item: int(str(item)))
    for weight, is_error in items:
        queue.put(weight, is_error)
    left = [int(str(item)) for item in queue.take(100)]

    assert sum(left) <= 10
    assert len(left) <= capacity
    assert len(left) + sum(queue.dropped.values()) == len(items)
