"""
The same request by requests, which the SDK's exporter sends with, and by us, to the same servers.

What a server and a proxy see of both is compared, and what comes back. Where we differ on purpose,
`DIFFERENCES` says why.
"""

from __future__ import annotations

import os
import time
import zlib
from queue import Queue
from typing import TYPE_CHECKING, NamedTuple

import pytest
import requests
from requests.utils import should_bypass_proxies
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.conftest import Collector, Conversation, answering, slam
from tests.telemetry.delivery.peers import (
    ELSEWHERE,
    Asked,
    Authority,
    Relay,
    serve_http,
    serve_socks,
)

from funcscope.telemetry._config.otlp_target import read_target
from funcscope.telemetry._http.connection import Connection
from funcscope.telemetry._http.deadline import Deadline

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.telemetry.delivery.conftest import Behaviour, Request

DIFFERENCES = {
    "accept": "we do not send it: a collector answers in the request's format (OTLP/HTTP)",
    "accept-encoding": "we ask for answers as they are: they are small; gzip is read all the same",
    "connection": "we do not send it: HTTP/1.1 keeps a connection",
    "user-agent": "names us",
    "102, 103": "requests takes one for the answer; we wait for what follows",
    "301, 302, 303": "requests sends a GET without the body, which is lost if that is answered 200",
    "307, 308 to http": "requests goes on in plain text from https; we do not",
    "TLS of a proxy for http": "requests does not ask who the proxy is; we do",
    "307, 308 elsewhere": "requests drops Authorization; we all that an app has set",
    "redirects without end": "requests follows 30, and fails; we follow 4",
    "headers that follow from the body": "an app's are left out: the body could not be read",
    "407": "requests has it for an answer; to us it is a failure to connect, and the body is kept",
    "early answers": "requests may lose one to a broken pipe; we look for it while we send",
    "no_proxy": "we read ports after addresses, IPv6, and a * among others, too",
    "certifi": "requests trusts certifi's authorities unless it is told whom; we the system's",
}
"""By what: how we differ from requests 2.34, and why. Headers are left out of comparisons."""

PREFIX = "OTEL_EXPORTER_OTLP_"
LARGE = bytes(8 * 1024 * 1024)


class Result(NamedTuple):
    """What came back: no status where nothing did."""

    status: int = 0
    body: bytes = b""
    retry_after: str = ""


class Both(NamedTuple):
    """What came back to us and to requests, and what the server saw of both."""

    ours: list[Result]
    theirs: list[Result]
    our_requests: list[Request]
    their_requests: list[Request]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the machine that runs the tests has set."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)


def send_ours(environ: Mapping[str, str], body: bytes, times: int) -> list[Result]:
    """Post by our settings and connection, one after the other."""
    target = read_target("traces", environ, [])
    connection = Connection(target.origin)
    headers = {"content-type": "application/x-protobuf", **dict(target.headers)}
    results = []
    for _ in range(times):
        try:
            answer = connection.post(
                target.path, headers.items(), body, Deadline.within(PATIENCE_S)
            )
            results.append(Result(answer.status, answer.body, answer.retry_after))
        except Exception:
            results.append(Result())
    connection.close()
    return results


def send_theirs(environ: Mapping[str, str], body: bytes, times: int) -> list[Result]:
    """Post as the SDK's exporter does (1.45), by requests; its own settings are in the process."""
    headers = {"content-type": "application/x-protobuf"}
    for pair in environ.get(f"{PREFIX}HEADERS", "").split(",")[: f"{PREFIX}HEADERS" in environ]:
        headers.update(dict([pair.split("=", 1)]))
    for pair in environ.get(f"{PREFIX}HEADERS", "").split(",")[1:]:
        headers.update(dict([pair.split("=", 1)]))
    certificate = environ.get(f"{PREFIX}CLIENT_CERTIFICATE")
    results = []
    with requests.Session() as session:
        for _ in range(times):
            try:
                answer = session.post(
                    f"{environ[f'{PREFIX}ENDPOINT']}/v1/traces",
                    data=body,
                    headers=headers,
                    timeout=PATIENCE_S,
                    verify=environ.get(f"{PREFIX}CERTIFICATE", True),
                    cert=(certificate, environ[f"{PREFIX}CLIENT_KEY"]) if certificate else None,
                )
                wait = answer.headers.get("retry-after", "")
                results.append(Result(answer.status_code, answer.content[: 64 * 1024], wait))
            except (requests.RequestException, OSError):
                results.append(Result())
    return results


