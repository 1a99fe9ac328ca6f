"""The worker, its collector in trouble."""

from __future__ import annotations

import errno
import gc
import logging
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from contextvars import ContextVar
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.patience import PATIENCE_S, PROCESS_S
from tests.telemetry.delivery.conftest import (
    Collector,
    accept,
    answering,
    encode_number,
    flush_until_sent,
    hang,
    quick,
    request_of,
    slam,
    trickle,
)

from funcscope.telemetry import TelemetryError
from funcscope.telemetry._delivery.retry import Backoff
from funcscope.telemetry._delivery.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.telemetry.delivery.conftest import Behaviour, Conversation, DeadlineClock

    from funcscope.telemetry._delivery.delivery import Delivery
    from funcscope.telemetry._delivery.stats import SignalCounts
    from funcscope.telemetry._otlp.request import EncodedItem

    MakeWorker = Callable[..., Delivery]

SHORT_S = 0.1
MUCH_LONGER_S = 30.0
MANY = 2_000


def put(worker: Delivery, *numbers: int, signal: str = "traces") -> None:
    """Put numbers into a queue."""
    queue = worker.queue(signal)
    for number in numbers:
        queue.put(number)


def counts_of(worker: Delivery, signal: str = "traces") -> SignalCounts:
    """Return the counts of one signal."""
    return worker.snapshot()[signal]


