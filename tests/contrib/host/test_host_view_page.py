"""The trace page's server: what it answers, and to whom."""

from __future__ import annotations

import json
import re
import socket
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.patience import PATIENCE_S

import funcscope.contrib.host
from funcscope.contrib.host import Batch
from funcscope.contrib.host._traces.traces import HostRequest
from funcscope.contrib.host._view.api import ViewApi
from funcscope.contrib.host._view.live import TraceView
from funcscope.contrib.host._view.server import ViewServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse

    from funcscope.contrib.host import ReceivedSpan

DOCS = Path(__file__).parents[3] / "docs"
STATIC = Path(funcscope.contrib.host.__file__).parent / "_view" / "static"


@pytest.fixture
def view() -> TraceView:
    """Make an empty view."""
    return TraceView()


@pytest.fixture
def page(view: TraceView) -> Iterator[str]:
    """Serve the view, and return where."""
    listener = socket.create_server(("127.0.0.1", 0))
    application = ViewApi(view, {"app": "shop"}).application()
    with ViewServer(application, listener, view.feed.close) as server:
        yield server.url


@pytest.fixture
def ask(page: str) -> Iterator[Callable[..., HTTPResponse]]:
    """Send requests: `ask("/api/about", method="GET", host="localhost")`."""
    connections: list[HTTPConnection] = []

    def send(path: str, *, method: str = "GET", host: str | None = None) -> HTTPResponse:
        connection = HTTPConnection(urlsplit(page).netloc, timeout=PATIENCE_S)
        connections.append(connection)
        connection.request(method, path, headers={} if host is None else {"host": host})
        return connection.getresponse()

    yield send
    for connection in connections:
        connection.close()


def next_event(stream: HTTPResponse, name: str) -> Any:
    """Read a stream of events up to the next one of a name."""
    wanted = f"event: {name}\n".encode()
    for line in iter(stream.readline, b""):
        if line == wanted:
            return json.loads(stream.readline().removeprefix(b"data: "))
    raise AssertionError(f"the stream ended without {name!r}")


@pytest.mark.parametrize("path", ["/", "/functions", "/metrics", "/trace/4bf9"])
def test_each_address_is_the_page(ask: Callable[..., HTTPResponse], path: str) -> None:
    """A view's address may be opened, kept and sent around."""
    answer = ask(path)

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert b"/static/app.js" in answer.read()


@pytest.mark.parametrize("file", sorted(STATIC.iterdir()), ids=lambda file: file.name)
def test_assets_are_served(ask: Callable[..., HTTPResponse], file: Path) -> None:
    """Each file of the page is served with a type that browsers take."""
    answer = ask(f"/static/{file.name}")

    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kinds.get(file.suffix, "text/html"))
    assert answer.read() == file.read_bytes()


@pytest.mark.parametrize("path", ["/static/..%2Fapi.py", "/static/nothing.js", "/static/api.py"])
def test_nothing_else_is_served(ask: Callable[..., HTTPResponse], path: str) -> None:
    """No file beside the page's assets is to be had."""
    assert ask(path).status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/api/live", "/api/invocations"])
def test_other_names_are_refused(ask: Callable[..., HTTPResponse], host: str, path: str) -> None:
    """A site whose name resolves to this machine reads nothing."""
    answer = ask(path, host=host)

    assert answer.status == 403
    assert b"open it by one of these" in answer.read()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:9", "[::1]:7080"])
def test_own_names_are_served(ask: Callable[..., HTTPResponse], host: str) -> None:
    """This machine's own names are taken, with the port that a forwarder gave."""
    assert ask("/api/about", host=host).status == 200


@pytest.mark.parametrize("path", ["/", "/api/about", "/static/app.js", "/nothing"])
def test_browsers_are_told_to_be_strict(ask: Callable[..., HTTPResponse], path: str) -> None:
    """Every answer forbids foreign scripts, connections and frames, and allows no other site."""
    headers = ask(path).headers

    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert re.findall(r"\w+:", policy) == []  # no scheme, and so nothing from elsewhere
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] is None


def test_texts_never_become_markup() -> None:
    """No script of the page parses HTML, or names another machine."""
    scripts = "\n".join(file.read_text() for file in STATIC.glob("*.js"))

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", scripts)
    assert set(re.findall(r"\w+://[^\"'`/ ]+", scripts)) == {"http://www.w3.org"}