@pytest.fixture
def send(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Both]:
    """Send by both: `send(behaviour, HEADERS="a=b", HTTP_PROXY="…", body=b"…", times=2)`."""

    def run(*behaviours: Behaviour, body: bytes = b"body", times: int = 1, **settings: str) -> Both:
        environ = {
            name if name.upper().endswith(("_PROXY", "_BUNDLE")) else PREFIX + name: value
            for name, value in {
                "ENDPOINT": f"http://127.0.0.1:{collector.port}",
                **settings,
            }.items()
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        found = []
        for sender in (send_ours, send_theirs):
            collector.behaviours = list(behaviours)
            before = len(collector.requests)
            results = sender(environ, body, times)
            found.append((results, collector.requests[before:]))
        (ours, our_requests), (theirs, their_requests) = found
        return Both(ours, theirs, our_requests, their_requests)

    return run


def seen(request: Request) -> tuple[object, ...]:
    """Return what is compared of a request, each of whose headers may come once."""
    assert sorted(request.names) == sorted(set(request.names))
    headers = {name: value for name, value in request.headers.items() if name not in DIFFERENCES}
    return request.start, headers, request.body


def assert_alike(both: Both) -> None:
    """Fail unless the server saw the same of both, and the same came back."""
    assert both.ours == both.theirs
    assert [seen(each) for each in both.our_requests] == [
        seen(each) for each in both.their_requests
    ]


def raw(data: bytes, *, closes: bool = False) -> Behaviour:
    """Make a behaviour that answers with these bytes."""

    def behave(conversation: Conversation) -> None:
        conversation.send(data)
        conversation.goes_on = not closes

    return behave


GZIPPED = zlib.compressobj(wbits=31)
COMPRESSED = GZIPPED.compress(b"a warning") + GZIPPED.flush()
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
ANSWERS: Mapping[str, Behaviour] = {
    "accepted": answering(200, b"\x0a\x00"),
    "in chunks": raw(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n0\r\nend: of it\r\n\r\n"
    ),
    "until the end": raw(b"HTTP/1.1 200 OK\r\n\r\nabc", closes=True),
    "old": raw(b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", closes=True),
    "empty": raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "more than announced": raw(OK + b"and what nobody asked for", closes=True),
    "100 first": raw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK),
    "compressed": answering(400, COMPRESSED, content_encoding="gzip"),
    "too large": answering(413),
    "later, a number": answering(429, b"busy", retry_after="120"),
    "later, a date": answering(503, b"", retry_after="Wed, 21 Oct 2099 07:28:00 GMT"),
    "a huge one": answering(500, bytes(1_000_000)),
    "refused": answering(400, b"\x08\x03\x12\x08bad\nspan"),
    "unauthorized": answering(401, b"", www_authenticate="Basic"),
    "closed": slam,
    "half": raw(b"HTTP/1.1 2", closes=True),
    "SSH": raw(b"SSH-2.0-OpenSSH_9.9\r\n", closes=True),
    "HTTP/2": raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", closes=True),
    "TLS": raw(b"\x15\x03\x01\x00\x02\x02\x46", closes=True),
    "200 headers": raw(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", closes=True),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n"),
    "303 without a place": answering(303),
    "308 without a place": answering(308),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers(send: Callable[..., Both], answer: str) -> None:
    """An answer is read alike, whatever it is like."""
    assert_alike(send(ANSWERS[answer]))


@pytest.mark.parametrize("answer", ["accepted", "in chunks", "empty", "until the end", "old"])
def test_connections(send: Callable[..., Both], collector: Collector, answer: str) -> None:
    """A connection is kept after the same answers."""
    both = send(*[ANSWERS[answer]] * 3, times=3)

    assert_alike(both)
    first_ours, first_theirs = both.our_requests[0], both.their_requests[0]
    assert [each.connection - first_ours.connection for each in both.our_requests] == [
        each.connection - first_theirs.connection for each in both.their_requests
    ]


def answer_and_close(conversation: Conversation) -> None:
    """Answer, and close the connection without saying so."""
    conversation.answer()
    conversation.close()


def test_half_closed_connection(send: Callable[..., Both]) -> None:
    """A request on a connection that its server has closed meanwhile is sent on another one.

    requests does not see it where the end comes after it has looked, and fails.
    """
    both = send(answer_and_close, answer_and_close, times=2)

    assert [each.status for each in both.ours] == [200, 200]
    assert [seen(each) for each in both.our_requests] == [seen(both.their_requests[0])] * 2


def test_answers_before_the_last(send: Callable[..., Both]) -> None:
    """An answer that announces another is none: `102, 103`."""
    both = send(raw(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK))

    assert [each.status for each in both.ours + both.theirs] == [200, 103]


@pytest.mark.parametrize(
    "headers",
    [
        "a=b,X-Key=c%20d",
        "authorization=Basic abc",
        "host=virtual.example",
        "content-type=application/json",
        "connection=close",
        "user-agent=me",
        "expect=100-continue",
    ],
)
def test_headers(send: Callable[..., Both], headers: str) -> None:
    """An app's headers win, and none comes twice."""
    assert_alike(send(HEADERS=headers.replace("%20", " ")))


@pytest.mark.parametrize("name", ["content-length", "transfer-encoding", "content-encoding"])
def test_headers_that_follow_from_the_body(collector: Collector, name: str) -> None:
    """An app cannot say what the body is like: `headers that follow from the body`."""
    endpoint = f"http://127.0.0.1:{collector.port}"
    send_ours({f"{PREFIX}ENDPOINT": endpoint, f"{PREFIX}HEADERS": f"{name}=chunked"}, b"body", 1)
    [ours] = collector.requests

    assert ours.names.count("content-length") == 1
    assert ours.headers["content-length"] == "4"
    assert {"transfer-encoding", "content-encoding"}.isdisjoint(ours.names)


class EarlyServer(Collector):
    """A collector that answers once it has read the head, and goes on as a test says."""

    lingers = False
    first = b""
    answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig"

    def _serve_one(self, sock: object, number: int) -> bool:
        import socket

        assert isinstance(sock, socket.socket)
        sock.recv(1000)
        sock.sendall(self.first + self.answer)
        if self.lingers:
            sock.shutdown(socket.SHUT_WR)
            self.released.wait()
        return False


@pytest.fixture
def early() -> Iterator[EarlyServer]:
    """Give a server that answers early."""
    server = EarlyServer()
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("lingers", [False, True])
@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("is_secure", [False, True])
def test_early_answer(
    early: EarlyServer, tmp_path: Path, lingers: bool, first: bytes, is_secure: bool
) -> None:
    """An answer that comes before the body was read is read: `early answers`."""
    early.lingers, early.first = lingers, first
    environ = {f"{PREFIX}ENDPOINT": f"http://127.0.0.1:{early.port}"}
    if is_secure:
        authority = Authority(tmp_path)
        context = authority.server()
        early.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
        environ = {
            f"{PREFIX}ENDPOINT": f"https://127.0.0.1:{early.port}",
            f"{PREFIX}CERTIFICATE": authority.file,
        }
    start = time.monotonic()

    assert send_ours(environ, LARGE, 2) == [Result(413, b"big")] * 2
    assert time.monotonic() - start < PATIENCE_S


def test_early_success(collector: Collector) -> None:
    """One that says that all is well ends nothing: the rest of the body is sent, too."""
    read: Queue[int] = Queue()

    def answer_before_reading(sock: socket.socket) -> socket.socket:
        head = sock.recv(1000)
        sock.sendall(OK)
        length = len(head)
        while chunk := sock.recv(1 << 20):
            length += len(chunk)
        read.put(length)
        return sock

    collector.wrap = answer_before_reading
    environ = {f"{PREFIX}ENDPOINT": f"http://127.0.0.1:{collector.port}"}

    assert send_ours(environ, LARGE, 1) == [Result(200)]
    assert read.get(timeout=PATIENCE_S) > len(LARGE)


def test_a_large_body(send: Callable[..., Both]) -> None:
    """A body that fills all buffers arrives whole."""
    assert_alike(send(body=LARGE))


@pytest.mark.parametrize("place", ["http://[", "http://é.example/", "ftp://127.0.0.1/"])
def test_redirects_nowhere(collector: Collector, place: str) -> None:
    """A redirect to what is no address of ours is an answer, and no reason to try again."""
    collector.behaviour = answering(308, location=place)
    environ = {f"{PREFIX}ENDPOINT": f"http://127.0.0.1:{collector.port}"}

    assert send_ours(environ, b"body", 1) == [Result(308)]


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("place", ["/new?a=b", "new%20place", "//127.0.0.1:{port}/x", "?c=d é"])
def test_redirects(
    send: Callable[..., Both], collector: Collector, status: int, place: str
) -> None:
    """A redirect that keeps the method is followed, with the body and the headers."""
    place = place.format(port=collector.port)
    both = send(answering(status, location=place), HEADERS="authorization=Basic abc,x-key=c")

    assert_alike(both)
    assert [each.body for each in both.our_requests] == [b"body", b"body"]


@pytest.fixture
def elsewhere() -> Iterator[Collector]:
    """Give another collector."""
    server = Collector()
    server.start()
    yield server
    server.stop()


def test_redirects_elsewhere(send: Callable[..., Both], elsewhere: Collector) -> None:
    """Another server gets the body, and none of the app's headers: `307, 308 elsewhere`."""
    place = f"http://127.0.0.1:{elsewhere.port}/x"
    both = send(answering(308, location=place), HEADERS="authorization=Basic abc,x-key=hush")
    ours, theirs = elsewhere.requests

    assert both.ours == both.theirs == [Result(200)]
    assert (ours.start, ours.body) == (theirs.start, theirs.body) == ("POST /x HTTP/1.1", b"body")
    assert {"authorization", "x-key"} & set(ours.names) == set()
    assert {"authorization", "x-key"} & set(theirs.names) == {"x-key"}
    assert ours.headers["content-type"] == theirs.headers["content-type"]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirects_that_lose_the_body(send: Callable[..., Both], status: int) -> None:
    """One that may change the method is an answer: `301, 302, 303`."""
    both = send(answering(status, location="/login"))

    assert [each.status for each in both.ours] == [status]
    assert [each.start for each in both.their_requests][1:] == ["GET /login HTTP/1.1"]


def test_redirects_without_end(send: Callable[..., Both]) -> None:
    """They are followed so far, and no farther: `redirects without end`."""
    both = send(*[answering(307, location="/again")] * 40)

    assert both.ours == [Result(307)]
    assert both.theirs == [Result()]
    assert len(both.our_requests) == 5


def test_redirects_to_plain_text(
    send: Callable[..., Both], collector: Collector, elsewhere: Collector, tmp_path: Path
) -> None:
    """What goes over TLS never goes in plain text: `307, 308 to http`."""
    authority = Authority(tmp_path)
    context = authority.server()
    collector.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    both = send(
        answering(308, location=f"http://127.0.0.1:{elsewhere.port}/x"),
        ENDPOINT=f"https://127.0.0.1:{collector.port}",
        CERTIFICATE=authority.file,
    )

    assert [each.status for each in both.ours + both.theirs] == [308, 200]
    assert len(elsewhere.requests) == 1


def test_ipv6(send: Callable[..., Both], collector: Collector) -> None:
    """A literal address of IPv6 is a host as others are."""
    collector.stop()
    collector.host = "::1"
    try:
        collector.start()
    except OSError:
        pytest.skip("this machine has no IPv6")
    both = send(ENDPOINT=f"http://[::1]:{collector.port}")

    assert_alike(both)
    assert [each.status for each in both.ours] == [200]


def test_hosts_with_several_addresses(
    send: Callable[..., Both], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing listens at a host's first address, the next is tried."""
    import socket

    look_up = socket.getaddrinfo

    def twice(host: object, port: int, *args: object, **options: object) -> object:
        found = look_up("127.0.0.1", port, type=socket.SOCK_STREAM)
        return [(*found[0][:4], ("127.0.0.2", port)), *found]

    monkeypatch.setattr(socket, "getaddrinfo", twice)
    both = send(ENDPOINT=f"http://several.example:{collector.port}")

    assert_alike(both)
    assert [each.status for each in both.ours] == [200]


@pytest.fixture
def relay() -> Iterator[Callable[..., tuple[Relay, int]]]:
    """Start proxies: `relay(serve_http, credentials="…")` returns one, and its port."""
    started = []

    def start(serve: Callable[..., object], **options: object) -> tuple[Relay, int]:
        made = Relay(serve, **options)  # type: ignore[arg-type]  # given by name
        started.append(made)
        return made, made.start()

    yield start
    for each in started:
        each.stop()


@pytest.mark.parametrize("setting", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_http_proxy(
    send: Callable[..., Both],
    collector: Collector,
    relay: Callable[..., tuple[Relay, int]],
    setting: str,
) -> None:
    """A proxy for http is asked for the whole URL, with what its own URL says in it."""
    proxy, port = relay(serve_http, credentials="Basic bWU6aCVzIGg=")
    both = send(
        ENDPOINT=f"http://{ELSEWHERE}:{collector.port}",
        **{setting: f"http://me:h%25s%20h@127.0.0.1:{port}"},
    )

    assert_alike(both)
    assert [each.status for each in both.ours] == [200]
    assert proxy.asked[0] == proxy.asked[1]


def test_http_proxy_without_a_scheme(
    send: Callable[..., Both], relay: Callable[..., tuple[Relay, int]]
) -> None:
    """A proxy without a scheme is spoken to in plain HTTP."""
    proxy, port = relay(serve_http)

    assert_alike(send(HTTP_PROXY=f"127.0.0.1:{port}"))
    assert len(proxy.asked) == 2


def test_proxy_that_wants_to_know_us(
    send: Callable[..., Both], relay: Callable[..., tuple[Relay, int]]
) -> None:
    """A proxy that wants credentials takes nothing, and costs no body: `407`."""
    _, port = relay(serve_http, credentials="Basic bWU6aHVzaA==")
    both = send(HTTP_PROXY=f"http://me:wrong@127.0.0.1:{port}")

    assert (both.ours, both.theirs) == ([Result()], [Result(407)])
    assert both.our_requests == both.their_requests == []


def test_tls_proxy_that_wants_to_know_us(
    collector: Collector, relay: Callable[..., tuple[Relay, int]], authority: Authority
) -> None:
    """So it is where urllib3 speaks to the proxy."""
    proxy, port = relay(serve_http, credentials="Basic bWU6aHVzaA==")
    context = authority.server()
    proxy.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    environ = {
        f"{PREFIX}ENDPOINT": f"http://127.0.0.1:{collector.port}",
        f"{PREFIX}CERTIFICATE": authority.file,
        "HTTP_PROXY": f"https://me:wrong@127.0.0.1:{port}",
    }

    assert send_ours(environ, b"body", 1) == [Result()]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give an authority."""
    return Authority(tmp_path)


@pytest.fixture
def secure(collector: Collector, authority: Authority) -> Collector:
    """Give a collector that speaks TLS."""
    context = authority.server()
    collector.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    return collector


def test_https_through_an_http_proxy(
    send: Callable[..., Both],
    secure: Collector,
    authority: Authority,
    relay: Callable[..., tuple[Relay, int]],
) -> None:
    """A proxy is asked for a way to an https server, and sees no more."""
    proxy, port = relay(serve_http, credentials="Basic bWU6aHVzaA==")
    both = send(
        ENDPOINT=f"https://{ELSEWHERE}:{secure.port}",
        CERTIFICATE=authority.file,
        HTTPS_PROXY=f"http://me:hush@127.0.0.1:{port}",
        times=2,
    )

    assert_alike(both)
    assert [each.status for each in both.ours] == [200, 200]
    assert proxy.asked[0] == proxy.asked[1]
    assert proxy.asked[0].what == "CONNECT"
    assert "proxy-authorization" not in both.our_requests[0].names


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_speaks_tls(
    send: Callable[..., Both],
    collector: Collector,
    authority: Authority,
    relay: Callable[..., tuple[Relay, int]],
    scheme: str,
) -> None:
    """A proxy that is spoken to in TLS carries http and https."""
    context = authority.server("proxy")
    proxy, port = relay(
        serve_http,
        wrap=lambda sock: context.wrap_socket(sock, server_side=True),
        credentials="Basic bWU6aHVzaA==",
    )
    if scheme == "https":
        inner = authority.server()
        collector.wrap = lambda sock: inner.wrap_socket(sock, server_side=True)
    both = send(
        ENDPOINT=f"{scheme}://{ELSEWHERE}:{collector.port}",
        ALL_PROXY=f"https://me:hush@localhost:{port}",
        REQUESTS_CA_BUNDLE=authority.file,
    )

    assert_alike(both)
    assert [each.status for each in both.ours] == [200]
    assert proxy.asked[0] == proxy.asked[-1]


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_proxy_that_nobody_vouches_for(
    send: Callable[..., Both], authority: Authority, relay: Callable[..., tuple[Relay, int]]
) -> None:
    """A proxy has to be who it should be, whatever it carries: `TLS of a proxy for http`."""
    context = authority.server("proxy")
    _, port = relay(serve_http, wrap=lambda sock: context.wrap_socket(sock, server_side=True))
    both = send(HTTP_PROXY=f"https://localhost:{port}")

    assert [each.status for each in both.ours + both.theirs] == [0, 200]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("version", ["socks4", "socks4a", "socks5", "socks5h"])
def test_socks_proxy(
    send: Callable[..., Both],
    collector: Collector,
    authority: Authority,
    relay: Callable[..., tuple[Relay, int]],
    scheme: str,
    version: str,
) -> None:
    """A SOCKS proxy carries http and https, and looks up names where its scheme says so."""
    pytest.importorskip("socks", reason="PySocks is not installed")
    if scheme == "https":
        inner = authority.server()
        collector.wrap = lambda sock: inner.wrap_socket(sock, server_side=True)
    proxy, port = relay(serve_socks, credentials="me:h%s" if "5" in version else "")
    user = "me:h%25s@" if "5" in version else ""
    host = ELSEWHERE if version[-1] in "ah" else "localhost"
    both = send(
        ENDPOINT=f"{scheme}://{host}:{collector.port}",
        ALL_PROXY=f"{version}://{user}127.0.0.1:{port}",
        **({"CERTIFICATE": authority.file} if scheme == "https" else {}),
        times=2,
    )

    assert_alike(both)
    assert [each.status for each in both.ours] == [200, 200]
    assert proxy.asked[0] == proxy.asked[1]
    who = ("me", "h%s") if user else ("", "")
    name = host if version[-1] in "ah" else "127.0.0.1"
    assert proxy.asked[0] == Asked(version.removesuffix("h"), name, *who)


def test_socks_proxy_that_does_not_know_us(
    send: Callable[..., Both], relay: Callable[..., tuple[Relay, int]]
) -> None:
    """A SOCKS proxy that refuses is a failure to both."""
    pytest.importorskip("socks", reason="PySocks is not installed")
    _, port = relay(serve_socks, credentials="me:hush")

    assert_alike(send(HTTP_PROXY=f"socks5h://me:wrong@127.0.0.1:{port}"))


BYPASSED = [
    ("http://10.1.2.3:4318", "10.0.0.0/8"),
    ("http://10.1.2.3:4318", "11.0.0.0/8, 10.1.0.0/16"),
    ("http://10.1.2.3:4318", "10.1.2.3"),
    ("http://10.1.2.3:4318", "10.1.2.4,2.3"),
    ("http://otel.svc.cluster.local:4318", "svc.cluster.local"),
    ("http://otel.svc.cluster.local:4318", ".cluster.local"),
    ("http://otel.svc.cluster.local:4318", "*.cluster.local"),
    ("http://notcluster.local:4318", "cluster.local"),
    ("http://OTEL.Example:4318", "otel.example"),
    ("http://otel.example:4318", " otel.example:4318 , x"),
    ("http://otel.example:4318", "otel.example:4319"),
    ("http://otel.example:4318", "a, otel.example , b"),
    ("http://otel.example:4318", "*"),
    ("http://otel.example:4318", ""),
    ("http://otel.example:4318", ",,"),
    ("http://[::1]:4318", "::1"),
    ("http://[::2]:4318", "::1"),
    ("https://otel.example", "example"),
    ("http://10.1.2.3:4318", "10.0.0.0/33,10.0.0.0/x,/8"),
]


@pytest.mark.parametrize(("endpoint", "bypass"), BYPASSED)
def test_no_proxy(endpoint: str, bypass: str) -> None:
    """The same hosts are reached without a proxy."""
    environ = {f"{PREFIX}ENDPOINT": endpoint, "ALL_PROXY": "http://p:1", "NO_PROXY": bypass}
    is_bypassed = read_target("traces", environ, []).origin.proxy is None

    assert is_bypassed == bool(should_bypass_proxies(endpoint, no_proxy=bypass))


@pytest.mark.parametrize(
    ("endpoint", "bypass"),
    [
        ("http://10.1.2.3:4318", "10.1.2.3:4318"),
        ("https://otel.example", "otel.example:443"),
        ("http://[2001:db8::1]:4318", "2001:db8::/32"),
        ("http://[2001:db8::1]:4318", "[2001:db8::1]"),
        ("http://otel.example:4318", "a,*"),
    ],
)
def test_no_proxy_that_requests_does_not_read(endpoint: str, bypass: str) -> None:
    """What can have but one meaning is read: `no_proxy`."""
    environ = {f"{PREFIX}ENDPOINT": endpoint, "ALL_PROXY": "http://p:1", "NO_PROXY": bypass}

    assert read_target("traces", environ, []).origin.proxy is None
    assert not should_bypass_proxies(endpoint, no_proxy=bypass)


@pytest.mark.parametrize("setting", ["CERTIFICATE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authorities(
    send: Callable[..., Both], secure: Collector, authority: Authority, setting: str
) -> None:
    """Whom to trust is read of the same settings."""
    both = send(ENDPOINT=f"https://localhost:{secure.port}", **{setting: authority.file})

    assert_alike(both)
    assert [each.status for each in both.ours] == [200]


def test_which_authorities(
    send: Callable[..., Both], secure: Collector, authority: Authority, tmp_path: Path
) -> None:
    """OpenTelemetry's setting wins over requests', and that over curl's."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").file
    endpoint = f"https://localhost:{secure.port}"
    bundles = {"REQUESTS_CA_BUNDLE": other, "CURL_CA_BUNDLE": authority.file}

    assert_alike(send(ENDPOINT=endpoint, CERTIFICATE=authority.file, **bundles))
    refused = send(ENDPOINT=endpoint, **bundles)
    assert refused.ours == refused.theirs == [Result()]


@pytest.mark.parametrize("case", ["nobody vouches", "another name", "expired"])
def test_servers_that_are_not_trusted(
    send: Callable[..., Both], collector: Collector, authority: Authority, case: str
) -> None:
    """A server that is not who it should be gets nothing of either."""
    context = authority.server(days=-1 if case == "expired" else 1)
    collector.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    host = "127.0.0.2" if case == "another name" else "localhost"
    both = send(
        ENDPOINT=f"https://{host}:{collector.port}",
        **({} if case == "nobody vouches" else {"CERTIFICATE": authority.file}),
    )

    assert both == Both([Result()], [Result()], [], [])


@pytest.mark.parametrize("case", ["valid", "expired", "none"])
def test_client_certificates(
    send: Callable[..., Both], collector: Collector, authority: Authority, case: str
) -> None:
    """A server that wants to know who we are is shown it, and refuses what has expired."""
    context = authority.server(wants=True)
    collector.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    certificate, key = authority.issue("client", days=-1 if case == "expired" else 1)
    settings = {} if case == "none" else {"CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key}
    both = send(
        ENDPOINT=f"https://localhost:{collector.port}", CERTIFICATE=authority.file, **settings
    )

    assert_alike(both)
    assert [each.status for each in both.ours] == [200 if case == "valid" else 0]


def test_each_difference_is_named_in_a_test() -> None:
    """No difference is left in the list that nothing here is about."""
    headers = {"accept", "accept-encoding", "connection", "user-agent", "certifi"}
    tests = "".join(str(value.__doc__) for name, value in globals().items() if "test_" in name)

    assert [name for name in DIFFERENCES.keys() - headers if f"`{name}`" not in tests] == []