def export_threads() -> list[str]:
    """List the threads of workers by name."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("funcscope-export-")]


def once(numbers: range) -> Counter[int]:
    """Say that each number is there once."""
    return Counter(numbers)


def is_balanced(counts: SignalCounts) -> bool:
    """Whether all that was queued is accounted for, with nothing in a spool."""
    return counts.queued == counts.waiting + counts.sent + sum(counts.dropped.values())


def test_flush_soon_sends_everything(collector: Collector, make_worker: MakeWorker) -> None:
    """When the app is idle, what is queued is sent, without anybody waiting for it."""
    worker = make_worker()
    put(worker, 1, 2, 3)
    worker.flush_soon()
    [request] = collector.wait_for(1)

    assert request.numbers == [1, 2, 3]
    assert request.start.startswith("POST /v1/traces ")
    assert request.headers["content-type"] == "application/x-protobuf"


def test_full_body_is_sent_at_once(collector: Collector, make_worker: MakeWorker) -> None:
    """Under load, bodies go as they fill, and the rest waits."""
    worker = make_worker(max_items=10, interval_s=1000)
    put(worker, *range(25))
    requests = collector.wait_for(2)

    assert [len(request.numbers) for request in requests] == [10, 10]
    assert worker.flush(PATIENCE_S)
    assert collector.delivered() == once(range(25))


def test_interval(collector: Collector, make_worker: MakeWorker) -> None:
    """What fills no body is sent when the interval is over."""
    worker = make_worker(interval_s=0.05)
    put(worker, 1)

    assert collector.wait_for(1)[0].numbers == [1]


def test_bodies_are_bounded(collector: Collector, make_worker: MakeWorker) -> None:
    """A body has at most so many items, and takes none once it has so many bytes."""
    worker = make_worker(max_bytes=16 + 25 * 6)  # of the request, and of each number
    put(worker, *range(60))

    assert worker.flush(PATIENCE_S)
    assert [len(request.numbers) for request in collector.requests] == [25, 25, 10]


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_compression(collector: Collector, make_worker: MakeWorker, compression: str) -> None:
    """Bodies are compressed as the target asks, and say so."""
    worker = make_worker(compression=compression)
    put(worker, *range(100))

    assert worker.flush(PATIENCE_S)
    assert collector.delivered() == once(range(100))
    [request] = collector.requests
    assert request.headers.get("content-encoding", "none") == compression


def test_signals_share_a_connection(collector: Collector, make_worker: MakeWorker) -> None:
    """Signals go to their own paths, on one connection where the server is the same."""
    worker = make_worker(signals=["traces", "logs", "metrics"])
    put(worker, 1)
    put(worker, 2, signal="logs")
    worker.submit("metrics", request_of(3), 1)

    assert worker.flush(PATIENCE_S)
    starts = {request.start.split()[1] for request in collector.requests}
    assert starts == {"/v1/traces", "/v1/logs", "/v1/metrics"}
    assert collector.connections == 1
    assert all(counts_of(worker, name).sent == 1 for name in ("traces", "logs", "metrics"))


def test_signal_without_a_route(make_worker: MakeWorker) -> None:
    """A signal that nobody sends is an error of whoever asks for it."""
    with pytest.raises(TelemetryError, match="'logs' has no route"):
        make_worker().queue("logs")


def test_context_of_the_first_item_is_left(collector: Collector, make_worker: MakeWorker) -> None:
    """The thread does not carry the context of whatever starts it."""
    variable: ContextVar[str] = ContextVar("variable", default="empty")
    variable.set("of an invocation")
    seen: list[str] = []

    def encode(_item: object) -> EncodedItem:
        seen.append(variable.get())
        raise ValueError

    worker = make_worker(encode=encode)
    put(worker, 1)

    assert worker.flush(PATIENCE_S)
    assert seen == ["empty"]


def test_item_that_cannot_be_encoded(
    collector: Collector, make_worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """It is dropped, counted and said once; the others are sent."""
    worker = make_worker()
    for item in (1, "two", -3, -4, 5):  # a text is not taken, a negative number raises
        worker.queue("traces").put(item)

    assert worker.flush(PATIENCE_S)
    assert collector.delivered() == Counter([1, 5])
    assert counts_of(worker).dropped == {"encode": 3}
    assert is_balanced(counts_of(worker))
    assert len(caplog.records) == 2
    assert "'two' is no number" in caplog.messages[0]
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_item_that_ends_threads(
    collector: Collector, make_worker: MakeWorker, raised: type[BaseException]
) -> None:
    """Code of an item that raises what ends a thread costs that item alone."""

    def encode(item: object) -> EncodedItem:
        if item == 2:
            raise raised("no")
        return encode_number(item)

    worker = make_worker(encode=encode)
    put(worker, 1, 2, 3)

    assert worker.flush(PATIENCE_S)
    assert collector.delivered() == Counter([1, 3])
    assert counts_of(worker).dropped == {"encode": 1}


@pytest.mark.parametrize("raised", [ValueError, SystemExit])
def test_chore_that_fails(
    collector: Collector,
    make_worker: MakeWorker,
    caplog: pytest.LogCaptureFixture,
    raised: type[BaseException],
) -> None:
    """A chore that raises, whatever it is, is logged once, and everything else is done."""
    worker = make_worker()
    done = threading.Event()

    def fail() -> None:
        raise raised("no")

    worker.do_each_round(fail)
    worker.do_each_round(done.set)
    for number in range(3):
        put(worker, number)
        assert worker.flush(PATIENCE_S)

    assert done.is_set()
    assert collector.delivered() == once(range(3))
    assert caplog.messages == ["telemetry could not be sent"]


def test_thread_goes_on_whatever_its_round_raises(
    collector: Collector, make_worker: MakeWorker, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """What is raised where nothing should be is logged once, and the next flush is served."""

    class Failing(Spool):
        def take(self, *_: object, **__: object) -> None:
            if not healed.is_set():
                raise SystemExit("no")

    healed = threading.Event()
    worker = make_worker(spool=Failing(tmp_path))
    put(worker, 1)
    assert not worker.flush(PATIENCE_S)
    assert not worker.flush(PATIENCE_S)
    assert caplog.messages == ["telemetry could not be sent"]
    healed.set()

    assert flush_until_sent(worker)
    assert collector.delivered() == Counter([1])


def test_flushes_of_many_threads(collector: Collector, make_worker: MakeWorker) -> None:
    """Each flush is served, however many are asked for while others are being served."""
    worker = make_worker()
    results: list[bool] = []

    def flush_again_and_again(start: int) -> None:
        for number in range(start, start + 50):
            put(worker, number)
            results.append(worker.flush(PATIENCE_S))

    threads = [threading.Thread(target=flush_again_and_again, args=(n * 50,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert len(results) == 400
    assert collector.delivered() == once(range(400))


def break_off(conversation: Conversation) -> None:
    """Close the connection in the middle of the first line."""
    conversation.send(b"HTTP/1.1 20")
    conversation.close()


FAULTS: dict[str, tuple[Behaviour, ...]] = {
    "slams": (slam, slam),
    "hangs": (hang,),
    "breaks off": (break_off,),
    "trickles": (trickle,),
    "503": (answering(503), answering(503)),
    "429 with Retry-After": (answering(429, retry_after="0"),) * 3,
    "503 with a date": (answering(503, retry_after=formatdate(usegmt=True)),),
    "502, 504": (answering(502), answering(504)),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("has_spool", [False, True], ids=["memory", "spool"])
def test_fault_that_passes(
    collector: Collector,
    make_worker: MakeWorker,
    clock: DeadlineClock,
    tmp_path: Path,
    fault: str,
    has_spool: bool,
) -> None:
    """Through any fault that passes nothing is lost, and nothing that was answered is doubled."""
    collector.behaviours = [
        clock.timing_out(each) if each in (hang, trickle) else each for each in FAULTS[fault]
    ]
    worker = make_worker(spool=Spool(tmp_path) if has_spool else None)
    for start in range(0, MANY, 100):
        put(worker, *range(start, start + 100))
        worker.flush_soon()

    assert flush_until_sent(worker)
    assert collector.delivered() == once(range(MANY))
    counts = counts_of(worker)
    assert (counts.sent, dict(counts.dropped)) == (MANY, {})
    assert counts.retried > 0
    assert (counts.spooled > 0) == has_spool
    assert is_balanced(counts)


@pytest.mark.parametrize("has_spool", [False, True], ids=["memory", "spool"])
def test_collector_dies_and_comes_back(
    collector: Collector, make_worker: MakeWorker, tmp_path: Path, has_spool: bool
) -> None:
    """What is recorded while there is no collector is sent, in order, when it is back."""
    worker = make_worker(spool=Spool(tmp_path) if has_spool else None, max_items=50)
    put(worker, *range(500))
    assert worker.flush(PATIENCE_S)
    collector.stop()
    put(worker, *range(500, 1500))
    assert not worker.flush(PATIENCE_S)
    collector.start()
    put(worker, *range(1500, MANY))

    assert flush_until_sent(worker)
    assert collector.delivered() == once(range(MANY))
    assert collector.accepted == list(range(MANY))
    assert not any(tmp_path.iterdir())


def test_breaker_is_said_once(
    collector: Collector, make_worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says that the collector is away, one that it is back; neither has a traceback."""
    caplog.set_level(logging.INFO, "funcscope.telemetry")
    collector.behaviours = [answering(503, b"busy")] * 6
    worker = make_worker()
    put(worker, *range(10))

    assert flush_until_sent(worker)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "HTTP 503: busy" in caplog.messages[0]
    assert "0 were dropped" in caplog.messages[1]
    assert not any(record.exc_info for record in caplog.records)