def test_traces_and_lists(
    ask: Callable[..., HTTPResponse], view: TraceView, span: Callable[..., ReceivedSpan]
) -> None:
    """What has come is listed, found by its id, and summed up."""
    received = span("GET /", attributes={"InvocationId": "i-1", "faas.name": "hello"})
    view.add(Batch(spans=(received,)))

    listed = json.loads(ask("/api/invocations?function=hello").read())
    trace = json.loads(ask(f"/api/traces/{received.trace_id}").read())

    assert [row["id"] for row in listed["rows"]] == ["i-1"]
    assert trace["spans"][0]["name"] == "GET /"
    assert json.loads(ask("/api/functions").read())[0]["function"] == "hello"
    assert json.loads(ask("/api/metrics").read()) == {"left_out": 0, "series": []}
    assert json.loads(ask("/api/about").read()) == {"app": "shop"}


def test_what_is_not_there_says_so(ask: Callable[..., HTTPResponse]) -> None:
    """A trace that is not kept is answered 404, a wrong filter 400, each with the reason."""
    missing, wrong = ask("/api/traces/4bf9"), ask("/api/live?status=odd")

    assert (missing.status, wrong.status) == (404, 400)
    assert b"'4bf9' is not, or no longer, kept" in missing.read()
    assert b"'odd' is not known" in wrong.read()


def test_changes_come_by_themselves(ask: Callable[..., HTTPResponse], view: TraceView) -> None:
    """A page that listens gets the list, and then each change of it, its summaries too."""
    stream = ask("/api/live?status=running")
    first = next_event(stream, "rows")

    view.observe(HostRequest("i-1", "a" * 32, "b" * 16, "GET /", function="hello"))
    begun = next_event(stream, "rows")
    view.observe(HostRequest("i-1", "a" * 32, "b" * 16, "GET /", "200", function="hello"))
    ended = next_event(stream, "rows")
    summaries = next_event(stream, "functions")

    assert (first["is_whole"], first["rows"]) == (True, [])
    assert [row["id"] for row in begun["rows"]] == ["i-1"]
    assert (ended["rows"], ended["gone"]) == ([], ["i-1"])
    assert summaries[0]["count"] == 1


def test_clearing(
    ask: Callable[..., HTTPResponse], view: TraceView, span: Callable[..., ReceivedSpan]
) -> None:
    """The page may forget what it has; a form of another site's may not make it."""
    view.add(Batch(spans=(span("GET /"),)))
    refused = ask("/api/traces", method="POST").status
    kept = len(json.loads(ask("/api/invocations").read())["rows"])

    assert (refused, kept) == (405, 1)
    assert ask("/api/traces", method="DELETE").status == 204
    assert json.loads(ask("/api/invocations").read())["rows"] == []


def test_stopping_ends_streams(view: TraceView) -> None:
    """A page that listens does not keep the server from stopping."""
    listener = socket.create_server(("127.0.0.1", 0))
    with ViewServer(ViewApi(view, {}).application(), listener, view.feed.close) as server:
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE_S)
        connection.request("GET", "/api/live")
        stream = connection.getresponse()
        next_event(stream, "rows")

    assert b"event: rows" not in stream.read()  # which ends
    connection.close()


def test_a_page_that_reads_nothing_is_not_waited_for(view: TraceView) -> None:
    """The server stops though a client, such as a machine that sleeps, takes nothing more."""
    for number in range(9_000):  # more than the buffers of a connection hold
        view.observe(HostRequest(f"i-{number}", f"{number:032x}", "b" * 16, "GET /" + "x" * 200))
    listener = socket.create_server(("127.0.0.1", 0))
    with ViewServer(ViewApi(view, {}).application(), listener, view.feed.close) as server:
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"

    client.close()
    assert server.is_stopped


def test_what_cannot_be_kept_harms_nobody(
    view: TraceView, caplog: pytest.LogCaptureFixture, span: Callable[..., ReceivedSpan]
) -> None:
    """A batch that the page fails on is said once, and neither sender nor host sees an error."""
    broken = span("odd", attributes=None)

    view.add(Batch(spans=(broken,)))
    view.add(Batch(spans=(broken,)))
    view.observe(HostRequest("i-1", "a" * 32, "b" * 16, "GET /"))

    assert [record.message for record in caplog.records] == [
        "the trace page leaves out what it cannot read"
    ]


def test_the_docs_pictures_are_there() -> None:
    """Each picture that the docs show is in the repository, and small."""
    text = (DOCS / "how-to" / "trace-page.md").read_text()
    shown = re.findall(r"\(\.\./pictures/([\w-]+\.png)\)", text)

    assert shown
    assert all((DOCS / "pictures" / name).stat().st_size <= 200_000 for name in shown)
