"""One load of an app: a worker's process, and all that calls its functions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from funcscope.contrib.host._access.headers import custom_headers, with_headers
from funcscope.contrib.host._bindings.connected import StorageBindings
from funcscope.contrib.host._durable.api import DurableApi
from funcscope.contrib.host._durable.bindings import (
    DurableBindings,
    is_durable,
    replaces_running,
)
from funcscope.contrib.host._durable.hub import TaskHub
from funcscope.contrib.host._listeners.event_grid import EventGridWebhooks
from funcscope.contrib.host._listeners.lifetime import Listeners
from funcscope.contrib.host._listeners.listener import RunningApp
from funcscope.contrib.host._listeners.sources import make_listeners
from funcscope.contrib.host._retries import Retrier
from funcscope.contrib.host._selection import served_functions
from funcscope.contrib.host._serving.server import FunctionServer
from funcscope.contrib.host._storage.accounts import Storage
from funcscope.contrib.host._worker.invocations import Invoker
from funcscope.contrib.host._worker.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._traces.traces import Observer
    from funcscope.contrib.host._worker.process import WorkerSetup
    from funcscope.contrib.host._worker.worker import LoadedFunction


class Generation:
    """
    An app as it was at one moment; what changes makes another one.

    Args:
        app: What to run.
        setup: How its worker's process is started.
        console: Where to write.
        observer: Called with every invocation's request.
        base_url: Where the host is served.
    """

    def __init__(
        self,
        app: FunctionApp,
        setup: WorkerSetup,
        console: HostConsole,
        observer: Observer,
        base_url: str,
    ) -> None:
        self.app = app
        self.worker = WorkerProcess(app, setup)
        self.functions: Sequence[LoadedFunction] = ()
        self._console = console
        self._listeners = Listeners(console)
        self._storage = Storage(app)
        self._headers = custom_headers(app.host_json)
        self._bindings = StorageBindings(self._storage, console)
        bindings = DurableBindings(self._bindings, base_url)
        self._invoker = Invoker(self.worker, app.directory, console, observer, bindings)
        self._retrier = Retrier(self._invoker, console)
        self._server: FunctionServer | None = None
        self._running: RunningApp | None = None
        self._hub: TaskHub | None = None  # of an app with durable functions

    async def load(self) -> ASGIApp:
        """
        Import the app, and return the application that serves its functions.

        Raises:
            HostError: It cannot be loaded; its process has ended then.
        """
        started = await self.worker.start()
        try:
            self.functions = served_functions(
                started, self.app, self._console, self.worker.problems
            )
            self._running = running = RunningApp(
                self.app, self.functions, self._invoker, self._retrier, self._console, self._storage
            )
            self._server = FunctionServer(
                self.functions,
                self.app.route_prefix,
                self._invoker,
                self._retrier,
                self._bindings,
                running.inputs,
                self.worker.http_uri,
            )
            if is_durable(self.functions):
                self._hub = TaskHub(
                    self.functions,
                    self._invoker,
                    self._console,
                    replaces=replaces_running(self.app.host_json),
                )
        except BaseException:
            await self.worker.stop()
            raise
        more = DurableApi(self._hub).routes() if self._hub else []
        application = self._server.application([*more, *EventGridWebhooks(running).routes()])
        return with_headers(application, self._headers)

    def begin(self) -> None:
        """Let functions start by what they listen to."""
        self._retrier.explain(self.functions)
        if self._running is not None:
            self._listeners.start(make_listeners(self._running))
        if self._hub is not None:
            self._listeners.start([self._hub])

    def wind_down(self) -> None:
        """Start nothing more; what is in flight goes on."""
        self._listeners.stop()
        self._retrier.stop()

    async def drain(self) -> None:
        """Wait for what listeners and admin requests have started."""
        await self._listeners.drain()
        if self._server is not None:
            await self._server.drain()

    async def end(self) -> None:
        """End the process, once nothing is in flight."""
        self.wind_down()
        try:
            await self.drain()
            await asyncio.to_thread(self._storage.close)
        finally:
            await self.worker.stop()
