"""The worker's process from its start to its end."""

from __future__ import annotations

import asyncio
import faulthandler
import importlib
import json
import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from .channel import ENDED, IMPORTED, MESSAGE, STOP, take_standard_streams
from .ending import WorkerServers, end_lifespans, flush_telemetry
from .logs import forward_logs
from .messages import stand_ins

if TYPE_CHECKING:
    from .channel import Channel

ANSWERS = {
    "worker_init_request": "worker_init_response",
    "functions_metadata_request": "function_metadata_response",
    "function_load_request": "function_load_response",
    "invocation_request": "invocation_response",
}
"""The worker's functions, which are named after their requests, and the answers to these."""

_ALONE_FOR_S = 5.0
_ABANDONED = 70

_logger = logging.getLogger("funcscope.host")


class Debugger(NamedTuple):
    """
    A debugger that can connect to the process.

    Attributes:
        host: The address to wait on.
        port: The port there; 0 for a free one.
        is_awaited: Whether the app is imported only then.
    """

    host: str
    port: int
    is_awaited: bool = False


class Job(NamedTuple):
    """
    What the host wants of its worker's process.

    Attributes:
        package: The worker's package.
        directory: The app's directory.
        is_verbose: Whether the worker's own log records are wanted.
        debugger: Who may connect to it; None for nobody.
    """

    package: str
    directory: str
    is_verbose: bool = False
    debugger: Debugger | None = None

    def encode(self) -> str:
        """Write it as an argument of the command line."""
        return json.dumps(self)

    @classmethod
    def decode(cls, argument: str) -> Job:
        """Read it from there."""
        package, directory, is_verbose, debugger = json.loads(argument)
        return cls(package, directory, is_verbose, Debugger(*debugger) if debugger else None)


def serve(argument: str) -> None:
    """Do a job, until the host says that it is done or has gone."""
    channel = take_standard_streams()
    faulthandler.enable()  # a crash in C shows where the app was
    job = Job.decode(argument)
    forward_logs(channel, job.package, is_verbose=job.is_verbose)
    enter_app(job.directory)
    with asyncio.Runner() as runner:
        service = Service(channel, job)
        _run(runner.get_loop(), service)


def _run(loop: asyncio.AbstractEventLoop, service: Service) -> None:
    """Run a service to its end, whatever the app's tasks raise."""
    asyncio.set_event_loop(loop)
    task = loop.create_task(service.run())
    while not task.done():
        try:
            loop.run_until_complete(task)
        except SystemExit as error:  # of a task of the app's: those of functions are answered
            if task.done():
                raise
            what = "a task of the app called sys.exit(%r): the app goes on"
            _logger.error(what, error.code)  # noqa: TRY400 -- the traceback is asyncio's


def enter_app(directory: str) -> None:
    """Make this process look to the app like the worker's process does."""
    os.environ.setdefault("AzureWebJobsScriptRoot", directory)
    os.environ.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
    os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
    packages = Path(directory, ".python_packages", "lib", "site-packages")
    for path in (str(packages), directory):
        if path not in sys.path:
            sys.path.insert(0, path)
    os.chdir(directory)


class Service:
    """Answers the host's messages by the worker's functions."""

    def __init__(self, channel: Channel, job: Job) -> None:
        self._channel = channel
        self._job = job
        self._protos = stand_ins()
        self._servers = WorkerServers()
        self._answering: set[asyncio.Task[None]] = set()
        self._imported: set[str] = set()
        self._package: Any = None

    async def run(self) -> None:
        """Answer until the host has no more questions, then end what the app has begun."""
        loop = asyncio.get_running_loop()
        is_over = asyncio.Event()

        def take(kind: int, content: bytes) -> None:
            if kind == MESSAGE:
                self._take(content)
            elif kind == STOP:
                is_over.set()

        def receive() -> None:
            for kind, content in self._channel.frames():
                loop.call_soon_threadsafe(take, kind, content)
            loop.call_soon_threadsafe(is_over.set)
            _end_soon()

        receiver = threading.Thread(target=receive, name="funcscope-host", daemon=True)
        for mark in ("pydev_do_not_trace", "is_pydev_daemon_thread"):
            setattr(receiver, mark, True)  # a debugger's breakpoint must not stop the channel
        receiver.start()
        await is_over.wait()
        await self._end()

    def _take(self, content: bytes) -> None:
        message = self._protos.StreamingMessage.FromString(content)
        task = asyncio.create_task(self._answer(message))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, message: Any) -> None:
        kind = message.WhichOneof("content")
        try:
            response = await self._ask(kind, message)
            content = self._encode(message, kind, response)
        except BaseException as error:  # noqa: BLE001 -- a function's sys.exit() ends no worker
            content = self._encode(message, kind, self._failure(message, kind, error))
        if kind != "invocation_request":
            self._tell_imports()
        self._channel.send(MESSAGE, content)

    async def _ask(self, kind: str, message: Any) -> Any:
        """Call the worker's function for a message, as its proxy does."""
        if self._package is None:
            if self._job.debugger is not None:
                _open_to(self._job.debugger)
            self._package = importlib.import_module(self._job.package)
            self._package.start_threadpool_executor()
        properties = {"protos": self._protos, "host": "127.0.0.1"}
        asked = SimpleNamespace(request=message, properties=properties)
        response = await getattr(self._package, kind)(asked)
        if kind == "worker_init_request":
            self._servers.watch()  # the worker's server is a task that has not begun
        return response

    def _encode(self, message: Any, kind: str, response: Any) -> bytes:
        answer = {ANSWERS[kind]: response}
        made = self._protos.StreamingMessage(request_id=message.request_id, **answer)
        encoded: bytes = made.SerializeToString()
        return encoded

    def _failure(self, message: Any, kind: str, error: BaseException) -> Any:
        """Answer what the worker did not: it raised."""
        protos = self._protos
        name = type(error).__name__
        exception = protos.RpcException(
            message=f"{name}: {error}",
            type=name,
            stack_trace="".join(traceback.format_exception(error)),
        )
        result = protos.StatusResult(status=protos.StatusResult.Failure, exception=exception)
        if kind == "invocation_request":
            invocation_id = message.invocation_request.invocation_id
            return protos.InvocationResponse(invocation_id=invocation_id, result=result)
        return {"result": result}

    def _tell_imports(self) -> None:
        names = {name for name in [*sys.modules] if name.startswith("funcscope.")}
        if new := names - self._imported:
            self._imported |= new
            self._channel.send(IMPORTED, json.dumps(sorted(new)).encode())

    async def _end(self) -> None:
        await self._servers.stop()
        await end_lifespans()
        if self._package is not None:
            # The functions have returned: this waits for threads, not for work.
            await asyncio.to_thread(self._package.stop_threadpool_executor)
        await flush_telemetry()
        self._tell_imports()
        self._channel.send(ENDED, b"")


def _open_to(debugger: Debugger) -> None:
    """Let a debugger connect, and wait for it if that is wanted."""
    debugpy: Any = importlib.import_module("debugpy")
    where = f"{debugger.host}:{debugger.port}"
    try:
        host, port = debugpy.listen((debugger.host, debugger.port))
    except RuntimeError as error:
        raise RuntimeError(f"no debugger can connect to {where}: {error}") from error
    waiting = ", and the app waits for one" if debugger.is_awaited else ""
    _logger.info("a debugger can connect to %s:%s%s", host, port, waiting)
    if debugger.is_awaited:
        debugpy.wait_for_client()


def _end_soon() -> None:
    """End a process whose host has gone, whatever the app still does."""
    time.sleep(_ALONE_FOR_S)
    os._exit(_ABANDONED)