def test_open_breaker_asks_nothing(collector: Collector, make_worker: MakeWorker) -> None:
    """Until its time has come, a collector that asked to be left alone is."""
    collector.behaviours = [answering(429, retry_after="1000")]
    worker = make_worker()
    put(worker, 1)

    assert not worker.flush(PATIENCE_S)
    put(worker, 2)
    assert not worker.flush(PATIENCE_S)
    assert len(collector.requests) == 1
    assert counts_of(worker).waiting == 2


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (answering(400, b"\x12\x03bad"), "HTTP 400: bad"),
        (answering(404), "HTTP 404"),
        (answering(500), "HTTP 500"),
        (answering(301, location="http://elsewhere"), "HTTP 301"),
        (lambda conversation: conversation.send(b"SSH-2.0\r\n\r\n"), "not HTTP"),
    ],
)
def test_refused(
    collector: Collector,
    make_worker: MakeWorker,
    caplog: pytest.LogCaptureFixture,
    behaviour: Behaviour,
    why: str,
) -> None:
    """What a collector refuses is dropped, counted with the reason, said once, and not retried."""
    collector.behaviour = behaviour
    worker = make_worker(max_items=100)
    put(worker, *range(1000))

    assert worker.flush(PATIENCE_S)
    counts = counts_of(worker)
    assert (counts.sent, counts.dropped) == (0, {"refused": 1000})
    assert counts.retried == 0
    assert why in str(worker.stats.summary())
    assert len(caplog.records) == 1


