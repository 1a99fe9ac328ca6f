"""
Queues of an account, as the host uses them.

What may happen to a message meanwhile (somebody deletes it, or takes it after its time) is no
error, as in azure-sdk-for-net, `QueueProcessor.cs`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from azure.storage.queue import QueueMessage

    from funcscope.contrib.host._storage.sdk import StorageAccount

_T = TypeVar("_T")
_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_NO_LONGER_OURS = frozenset({400, 404, 409})
"""A receipt that is no longer valid; no such message or queue; a queue that is being deleted."""


@dataclass(frozen=True, slots=True)
class TakenMessage:
    """
    A message that has been taken from a queue, and is invisible to others for a while.

    Attributes:
        text: As it is stored, encoded or not.
        pop_receipt: The right to change it; each change gives another.
        dequeue_count: How often it has been taken, this time included.
    """

    id: str
    text: str
    pop_receipt: str
    dequeue_count: int
    inserted: datetime | None
    expires: datetime | None
    next_visible: datetime | None


class StorageQueue:
    """
    One queue.

    Args:
        account: The account that it is in.
        name: In lower case as the service has it.
        encoding: `base64` or `none`.

    Raises:
        StorageError: No queue can have this name.
    """

    def __init__(self, account: StorageAccount, name: str, encoding: str = "base64") -> None:
        if not _NAME.fullmatch(name.lower()):
            raise StorageError(
                f"{name!r} is not the name of a queue: use 3 to 63 letters, digits, single dashes"
            )
        self._account = account
        self._client = account.queue(name.lower())
        self._encoding = encoding
        self.name = name.lower()

    @property
    def key(self) -> tuple[str, str]:
        """What tells the queue from all others: its account and its name."""
        return (str(self._client.primary_endpoint), self.name)

    @property
    def _what(self) -> str:
        return f"queue {self.name!r} of account {self._account.name!r}"

    async def receive(self, count: int, hidden_s: int) -> list[TakenMessage]:
        """
        Take messages; none where there is no such queue.

        Args:
            count: At most so many.
            hidden_s: How long they are invisible to others.
        """
        return await self._account.call(self._what, self._receive, count, hidden_s)

    def _receive(self, count: int, hidden_s: int) -> list[TakenMessage]:
        from azure.core.exceptions import ResourceNotFoundError

        pages = self._client.receive_messages(
            messages_per_page=count, visibility_timeout=hidden_s
        ).by_page()
        try:
            return [_taken(message) for message in next(pages, ())]
        except ResourceNotFoundError:
            return []

    async def hide(self, message: TakenMessage, hidden_s: float) -> TakenMessage | None:
        """Set how long a message is invisible from now on; None where it is no longer ours."""

        def update() -> TakenMessage:
            updated = self._client.update_message(
                message.id, message.pop_receipt, visibility_timeout=int(hidden_s)
            )
            return replace(message, pop_receipt=str(updated.pop_receipt))

        return await self._account.call(self._what, _unless_gone, update)

    async def delete(self, message: TakenMessage) -> bool:
        """Delete a message; False where it is no longer ours."""

        def delete() -> bool:
            self._client.delete_message(message.id, message.pop_receipt)
            return True

        return bool(await self._account.call(self._what, _unless_gone, delete))

    async def send(self, body: bytes) -> None:
        """Put a message into the queue, which is created where it is missing."""
        await self.send_text(self._encoded(body))

    async def send_text(self, text: str) -> None:
        """Put a message as it is stored into the queue, which is created where it is missing."""
        await self._account.call(self._what, self._send, text)

    def _send(self, text: str) -> None:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            self._client.send_message(text)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # somebody else was faster
                self._client.create_queue()
            self._client.send_message(text)

    def _encoded(self, body: bytes) -> str:
        if self._encoding == "base64":
            return base64.b64encode(body).decode()
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise StorageError(
                f"{self._what}: a message is not text, and host.json's messageEncoding is 'none'"
            ) from None

    def beside(self, name: str) -> StorageQueue:
        """Return another queue of the same account."""
        return StorageQueue(self._account, name, self._encoding)

    def body_of(self, message: TakenMessage) -> bytes | None:
        """Return what a message says; None where it is not in the queue's encoding."""
        if self._encoding != "base64":
            return message.text.encode()
        try:
            return base64.b64decode(message.text, validate=True)
        except (binascii.Error, ValueError):
            return None


def _taken(message: QueueMessage) -> TakenMessage:
    return TakenMessage(
        id=str(message.id),
        text=str(message.content or ""),
        pop_receipt=str(message.pop_receipt),
        dequeue_count=int(message.dequeue_count or 1),
        inserted=message.inserted_on,
        expires=message.expires_on,
        next_visible=message.next_visible_on,
    )


def _unless_gone(change: Callable[[], _T]) -> _T | None:
    from azure.core.exceptions import HttpResponseError

    try:
        return change()
    except HttpResponseError as error:
        if error.status_code in _NO_LONGER_OURS:
            return None
        raise
