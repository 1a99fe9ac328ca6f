"""A small OTLP/HTTP receiver, on loopback and on threads of its own."""

from __future__ import annotations

import json
import re
import sys
import threading
import zlib
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._traces.otlp import JSON, MEDIA_TYPES, PATHS, PROTOBUF, decode

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from socketserver import BaseServer

    from typing_extensions import Self

    from funcscope.contrib.host._traces.otlp import Batch

_MAX_BODY = 64 * 1024 * 1024
_READ_TIMEOUT_S = 10
_MAX_LINE = 1024  # in bytes, of what stands around chunks
_POLL_S = 0.05  # how soon the accepting thread sees that it has to stop
_match_size = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?\r?\n").fullmatch


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it was received: its path, headers, and body, which may be compressed."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class OtlpReceiver:
    """
    Receives spans, log records and metrics over OTLP/HTTP in protobuf or JSON.

    It has its own threads, so that a function that blocks the event loop does not block it.

    Args:
        on_batch: Called with what each request brought, on the thread that received it.
        host: The address to listen on.
        port: 0 takes a free one.
        on_request: Called before that with each request that can be decoded.
    """

    def __init__(
        self,
        on_batch: Callable[[Batch], object],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_request: Callable[[RawRequest], object] = lambda _: None,
    ) -> None:
        self._server = _Server((host, port), partial(_Handler, on_batch, on_request))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="otlp-receiver", daemon=True
        )

    @property
    def endpoint(self) -> str:
        """The URL for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        """Start receiving."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the requests under way, and stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for the requests under way

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Stay silent about clients that go away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    # One request per connection: an idle connection would keep its thread, and so the stop.
    protocol_version = "HTTP/1.0"
    timeout = _READ_TIMEOUT_S

    def __init__(
        self,
        on_batch: Callable[[Batch], object],
        on_request: Callable[[RawRequest], object],
        request: socket.socket,
        client_address: tuple[str, int],
        server: BaseServer,
    ) -> None:
        self._on_batch = on_batch
        self._on_request = on_request
        super().__init__(request, client_address, server)  # handles the request, too

    def do_POST(self) -> None:
        """Answer as https://opentelemetry.io/docs/specs/otlp/#otlphttp-response asks."""
        if self.path not in PATHS:
            self._answer(HTTPStatus.NOT_FOUND, b"")
            return
        try:
            body = self._read_body()
            batch = decode(self.path, _decompress(body, self._encoding), self._media_type)
        except HostError as error:
            self._answer(HTTPStatus.BAD_REQUEST, self._status_message(str(error)))
            return
        self._on_request(RawRequest(self.path, tuple(self.headers.items()), body))
        self._on_batch(batch)
        # an Export…ServiceResponse without any field set
        self._answer(HTTPStatus.OK, b"{}" if self._media_type == JSON else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Stay silent: requests are not worth a line."""

    def _read_body(self) -> bytes:
        if self._media_type not in MEDIA_TYPES:
            known = " or ".join(MEDIA_TYPES)
            raise HostError(f"content type {self._media_type!r} is not known: send {known}")
        if self.headers.get("transfer-encoding", "").strip().lower() == "chunked":
            return b"".join(self._read_chunks())
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            raise HostError(f"content length {length!r} is not a number up to {_MAX_BODY}")
        return self._read(int(length))

    def _read_chunks(self) -> Iterator[bytes]:
        """Yield a body's chunks (RFC 9112, 7.1), as senders in JavaScript and Java send them."""
        left = _MAX_BODY
        while size := self._read_size():
            left -= size
            if left < 0:
                raise HostError(f"body is longer than {_MAX_BODY} bytes")
            yield self._read(size)
            self.rfile.readline(_MAX_LINE)  # the chunk's end
        while self.rfile.readline(_MAX_LINE).strip():
            pass  # trailers

    def _read_size(self) -> int:
        line = self.rfile.readline(_MAX_LINE)
        size = _match_size(line)
        if size is None:
            raise HostError(f"{line!r} is not the size of a chunk")
        return int(size[1], 16)

    def _read(self, count: int) -> bytes:
        data = self.rfile.read(count)
        if len(data) < count:
            raise HostError(f"body is cut short: {len(data)} bytes came of {count}")
        return data

    @property
    def _media_type(self) -> str:
        return self.headers.get_content_type()

    @property
    def _encoding(self) -> str:
        return str(self.headers.get("content-encoding", ""))

    def _status_message(self, message: str) -> bytes:
        """Encode a `google.rpc.Status` that holds a message only."""
        if self._media_type == JSON:
            return json.dumps({"message": message}).encode()
        text = message.encode()[:127]  # field 2, length-delimited; a length below 128 is one byte
        return b"\x12" + bytes([len(text)]) + text

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", JSON if self._media_type == JSON else PROTOBUF)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _decompress(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise HostError(f"content encoding {encoding!r} is not known: send gzip or deflate")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib by the header
    try:
        data = inflater.decompress(body, _MAX_BODY)
    except zlib.error as error:
        raise HostError(f"body is not {encoding}: {error}") from error
    if inflater.unconsumed_tail or not inflater.eof:
        raise HostError(f"body is cut short, or longer than {_MAX_BODY} bytes when inflated")
    return data
