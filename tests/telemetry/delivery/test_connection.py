"""One connection, over real sockets, to a server that misbehaves."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import time
from contextvars import ContextVar
from http.client import HTTPException
from typing import TYPE_CHECKING

import pytest
from opentelemetry import context as otel_context
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.conftest import answering, hang, slam, trickle

from funcscope.telemetry._config.proxy import Proxy
from funcscope.telemetry._http.connection import Answer, Connection
from funcscope.telemetry._http.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.telemetry.delivery.conftest import Behaviour, Collector, Conversation

SHORT_S = 0.2
MUCH_LONGER_S = 30.0


@pytest.fixture
def connection(collector: Collector) -> Iterator[Connection]:
    """Give a connection to the collector."""
    opened = Connection(collector.target().origin)
    yield opened
    opened.close()


def post(
    connection: Connection,
    body: bytes = b"body",
    timeout_s: float = PATIENCE_S,
    on_wait: Callable[[], bool] = lambda: True,
) -> Answer:
    """Post a body."""
    deadline = Deadline.within(timeout_s, on_wait)
    return connection.post("/v1/traces?a=b", [("x-key", "value")], body, deadline)


def test_request(collector: Collector, connection: Connection) -> None:
    """A request has the path, headers and body, and the answer its status, wait and body."""
    collector.behaviour = answering(429, b"slowly", retry_after="7")
    answer = post(connection)
    [request] = collector.requests

    assert answer == Answer(429, "7", b"slowly")
    assert request.start == "POST /v1/traces?a=b HTTP/1.1"
    assert request.headers["x-key"] == "value"
    assert request.headers["host"] == f"127.0.0.1:{collector.port}"
    assert request.body == b"body"


def test_connection_is_kept(collector: Collector, connection: Connection) -> None:
    """Requests that follow each other share a connection."""
    for _ in range(3):
        post(connection)

    assert [request.connection for request in collector.requests] == [1, 1, 1]


def chunked(conversation: Conversation) -> None:
    """Answer in chunks."""
    conversation.send(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )


def test_chunked_answer(collector: Collector, connection: Connection) -> None:
    """An answer in chunks is read whole, and the connection kept."""
    collector.behaviour = chunked

    assert [post(connection).body for _ in range(2)] == [b"abcde", b"abcde"]
    assert collector.connections == 1


def answer_and_close(conversation: Conversation) -> None:
    """Answer, and close the connection without saying so."""
    conversation.answer()
    conversation.close()


def test_stale_connection_is_replaced(collector: Collector, connection: Connection) -> None:
    """A connection that the server closed meanwhile costs no request."""
    collector.behaviours = [answer_and_close]
    post(connection)

    assert post(connection).status == 200
    assert len(collector.requests) == 2


def test_request_on_a_stale_connection_is_sent_again(
    collector: Collector, connection: Connection
) -> None:
    """A reused connection that fails before any answer is tried once more on a new one."""
    post(connection)
    collector.behaviours = [slam]

    assert post(connection).status == 200
    assert [request.connection for request in collector.requests] == [1, 1, 2]


def test_request_on_a_new_connection_is_sent_once(
    collector: Collector, connection: Connection
) -> None:
    """A new connection that fails is no stale one: whoever sends has to know."""
    collector.behaviour = slam

    with pytest.raises(ConnectionError):
        post(connection)
    assert len(collector.requests) == 1


def answer_half(conversation: Conversation) -> None:
    """Close the connection in the middle of the first line."""
    conversation.send(b"HTTP/1.1 2")
    conversation.close()


def test_half_an_answer_is_not_asked_for_again(
    collector: Collector, connection: Connection
) -> None:
    """Once a byte of an answer came, a request is not sent again by itself."""
    post(connection)
    collector.behaviour = answer_half

    with pytest.raises(ConnectionError, match="broke off"):
        post(connection)
    assert len(collector.requests) == 2


def test_absent_server(collector: Collector, connection: Connection) -> None:
    """Where nothing listens, that is an error at once."""
    collector.stop()

    with pytest.raises(ConnectionRefusedError):
        post(connection)


@pytest.mark.parametrize("behaviour", [hang, trickle])
def test_deadline(collector: Collector, connection: Connection, behaviour: Behaviour) -> None:
    """No server holds a request longer than its timeout, by silence or by bytes now and then."""
    collector.behaviour = behaviour
    start = time.monotonic()

    with pytest.raises(TimeoutError, match="timed out while waiting for the answer"):
        post(connection, timeout_s=SHORT_S)
    assert time.monotonic() - start < MUCH_LONGER_S


def test_deadline_of_sending(collector: Collector, connection: Connection) -> None:
    """Nor does one that never reads."""
    collector.reads = False
    start = time.monotonic()

    with pytest.raises(TimeoutError, match="timed out while sending"):
        post(connection, bytes(32 * 1024 * 1024), timeout_s=SHORT_S)
    assert time.monotonic() - start < MUCH_LONGER_S


def body_that_never_ends(conversation: Conversation) -> None:
    """Announce more than is ever sent."""
    conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbut")
    conversation.released.wait()


def test_answer_counts_though_its_body_never_comes(
    collector: Collector, connection: Connection
) -> None:
    """Once there is a status the body is known to have arrived, and is not sent twice."""
    collector.behaviours = [body_that_never_ends]

    assert post(connection, timeout_s=SHORT_S) == Answer(200)
    assert post(connection).status == 200
    assert collector.connections == 2


def test_answer_is_bounded(collector: Collector, connection: Connection) -> None:
    """Of a huge answer 64 KiB are read, and the connection given up."""
    collector.behaviour = answering(200, bytes(10_000_000))

    assert len(post(connection).body) == 64 * 1024
    post(connection)
    assert collector.connections == 2


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH\r\n", b"\x15\x03\x01\x00\x02\x02\x50\n"])
def test_garbage(collector: Collector, connection: Connection, garbage: bytes) -> None:
    """What is not HTTP is an error of its own."""
    collector.behaviour = lambda conversation: conversation.send(garbage)

    with pytest.raises(HTTPException):
        post(connection)


def test_sends_uninstrumented(collector: Collector, connection: Connection) -> None:
    """A request is in an empty context but for the key that turns instrumentations off."""
    variable: ContextVar[str] = ContextVar("variable", default="empty")
    variable.set("of the caller")
    seen: list[tuple[object, ...]] = []
    keys = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")

    def look() -> bool:
        seen.append((variable.get(), *map(otel_context.get_value, keys)))
        return False

    collector.behaviour = hang
    with pytest.raises(TimeoutError, match="given up"):
        post(connection, on_wait=look)
    assert seen == [("empty", True, True)]
    assert otel_context.get_value(keys[0]) is None


def test_http_proxy(collector: Collector) -> None:
    """Over a proxy, the request names the whole URL, and shows what the proxy wants."""
    proxy = Proxy("127.0.0.1", collector.port, "me", "hush")
    origin = collector.target().origin._replace(host="far.example", port=80, proxy=proxy)
    connection = Connection(origin)
    post(connection)
    connection.close()
    [request] = collector.requests

    assert request.start == "POST http://far.example/v1/traces?a=b HTTP/1.1"
    assert request.headers["host"] == "far.example"
    assert request.headers["proxy-authorization"] == "Basic bWU6aHVzaA=="


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Give a certificate for localhost that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes certificates, is not installed")
    folder: Path = tmp_path_factory.mktemp("tls")
    files = str(folder / "cert.pem"), str(folder / "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    outputs = ["-out", files[0], "-keyout", files[1]]
    subprocess.run([*command.split(), *subject, *outputs], check=True, capture_output=True)
    return files


@pytest.fixture
def tls_collector(collector: Collector, certificate: tuple[str, str]) -> Collector:
    """Give a collector that speaks TLS, and wants to see the same certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate[0])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*certificate)
    collector.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    return collector


