"""The local host's life: start, serve, and stop without losing anything."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from funcscope.contrib.host._access.access import Access
from funcscope.contrib.host._access.guard import Guard
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._life.front import Front
from funcscope.contrib.host._life.supervisor import Supervision, Supervisor
from funcscope.contrib.host._process_options import ProcessOptions
from funcscope.contrib.host._serving.endpoints import describe_functions
from funcscope.contrib.host._serving.web_server import UvicornServer
from funcscope.contrib.host._traces.console import ConsoleHandler, logging_to
from funcscope.contrib.host._worker.process import WorkerSetup

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from pathlib import Path
    from types import FrameType

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._life.generation import Generation
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._traces.traces import Observer

_IMPATIENT: dict[int, str] = {
    signal.SIGINT: " (Ctrl-C again to stop at once)",
    signal.SIGTERM: " (a second signal stops at once)",
}


class LocalHost:
    """
    Runs one app until it is asked to stop.

    Args:
        read: Reads the app and how to start its process, as they are when it is called.
        listener: A listening socket; it is closed in the end.
        console: Where to write.
        observer: Called with every invocation's request.
        access: Who may call.
        watched: The directory whose changes make the app be loaded again; None for none.
    """

    def __init__(
        self,
        read: Callable[[], tuple[FunctionApp, WorkerSetup]],
        listener: socket.socket,
        console: HostConsole,
        observer: Observer,
        *,
        access: Access | None = None,
        watched: Path | None = None,
    ) -> None:
        self._listener = listener
        self._console = console
        self._watched = watched
        self._front = Front()
        warn = partial(console.log, level=logging.WARNING)
        self._guard = Guard(self._front, access or Access(), warn)
        self._supervisor = Supervisor(
            Supervision(
                read=read,
                front=self._front,
                console=console,
                observer=observer,
                on_loaded=self._announce,
                base_url=self.base_url,
                is_watching=watched is not None,
            )
        )
        self._shown: list[tuple[str, str]] = []
        self._server: UvicornServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopping = False
        self._stop_signal: int | None = None
        self._has_said_so = False

    @property
    def base_url(self) -> str:
        """The URL that the app is served under."""
        host, port = self._listener.getsockname()[:2]
        name = "localhost" if host in ("127.0.0.1", "::1", "0.0.0.0", "::") else str(host)  # noqa: S104 -- only compared
        return f"http://{name}:{port}"

    def request_stop(self, number: int | None = None) -> None:
        """Ask for a graceful stop; from any thread, or the handler of the signal `number`."""
        self._stop_signal = number
        self._is_stopping = True
        if self._server is not None:
            self._server.should_exit = True
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._wind_down)

    def kill(self) -> None:
        """End the worker's process at once; from any thread, or a signal's handler."""
        self._supervisor.kill()

    async def run(self, *, on_ready: Callable[[], None] | None = None) -> None:
        """
        Load the app and serve it until `request_stop` is called.

        Requests in flight are finished then, and the app's telemetry is flushed.

        Args:
            on_ready: Called when requests are served.

        Raises:
            HostError: The app cannot be loaded, and no change of it would be seen.
        """
        self._loop = asyncio.get_running_loop()
        with logging_to(self._console):
            async with self._watching():
                try:
                    if not self._is_stopping and await self._supervisor.start():
                        await self._serve(on_ready or (lambda: None))
                finally:
                    await self._supervisor.stop()

    async def _serve(self, on_ready: Callable[[], None]) -> None:
        server = UvicornServer(self._guard, on_started=on_ready, on_stopping=self._wind_down)
        server.should_exit = self._is_stopping
        self._server = server
        await server.serve(sockets=[self._listener])

    @asynccontextmanager
    async def _watching(self) -> AsyncGenerator[None, None]:
        """Watch the app's files, from before it is loaded for the first time."""
        if self._watched is None:
            yield
            return
        from funcscope.contrib.host._life.watcher import watch  # which needs watchfiles

        watching = asyncio.create_task(watch(self._watched, self._supervisor.tell_changes))
        await asyncio.sleep(0)  # it watches when it waits for the first time
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    def _announce(self, generation: Generation) -> None:
        """Show the functions, again only if they are others."""
        functions, prefix = generation.functions, generation.app.route_prefix
        lines = list(describe_functions(functions, prefix, self.base_url))
        if lines == self._shown:
            self._console.say("the app is loaded again", style="dim")
        else:
            self._console.show_functions(lines)
        self._shown = lines

    def _wind_down(self) -> None:
        self._supervisor.wind_down()
        if self._has_said_so:  # asked to stop before it served, it comes here twice
            return
        self._has_said_so = True
        hint = "" if self._stop_signal is None else _IMPATIENT[self._stop_signal]
        self._console.say(f"stopping: finishing what is in flight{hint}", style="dim")


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """
    Return a listening socket; port 0 takes a free one.

    Args:
        host: The address.
        port: The port.
        option: What to set for another one.

    Raises:
        HostError: The address cannot be had.
    """
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name == "posix":  # elsewhere it would let two processes have the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        if listener is not None:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise HostError(
                f"port {port} on {host} is in use: stop what uses it, or pass another {option}"
            ) from error
        raise HostError(f"cannot listen on {host!r}, port {port}: {error}") from error
    return listener


def make_setup(
    environment: Mapping[str, str],
    console: HostConsole,
    imported: set[str],
    options: ProcessOptions | None = None,
    python: str = sys.executable,
) -> WorkerSetup:
    """
    Say how to start a worker's process that is shown on a console.

    Args:
        environment: The process's environment variables.
        console: Where what the app prints and logs goes.
        imported: Gets the names of funcscope's modules that the app imports.
        options: What the command's options say.
        python: The interpreter that these have led to.
    """
    options = options or ProcessOptions()
    return WorkerSetup(
        environment=environment,
        on_line=console.say,
        on_log=ConsoleHandler(console).handle,
        on_import=imported.update,
        python=python,
        only=options.functions,
        debugger=options.debugger,
        is_verbose=options.is_verbose,
    )


@contextmanager
def stopping_on_signals(
    stop: Callable[[int], None], kill: Callable[[], None]
) -> Generator[None, None, None]:
    """
    Stop gracefully on the first Ctrl-C or SIGTERM, and at once on the second.

    Args:
        stop: Called with the first signal's number.
        kill: Called before the process ends at once.
    """
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            kill()
            os._exit(128 + number)
        stop(number)  # and no more: output from within a handler may meet output that it interrupts

    previous = {number: signal.signal(number, handle) for number in _IMPATIENT}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
