"""
Receipts of the blobs that a function has been told of, so that it is told once of each.

They are blobs as the Functions host writes them (azure-sdk-for-net, `BlobReceiptManager.cs`): named
after function, ETag and blob, incomplete until the message that starts the function is queued. One
that stays incomplete is of a host that was killed, and is taken over after half a minute. The host
uses leases for that; here it is a change that goes by the receipt's own ETag.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.contrib.host._storage.blobs import BlobEntry, BlobStore

CONTAINER = "azure-webjobs-hosts"
_INCOMPLETE = "Incomplete"
_ABANDONED_AFTER = timedelta(seconds=30)


class BlobReceipts:
    """
    The receipts of one function.

    Args:
        blobs: Of the account that the host keeps its state in.
        host_id: What tells this host from others.
        function_id: The function, as the host names it.
    """

    def __init__(self, blobs: BlobStore, host_id: str, function_id: str) -> None:
        self._blobs = blobs
        self._folder = f"blobreceipts/{host_id}/{function_id}/"

    async def complete_ones(self) -> set[str]:
        """List the receipts that are complete, by their names."""
        listed = await self._blobs.list(CONTAINER, self._folder)
        return {receipt.name for receipt in listed if _INCOMPLETE not in receipt.metadata}

    def name_of(self, blob: BlobEntry) -> str:
        """Return the name of a blob's receipt; the ETag stands first as names have slashes."""
        return f"{self._folder}{blob.etag}/{blob.path}"

    async def claim(self, blob: BlobEntry) -> bool:
        """Begin a blob's receipt; False where it is complete, or another host has begun it."""
        name = self.name_of(blob)
        if await self._blobs.create(CONTAINER, name, {_INCOMPLETE: "true"}):
            return True
        found = await self._blobs.read(CONTAINER, name, has_content=False)
        if found is None or _INCOMPLETE not in found.entry.metadata:
            return False
        return _is_old(found.entry) and await self._blobs.set_metadata(
            CONTAINER, name, {_INCOMPLETE: "true"}, etag=found.entry.etag
        )

    async def is_complete(self, blob: BlobEntry) -> bool:
        """Tell whether a blob's receipt is complete."""
        found = await self._blobs.read(CONTAINER, self.name_of(blob), has_content=False)
        return found is not None and _INCOMPLETE not in found.entry.metadata

    async def complete(self, blob: BlobEntry) -> None:
        """Complete a blob's receipt."""
        await self._blobs.set_metadata(CONTAINER, self.name_of(blob), {})


def _is_old(receipt: BlobEntry) -> bool:
    written = receipt.last_modified
    return written is not None and datetime.now(timezone.utc) - written > _ABANDONED_AFTER
