"""A name looked up within a deadline."""

from __future__ import annotations

import socket
import threading
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.telemetry._http.deadline import Deadline

    Addresses = list[tuple[int, int, int, str, tuple[object, ...]]]
    """Families, kinds, protocols, names and addresses, as `getaddrinfo` has them."""


class Lookup:
    """
    Looks a name up, on a thread of its own, which alone the system may hold up.

    A name server that does not answer costs `getaddrinfo` tens of seconds: by default 5 s for each
    of two tries of each server (resolv.conf(5)), and nothing that we set changes that.

    Args:
        host: The name, or an address.
        port: The port to connect to.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._is_done = threading.Event()
        self._addresses: Addresses = []
        self._error: Exception | None = None
        thread = threading.Thread(target=self._run, name="funcscope-lookup", daemon=True)
        try:
            Context().run(thread.start)
        except RuntimeError:  # the interpreter is ending, and starts no thread any more
            self._run()

    def wait(self, deadline: Deadline) -> Addresses:
        """
        Wait for the addresses.

        Raises:
            OSError: There are none, or not in time: then it goes on, and may be waited for again.
        """
        while not self._is_done.wait(deadline.check()):
            pass
        if self._error is not None:
            raise self._error
        return self._addresses

    @property
    def is_done(self) -> bool:
        """Whether it is over."""
        return self._is_done.is_set()

    def _run(self) -> None:
        # As bytes: for a text, Python loads what encodes international names, 1 ms of a cold start.
        name = self._host.encode() if self._host.isascii() else self._host
        try:
            self._addresses = list(socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  (a host that no codec takes is a UnicodeError)
            self._error = error
        self._is_done.set()
