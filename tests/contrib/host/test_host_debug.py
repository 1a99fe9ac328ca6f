"""A debugger can connect to an app on the local host."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from tests.contrib.host.test_host_cli import run
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker


class DebugClient:
    """
    As much of an editor's side of the Debug Adapter Protocol as it takes to connect.

    Source: https://microsoft.github.io/debug-adapter-protocol/overview.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._stream = self._socket.makefile("rb")
        self._sequence = 0

    def __enter__(self) -> DebugClient:  # noqa: PYI034 -- Self is typing_extensions' on 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stream.close()
        self._socket.close()

    def ask(self, command: str, **arguments: object) -> None:
        """Send a request."""
        self._sequence += 1
        message = {"seq": self._sequence, "type": "request", "command": command}
        body = json.dumps({**message, "arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def wait_for(self, name: str) -> dict[str, Any]:
        """Read until an event or the answer to a command comes."""
        while True:
            message = self._read()
            if name in (message.get("event"), message.get("command")):
                return message

    def attach(self) -> None:
        """Connect as an editor does."""
        self.ask("initialize", adapterID="debugpy")
        self.wait_for("initialize")
        self.ask("attach", justMyCode=False)
        self.wait_for("initialized")
        self.ask("configurationDone")
        assert self.wait_for("attach")["success"]

    def _read(self) -> dict[str, Any]:
        size = 0
        while line := self._stream.readline().strip():
            size = int(line.removeprefix(b"Content-Length: "))
        message: dict[str, Any] = json.loads(self._stream.read(size))
        return message


@pytest.fixture
def waiting(run_host: Callable[..., HostProcess]) -> Iterator[HostProcess]:
    """Run an app that waits for a debugger, whose functions have a limit of time."""
    host = run_host("host_timeout", "--debug", "0", "--debug-wait", "--port", "0")
    yield host
    host.stop()


def debug_port(host: HostProcess) -> int:
    """Return where a debugger can connect."""
    return int(host.wait_for(r"a debugger can connect to 127\.0\.0\.1:(\d+)")[1])


def test_the_app_waits_for_a_debugger(waiting: HostProcess) -> None:
    """With `--debug-wait` the app is imported once a debugger has connected."""
    port = debug_port(waiting)
    waiting.wait_for("and the app waits for one$")
    assert "Functions:" not in waiting.output

    with DebugClient(port) as client:
        client.attach()
        waiting.wait_for("^Functions:")
        assert waiting.fetch("/api/whoami")[0] == 200
        client.ask("disconnect", terminateDebuggee=False)
        client.wait_for("disconnect")


def test_stopping_while_it_waits(waiting: HostProcess) -> None:
    """Nobody has to connect for the host to stop."""
    debug_port(waiting)

    assert waiting.stop() == 0


def test_breakpoints_do_not_run_out_of_time(run_host: Callable[..., HostProcess]) -> None:
    """A function that stands at a breakpoint for longer than `functionTimeout` goes on."""
    limit = {"AzureFunctionsJobHost__functionTimeout": "00:00:01"}
    host = run_host("host_timeout", "--debug", "0", "--port", "0", **limit)
    port = debug_port(host)
    host.wait_for("^Functions:")

    with DebugClient(port) as client:
        client.attach()
        connection = socket.create_connection(
            ("127.0.0.1", int(host.netloc.rpartition(":")[2])), PATIENCE_S
        )
        connection.sendall(b"GET /api/breaks HTTP/1.0\r\n\r\n")
        stopped = client.wait_for("stopped")
        connection.settimeout(2)  # longer than the limit
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE_S)
        client.ask("continue", threadId=stopped["body"]["threadId"])
        assert connection.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.0 200")
        connection.close()
        client.ask("disconnect", terminateDebuggee=False)
        client.wait_for("disconnect")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--debug", "http"], "'http' is not [HOST:]PORT: use a port from 0 to 65535"),
        (["--debug-wait"], "--debug-wait needs --debug [HOST:]PORT"),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    """What cannot be an address, or goes with no address, is told."""
    code, errors = run("run", ".", *arguments)

    assert code in (1, 2)
    assert message in errors


def test_an_address_that_others_reach(run_host: Callable[..., HostProcess]) -> None:
    """A debugger's port that is not on loopback is warned of: whoever connects runs code."""
    host = run_host("host_timeout", "--debug", "0.0.0.0:0", "--port", "0")

    host.wait_for("whoever can reach 0.0.0.0 can run code here through the debugger")
