"""Where what is known of timers is kept from one run of the host to the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, cast

from funcscope.contrib.host._storage.receipts import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib.host._storage.blobs import BlobStore


class Statuses(Protocol):
    """
    Keeps what is known of timers, by their functions' names.

    Both methods may raise whatever storage raises.
    """

    async def load(self, function: str) -> Mapping[str, object] | None:
        """Return what is kept, None where nothing is."""
        ...

    async def save(self, function: str, status: Mapping[str, str]) -> None:
        """Keep a status in the place of the last one."""
        ...


class MemoryStatuses:
    """Keeps them for as long as the host runs."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, str]] = {}

    async def load(self, function: str) -> Mapping[str, object] | None:
        """Return what is kept."""
        return self._kept.get(function)

    async def save(self, function: str, status: Mapping[str, str]) -> None:
        """Keep a status."""
        self._kept[function] = status


class BlobStatuses:
    """
    Keeps them in blobs, where the Functions host does.

    Source: azure-webjobs-sdk-extensions, `StorageScheduleMonitor.cs`; a timer's name there is that
    of the method that stands for its function.

    Args:
        blobs: Of the account that the host keeps its state in.
        host_id: What tells this host from others.
    """

    def __init__(self, blobs: BlobStore, host_id: str) -> None:
        self._blobs = blobs
        self._folder = f"timers/{host_id}"

    async def load(self, function: str) -> Mapping[str, object] | None:
        """Return what is kept, None where that is no object."""
        found = await self._blobs.read(CONTAINER, self._name(function))
        kept: object = None if found is None else json.loads(found.content)
        return cast("dict[str, object]", kept) if isinstance(kept, dict) else None

    async def save(self, function: str, status: Mapping[str, str]) -> None:
        """Keep a status."""
        content = json.dumps(dict(status)).encode()
        await self._blobs.write(CONTAINER, self._name(function), content)

    def _name(self, function: str) -> str:
        return f"{self._folder}/Host.Functions.{function}/status"
