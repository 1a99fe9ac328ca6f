"""What the tests of the local host share."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S

from funcscope.contrib.host import OtlpReceiver, ReceivedLog, ReceivedSpan, TelemetryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from http.client import HTTPMessage

    from tests.azurite import Azurite
    from tests.contrib.host.accounts import Account

APPS = Path(__file__).parents[2] / "apps"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def store() -> TelemetryStore:
    """Make an empty store."""
    return TelemetryStore()


@pytest.fixture
def receiver(store: TelemetryStore) -> Iterator[OtlpReceiver]:
    """Run a receiver that fills the store."""
    with OtlpReceiver(store.add) as running:
        yield running


@pytest.fixture
def span() -> Callable[..., ReceivedSpan]:
    """Make a span: `span("work", parent_id="00f0")`; each starts a millisecond after the last."""
    numbers = itertools.count(1)

    def make(name: str, parent_id: str = "", **fields: object) -> ReceivedSpan:
        number = next(numbers)
        values: dict[str, object] = {
            "trace_id": TRACE_ID,
            "span_id": f"{number:016x}",
            "kind": "INTERNAL",
            "start_ns": number * 1_000_000,
            "end_ns": number * 1_000_000 + 2_500_000,
            "status": "UNSET",
            "status_message": "",
            "attributes": {},
            "events": (),
            "links": (),
            "trace_state": "",
            "scope": "test",
            "resource": {},
            **fields,
        }
        return ReceivedSpan(name=name, parent_id=parent_id, **values)  # type: ignore[arg-type]

    return make


@pytest.fixture
def log() -> Callable[..., ReceivedLog]:
    """Make a log record: `log("started", span_id="00f0")`."""

    def make(body: str, span_id: str = "", **fields: object) -> ReceivedLog:
        values: dict[str, object] = {
            "trace_id": TRACE_ID,
            "time_ns": 2_000_000,
            "severity": "INFO",
            "severity_number": 9,
            "event_name": "",
            "attributes": {},
            "scope": "test",
            "resource": {},
            **fields,
        }
        return ReceivedLog(body=body, span_id=span_id, **values)  # type: ignore[arg-type]

    return make


class HostProcess:
    """
    `funcscope run` in a process of its own.

    Its standard output is read as it comes, so that tests can wait for a line.
    """

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "funcscope.contrib.host.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        self._process.stdout.close()
        self._process.wait()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        """The id of the host's process."""
        return self._process.pid

    @property
    def output(self) -> str:
        """All lines so far."""
        with self._changed:
            return "\n".join(self._lines)

    def wait_for(
        self, pattern: str, timeout_s: float = PATIENCE_S, *, count: int = 1
    ) -> re.Match[str]:
        """Wait for so many lines that match a pattern, and return the last one's match."""

        def find() -> re.Match[str] | None:
            found = (m for line in self._lines if (m := re.search(pattern, line)))
            return next(itertools.islice(found, count - 1, None), None)

        with self._changed:
            self._changed.wait_for(lambda: find() or not self._reader.is_alive(), timeout_s)
            found = find()
        assert found, f"no line matches {pattern!r} in:\n{self.output}"
        return found

    def wait_until(self, is_there: Callable[[str], object]) -> bool:
        """Wait for what all lines together have to be, and tell whether they are."""
        with self._changed:
            self._changed.wait_for(
                lambda: is_there(self.output) or not self._reader.is_alive(), PATIENCE_S
            )
            return bool(is_there(self.output))

    @property
    def netloc(self) -> str:
        """Where it is served, once it says so."""
        return self.wait_for(r"http://(localhost:\d+)/")[1]

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def interrupt_group(self) -> None:
        """Do what a terminal does on Ctrl-C: interrupt the process group."""
        os.killpg(self.pid, signal.SIGINT)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the end, and return the exit code."""
        code = self._process.wait(timeout_s)
        self._reader.join()
        return code

    def stop(self) -> int:
        """Stop it gracefully if it still runs, and return the exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.wait()
            raise

    def fetch(
        self,
        path: str,
        method: str = "GET",
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, HTTPMessage, str]:
        """Send a request; return the status, the headers and the body."""
        connection = HTTPConnection(self.netloc, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()


_RUNNING: list[HostProcess] = []


@pytest.fixture(scope="session")
def run_host() -> Iterator[Callable[..., HostProcess]]:
    """
    Start hosts: `run_host("host_v2", GATE="/x")` runs `tests/apps/host_v2` on a free port.

    A path is taken as it is; keyword arguments are added to the environment. What a test has
    started is stopped after it, and what a fixture for more tests has, in the end.
    """

    def run(app: str | Path, *arguments: str, **environment: str) -> HostProcess:
        directory = APPS / app if isinstance(app, str) else app
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("OTEL_", "FUNCSCOPE_"))}
        host = HostProcess(
            ["run", str(directory), *(arguments or ("--port", "0"))], {**kept, **environment}
        )
        _RUNNING.append(host)
        return host

    yield run
    stop_hosts(0)


@pytest.fixture(autouse=True)
def _own_hosts() -> Iterator[None]:
    """Stop the hosts that a test has started: they would go on to ask storage for work."""
    count = len(_RUNNING)
    yield
    stop_hosts(count)


def stop_hosts(kept: int) -> None:
    """Stop all hosts but the first ones."""
    while len(_RUNNING) > kept:
        _RUNNING.pop().stop()


@pytest.fixture
def account(azurite: Azurite) -> Account:
    """Make an empty storage account."""
    from tests.contrib.host.accounts import Account  # needs the SDK, as these tests alone do

    return Account(azurite.new_account())


@pytest.fixture
def start(run_host: Callable[..., HostProcess], account: Account) -> Callable[..., HostProcess]:
    """Start the app `host_storage` on the account: `start(GATE="/x")`."""

    def run(**environment: str) -> HostProcess:
        settings = {"AzureWebJobsStorage": account.connection, "SLOW_QUEUE": "slow", **environment}
        return run_host("host_storage", "--port", "0", "-v", **settings)

    return run
