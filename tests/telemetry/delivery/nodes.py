"""Processes that record, send, fork and are killed as a test tells them, seen from the test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S

Answer = dict[str, Any]  # JSON

ROOT = Path(__file__).parents[3]


class NodeError(Exception):
    """A node did not do what it was told, with its traceback, or did not answer."""


class Node:
    """
    One process; each call is answered by it.

    Attributes:
        number: Its own, which its requests have as the header `x-node`.
    """

    def __init__(self, sock: socket.socket, nodes: Nodes) -> None:
        self._sock = sock
        self._nodes = nodes
        self._data = b""
        told = self._answer()
        self.number: int = told["number"]
        self._pid: int = told["pid"]

    def ask(self, do: str, **args: Any) -> Answer:
        """
        Have something done.

        Raises:
            NodeError: It was not.
        """
        self._order({"do": do, **args})
        answer = self._answer()
        if "error" in answer:
            raise NodeError(f"node {self.number}: {do}: {answer['error']}")
        return answer

    def fork(self, number: int) -> Node:
        """Have it fork, and return its child."""
        self.ask("fork", number=number)
        return self._nodes.accept()

    def start(self, order: Answer) -> Node:
        """Have this one, which starts the others, start one."""
        self._order(order)
        return self._nodes.accept()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ConnectionError):
            while self._sock.recv(65536):  # it is gone once the system has closed its sockets
                pass
        self._sock.close()

    def _order(self, order: Answer) -> None:
        self._sock.sendall(json.dumps(order).encode() + b"\n")

    def _answer(self) -> Answer:
        while b"\n" not in self._data:
            try:
                chunk = self._sock.recv(65536)
            except TimeoutError:
                os.kill(self._pid, signal.SIGUSR1)  # it shows where its threads are
                raise
            if not chunk:
                raise NodeError("a node has ended")
            self._data += chunk
        line, _, self._data = self._data.partition(b"\n")
        answer: Answer = json.loads(line)
        return answer


class Nodes:
    """
    Starts nodes, all from one process that has everything loaded.

    Args:
        folder: For the socket that they report to.
    """

    def __init__(self, folder: Path) -> None:
        address = folder / "nodes"
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(address))
        self._server.listen()
        self._server.settimeout(PATIENCE_S)
        module = "tests.telemetry.delivery.jumping_clock"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", module, str(address)],
            cwd=ROOT,
        )
        self._zygote = self.accept()

    def start(self, number: int, **options: Any) -> Node:
        """Start a node."""
        return self._zygote.start({"number": number, **options})

    def accept(self) -> Node:
        """Wait for one that reports."""
        sock, _ = self._server.accept()
        sock.settimeout(PATIENCE_S)
        return Node(sock, self)

    def close(self) -> None:
        """End them all."""
        self._zygote.kill()
        self._server.close()
        self._process.wait(PATIENCE_S)
