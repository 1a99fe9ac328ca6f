"""A library worker in a process of its own; docs/decisions/056 says why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._worker.time_limit import read_time_limit
from funcscope.contrib.host._worker.worker import AppWorker, WorkerGoneError
from funcscope.contrib.host._worker_process import channel, serving, start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.contrib.host._app import FunctionApp
    from funcscope.contrib.host._worker.protocol import Protos
    from funcscope.contrib.host._worker.worker import LoadedFunction

_BUFFER_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_ENDS_WITHIN_S = 30.0
_EXITS_WITHIN_S = 3.0
_TELEMETRY_LEAVES_WITHIN_S = 3.0
_LAST_WORDS_WITHIN_S = 1.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """
    How a worker's process is started, and where what it says goes.

    Attributes:
        environment: All of its environment variables.
        on_line: Called with each line that the app prints.
        on_log: Called with each of its log records, whose message is whole.
        on_import: Called with names of funcscope's modules that the app has imported.
        python: The interpreter; its environment has the worker, and what the app needs.
        only: The names of the functions to load; empty for all.
        debugger: Where a debugger can connect to the process; None for nowhere.
        is_verbose: Whether the worker's own log records are wanted, too.
    """

    environment: Mapping[str, str]
    on_line: Callable[[str], object]
    on_log: Callable[[logging.LogRecord], object]
    on_import: Callable[[list[str]], object]
    python: str = sys.executable
    only: tuple[str, ...] = ()
    debugger: serving.Debugger | None = None
    is_verbose: bool = False


class WorkerProcess(AppWorker):
    """
    One of Microsoft's library workers, running one app in a process of its own.

    All of it belongs to one event loop. The process ends with the host's, however that ends, and
    has a process group of its own, so that a terminal's Ctrl-C reaches the host alone.

    Args:
        app: What to run.
        setup: How.
    """

    def __init__(self, app: FunctionApp, setup: WorkerSetup) -> None:
        super().__init__(app)
        self._setup = setup
        # Who stands at a breakpoint must not run out of time.
        self._time_limit = None if setup.debugger else read_time_limit(app)
        self._answers: dict[str, asyncio.Future[Protos]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._exit = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._has_ended = asyncio.Event()
        self._is_ended_here = False
        self._on_over: Callable[[], object] = lambda: None

    @property
    def is_overdue(self) -> bool:
        """Whether the process is ended because a function has run for too long."""
        return self._ending is not None

    @property
    def is_over(self) -> bool:
        """Whether the process has ended, or is about to."""
        return self.is_overdue or self.exit_code is not None

    @property
    def exit_code(self) -> int | None:
        """The process's exit code, a signal's number negated; None while it runs."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> tuple[LoadedFunction, ...]:
        """
        Start the process, import the app there and load its functions.

        Raises:
            HostError: There is no such interpreter or no worker for it, or the app cannot be
                imported or indexed; the message has its traceback.
        """
        self._process = await self._spawn()
        self._watching = asyncio.create_task(self._watch(self._process))
        try:
            return await super().start()
        except HostError:
            await self.stop()
            raise
        except BaseException:
            self.kill()
            await self.wait()
            raise

    def on_over(self, tell: Callable[[], object]) -> None:
        """Call a function once the process has ended or is about to; now, if that is so."""
        self._on_over = tell
        if self.is_over:
            tell()

    async def stop(self) -> None:
        """End what the app has begun, flush its telemetry, and wait for the process's end."""
        if self._watching is None:
            return
        if self._ending is not None:
            await self._ending
        self._send(channel.STOP, b"")
        has_ended = asyncio.create_task(self._has_ended.wait())
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait({self._watching, has_ended}, timeout=_ENDS_WITHIN_S, return_when=first)
        has_ended.cancel()
        done, _ = await asyncio.wait({self._watching}, timeout=_EXITS_WITHIN_S)
        if not done:
            _logger.warning(
                "the worker's process is killed, as it does not end: a thread of the app still runs"
            )
            self.kill()
            await self._watching

    async def wait(self) -> None:
        """Wait for the process's end."""
        if self._watching is not None:
            await asyncio.shield(self._watching)

    async def end_soon(self) -> None:
        """End the process, after its telemetry; functions in flight are not waited for."""
        if self._process is None or self._watching is None:
            return
        self._is_ended_here = True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await asyncio.wait({self._watching}, timeout=_TELEMETRY_LEAVES_WITHIN_S)
        self.kill()
        await self.wait()

    def kill(self) -> None:
        """End the process and its children at once; a signal's handler may call this."""
        if self._process is None or self._process.returncode is not None:
            return
        self._is_ended_here = True
        with contextlib.suppress(ProcessLookupError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    async def _spawn(self) -> asyncio.subprocess.Process:
        job = serving.Job(
            package=WORKER_PACKAGES[self._app.model],
            directory=str(self._app.directory),
            is_verbose=self._setup.is_verbose,
            debugger=self._setup.debugger,
        )
        loop = asyncio.get_running_loop()
        try:
            self._transport, protocol = await loop.subprocess_exec(
                lambda: _Streams(self._exit, loop),
                self._setup.python,
                start.__file__,
                job.encode(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._setup.environment,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows's
            )
        except OSError as error:
            raise HostError(f"cannot run the interpreter {self._setup.python}: {error}") from error
        return asyncio.subprocess.Process(self._transport, protocol, loop)

    def _check(self, result: Protos, problem: str) -> None:
        try:
            super()._check(result, problem)
        except HostError as error:
            environment = self._app.directory / ".venv"
            if "ModuleNotFoundError" not in str(error) or not environment.is_dir():
                raise
            if self._setup.python != sys.executable:
                raise
            raise HostError(
                f"{error}\n\nthe app has an environment of its own: pass --python {environment}"
            ) from error

    def _select(self, indexed: list[Protos]) -> list[Protos]:
        only = {name.lower(): name for name in self._setup.only}
        found = [each for each in indexed if not only or each.name.lower() in only]
        missing = only.keys() - {each.name.lower() for each in found}
        if missing:
            there = ", ".join(repr(each.name) for each in indexed)
            raise HostError(
                f"there is no function {', '.join(repr(only[m]) for m in sorted(missing))}: "
                f"the app has {there}"
            )
        return found

    async def _ask(self, kind: str, request: Protos) -> Protos:
        """Send a request to the process, and wait for its answer."""
        if self._watching is None or self._watching.done():
            raise WorkerGoneError(self._describe_end())
        message = self._message(kind, request)
        answer = asyncio.get_running_loop().create_future()
        self._answers[message.request_id] = answer
        try:
            self._send(channel.MESSAGE, message.SerializeToString())
            response = await self._within_limit(kind, answer)
        finally:
            del self._answers[message.request_id]
        return getattr(response, serving.ANSWERS[kind])

    async def _within_limit(self, kind: str, answer: asyncio.Future[Protos]) -> Protos:
        """Wait for an answer; a function that takes too long costs the process."""
        limit = self._time_limit if kind == "invocation_request" else None
        limit_s = None if limit is None else limit.total_seconds()
        done, _ = await asyncio.wait({answer}, timeout=limit_s)
        if done:
            return answer.result()
        if self._ending is None:
            self._ending = asyncio.create_task(self.end_soon())
            self._on_over()
        raise WorkerGoneError(
            f"the function did not end within {limit} (functionTimeout): "
            "the worker's process is ended, as Azure's host does it"
        )

    def _send(self, kind: int, content: bytes) -> None:
        stdin = None if self._process is None else self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(channel.frame(kind, content))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Take what the process says until it ends, and fail what it leaves unanswered."""
        assert process.stdout is not None  # noqa: S101  (for the checkers: all are pipes)
        assert process.stderr is not None  # noqa: S101
        listening = {
            asyncio.create_task(self._read_frames(process.stdout)),
            asyncio.create_task(self._read_lines(process.stderr)),
        }
        for task in listening:
            task.add_done_callback(self._end_if_deaf)
        await self._exit.wait()
        # A process that the app has started may hold these open for longer.
        _, late = await asyncio.wait(listening, timeout=_LAST_WORDS_WITHIN_S)
        for task in late:
            task.cancel()
        self._transport.close()
        error = WorkerGoneError(self._describe_end())
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)
        self._on_over()

    def _end_if_deaf(self, task: asyncio.Task[None]) -> None:
        """End a process that cannot be listened to: nobody would get its answers."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("the worker's process cannot be listened to", exc_info=error)
            self.kill()

    async def _read_frames(self, stream: asyncio.StreamReader) -> None:
        try:
            before = await stream.readuntil(channel.GREETING)
            self._show_text(before.removesuffix(channel.GREETING))
            while True:
                header = await stream.readexactly(channel.HEADER.size)
                size, kind = channel.HEADER.unpack(header)
                self._take(kind, await stream.readexactly(size))
        except asyncio.IncompleteReadError as error:
            if (
                error.expected is None
            ):  # what an interpreter prints that does not come to the greeting
                self._show_text(error.partial)

    def _take(self, kind: int, content: bytes) -> None:
        if kind == channel.MESSAGE:
            message = self._protos.StreamingMessage.FromString(content)
            answer = self._answers.get(message.request_id)
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif kind == channel.LOG:
            with contextlib.suppress(OSError):  # of a terminal that has gone
                self._setup.on_log(_make_record(json.loads(content)))
        elif kind == channel.IMPORTED:
            self._setup.on_import(json.loads(content))
        elif kind == channel.ENDED:
            self._has_ended.set()

    async def _read_lines(self, stream: asyncio.StreamReader) -> None:
        """Show what the app prints, by lines; the last one may have no end."""
        rest = b""
        while data := await stream.read(_READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._show_text(line + b"\n")
        self._show_text(rest)

    def _show_text(self, text: bytes) -> None:
        with contextlib.suppress(OSError):  # of a terminal that has gone
            for line in text.decode("utf-8", "replace").splitlines():
                self._setup.on_line(line)

    def _describe_end(self) -> str:
        if self._is_ended_here:
            return "the host has ended the worker's process"
        return f"the worker's process has ended: {describe_exit(self.exit_code)}"


class _Streams(asyncio.subprocess.SubprocessStreamProtocol):
    """
    The streams of a process, and its exit.

    `Process.wait` may wait for the processes, too, that have the streams of it (python/cpython
    #119710).

    Args:
        exit_: Set when the process itself has ended.
        loop: The event loop.
    """

    def __init__(self, exit_: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_BUFFER_BYTES, loop=loop)
        self._exit = exit_

    def process_exited(self) -> None:
        """Note the exit."""
        super().process_exited()
        self._exit.set()


def describe_exit(code: int | None) -> str:
    """Say how a process has ended, by its exit code."""
    if code is None:
        return "not started"
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"signal {name}" + (", as for want of memory" if name == "SIGKILL" else "")


def _make_record(content: dict[str, Any]) -> logging.LogRecord:
    record = logging.makeLogRecord(
        {
            "name": content["logger"],
            "levelno": content["level"],
            "levelname": logging.getLevelName(cast("int", content["level"])),
            "msg": content["text"],
            "created": content["created"],
        }
    )
    record.function_name = content["function"]
    return record
