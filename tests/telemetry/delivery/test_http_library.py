"""What urllib3 posts for us: in time, and without leaving threads behind."""

from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry import context as otel_context
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.conftest import Collector, answering, hang, slam, trickle
from tests.telemetry.delivery.peers import Relay, serve_socks
from urllib3.connection import HTTPConnection

from funcscope.telemetry._config.proxy import Proxy
from funcscope.telemetry._http.connection import MAX_ANSWER, Connection
from funcscope.telemetry._http.deadline import Deadline, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.telemetry.delivery.conftest import Behaviour

pytest.importorskip("socks", reason="PySocks is not installed")

SHORT_S = 0.2
ENDS_S = 10.0  # a trickle goes on for longer, unless its socket is shut
MUCH_LONGER_S = 30.0


@pytest.fixture
def relay() -> Iterator[Relay]:
    """Give a SOCKS proxy."""
    made = Relay(serve_socks)
    made.port = made.start()
    yield made
    made.stop()


@pytest.fixture
def connection(collector: Collector, relay: Relay) -> Iterator[Connection]:
    """Give a connection to the collector, through the proxy."""
    proxy = Proxy("127.0.0.1", relay.port, scheme="socks5h")
    made = Connection(collector.target().origin._replace(proxy=proxy))
    yield made
    made.close()


def post(connection: Connection, deadline: Deadline | None = None) -> int:
    """Post a body, and return the status."""
    deadline = deadline or Deadline.within(PATIENCE_S)
    return connection.post("/v1/traces", [("x-key", "value")], b"body", deadline).status


def ours() -> list[threading.Thread]:
    """List the threads that post."""
    return [thread for thread in threading.enumerate() if thread.name == "funcscope-proxy"]


def wait_until_none_is_left() -> None:
    """Wait until each thread that posts has ended."""
    for thread in ours():
        thread.join(ENDS_S)
    assert ours() == []


@pytest.mark.parametrize("behaviour", [hang, trickle])
def test_deadline(collector: Collector, connection: Connection, behaviour: Behaviour) -> None:
    """No server holds a request longer than its timeout, nor a thread after that."""
    collector.behaviour = behaviour
    start = time.monotonic()
    deadline = Deadline.within(SHORT_S)

    with pytest.raises(TimeoutError):
        post(connection, deadline)
    assert time.monotonic() - start < MUCH_LONGER_S
    assert deadline.phase is Phase.WAITING
    wait_until_none_is_left()


def test_a_proxy_that_hangs(collector: Collector, connection: Connection, relay: Relay) -> None:
    """A proxy that never answers holds nothing longer than the timeout, and few threads."""
    released = threading.Event()
    relay.wrap = lambda sock: released.wait() and sock  # type: ignore[assignment, return-value]  # never returns
    start = time.monotonic()
    try:
        for _ in range(20):
            with pytest.raises(OSError, match=r"timed out|still under way"):
                post(connection, Deadline.within(0.02))
            assert len(ours()) <= 4
    finally:
        released.set()
        relay.stop()
    assert time.monotonic() - start < MUCH_LONGER_S
    wait_until_none_is_left()


def test_giving_up(collector: Collector, connection: Connection) -> None:
    """Whoever waits can give up at any time."""
    collector.behaviour = hang

    with pytest.raises(TimeoutError, match="given up"):
        post(connection, Deadline.within(PATIENCE_S, on_wait=lambda: False))
    wait_until_none_is_left()


def test_it_goes_on_after_that(collector: Collector, connection: Connection) -> None:
    """A request that was abandoned costs those after it nothing."""
    collector.behaviours = [hang, slam]
    for _ in range(2):
        with pytest.raises((TimeoutError, ConnectionError)):
            post(connection, Deadline.within(SHORT_S))

    assert [post(connection), post(connection)] == [200, 200]
    assert len({request.connection for request in collector.requests[2:]}) == 1


def test_absent_server(collector: Collector, connection: Connection) -> None:
    """A server that is not there, behind a proxy that is, is a lost connection."""
    collector.stop()

    with pytest.raises(ConnectionError):
        post(connection)


def test_absent_proxy(collector: Collector, connection: Connection, relay: Relay) -> None:
    """A proxy that is not there is an error of connecting, which is no body's fault."""
    relay.stop()
    deadline = Deadline.within(PATIENCE_S)

    with pytest.raises(OSError, match=r"[Rr]efused"):
        post(connection, deadline)
    assert deadline.phase is Phase.CONNECTING


def test_redirects(collector: Collector, connection: Connection) -> None:
    """A redirect is followed through the proxy."""
    collector.behaviours = [answering(308, location="/new")]

    assert post(connection) == 200
    assert [each.start for each in collector.requests][1:] == ["POST /new HTTP/1.1"]


def test_answer_is_bounded(collector: Collector, connection: Connection) -> None:
    """Of a huge answer 64 KiB are read."""
    collector.behaviour = answering(200, bytes(10_000_000))
    answer = connection.post("/", (), b"body", Deadline.within(PATIENCE_S))

    assert len(answer.body) == 64 * 1024


def test_nothing_is_kept_of_what_is_closed(collector: Collector, connection: Connection) -> None:
    """However many connections a server's long answers cost, one at most is kept."""
    collector.behaviour = answering(200, b"a" * (MAX_ANSWER + 1000))
    for _ in range(5):
        post(connection)
    wait_until_none_is_left()
    gc.collect()

    assert sum(isinstance(each, HTTPConnection) for each in gc.get_objects()) <= 1


def test_sends_uninstrumented(
    collector: Collector, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3's instrumentations see the key that turns them off."""
    from urllib3 import PoolManager

    seen = []
    urlopen = PoolManager.urlopen

    def look(self: PoolManager, *args: object, **options: object) -> object:
        seen.append(otel_context.get_value("suppress_instrumentation"))
        return urlopen(self, *args, **options)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr(PoolManager, "urlopen", look)
    post(connection)

    assert seen == [True]


def test_a_forked_child_has_its_own(collector: Collector, connection: Connection) -> None:
    """A forked child leaves its parent's connection alone."""
    post(connection)
    connection.reset()

    assert post(connection) == 200
    assert [request.connection for request in collector.requests] == [1, 2]