def test_partial_success(
    collector: Collector, make_worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """What a collector does not take of a body is counted with its reason, and not sent again."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3
    response.partial_success.error_message = "too old"
    collector.behaviour = answering(200, response.SerializeToString())
    worker = make_worker()
    put(worker, *range(10))

    assert worker.flush(PATIENCE_S)
    counts = counts_of(worker)
    assert (counts.sent, counts.dropped) == (7, {"partial": 3})
    assert "too old" in str(worker.stats.summary())
    assert len(caplog.records) == 1


def test_partial_success_of_more_than_all(collector: Collector, make_worker: MakeWorker) -> None:
    """No more can be rejected than was sent."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 2**62
    collector.behaviour = answering(200, response.SerializeToString())
    worker = make_worker()
    put(worker, *range(10))

    assert worker.flush(PATIENCE_S)
    assert (counts_of(worker).sent, counts_of(worker).dropped) == (0, {"partial": 10})


def test_garbage_in_a_success(collector: Collector, make_worker: MakeWorker) -> None:
    """A 200 with garbage is a delivery."""
    collector.behaviour = answering(200, b"\xff" * 100)
    worker = make_worker()
    put(worker, *range(10))

    assert worker.flush(PATIENCE_S)
    assert counts_of(worker).sent == 10


@pytest.mark.parametrize("behaviour", [hang, trickle])
def test_flush_has_a_deadline(
    collector: Collector, make_worker: MakeWorker, behaviour: Behaviour
) -> None:
    """A flush ends in time whatever the collector does."""
    collector.behaviour = behaviour
    worker = make_worker()
    put(worker, 1)
    start = time.monotonic()

    assert not worker.flush(SHORT_S)
    assert time.monotonic() - start < MUCH_LONGER_S


def test_encodes_while_a_collector_hangs(
    collector: Collector, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """A hanging request does not let the queue overflow: bodies are made, and spooled."""
    collector.behaviours = [hang]
    options = quick(memory_bytes=400)
    worker = make_worker(
        spool=Spool(tmp_path), options=options, capacity=100, max_items=50, timeout_s=PATIENCE_S
    )
    put(worker, 0)
    worker.flush_soon()
    collector.wait_for(1)
    for start in range(1, 1001, 50):
        put(worker, *range(start, start + 50))
        until = time.monotonic() + PATIENCE_S
        while len(worker.queue("traces")) >= 50 and time.monotonic() < until:
            time.sleep(0.005)
    collector.released.set()

    assert flush_until_sent(worker)
    assert collector.delivered() == once(range(1001))
    assert not counts_of(worker).dropped


def test_chores_are_done_while_a_collector_hangs(
    collector: Collector, make_worker: MakeWorker
) -> None:
    """What is to be done before items are encoded does not wait for a collector that is silent."""
    collector.behaviours = [hang]
    done = threading.Semaphore(0)
    worker = make_worker(timeout_s=PATIENCE_S)
    worker.do_each_round(done.release)
    put(worker, 1)
    worker.flush_soon()
    collector.wait_for(1)
    for _ in range(3):  # more than at the beginning of its round, and after it
        assert done.acquire(timeout=PATIENCE_S / 2)
    collector.released.set()


def test_memory_is_bounded(collector: Collector, make_worker: MakeWorker) -> None:
    """Without a spool, encoded bodies fill the memory they may have, then the queue drops."""
    collector.stop()
    worker = make_worker(options=quick(memory_bytes=400), capacity=100, max_items=50)
    put(worker, *range(50))
    worker.flush(PATIENCE_S)
    for start in range(50, 1000, 50):
        put(worker, *range(start, start + 50))
        worker.flush(PATIENCE_S)
    worker.queue("traces").put(1000, True)
    collector.start()

    assert flush_until_sent(worker)
    counts = counts_of(worker)
    assert counts.sent == 200
    assert counts.dropped == {"queue_full": 801}
    assert collector.delivered()[1000] == 1
    assert is_balanced(counts)


def test_submitted_bodies_are_bounded(collector: Collector, make_worker: MakeWorker) -> None:
    """Encoded bodies that do not fit in memory are dropped, and counted."""
    collector.stop()
    worker = make_worker(options=quick(memory_bytes=100))
    for number in range(10):
        worker.submit("traces", number.to_bytes(4, "big") * 10, 10)
        worker.flush(PATIENCE_S)

    assert counts_of(worker).dropped == {"memory_full": 70}
    assert counts_of(worker).waiting == 30


def test_spool_that_cannot_be_written(
    collector: Collector, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """Where there is no disk, memory serves as if there were no spool."""
    (tmp_path / "file").touch()
    collector.behaviours = [answering(503)] * 5
    worker = make_worker(spool=Spool(tmp_path / "file" / "spool"))
    put(worker, *range(100))

    assert flush_until_sent(worker)
    assert collector.delivered() == once(range(100))
    assert counts_of(worker).spooled == 0


def test_next_process_sends_the_spool(
    collector: Collector, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """What one worker spooled, the next sends first."""
    collector.stop()
    first = make_worker(spool=Spool(tmp_path), max_items=10)
    put(first, *range(50))
    assert not first.shutdown(1)
    assert not first.stats.summary()
    collector.start()
    following = make_worker(spool=Spool(tmp_path))
    put(following, *range(50, 60))

    assert flush_until_sent(following)
    assert collector.accepted == list(range(60))
    assert not any(path.stat().st_size for path in tmp_path.iterdir())


def test_shutdown_sends(collector: Collector, make_worker: MakeWorker) -> None:
    """A shutdown sends what is queued; what is put after it is dropped and counted."""
    worker = make_worker()
    put(worker, *range(10))

    assert worker.shutdown(PATIENCE_S)
    put(worker, 11)
    worker.submit("traces", b"", 2)
    assert not worker.flush(PATIENCE_S)
    assert worker.shutdown(PATIENCE_S)
    assert collector.delivered() == once(range(10))
    assert counts_of(worker).dropped == {"shutdown": 3}
    assert is_balanced(counts_of(worker))


@pytest.mark.parametrize("behaviour", [hang, trickle])
@pytest.mark.parametrize("has_spool", [False, True], ids=["memory", "spool"])
def test_shutdown_has_a_budget(
    collector: Collector,
    make_worker: MakeWorker,
    tmp_path: Path,
    behaviour: Behaviour,
    has_spool: bool,
) -> None:
    """Within its budget a shutdown saves what it cannot send, or drops and counts it."""
    collector.behaviour = behaviour
    spool = Spool(tmp_path) if has_spool else None
    worker = make_worker(spool=spool, max_items=10, timeout_s=1000)
    put(worker, *range(100))
    worker.flush_soon()
    collector.wait_for(1)
    start = time.monotonic()

    assert not worker.shutdown(0.5)
    assert time.monotonic() - start < MUCH_LONGER_S
    counts = counts_of(worker)
    if has_spool:
        assert (counts.spooled, dict(counts.dropped)) == (100, {})
        collector.stop()
        collector.behaviour = accept
        collector.start()
        assert flush_until_sent(make_worker(spool=Spool(tmp_path)))
        assert collector.delivered() == once(range(100))
    else:
        assert counts.dropped == {"shutdown": 100}
        assert is_balanced(counts)


def test_drain_goes_on(collector: Collector, make_worker: MakeWorker, tmp_path: Path) -> None:
    """After a drain that could not send, the worker takes and sends as before."""
    collector.behaviour = hang
    worker = make_worker(spool=Spool(tmp_path), timeout_s=1000)
    put(worker, 1)
    assert not worker.drain(SHORT_S)
    assert counts_of(worker).spooled == 1
    collector.stop()
    collector.behaviour = accept
    collector.start()
    put(worker, 2)

    assert flush_until_sent(worker)
    assert sorted(collector.accepted) == [1, 2]  # whichever is tried first


def test_drain_that_cannot_reach_the_thread(
    collector: Collector,
    make_worker: MakeWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the thread is stuck in the system, the caller saves what there is."""
    entered, release = threading.Event(), threading.Event()

    def connect(*_: object) -> int:
        entered.set()
        release.wait(PATIENCE_S)
        return errno.ECONNREFUSED

    monkeypatch.setattr("socket.socket.connect_ex", connect)
    worker = make_worker(spool=Spool(tmp_path), max_items=10)
    put(worker, *range(10))
    worker.flush_soon()
    assert entered.wait(PATIENCE_S)
    put(worker, *range(10, 20))

    assert not worker.drain(SHORT_S)
    assert counts_of(worker).spooled == 20
    monkeypatch.undo()
    release.set()
    assert flush_until_sent(worker)
    assert collector.delivered() == once(range(20))


def test_name_server_that_does_not_answer(
    collector: Collector,
    make_worker: MakeWorker,
    clock: DeadlineClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a name is looked up, items are encoded, tries time out, and no second lookup begins."""
    release, lookups = threading.Event(), []
    look_up = socket.getaddrinfo

    def wait_and_look_up(*args: object, **kwargs: object) -> object:
        lookups.append(args)
        for _ in range(int(PATIENCE_S / 0.02)):
            if release.wait(0.02):
                break
            clock.jump()  # so that each try of this time is over
        return look_up(*args, **kwargs)  # type: ignore[arg-type]  # as they were given

    monkeypatch.setattr("socket.getaddrinfo", wait_and_look_up)
    worker = make_worker(capacity=100, max_items=50)
    for start in range(0, 500, 50):
        put(worker, *range(start, start + 50))
        worker.flush(PATIENCE_S)
    assert not worker.drain(SHORT_S)
    assert counts_of(worker).waiting == 500
    release.set()

    assert flush_until_sent(worker)
    assert collector.delivered() == once(range(500))
    assert len(lookups) == 1


def test_caller_never_waits(collector: Collector, make_worker: MakeWorker) -> None:
    """Putting and waking go on while a collector hangs, whatever the load."""
    collector.behaviour = hang
    worker = make_worker(timeout_s=1000)
    start = time.monotonic()
    for number in range(50_000):
        worker.queue("traces").put(number)
        worker.flush_soon()

    assert time.monotonic() - start < MUCH_LONGER_S
    assert len(worker.queue("traces")) <= 8192


def test_many_threads(collector: Collector, make_worker: MakeWorker) -> None:
    """Items from many threads arrive once each."""
    worker = make_worker(capacity=100_000)
    threads = [
        threading.Thread(target=put, args=(worker, *range(start, start + 1000)))
        for start in range(0, 8000, 1000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert worker.flush(PATIENCE_S)
    assert collector.delivered() == once(range(8000))


def test_paused_thread_wakes(collector: Collector, make_worker: MakeWorker) -> None:
    """A thread that sleeps, for nothing came for long, is woken by the next item."""
    worker = make_worker(options=quick(pause_after_s=0.0), interval_s=0.05)
    for number in range(5):
        put(worker, number)
        collector.wait_for(number + 1)

    assert collector.delivered() == once(range(5))


def test_unused_worker_has_no_thread(make_worker: MakeWorker) -> None:
    """No thread is started for nothing, by a flush or a shutdown either."""
    before = threading.active_count()
    worker = make_worker()

    assert worker.flush(PATIENCE_S)
    assert worker.shutdown(PATIENCE_S)
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(collector: Collector, make_worker: MakeWorker) -> None:
    """A forked child sends its own items on its own thread, and none of its parent's."""
    worker = make_worker(interval_s=1000)
    put(worker, 1)
    assert worker.flush(PATIENCE_S)
    put(worker, 2)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            put(worker, 3)
            is_sent = worker.flush(PATIENCE_S)
            status = 0 if is_sent and counts_of(worker).sent == 1 else 2
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert worker.flush(PATIENCE_S)
    assert collector.delivered() == Counter([1, 2, 3])
    assert collector.connections == 2


def test_nothing_is_left_behind(collector: Collector, make_worker: MakeWorker) -> None:
    """After a shutdown the thread ends, and its connection is closed."""
    worker = make_worker()
    put(worker, 1)
    assert worker.flush(PATIENCE_S)
    assert export_threads()
    worker.shutdown(PATIENCE_S)
    gc.collect()

    assert not export_threads()


CRASH = """
    import os, signal, sys
    from funcscope.telemetry._config.otlp_target import read_target
    from funcscope.telemetry._delivery.batcher import ExportOptions
    from funcscope.telemetry._delivery.delivery import Delivery
    from funcscope.telemetry._delivery.spool import Spool
    from tests.telemetry.delivery.conftest import encode_number, quick

    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": sys.argv[1]}
    options = ExportOptions(read_target("traces", environ, []), encode_number)
    worker = Delivery([options], spool=Spool(sys.argv[2]), options=quick())
    for number in range(100):
        worker.queue("traces").put(number)
    worker.flush(60)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL here")
def test_killed_process_loses_nothing_that_was_spooled(
    collector: Collector, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """A process without a collector that is killed leaves its bodies to the next."""
    collector.stop()
    endpoint = f"http://127.0.0.1:{collector.port}"
    code = [sys.executable, "-c", textwrap.dedent(CRASH), endpoint, str(tmp_path)]
    assert subprocess.run(code, check=False, timeout=PROCESS_S).returncode == -9
    collector.start()

    assert flush_until_sent(make_worker(spool=Spool(tmp_path)))
    assert collector.delivered() == once(range(100))


def test_backoff_between_tries(collector: Collector, make_worker: MakeWorker) -> None:
    """A collector that is away is not asked all the time."""
    collector.behaviour = answering(503)
    worker = make_worker(options=quick(backoff=Backoff(1000, 1000, lambda: 1.0)))
    put(worker, 1)
    for _ in range(5):
        assert not worker.flush(PATIENCE_S)

    assert len(collector.requests) == 1
