"""
Two destinations, one of them in trouble: the other gets what it is sent, at once and whole.

`FUNCSCOPE_INVOCATIONS=100000 pytest -k soak` runs so many, a multiple of a thousand.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.integration.faults import FaultyReceiver, accept, dying_at, garble, hang, keys, reset
from tests.integration.test_sending import NEVER_BY_ITSELF, Worker, ids, starting
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.faults import Behaviour, Exchange

    Starter = Callable[..., Worker]

SOON_S = 4.0  # a busy machine's; far below the 10 s that a request to the other may take
CALLS = int(os.environ.get("FUNCSCOPE_INVOCATIONS", "4000"))
AT_ONCE = 1_000


def slow(exchange: Exchange) -> None:
    """Take what came, and think about it for longer than anybody should wait."""
    exchange.take()
    exchange.receiver.released.wait(SOON_S * 2)
    exchange.answer()


def trickle(exchange: Exchange) -> None:
    """Answer a byte at a time, for ever."""
    exchange.take()
    exchange.goes_on = False
    exchange.send(b"HTTP/1.1 200 OK\r\nx: ")
    while not exchange.receiver.released.wait(0.02):
        exchange.send(b"y")


def promise_too_much(exchange: Exchange) -> None:
    """Take what came, and say that a longer answer follows than does."""
    exchange.take()
    exchange.goes_on = False
    exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nshort")
    exchange.receiver.released.wait()


def talk_nonsense(exchange: Exchange) -> None:
    """Take what came, and answer 200 with what is no OTLP."""
    exchange.take()
    exchange.answer(200, b"\xff\xff<html>")


ILLS: dict[str, Behaviour] = {
    "dies": dying_at(3),
    "slow": slow,
    "trickles": trickle,
    "accepts, and says nothing": hang,
    "promises too much": promise_too_much,
    "talks nonsense": talk_nonsense,
    "resets": reset,
    "speaks another protocol": garble,
}


class Unreachable:
    """An address that no packet comes back from: its backlog is full."""

    def __init__(self) -> None:
        self._server = socket.socket()
        self._server.bind(("127.0.0.1", 0))
        self._server.listen(0)
        self._waiting = [self._connect() for _ in range(4)]
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        """Be gone."""
        for sock in (self._server, *self._waiting):
            sock.close()

    def _connect(self) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(self._server.getsockname())
        return sock


@pytest.fixture
def ill() -> Iterator[FaultyReceiver]:
    """Give the receiver of spans, which does not listen yet."""
    faulty = FaultyReceiver()
    yield faulty
    faulty.stop()


@pytest.fixture
def delays() -> list[float]:
    """Give how long after they were made log records arrived, in seconds."""
    return []


@pytest.fixture
def healthy(delays: list[float]) -> Iterator[FaultyReceiver]:
    """Give the receiver of log records, which works."""

    def take(exchange: Exchange) -> None:
        now = time.time_ns()
        delays.extend((now - log.time_ns) / 1e9 for log in exchange.request.batch.logs)
        accept(exchange)

    receiver = FaultyReceiver()
    receiver.behaviour = take
    receiver.listen()
    yield receiver
    receiver.stop()


@pytest.fixture
def start(ill: FaultyReceiver, healthy: FaultyReceiver) -> Iterator[Starter]:
    """Start workers that send spans to the one, and log records to the other."""
    with starting(
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{ill.endpoint}/v1/traces",
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{healthy.endpoint}/v1/logs",
    ) as start:
        yield start


@pytest.fixture(params=[pytest.param("protobuf", marks=pytest.mark.library_worker), "classic"])
def path(request: pytest.FixtureRequest) -> str:
    """Name one dispatch path of the library worker, and the classic worker's, in turn."""
    return str(request.param)


def of_logs(receiver: FaultyReceiver) -> set[object]:
    """Return the invocations of which a log record arrived."""
    return {log.attributes.get("faas.invocation_id") for log in receiver.store.logs}


def wait_for_logs(receiver: FaultyReceiver, expected: set[str]) -> None:
    """Wait until log records of these invocations have arrived."""
    receiver.store.wait_for(lambda _: expected <= of_logs(receiver) or None, timeout_s=PATIENCE_S)


@pytest.mark.parametrize("behaviour", ILLS.values(), ids=ILLS)
def test_healthy_destination_is_not_held_up(
    start: Starter,
    ill: FaultyReceiver,
    healthy: FaultyReceiver,
    delays: list[float],
    path: str,
    behaviour: Behaviour,
) -> None:
    """Log records arrive at once, whatever the destination of spans does."""
    ill.behaviour = behaviour
    ill.listen()
    worker = start(path)
    worker.call("hello", of="first")
    ill.wait_for_requests(1)
    for number in range(4):
        worker.call("hello", "later", number=5, of=f"part {number}")
        wait_for_logs(healthy, ids(5, f"part {number}"))

    assert max(delays) < SOON_S


