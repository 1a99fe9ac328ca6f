"""
Processes for apps, forked from one that has imported what they all would.

Those imports take a quarter of a run's time. The process that has made them holds no module of ours
and none of OpenTelemetry's, no thread, and no open file but the socket that it is told by: what is
forked is as good as a new process. Run as a script, this is that process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

IMPORTED = (
    "asyncio", "azure.functions", "concurrent.futures", "email.parser",
    "google.protobuf.descriptor_pb2", "google.protobuf.message_factory", "http.client",
    "logging.handlers", "ssl", "urllib.request", "uuid",
)  # fmt: skip


class Forks:
    """
    Runs scripts in processes that are forked from a prepared one.

    Args:
        environ: Its environment. A process may have another, but for what Python reads when it
            starts.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._of_python = _of_python(environ)
        ours, theirs = socket.socketpair()
        self._prepared = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            env=environ,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours
        self._replies = ours.makefile("r")

    def serves(self, environ: Mapping[str, str]) -> bool:
        """Tell whether a process with an environment may be forked."""
        return _of_python(environ) == self._of_python

    def run(
        self, script: Path, given: str, environ: Mapping[str, str], folder: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a script as `subprocess.run` would, with text on standard input.

        Args:
            script: A file.
            given: What it reads.
            environ: Its environment.
            folder: Where what goes in and comes out is kept.
            timeout_s: How long it may take.

        Raises:
            subprocess.TimeoutExpired: It took longer, and was killed.
        """
        files = [folder / name for name in ("stdin.txt", "stdout.txt", "stderr.txt")]
        files[0].write_text(given)
        order = {"script": str(script), "environ": dict(environ), "files": [*map(str, files)]}
        self._socket.sendall(json.dumps(order).encode() + b"\n")
        process = int(self._replies.readline())
        self._socket.settimeout(timeout_s)
        try:
            code = int(self._replies.readline())
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired(str(script), timeout_s) from None
        finally:
            self._socket.settimeout(None)
        output = [file.read_text("utf-8") for file in files[1:]]
        return subprocess.CompletedProcess([str(script)], code, *output)

    def close(self) -> None:
        """End the prepared process."""
        self._replies.close()
        self._socket.close()
        self._prepared.wait()


def _of_python(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith("PYTHON")}


def serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork a process for each order, which returns it; None in the prepared one, at the end."""
    orders: IO[bytes] = control.makefile("rb")
    while line := orders.readline():
        process = os.fork()
        if not process:
            orders.close()
            control.close()
            order: dict[str, Any] = json.loads(line)
            return order
        control.sendall(b"%d\n" % process)
        _, status = os.waitpid(process, 0)
        control.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    return None


def become(order: Mapping[str, Any]) -> None:
    """Run the script of an order, with its environment and files."""
    os.environ.clear()
    os.environ.update(order["environ"])
    for stream, name in enumerate(order["files"]):
        file = os.open(
            name, os.O_RDWR | (os.O_CREAT | os.O_TRUNC | os.O_APPEND if stream else 0), 0o600
        )
        os.dup2(file, stream)
        os.close(file)
    script = order["script"]
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


def main(descriptor: int) -> None:
    """Import what apps import, and serve orders."""
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()
    if (order := serve(socket.socket(fileno=descriptor))) is not None:
        become(order)


if __name__ == "__main__":
    main(int(sys.argv[1]))
