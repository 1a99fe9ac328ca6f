"""Loading an app, and loading it again when its process ends or its files change."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._life.crashes import MOST, WITHIN_S, Crashes
from funcscope.contrib.host._life.generation import Generation
from funcscope.contrib.host._worker.process import describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._life.front import Front
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._traces.traces import Observer
    from funcscope.contrib.host._worker.process import WorkerSetup

_DRAINED_WITHIN_S = 10.0
_RELOAD_TO_TRY = "it is loaded again when a file of the app changes"
_START_TO_TRY = "start the host again"

T = TypeVar("T")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Supervision:
    """
    What a supervisor works with.

    Attributes:
        read: Reads the app and how to start its process, as they are now; HostError where they
            cannot be used.
        front: What requests come to.
        base_url: Where the host is served.
        is_watching: Whether changes of files will be told.
    """

    read: Callable[[], tuple[FunctionApp, WorkerSetup]]
    front: Front
    console: HostConsole
    observer: Observer
    on_loaded: Callable[[Generation], object]
    base_url: str
    is_watching: bool = False


class Supervisor:
    """Has one generation of an app after the other, until it is stopped."""

    def __init__(self, supervision: Supervision) -> None:
        self._the = supervision
        self._crashes = Crashes()
        self._generation: Generation | None = None
        self._loading: Generation | None = None
        self._changes: set[str] = set()
        self._has_news = asyncio.Event()
        self._is_stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> bool:
        """
        Load the app for the first time, and supervise it from then on.

        Returns:
            False where it was stopped before the app was loaded.

        Raises:
            HostError: The app cannot be loaded, and no change would be seen.
        """
        try:
            await self._load()
        except HostError as error:
            if not self._the.is_watching:
                raise
            self._give_up(str(error))
        if not self._is_stopping.is_set():
            self._running = asyncio.create_task(self._run())
        return not self._is_stopping.is_set()

    def tell_changes(self, names: set[str]) -> None:
        """Load the app again, as these files of it have changed."""
        self._changes |= names
        self._has_news.set()

    def wind_down(self) -> None:
        """Start nothing more, neither functions nor processes."""
        self._is_stopping.set()
        self._has_news.set()
        if self._generation is None:
            self._the.front.refuse("the host is stopping")
        else:
            self._generation.wind_down()

    async def stop(self) -> None:
        """End what runs, once requests have been answered."""
        self.wind_down()
        if self._running is not None:
            await self._running
        if self._generation is not None:
            await self._generation.end()

    def kill(self) -> None:
        """End all processes at once; a signal's handler may call this."""
        for generation in (self._generation, self._loading):
            if generation is not None:
                generation.worker.kill()

    async def _run(self) -> None:
        while not self._is_stopping.is_set():
            await self._has_news.wait()
            self._has_news.clear()
            try:
                await self._follow()
            except Exception as error:
                _logger.exception("the host could not load the app again")
                self._give_up(f"the app is not loaded: {error!r}")

    async def _follow(self) -> None:
        """Do what the news ask for."""
        if self._changes and not self._is_stopping.is_set():
            await self._reload()
        elif self._generation is not None and self._generation.worker.is_over:
            await self._replace(self._generation)

    async def _load(self) -> None:
        """Load the app as it is now; nothing is loaded where the host stops meanwhile."""
        app, setup = self._the.read()
        the = self._the
        generation = Generation(app, setup, the.console, the.observer, the.base_url)
        self._loading = generation
        try:
            application = await self._unless_stopped(generation.load())
        finally:
            self._loading = None
        if application is None:
            return
        self._generation = generation
        self._the.front.open(application)
        self._the.on_loaded(generation)
        generation.begin()
        generation.worker.on_over(self._has_news.set)

    async def _unless_stopped(self, work: Coroutine[object, object, T]) -> T | None:
        """Do something unless the host stops before it is done; None then."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._is_stopping.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.done():
            return working.result()
        working.cancel()
        await asyncio.wait({working})
        return None

    async def _reload(self) -> None:
        names, self._changes = sorted(self._changes), set()
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        self._the.console.say(f"{shown} changed: loading the app again", style="dim")
        self._crashes.forget()
        if self._generation is not None:
            await self._retire(self._generation)
        await self._load_again()

    async def _retire(self, generation: Generation) -> None:
        """End a generation, whose requests in flight are finished first."""
        self._the.front.hold()
        generation.wind_down()
        drained = asyncio.gather(self._the.front.drain(), generation.drain())
        done, _ = await asyncio.wait({drained}, timeout=_DRAINED_WITHIN_S)
        if not done:
            self._log(
                f"what is in flight did not finish within {_DRAINED_WITHIN_S:g} s: "
                "the worker's process is ended",
                logging.WARNING,
            )
            await generation.worker.end_soon()
            await asyncio.wait({drained}, timeout=_DRAINED_WITHIN_S)
        drained.cancel()
        self._generation = None
        await generation.end()

    async def _replace(self, generation: Generation) -> None:
        """Start the process again that has ended by itself, or is ended for a function's time."""
        self._generation = None
        self._the.front.hold()
        await generation.end()
        if generation.worker.is_overdue:
            self._log("the worker's process is started again", logging.WARNING)
            await self._load_again()
            return
        how = describe_exit(generation.worker.exit_code)
        pause_s = self._crashes.add(time.monotonic())
        if pause_s is None:
            times = f"{MOST} times within {WITHIN_S:g} s"
            self._give_up(f"the worker's process has ended {times}, the last time by {how}")
            return
        self._log(f"the worker's process has ended ({how}): it is started again", logging.ERROR)
        await self._unless_stopped(asyncio.sleep(pause_s))
        await self._load_again()

    async def _load_again(self) -> None:
        if self._is_stopping.is_set():
            return
        try:
            await self._load()
        except HostError as error:
            self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        remedy = _RELOAD_TO_TRY if self._the.is_watching else _START_TO_TRY
        self._log(f"{reason}\n{remedy}", logging.ERROR)
        self._the.front.refuse(f"{reason}\n{remedy}\n")

    def _log(self, message: str, level: int) -> None:
        self._the.console.log(message, level=level)
