"""Accounts of Azurite's, as the tests of the local host's storage use them."""

from __future__ import annotations

import base64
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

if TYPE_CHECKING:
    from funcscope.contrib.host import ReceivedSpan, TelemetryStore


class Account:
    """An empty account, and what a test does with it."""

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self.service = QueueServiceClient.from_connection_string(connection)
        self.blobs = BlobServiceClient.from_connection_string(connection)

    def send(self, queue: str, *bodies: str) -> None:
        """Put messages into a queue, as the Functions host would encode them."""
        client = self.service.get_queue_client(queue)
        with contextlib.suppress(ResourceExistsError):
            client.create_queue()
        texts = [base64.b64encode(body.encode()).decode() for body in bodies]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client.send_message, texts))

    def texts(self, queue: str) -> list[str]:
        """Return the messages of a queue as they are stored, those that are invisible left out."""
        found: list[str] = []
        client = self.service.get_queue_client(queue)
        while messages := list(next(client.receive_messages(messages_per_page=32).by_page(), ())):
            found += [str(message.content) for message in messages]
        return found

    def bodies(self, queue: str) -> list[str]:
        """Return what the messages of a queue say, and take them."""
        return [base64.b64decode(text).decode() for text in self.texts(queue)]

    def count(self, queue: str) -> int:
        """Count the messages of a queue, invisible ones included."""
        properties = self.service.get_queue_client(queue).get_queue_properties()
        return int(properties.approximate_message_count or 0)

    def upload(self, path: str, content: bytes, **metadata: str) -> None:
        """Write a blob, in place of one that is there."""
        container, _, name = path.partition("/")
        with contextlib.suppress(ResourceExistsError):
            self.blobs.create_container(container)
        client = self.blobs.get_blob_client(container, name)
        client.upload_blob(content, overwrite=True, metadata=metadata)

    def download(self, path: str) -> bytes | None:
        """Read a blob; None where it is missing."""
        container, _, name = path.partition("/")
        try:
            return bytes(self.blobs.get_blob_client(container, name).download_blob().readall())
        except ResourceNotFoundError:
            return None


def spans_of(store: TelemetryStore, function: str) -> list[ReceivedSpan]:
    """List the spans of a function's invocations, those of the host's own requests left out."""
    return [
        span
        for span in store.spans
        if span.attributes.get("faas.name") == function and span.scope != "funcscope.contrib.host"
    ]
