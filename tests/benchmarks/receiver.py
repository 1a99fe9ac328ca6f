"""
What the variants send to: OTLP/HTTP, Azure Monitor's ingestion, Datadog's agent, Elastic's server.

A process of its own, which answers at once and looks at what it got only when asked for counts.
Each variant sends below a path of its own: `/raw/v1/traces`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import zlib
from collections import defaultdict
from typing import Any, NamedTuple

Headers = dict[str, str]
Counts = dict[str, dict[str, int]]
AGENT_INFO = {"version": "7.60.0", "endpoints": ["/v0.4/traces", "/v0.5/traces"], "config": {}}


class Received(NamedTuple):
    """One request with telemetry."""

    path: str
    encoding: str
    body: bytes


class Receiver:
    """Keeps what arrives until it is counted."""

    def __init__(self) -> None:
        self._waiting: list[Received] = []
        self._spans: defaultdict[str, set[bytes]] = defaultdict(set)
        self._counts: defaultdict[str, defaultdict[str, int]] = defaultdict(
            lambda: defaultdict(int)
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines)
                }
                body = await _read_body(reader, headers)
                path = first.split(" ")[1].partition("?")[0]
                writer.write(_response(*self.answer(path, headers, body)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, path: str, headers: Headers, body: bytes) -> tuple[str, bytes]:
        """Take one request; return the answer's media type and body."""
        received = Received(path, headers.get("content-encoding", ""), body)
        if path == "/counts":
            return _json(self.count())
        if path.endswith("/v2.1/track"):
            kinds = [item["data"]["baseType"] for item in _items(received)]
            items = len(kinds)
            self._counts[_variant(path)]["spans"] += kinds.count("RequestData")
            return _json({"itemsReceived": items, "itemsAccepted": items, "errors": []})
        if path == "/info":
            return _json(AGENT_INFO)
        if path.startswith("/v0."):
            self._counts["ddtrace"]["spans"] += int(headers.get("x-datadog-trace-count", 0))
        if path.endswith(("/v1/traces", "/v1/logs", "/v1/metrics")):
            self._waiting.append(received)
            return "application/x-protobuf", b""
        if path.endswith("/intake/v2/events"):
            self._waiting.append(received)
        return _json({"version": "8.17.0", "rate_by_service": {}})

    def count(self) -> Counts:
        """Count what arrived since the start: spans, those that are there twice, log records."""
        for received in self._waiting:
            self._add(received)
        self._waiting.clear()
        return {
            variant: {**counts, "doubled": counts["spans"] - len(self._spans[variant])}
            if self._spans[variant]
            else dict(counts)
            for variant, counts in self._counts.items()
        }

    def _add(self, received: Received) -> None:
        # Here, as it is nothing that the benchmark's other parts need.
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        variant = _variant(received.path)
        counts = self._counts[variant]
        counts["requests"] += 1
        if received.path.endswith("/v1/traces"):
            sent = trace_service_pb2.ExportTraceServiceRequest.FromString(_inflated(received))
            ids = [
                span.span_id
                for resource in sent.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]
            counts["spans"] += len(ids)
            self._spans[variant].update(ids)
        elif received.path.endswith("/v1/logs"):
            records = logs_service_pb2.ExportLogsServiceRequest.FromString(_inflated(received))
            counts["logs"] += sum(
                len(scope.log_records)
                for resource in records.resource_logs
                for scope in resource.scope_logs
            )
        elif received.path.endswith("/events"):
            counts["spans"] += _inflated(received).count(b'{"transaction"')


def _variant(path: str) -> str:
    return path.split("/")[1]


def _inflated(received: Received) -> bytes:
    if received.encoding == "gzip":
        return gzip.decompress(received.body)
    return zlib.decompress(received.body) if received.encoding == "deflate" else received.body


def _items(received: Received) -> list[Any]:
    """Return the items of a JSON list, or of JSON lines."""
    text = _inflated(received)
    if text.startswith(b"["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines()]


async def _read_body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body


def _json(value: object) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


def _response(media_type: str, body: bytes) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"content-type: {media_type}\r\n"
        f"content-length: {len(body)}\r\n"
        "x-ms-qps-subscribed: false\r\n\r\n"
    )
    return head.encode() + body


async def main() -> None:
    """Listen on a free port, print it, and serve until standard input ends."""
    server = await asyncio.start_server(Receiver().serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
