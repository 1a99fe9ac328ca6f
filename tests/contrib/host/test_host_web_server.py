"""The server that the local host and the trace page have: whom it waits for when it stops."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.patience import PATIENCE_S

from funcscope.contrib.host._access.access import Access
from funcscope.contrib.host._access.guard import Guard
from funcscope.contrib.host._life.front import Front
from funcscope.contrib.host._serving.web_server import UvicornServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

LARGE = b"x" * 50_000_000  # more than the buffers of a connection hold


class Served:
    """
    An application on a server, and its clients.

    Attributes:
        has_begun: Whether a request has come to the application.
        may_end: What requests of `/wait` wait for.
    """

    def __init__(self) -> None:
        routes = [Route(f"/{f.__name__}", f, methods=["POST"]) for f in (self.wait, self.large)]
        self.front = Front()
        self.front.open(Starlette(routes=routes))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.is_started = threading.Event()
        self.server = UvicornServer(
            Guard(self.front, Access(), lambda _: None),  # as in the host
            on_started=self.is_started.set,
            on_stopping=lambda: None,
            patience_s=0.1,
        )
        self.has_begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        """Serve until it is asked to stop."""
        asyncio.run(self.server.serve(sockets=[self.listener]))

    async def wait(self, request: Request) -> Response:
        """Answer when the test says so."""
        self.has_begun.release()
        await request.body()
        await asyncio.to_thread(self.may_end.wait, PATIENCE_S)
        return PlainTextResponse("waited")

    async def large(self, _: Request) -> Response:
        """Answer at length."""
        self.has_begun.release()
        return Response(LARGE)

    def connect(self, path: str, *, sent: int = 0, announced: int = 0) -> socket.socket:
        """Begin a request, whose body may be shorter than is announced."""
        client = socket.create_connection(self.listener.getsockname(), PATIENCE_S)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {announced}\r\n\r\n"
        client.sendall(head.encode() + b"x" * sent)
        assert self.has_begun.acquire(timeout=PATIENCE_S)
        return client

    def stop(self) -> bool:
        """Stop, and tell whether it has."""
        self.server.should_exit = True
        self.thread.join(PATIENCE_S)
        return not self.thread.is_alive()


@contextmanager
def serving() -> Iterator[Served]:
    """Serve an application."""
    served = Served()
    served.thread.start()
    assert served.is_started.wait(PATIENCE_S)
    try:
        yield served
    finally:
        served.may_end.set()
        served.stop()


def read_all(client: socket.socket) -> bytes:
    """Read up to the end of a connection, however that comes."""
    received = b""
    try:
        while data := client.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(
    ("path", "sent", "announced"), [("/large", 0, 0), ("/wait", 3, 100)], ids=["takes", "sends"]
)
def test_a_client_that_stands_still_is_not_waited_for(path: str, sent: int, announced: int) -> None:
    """The server stops though a client takes nothing of its answer, or ends no request."""
    with serving() as served, served.connect(path, sent=sent, announced=announced):
        assert served.stop()


def test_functions_are_waited_for() -> None:
    """A request that waits for its function is answered, however long others have stood still."""
    with serving() as served:
        waiting, idle = served.connect("/wait"), served.connect("/wait", sent=3, announced=100)
        served.server.should_exit = True

        assert read_all(idle) == b""  # closed, as patience with it is over
        served.may_end.set()
        assert read_all(waiting).endswith(b"waited")
        idle.close()
        waiting.close()


def test_a_client_that_goes_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Who goes before all of the request is sent gets no answer, and leaves no traceback."""
    with serving() as served:
        served.connect("/wait", sent=3, announced=100).close()
        assert served.stop()

    assert served.front.in_flight == 0
    assert caplog.records == []
