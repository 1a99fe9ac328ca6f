"""Of several hosts on one storage, one runs a timer."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from funcscope.contrib.host._schedule.singleton import SingletonListener
from funcscope.contrib.host._storage.errors import StorageError
from funcscope.contrib.host._storage.leases import BlobLease
from funcscope.contrib.host._storage.sdk import StorageAccount
from funcscope.contrib.host._traces.console import HostConsole

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contrib.host.accounts import Account
    from tests.contrib.host.conftest import HostProcess


class Place:
    """What one lease of several hosts can be had of; `is_broken` while storage does not answer."""

    def __init__(self) -> None:
        self.owner: object = None
        self.is_broken = False


class PlaceLease:
    """A lease of a place."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def acquire(self) -> bool:
        if self.place.is_broken:
            raise StorageError("storage does not answer")
        if self.place.owner not in (None, self):
            return False
        self.place.owner = self
        return True

    async def renew(self) -> bool:
        return await self.acquire()

    async def release(self) -> None:
        if self.place.owner is self:
            self.place.owner = None


class Runs:
    """A listener that says when it begins, and takes its time to end."""

    name = "the timer of function 'tick'"

    def __init__(self) -> None:
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.has_ended = asyncio.Event()

    async def run(self) -> None:
        self.has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
            self.has_ended.set()


class Host:
    """A host with one listener."""

    def __init__(self, place: Place) -> None:
        self.file = io.StringIO()
        self.listener = Runs()
        console = HostConsole(Console(file=self.file, width=1000))
        singleton = SingletonListener(self.listener, PlaceLease(place), console, 0.001)
        self.task = asyncio.create_task(singleton.run())

    async def stop(self) -> None:
        """Stop it, and let what is in flight end."""
        self.task.cancel()
        self.listener.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await self.task


def test_the_next_host_begins_when_the_first_has_finished() -> None:
    """A host that waits begins when the other one has stopped, and not while that finishes."""

    async def scenario() -> None:
        place = Place()
        first = Host(place)
        await first.listener.has_begun.wait()
        second = Host(place)
        first.task.cancel()
        while "waits" not in second.file.getvalue():
            await asyncio.sleep(0)
        assert not second.listener.has_begun.is_set()

        first.listener.may_end.set()
        await second.listener.has_begun.wait()
        assert first.listener.has_ended.is_set()
        assert "runs on this host from now on" in second.file.getvalue()
        await second.stop()
        assert place.owner is None

    asyncio.run(scenario())


def test_a_lease_that_is_lost_stops_the_listener() -> None:
    """Where another host has taken the lease meanwhile, this one stops, and waits for it."""

    async def scenario() -> None:
        place = Place()
        host = Host(place)
        await host.listener.has_begun.wait()
        host.listener.may_end.set()
        place.owner = "another"
        await host.listener.has_ended.wait()
        host.listener.has_begun.clear()

        place.owner = None
        await host.listener.has_begun.wait()
        assert "stops here: another host has its lease" in host.file.getvalue()
        await host.stop()

    asyncio.run(scenario())


def test_storage_that_does_not_answer_stops_no_timer() -> None:
    """A timer runs where nobody can tell whether others run it, until that can be told."""

    async def scenario() -> None:
        place = Place()
        place.is_broken, place.owner = True, "another"
        host = Host(place)
        await host.listener.has_begun.wait()
        assert "may run on other hosts, too: storage does not answer" in host.file.getvalue()

        host.listener.may_end.set()
        place.is_broken = False
        await host.listener.has_ended.wait()
        await host.stop()

    asyncio.run(scenario())


def test_a_lease_is_one_hosts(account: Account) -> None:
    """A blob's lease is had by one, until that one releases it; it can be renewed meanwhile."""

    async def scenario() -> None:
        storage = StorageAccount(account.connection)
        one, other = (BlobLease(storage, "h/Host.Functions.tick.Listener") for _ in range(2))
        assert await one.acquire()
        assert not await other.acquire()
        assert not await other.renew()
        assert await one.renew()
        await one.release()
        assert await other.renew()
        assert not await one.renew()
        await other.release()
        await asyncio.to_thread(storage.close)

    asyncio.run(scenario())


@pytest.mark.library_worker
def test_two_hosts_of_an_app(run_host: Callable[..., HostProcess], account: Account) -> None:
    """The second host of an app takes its timers over when the first one stops."""
    settings = {"AzureWebJobsStorage": account.connection, "TEA_TIME": "0 0 29 2 *"}
    first = run_host("host_timers", **settings)
    first.wait_for("the timer of function 'start' runs on startup")
    second = run_host("host_timers", **settings)
    second.wait_for("the timer of function 'start' waits: another host runs it")

    assert first.stop() == 0

    second.wait_for("the timer of function 'start' runs on this host from now on")
    second.wait_for("the timer of function 'start' runs on startup")
    assert second.stop() == 0
