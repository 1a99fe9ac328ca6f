"""An app that `funcscope run` runs as a user would, called from outside, and what it exports."""

from __future__ import annotations

import json
import os
import uuid
from http.client import HTTPConnection
from typing import TYPE_CHECKING, NamedTuple

from tests.contrib.host.conftest import HostProcess
from tests.patience import PATIENCE_S

from funcscope.contrib.host import OtlpReceiver, ReceivedLog, ReceivedSpan, TelemetryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from pathlib import Path


class Answer(NamedTuple):
    """A response, and the trace that its request was sent in."""

    status: int
    headers: Message
    body: bytes
    trace_id: str

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class RunningApp:
    """An app that runs, and what it has exported."""

    def __init__(self, directory: Path, *arguments: str, **environment: str) -> None:
        self.store = TelemetryStore()
        self._receiver = OtlpReceiver(self.store.add)
        self._receiver.__enter__()
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("OTEL_", "FUNCSCOPE_"))}
        self.host = HostProcess(
            ["run", str(directory), "--port", "0", *arguments],
            {**kept, "OTEL_EXPORTER_OTLP_ENDPOINT": self._receiver.endpoint, **environment},
        )

    def stop(self) -> int:
        """Stop the host, and return its exit code."""
        try:
            return self.host.stop()
        finally:
            self._receiver.__exit__(None, None, None)

    def call(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request in a trace of its own; `body` may be an iterator of chunks."""
        trace_id = uuid.uuid4().hex
        own = {"traceparent": f"00-{trace_id}-{'b' * 16}-01", **(headers or {})}
        connection = HTTPConnection(self.host.netloc, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, own)  # type: ignore[arg-type]
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read(), trace_id)
        finally:
            connection.close()

    def span(self, answer: Answer, **attributes: object) -> ReceivedSpan:
        """Wait for the span of the invocation that gave an answer."""
        return self.invocation(
            lambda span: (
                span.trace_id == answer.trace_id and attributes.items() <= span.attributes.items()
            )
        )

    def invocation(self, is_it: Callable[[ReceivedSpan], bool]) -> ReceivedSpan:
        """Wait for an invocation's span."""

        def find(store: TelemetryStore) -> ReceivedSpan | None:
            spans = (span for span in store.spans if "faas.invocation_id" in span.attributes)
            return next(filter(is_it, spans), None)

        span = self.store.wait_for(find, timeout_s=PATIENCE_S)
        assert span is not None
        return span

    def log(self, text: str) -> ReceivedLog:
        """Wait for a log record."""
        found = self.store.wait_for(
            lambda store: [log for log in store.logs if text in str(log.body)],
            timeout_s=PATIENCE_S,
        )
        return found[0]

    def invoke(self, function: str, value: object) -> None:
        """Start a function by the admin route."""
        body = json.dumps({"input": value})
        headers = {"content-type": "application/json"}
        assert self.call(f"/admin/functions/{function}", "POST", body, headers).status == 202


def is_of(log: ReceivedLog, span: ReceivedSpan) -> bool:
    """Tell whether a log record belongs to the invocation of a span."""
    key = "faas.invocation_id"
    return log.attributes[key] == span.attributes[key] and log.trace_id == span.trace_id


def is_ok(span: ReceivedSpan, kind: str = "SERVER") -> bool:
    """Tell whether a span is an invocation's that has succeeded, below a host's request."""
    return (span.kind, span.status) == (kind, "UNSET") and bool(span.parent_id)


class Storage:
    """An empty account of Azurite's, and what tests do with it."""

    def __init__(self, connection: str) -> None:
        from azure.storage.blob import BlobServiceClient
        from azure.storage.queue import QueueServiceClient

        self.connection = connection
        self.blobs = BlobServiceClient.from_connection_string(connection)
        self.queues = QueueServiceClient.from_connection_string(connection)

    def upload(self, container: str, name: str, content: str) -> None:
        """Write a blob."""
        client = self.blobs.get_container_client(container)
        if not client.exists():
            client.create_container()
        client.upload_blob(name, content)

    def blob(self, container: str, prefix: str = "") -> str:
        """Return the content of the one blob with a prefix."""
        client = self.blobs.get_container_client(container)
        (name,) = client.list_blob_names(name_starts_with=prefix)
        return client.download_blob(name).readall().decode()

    def texts(self, queue: str) -> list[str]:
        """Return a queue's messages, as they are stored."""
        return sorted(m.content for m in self.queues.get_queue_client(queue).receive_messages())
