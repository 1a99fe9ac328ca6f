"""The local host's life: start, serve, and stop without losing anything."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import _logs, metrics, trace

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._listeners.lifetime import Listeners
from funcscope.contrib.host._listeners.listener import RunningApp
from funcscope.contrib.host._listeners.sources import make_listeners
from funcscope.contrib.host._retries import Retrier
from funcscope.contrib.host._serving.endpoints import describe_functions
from funcscope.contrib.host._serving.server import FunctionServer, UvicornServer
from funcscope.contrib.host._storage.accounts import Storage
from funcscope.contrib.host._traces.console import logging_to
from funcscope.contrib.host._worker.invocations import Invoker
from funcscope.contrib.host._worker.server import WorkerServers
from funcscope.contrib.host._worker.worker import LibraryWorker
from funcscope.extensions.integration import reset_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from types import FrameType

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._traces.traces import Observer
    from funcscope.contrib.host._worker.worker import LoadedFunction

_FLUSH_TIMEOUT_S = 10.0
_IMPATIENT: dict[int, str] = {
    signal.SIGINT: " (Ctrl-C again to stop at once)",
    signal.SIGTERM: " (a second signal stops at once)",
}


class LocalHost:
    """
    Runs one app until it is asked to stop.

    Args:
        app: What to run; the process can run no other.
        listener: A listening socket; it is closed in the end.
        console: Where to write.
        observer: Called with every invocation's request.
    """

    def __init__(
        self, app: FunctionApp, listener: socket.socket, console: HostConsole, observer: Observer
    ) -> None:
        self._app = app
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

    async def run(self, *, on_ready: Callable[[], None] | None = None) -> None:
        """
        Load the app and serve it until `request_stop` is called.

        Requests in flight are finished then, and the app's telemetry is flushed.

        Args:
            on_ready: Called when requests are served.

        Raises:
            HostError: The app cannot be loaded.
        """
        worker = LibraryWorker.for_app(self._app)
        servers = WorkerServers()
        servers.watch()
        with logging_to(self._console):
            functions = await worker.start()
            try:
                await self._serve(worker, functions, on_ready or (lambda: None))
            finally:
                await servers.stop()
                # The functions have returned: this waits for threads, not for work.
                await asyncio.to_thread(worker.stop)
                await _flush_telemetry()

    async def _serve(
        self,
        worker: LibraryWorker,
        functions: Sequence[LoadedFunction],
        on_ready: Callable[[], None],
    ) -> None:
        invoker = Invoker(worker, self._app.directory, self._console, self._observer)
        retrier = Retrier(invoker, self._console)
        prefix = self._app.route_prefix
        functions_server = FunctionServer(functions, prefix, invoker, retrier, worker.http_uri)
        storage = Storage(self._app)
        running = RunningApp(self._app, functions, invoker, retrier, self._console, storage)

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


def listen(host: str, port: int) -> socket.socket:
    """
    Return a listening socket; port 0 takes a free one.

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
                f"port {port} on {host} is in use: stop what uses it, or pass another --port"
            ) from error
        raise HostError(f"cannot listen on {host!r}, port {port}: {error}") from error
    return listener


@contextmanager
def stopping_on_signals(stop: Callable[[int], None]) -> Generator[None, None, None]:
    """Stop gracefully on the first Ctrl-C or SIGTERM, and at once on the second."""
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        stop(number)  # and no more: output from within a handler may meet output that it interrupts

    def leave_to_parent() -> None:
        for number, handler in previous.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)

    previous = {number: signal.signal(number, handle) for number in _IMPATIENT}
    # What a function forks is ended by these, as without a host.
    reset_after_fork(leave_to_parent, before=_IMPATIENT)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


async def _flush_telemetry() -> None:
    """Shut the OpenTelemetry providers down, off the event loop and within a limit of time."""
    loop = asyncio.get_running_loop()
    is_done = asyncio.Event()

    def shut_down() -> None:
        _shut_down_providers()
        loop.call_soon_threadsafe(is_done.set)

    # Not a pool's thread: one that hangs must not keep the process from ending.
    threading.Thread(target=shut_down, name="telemetry-shutdown", daemon=True).start()
    try:
        await asyncio.wait_for(is_done.wait(), _FLUSH_TIMEOUT_S)
    except asyncio.TimeoutError:
        logging.getLogger(__name__).warning(
            "telemetry was not flushed within %g s: some of it may be lost", _FLUSH_TIMEOUT_S
        )


def _shut_down_providers() -> None:
    for provider in (
        trace.get_tracer_provider(),
        _logs.get_logger_provider(),
        metrics.get_meter_provider(),
    ):
        shutdown = getattr(provider, "shutdown", None)
        if shutdown is None:  # the API's stand-ins have none
            continue
        try:
            shutdown()
        except Exception:
            logging.getLogger(__name__).exception("%s did not shut down", type(provider).__name__)
