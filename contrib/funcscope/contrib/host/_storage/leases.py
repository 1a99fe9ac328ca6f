"""
Leases of blobs: who has one is the only one.

They are where the Functions host has those of its singletons (azure-webjobs-sdk,
`BlobLeaseDistributedLockManager.cs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._storage.blobs import BlobStore
from funcscope.contrib.host._storage.receipts import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.storage.blob import BlobLeaseClient

    from funcscope.contrib.host._storage.sdk import StorageAccount

LEASE_S = 15
"""The shortest that storage has; Azure's host takes a minute, and is killed less often."""


class BlobLease:
    """
    One lease; all methods raise StorageError where storage does not answer.

    Args:
        account: The account that the host keeps its state in.
        name: What is leased, such as `HOST_ID/Host.Functions.tick.Listener`.
    """

    def __init__(self, account: StorageAccount, name: str) -> None:
        self._account = account
        self._name = f"locks/{name}"
        self._what = f"lease {self._name!r} of account {account.name!r}"
        self._lease: BlobLeaseClient | None = None

    async def acquire(self) -> bool:
        """Take it for 15 seconds; False where another has it."""
        await BlobStore(self._account).create(CONTAINER, self._name, {})
        client = self._account.blobs.get_blob_client(CONTAINER, self._name)

        def acquire() -> None:
            self._lease = client.acquire_lease(LEASE_S)

        return await self._account.call(self._what, _unless_anothers, acquire)

    async def renew(self) -> bool:
        """Have it for 15 seconds more, or take it; False where it is another's by now."""
        if self._lease is None:
            return await self.acquire()
        return await self._account.call(self._what, _unless_anothers, self._lease.renew)

    async def release(self) -> None:
        """Leave it to others."""
        lease, self._lease = self._lease, None
        if lease is not None:
            await self._account.call(self._what, _unless_anothers, lease.release)


def _unless_anothers(change: Callable[[], object]) -> bool:
    from azure.core.exceptions import (
        ResourceExistsError,
        ResourceModifiedError,
        ResourceNotFoundError,
    )

    try:
        change()
    except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
        return False
    return True
