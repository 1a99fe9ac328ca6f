"""The one place that knows Azure's SDK: its clients, and its errors as ours."""

from __future__ import annotations

import asyncio
import importlib
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from funcscope.contrib.host._storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import ParamSpec

    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueClient

    _P = ParamSpec("_P")

_T = TypeVar("_T")
# Connections that each client keeps (urllib3): with more threads some would be thrown away.
_THREADS = 10
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_QUIET = logging.getLogger(f"{__name__}.requests")
_QUIET.setLevel(logging.WARNING)  # the SDK logs every request at INFO
_OPTIONS: dict[str, Any] = {  # the SDK types its options one by one
    "logger": _QUIET,
    "retry_total": 1,
    "initial_backoff": 0,
    "increment_base": 1,
    "random_jitter_range": 0,
    "connection_timeout": 5,
    "read_timeout": 60,
}


def check_sdk() -> None:
    """
    Check that Azure's SDK is installed.

    Raises:
        StorageError: It is not; the message says what to install.
    """
    for name in ("azure.storage.blob", "azure.storage.queue"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise StorageError(
                f'{name} cannot be imported ({error}): pip install "funcscope[storage]"'
            ) from error


class StorageAccount:
    """
    An account's clients, which block: each call is made on a thread of the account's own.

    Args:
        connection_string: As `find_connection` returns it.
    """

    def __init__(self, connection_string: str) -> None:
        check_sdk()
        from azure.storage.blob import BlobServiceClient
        from azure.storage.queue import QueueServiceClient

        try:
            self._blobs = BlobServiceClient.from_connection_string(connection_string, **_OPTIONS)
            self._queues = QueueServiceClient.from_connection_string(connection_string, **_OPTIONS)
        except ValueError:  # its message may have a part of the string in it
            raise StorageError(
                "the connection string lacks an account, a key or an endpoint"
            ) from None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")

    @property
    def name(self) -> str:
        """The account's name."""
        return str(self._blobs.account_name)

    @property
    def blobs(self) -> BlobServiceClient:
        """The client of its blobs."""
        return self._blobs

    def queue(self, name: str) -> QueueClient:
        """Return the client of a queue, which need not be there."""
        return self._queues.get_queue_client(name)

    async def call(
        self, what: str, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """
        Call a function of the SDK.

        Args:
            what: The thing that it is about, for errors: `queue 'orders'`.
            function: What to call.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Raises:
            StorageError: It has failed.
        """

        def run() -> _T:
            url = self._queues.url if what.startswith("queue") else self._blobs.url
            with _translated(what, url):
                return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def close(self) -> None:
        """Close the connections; calls in progress are finished first."""
        self._threads.shutdown()
        self._blobs.close()
        self._queues.close()


@contextmanager
def _translated(what: str, url: str) -> Generator[None, None, None]:
    """Raise the SDK's errors as ours: theirs have URLs in them, whose query may be a signature."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, ValueError) as error:
        raise StorageError(f"{what}: {_describe(error, url)}") from None


def _describe(error: Exception, url: str) -> str:
    from azure.core.exceptions import HttpResponseError

    if isinstance(error, HttpResponseError) and error.status_code is not None:
        code = getattr(error, "error_code", None) or error.reason
        return f"storage answers {error.status_code} {getattr(code, 'value', code)}"
    if isinstance(error, ValueError):
        return "this is not valid for storage"
    parts = urlsplit(url)
    hint = ": is Azurite running?" if parts.hostname in _LOOPBACK else ""
    return f"{parts.scheme}://{parts.netloc} does not answer{hint}"
