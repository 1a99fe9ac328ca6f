"""The local host's life: start, serve, and stop without losing anything."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from funcscope.contrib.host._bindings.connected import StorageBindings
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._listeners.lifetime import Listeners
from funcscope.contrib.host._listeners.listener import RunningApp
from funcscope.contrib.host._listeners.sources import make_listeners
from funcscope.contrib.host._retries import Retrier
from funcscope.contrib.host._selection import served_functions
from funcscope.contrib.host._serving.endpoints import describe_functions
from funcscope.contrib.host._serving.server import FunctionServer, UvicornServer
from funcscope.contrib.host._storage.accounts import Storage
from funcscope.contrib.host._traces.console import ConsoleHandler, logging_to
from funcscope.contrib.host._worker.invocations import Invoker
from funcscope.contrib.host._worker.process import WorkerProcess, WorkerSetup

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from types import FrameType

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._traces.traces import Observer
    from funcscope.contrib.host._worker.worker import LoadedFunction

_IMPATIENT: dict[int, str] = {
    signal.SIGINT: " (Ctrl-C again to stop at once)",
    signal.SIGTERM: " (a second signal stops at once)",
}


class LocalHost:
    """
    Runs one app until it is asked to stop.

    Args:
        app: What to run.
        listener: A listening socket; it is closed in the end.
        console: Where to write.
        observer: Called with every invocation's request.
        setup: How the worker's process is started.
    """

    def __init__(
        self,
        app: FunctionApp,
        listener: socket.socket,
        console: HostConsole,
        observer: Observer,
        setup: WorkerSetup,
    ) -> None:
        self._app = app
        self._setup = setup
        self._worker: WorkerProcess | None = None
        self._listener = listener
        self._console = console
        self._observer = observer
        self._listeners = Listeners(console)
        self._server: UvicornServer | None = None
        self._is_stopping = False
        self._stop_signal: int | None = None

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

    def kill(self) -> None:
        """End the worker's process at once; from any thread, or a signal's handler."""
        if self._worker is not None:
            self._worker.kill()

    async def run(self, *, on_ready: Callable[[], None] | None = None) -> None:
        """
        Load the app and serve it until `request_stop` is called.

        Requests in flight are finished then, and the app's telemetry is flushed.

        Args:
            on_ready: Called when requests are served.

        Raises:
            HostError: The app cannot be loaded.
        """
        self._worker = worker = WorkerProcess(self._app, self._setup)
        with logging_to(self._console):
            functions = await worker.start()
            try:
                await self._serve(worker, functions, on_ready or (lambda: None))
            finally:
                await worker.stop()

    async def _serve(
        self,
        worker: WorkerProcess,
        functions: Sequence[LoadedFunction],
        on_ready: Callable[[], None],
    ) -> None:
        functions = served_functions(functions, self._app, self._console)
        storage = Storage(self._app)
        bindings = StorageBindings(storage, self._console)
        invoker = Invoker(worker, self._app.directory, self._console, self._observer, bindings)
        retrier = Retrier(invoker, self._console)
        prefix = self._app.route_prefix
        running = RunningApp(self._app, functions, invoker, retrier, self._console, storage)
        functions_server = FunctionServer(
            functions, prefix, invoker, retrier, bindings, running.inputs, worker.http_uri
        )

        def announce() -> None:
            self._console.show_functions(describe_functions(functions, prefix, self.base_url))
            retrier.explain(functions)
            self._listeners.start(make_listeners(running))
            on_ready()

        def wind_down() -> None:
            self._announce_stop()
            retrier.stop()

        server = UvicornServer(
            functions_server.application(), on_started=announce, on_stopping=wind_down
        )
        self._server = server
        server.should_exit = self._is_stopping
        try:
            await server.serve(sockets=[self._listener])
        finally:
            self._listeners.stop()
            retrier.stop()
            await self._listeners.drain()
            await functions_server.drain()
            await asyncio.to_thread(storage.close)

    def _announce_stop(self) -> None:
        self._listeners.stop()  # they take nothing more while requests in flight are finished
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
    environment: Mapping[str, str], console: HostConsole, imported: set[str]
) -> WorkerSetup:
    """
    Say how to start a worker's process that is shown on a console.

    Args:
        environment: The process's environment variables.
        console: Where what the app prints and logs goes.
        imported: Gets the names of funcscope's modules that the app imports.
    """
    return WorkerSetup(
        environment=environment,
        on_line=console.say,
        on_log=ConsoleHandler(console).handle,
        on_import=imported.update,
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