def test_healthy_destination_beside_one_without_packets(
    start: Starter, healthy: FaultyReceiver, delays: list[float], path: str
) -> None:
    """Log records arrive at once while no packet comes back from where spans are sent."""
    unreachable = Unreachable()
    worker = start(path, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=unreachable.endpoint)
    for number in range(5):
        worker.call("hello", "later", number=5, of=f"part {number}")
        wait_for_logs(healthy, ids(5, f"part {number}"))
    unreachable.close()

    assert max(delays) < SOON_S


@pytest.mark.parametrize("behaviour", ILLS.values(), ids=ILLS)
def test_exit_beside_a_destination_in_trouble(
    start: Starter,
    ill: FaultyReceiver,
    healthy: FaultyReceiver,
    path: str,
    behaviour: Behaviour,
) -> None:
    """Within a budget of 2 s a process that ends has sent all log records, and no longer."""
    ill.behaviour = behaviour
    ill.listen()
    settings = {**NEVER_BY_ITSELF, "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "2000"}
    worker = start(path, FUNCSCOPE_FLUSH="interval", **settings)
    worker.call("hello", "later", number=200)
    told = time.monotonic()

    assert worker.stop() == -signal.SIGTERM
    assert time.monotonic() - told < 2.0 + SOON_S
    assert of_logs(healthy) == ids(200)
    assert keys(healthy.store.logs).total() == 200


@pytest.mark.library_worker
@pytest.mark.parametrize("behaviour", [hang, slow, trickle], ids=["hangs", "slow", "trickles"])
def test_exit_spools_for_the_destination_in_trouble(
    start: Starter,
    ill: FaultyReceiver,
    healthy: FaultyReceiver,
    tmp_path: Path,
    behaviour: Behaviour,
) -> None:
    """With a spool nothing is lost of what goes to the other one, either."""
    ill.behaviour = behaviour
    ill.listen()
    settings = {**NEVER_BY_ITSELF, "FUNCSCOPE_SPOOL_DIR": tmp_path / "spool"}
    worker = start(FUNCSCOPE_FLUSH="interval", FUNCSCOPE_SHUTDOWN_BUDGET_MS=2000, **settings)
    worker.call("hello", "later", number=200)

    assert worker.stop() == -signal.SIGTERM
    assert of_logs(healthy) == ids(200)
    ill.recover()
    start(FUNCSCOPE_SPOOL_DIR=tmp_path / "spool").call("hello", of="next")
    expected = ids(200) | {"next-0"}
    ill.store.wait_for(
        lambda store: expected <= {s.attributes["faas.invocation_id"] for s in store.spans} or None,
        timeout_s=PATIENCE_S,
    )


def haunt(receiver: FaultyReceiver, is_over: threading.Event) -> None:
    """Have a receiver die in the middle of a request, again and again, and come back."""
    while not is_over.is_set():
        receiver.behaviour = dying_at(len(receiver.store.spans) + CALLS // 8)
        while receiver.is_listening and not is_over.wait(0.05):
            pass
        is_over.wait(0.3)
        receiver.recover()


@pytest.mark.library_worker
def test_soak(start: Starter, ill: FaultyReceiver, healthy: FaultyReceiver, tmp_path: Path) -> None:
    """Of many invocations nothing is lost in either, and doubled what a dying one left open."""
    is_over = threading.Event()
    reaper = threading.Thread(target=haunt, args=(ill, is_over))
    ill.listen()
    worker = start(FUNCSCOPE_SPOOL_DIR=tmp_path / "spool", FUNCSCOPE_SHUTDOWN_BUDGET_MS=60_000)
    reaper.start()
    outcomes = [
        worker.call("hello", "later", number=AT_ONCE, at_a_time=64, of=f"part {part}")
        for part in range(CALLS // AT_ONCE)
    ]
    is_over.set()
    reaper.join(PATIENCE_S)
    told = worker.report_when(lambda counts: counts["sent"] == CALLS)
    worker.stop()
    doubled, unanswered = ill.doubled()

    assert sum(outcome["ok"] for outcome in outcomes) == CALLS
    assert len(keys(ill.store.spans)) == len(keys(healthy.store.logs)) == CALLS
    assert doubled == unanswered
    assert doubled
    assert healthy.doubled()[0].total() == 0
    assert told["traces"]["dropped"] == told["logs"]["dropped"] == {}
    assert list(tmp_path.glob("spool/*")) == []
