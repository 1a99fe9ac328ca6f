"""The local host streams requests to functions, and responses to clients."""

from __future__ import annotations

import json
import os
import signal
from http.client import HTTPConnection, IncompleteRead
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker


@pytest.fixture(scope="module")
def streams(run_host: Callable[..., HostProcess]) -> HostProcess:
    """Run the app that streams."""
    return run_host("host_streams")


@pytest.fixture
def connection(streams: HostProcess) -> Iterator[HTTPConnection]:
    """Connect to it."""
    connection = HTTPConnection(streams.netloc, timeout=PATIENCE_S)
    yield connection
    connection.close()


def test_a_request_is_streamed(streams: HostProcess, connection: HTTPConnection) -> None:
    """A function has each chunk of a request before the client sends the next."""
    connection.putrequest("POST", "/api/upload")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    for chunk in ("one", "two"):
        connection.send(f"3\r\n{chunk}\r\n".encode())
        streams.wait_for(f"came {chunk}")
    connection.send(b"0\r\n\r\n")
    response = connection.getresponse()

    assert (response.status, response.read()) == (201, b"ONETWO")


def test_a_response_is_streamed(streams: HostProcess, connection: HTTPConnection) -> None:
    """The client has each chunk of a response before the function makes the next."""
    connection.request("GET", "/api/waits")
    response = connection.getresponse()

    assert response.read(6) == b"first;"
    assert streams.fetch("/api/go")[0] == 200
    assert response.read() == b"second;"


def test_the_request_arrives_whole(streams: HostProcess) -> None:
    """Method, path, query, headers and route parameters are the client's own."""
    path = "/api/seen/tea-pot?a=1&b=c%20d"
    status, headers, body = streams.fetch(path, "PUT", "x", {"X-T": "y"})
    seen = json.loads(body)

    assert status == 200
    assert headers["x-app"] == "1"
    assert seen == {
        "method": "PUT",
        "url": f"http://{streams.netloc}{path}",
        "params": {"word": "tea-pot"},
        "body": "x",
        "x-t": "y",
    }


def test_the_trace_has_the_stream(streams: HostProcess) -> None:
    """What the function's response is produced by is shown in the request's trace."""
    assert streams.fetch("/api/slow")[2] == "0;1;2;"

    streams.wait_for(r"^GET /api/slow → 200 ")
    streams.wait_for(r"── GET /api/slow ")
    streams.wait_for(r"INFO +produced 2")


def test_the_workers_server_is_quiet(streams: HostProcess) -> None:
    """Neither its start nor its requests have lines beside the host's own."""
    assert streams.fetch("/api/slow")[0] == 200

    streams.wait_for(r"^GET /api/slow → 200 ")
    assert "Uvicorn running" not in streams.output
    assert "HTTP/1.1" not in streams.output


def test_a_function_that_fails(streams: HostProcess) -> None:
    """A failure before the response begins is a 500."""
    assert streams.fetch("/api/fails")[0] == 500


def test_a_response_that_breaks_off(streams: HostProcess, connection: HTTPConnection) -> None:
    """The client sees that the response is not whole."""
    connection.request("GET", "/api/breaks")

    with pytest.raises(IncompleteRead) as caught:
        connection.getresponse().read()
    assert caught.value.partial == b"begun"
    streams.wait_for(r"^GET /api/breaks → broken off")


def test_a_client_that_goes_away(streams: HostProcess, connection: HTTPConnection) -> None:
    """The function's response is told, and stops."""
    connection.request("GET", "/api/endless")
    response = connection.getresponse()
    assert response.read(5) == b"more;"
    response.close()
    connection.close()

    streams.wait_for("nobody listens")
    streams.wait_for(r"^GET /api/endless → abandoned")


def test_stops_gracefully(run_host: Callable[..., HostProcess]) -> None:
    """A signal ends the host and the worker's server, without a word of complaint."""
    host = run_host("host_streams")
    assert host.fetch("/api/slow")[0] == 200

    assert host.stop() == 0
    assert "Traceback" not in host.output
    assert "stopping: finishing what is in flight" in host.output


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_stops_at_once_on_the_second_signal(run_host: Callable[..., HostProcess]) -> None:
    """Signals are the host's, not the worker's server's, whatever is being streamed."""
    host = run_host("host_streams")
    connection = HTTPConnection(host.netloc, timeout=PATIENCE_S)
    connection.request("GET", "/api/endless")
    assert connection.getresponse().read(5) == b"more;"

    host.send(signal.SIGTERM)
    host.wait_for("stopping: finishing what is in flight")
    host.send(signal.SIGTERM)

    assert host.wait() == 128 + signal.SIGTERM
    connection.close()
