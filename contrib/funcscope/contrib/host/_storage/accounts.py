"""The accounts that an app's bindings name, connected when they are first asked for."""

from __future__ import annotations

import hashlib
import socket
from typing import TYPE_CHECKING

from funcscope.contrib.host._storage.connection import (
    DEFAULT,
    connection_name,
    find_connection,
)
from funcscope.contrib.host._storage.errors import StorageError
from funcscope.contrib.host._storage.options import read_blob_options, read_queue_options
from funcscope.contrib.host._storage.queues import StorageQueue
from funcscope.contrib.host._storage.sdk import StorageAccount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.contrib.host._app import FunctionApp


class Storage:
    """
    The storage of an app.

    Attributes:
        settings: The app's settings: the environment, then `local.settings.json`.
        queue_options: As in `host.json`.
        blob_options: As in `host.json`.
        host_id: What tells this host's state from that of others; `AzureFunctionsWebHost__hostid`.

    Raises:
        StorageError: `host.json` has a value that is not what it must be.
    """

    def __init__(self, app: FunctionApp) -> None:
        self.settings: Mapping[str, str] = app.settings
        self.queue_options = read_queue_options(app.host_json)
        self.blob_options = read_blob_options(app.host_json)
        self.host_id = _host_id(self.settings, str(app.directory))
        self._wakers: list[tuple[tuple[str, str], Callable[[], None]]] = []
        self._accounts: dict[str, StorageAccount] = {}

    def account_of(self, binding: Mapping[str, object]) -> StorageAccount:
        """
        Return the account of a binding.

        Raises:
            StorageError: It is not connected; the message says what to do.
        """
        return self._account(connection_name(binding))

    def host_account(self) -> StorageAccount:
        """
        Return the account that the host keeps its own state in.

        Raises:
            StorageError: It is not connected; the message says what to do.
        """
        return self._account(DEFAULT)

    def _account(self, name: str) -> StorageAccount:
        connection = find_connection(name, self.settings)
        if connection not in self._accounts:
            try:
                self._accounts[connection] = StorageAccount(connection)
            except StorageError as error:
                raise StorageError(f"the setting {name!r}: {error}") from error
        return self._accounts[connection]

    def queue(self, account: StorageAccount, name: str) -> StorageQueue:
        """Return a queue whose messages are encoded as `host.json` says."""
        return StorageQueue(account, name, self.queue_options.encoding)

    def on_message(self, queue: StorageQueue, wake: Callable[[], None]) -> None:
        """Have somebody woken when a function puts a message into a queue."""
        self._wakers.append((queue.key, wake))

    def announce(self, queue: StorageQueue) -> None:
        """Wake those who wait for a queue's messages: there is a new one."""
        for key, wake in self._wakers:
            if key == queue.key:
                wake()

    def close(self) -> None:
        """Close all connections; blocks until calls in progress are finished."""
        for account in self._accounts.values():
            account.close()
        self._accounts.clear()


def _host_id(settings: Mapping[str, str], directory: str) -> str:
    """Make an id of this machine and the app's place, as Core Tools does, or take the setting's."""
    given = settings.get("AzureFunctionsWebHost__hostid", "").strip()
    if given:
        return given
    machine = "".join(c for c in socket.gethostname().lower() if c.isascii() and c.isalnum())
    place = hashlib.sha256(f"{machine}-{directory}".encode()).hexdigest()[:10]
    return f"{machine[:20] or 'local'}-{place}"
