"""
Processes that record, send, fork and are killed as a test tells them: see `nodes`.

Orders come as lines of JSON on a socket, and each is answered with a line of JSON.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import socket
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from tests.telemetry.delivery.conftest import encode_number, quick, request_of

from funcscope.telemetry._config.otlp_target import read_target
from funcscope.telemetry._delivery.batcher import ExportOptions
from funcscope.telemetry._delivery.delivery import Delivery
from funcscope.telemetry._delivery.retry import Backoff
from funcscope.telemetry._delivery.spool import Spool
from funcscope.telemetry._http.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.telemetry.delivery.jumping_clock import JumpingClock

    from funcscope.telemetry._http.connection import Answer
    from funcscope.telemetry._http.deadline import Deadline

    Order = dict[str, Any]  # JSON

GONE_S = 20.0  # how long threads may take to end

ALWAYS_ALL = Backoff(1.0, 30.0, random=lambda: 1.0)


class Node:
    """
    One process with a delivery of its own.

    Args:
        address: Where its forked children report.
        clock: Its clocks.
        order: How it is set up.
    """

    def __init__(self, address: str, clock: JumpingClock, order: Order) -> None:
        self._address = address
        self._clock = clock
        self._number: int = order["number"]
        self._watch_posts()
        spool = None
        if order["spool"]:
            spool = Spool(order["spool"], max_bytes=order["spool_bytes"])
        exports = [
            ExportOptions(
                _target(signal_, endpoint),
                None if signal_ == "metrics" else encode_number,
                interval_s=1e6,  # what is sent was asked for
                capacity=order["capacity"],
                max_items=order["max_items"],
            )
            for signal_, endpoint in order["targets"].items()
        ]
        options = quick(memory_bytes=order["memory_bytes"], backoff=ALWAYS_ALL, pause_after_s=1e6)
        self._delivery = Delivery(exports, spool=spool, options=options)

    def follow(self, sock: socket.socket) -> None:
        """Do what is asked for until nobody asks any more."""
        for order in _orders(sock):
            begun = self._clock.true_s()
            try:
                answer = getattr(self, order.pop("do"))(**order)
                if isinstance(answer, socket.socket):
                    sock.close()
                    sock = answer
                    self.follow(sock)
                    return
            except BaseException:
                answer = {"error": traceback.format_exc()}
            _send(sock, {**(answer or {}), "took_s": self._clock.true_s() - begun})

    def put(self, signal: str, numbers: list[int], is_error: bool) -> None:
        """Record items."""
        queue = self._delivery.queue(signal)
        for number in numbers:
            queue.put(number, is_error)

    def submit(self, signal: str, numbers: list[int]) -> None:
        """Record items that are encoded already."""
        self._delivery.submit(signal, request_of(*numbers), len(numbers))

    def put_nonsense(self, signal: str) -> None:
        """Record an item that cannot be encoded."""
        self._delivery.queue(signal).put("no number")

    def limit_files(self, size: int) -> None:
        """Have a full disk, for this process alone."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def flush_soon(self) -> None:
        """Be idle."""
        self._delivery.flush_soon()

    def flush(self, timeout_s: float) -> Order:
        """Wait until all is sent."""
        return {"is_all_sent": self._delivery.flush(timeout_s)}

    def drain(self, budget_s: float) -> Order:
        """Send or save."""
        return {"is_all_sent": self._delivery.drain(budget_s)}

    def shutdown(self, budget_s: float) -> Order:
        """Send or save, and end; tell which threads do not."""
        begun = self._clock.true_s()
        is_all_sent = self._delivery.shutdown(budget_s)
        took_s = self._clock.true_s() - begun
        until = self._clock.true_s() + GONE_S
        while (left := threads()) and self._clock.true_s() < until:
            time.sleep(0.002)
        return {"is_all_sent": is_all_sent, "threads": left, "shutdown_s": took_s}

    def snapshot(self) -> Order:
        """Tell what became of everything."""
        return {"counts": {name: c._asdict() | {"dropped": dict(c.dropped)}
                           for name, c in self._delivery.snapshot().items()}}  # fmt: skip

    def jump(self, monotonic_s: float, wall_s: float) -> None:
        """Let time pass."""
        self._clock.jump(monotonic_s, wall_s)
        self._delivery.flush_soon()

    def fork(self, number: int) -> socket.socket | None:
        """Fork; the child reports by itself."""
        if os.fork():
            return None
        self._number = number
        return _report(self._address, number)

    def _watch_posts(self) -> None:
        """Have requests tell who sends them; forked children have the headers of their parents."""
        post = Connection.post

        def tell(
            connection: Connection,
            path: str,
            headers: Iterable[tuple[str, str]],
            body: bytes,
            deadline: Deadline,
        ) -> Answer:
            headers = (*headers, ("x-node", str(self._number)))
            return post(connection, path, headers, body, deadline)

        Connection.post = tell  # type: ignore[assignment,method-assign]  # in this process alone


def threads() -> list[str]:
    """Name the threads beside the main one."""
    return [t.name for t in threading.enumerate() if t is not threading.main_thread()]


def serve(address: str, clock: JumpingClock) -> None:
    """Fork a node whenever one is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    faulthandler.register(signal.SIGUSR1)  # of a node that does not answer
    sock = _report(address, 0)
    for order in _orders(sock):
        if not os.fork():
            sock.close()
            mine = _report(address, order["number"])
            Node(address, clock, order).follow(mine)
            os._exit(0)


def _report(address: str, number: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(address)
    _send(sock, {"number": number, "pid": os.getpid()})
    return sock


def _send(sock: socket.socket, message: Order) -> None:
    sock.sendall(json.dumps(message).encode() + b"\n")


def _orders(sock: socket.socket) -> Iterator[Order]:
    """Read them without a file, which would keep the socket open in forked children."""
    data = b""
    while chunk := sock.recv(65536):
        *lines, data = (data + chunk).split(b"\n")
        yield from map(json.loads, lines)


def _target(signal_: str, endpoint: str) -> Any:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "600",  # over by a jump, and never by itself
    }
    problems: list[str] = []
    target = read_target(signal_, environ, problems)
    if problems:
        raise ValueError(problems)
    return target