def test_tls(tls_collector: Collector, certificate: tuple[str, str]) -> None:
    """Over TLS both sides show who they are, and the connection is kept."""
    cert, key = certificate
    origin = tls_collector.target().origin._replace(
        scheme="https",
        host="localhost",
        certificate=cert,
        client_certificate=cert,
        client_key=key,
    )
    connection = Connection(origin)

    assert [post(connection, bytes(1_000_000)).status for _ in range(3)] == [200] * 3
    assert tls_collector.connections == 1
    connection.close()


def test_tls_that_nobody_vouches_for(tls_collector: Collector) -> None:
    """A server whose certificate is not trusted gets nothing."""
    origin = tls_collector.target().origin._replace(scheme="https", host="localhost")

    with pytest.raises(ssl.SSLCertVerificationError):
        post(Connection(origin))
    assert not tls_collector.requests


def test_tls_deadline(collector: Collector) -> None:
    """A server that never shakes hands holds nothing longer than the timeout."""
    collector.reads = False
    origin = collector.target().origin._replace(scheme="https")
    start = time.monotonic()

    with pytest.raises(TimeoutError, match="timed out while connecting"):
        post(Connection(origin), timeout_s=SHORT_S)
    assert time.monotonic() - start < MUCH_LONGER_S


def test_a_plain_host_needs_no_codec(collector: Collector) -> None:
    """A host in ASCII is looked up as it is, without what encodes international names."""
    code = (
        "import sys\n"
        "from funcscope.telemetry._http.deadline import Deadline, Lookup\n"
        "assert Lookup('localhost', int(sys.argv[1])).wait(Deadline.within(60))\n"
        "print('encodings.idna' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(collector.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_tls_through_a_proxy(collector: Collector, certificate: tuple[str, str]) -> None:
    """A proxy is asked for a way through, and the rest is between client and server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    def connect(conversation: Conversation) -> None:
        conversation.answer()
        with context.wrap_socket(conversation.sock, server_side=True) as secured:
            received = b""
            while not received.endswith(b"body"):
                received += secured.recv(65536)
            secured.sendall(b"HTTP/1.1 202 Fine\r\ncontent-length: 0\r\n\r\n")
        conversation.close()

    collector.behaviour = connect
    origin = collector.target().origin._replace(
        scheme="https",
        host="localhost",
        port=443,
        certificate=certificate[0],
        proxy=Proxy("127.0.0.1", collector.port, "me", "hush"),
    )
    connection = Connection(origin)

    assert post(connection).status == 202
    assert collector.requests[0].start == "CONNECT localhost:443 HTTP/1.1"
    assert collector.requests[0].headers["proxy-authorization"] == "Basic bWU6aHVzaA=="
    connection.close()


def test_proxy_that_refuses(collector: Collector) -> None:
    """A proxy that lets nothing through is as good as a server that is not there."""
    collector.behaviour = answering(403)
    proxy = Proxy("127.0.0.1", collector.port)
    origin = collector.target().origin._replace(scheme="https", host="far.example", proxy=proxy)

    with pytest.raises(OSError, match="proxy refuses to connect: HTTP 403"):
        post(Connection(origin))
