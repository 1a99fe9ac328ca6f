"""Where what is known of timers is kept from one run of the host to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


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
