"""A stand-in for Azure Monitor's ingestion on loopback."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Envelope = dict[str, Any]


class Ingestion(ThreadingHTTPServer):
    """Takes what Azure Monitor's exporters send, and says that it has accepted all of it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self._arrived = threading.Condition()
        self.answers = threading.Event()
        """Clear it, and what comes is taken and not answered."""
        self.answers.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def connection_string(self) -> str:
        """What an app is told to send here."""
        endpoint = f"http://127.0.0.1:{self.server_address[1]}/"
        return (
            f"InstrumentationKey={'0' * 8}-0000-0000-0000-{'0' * 12};IngestionEndpoint={endpoint}"
        )

    def take(self, batch: list[Envelope]) -> None:
        """Take a batch."""
        with self._arrived:
            self.envelopes.extend(batch)
            self._arrived.notify_all()

    def wait_for(self, kind: str, number: int, *, timeout_s: float) -> bool:
        """Wait until so many envelopes of a kind are there; tell whether they are."""

        def are_there() -> bool:
            return [str(e["data"]["baseType"]) for e in self.envelopes].count(kind) >= number

        with self._arrived:
            return self._arrived.wait_for(are_there, timeout_s)


class _Handler(BaseHTTPRequestHandler):
    server: Ingestion

    def do_POST(self) -> None:
        """Take one batch: the breeze protocol's `/v2.1/track`."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        batch = json.loads(body)
        self.server.take(batch)
        self.server.answers.wait()
        taken = {"itemsReceived": len(batch), "itemsAccepted": len(batch), "errors": []}
        answer = json.dumps(taken).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
