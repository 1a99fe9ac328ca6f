"""Rare ways to a server, by urllib3: proxies in TLS and SOCKS (docs/decisions/043)."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import Future, wait
from contextvars import copy_context
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from funcscope.extensions.integration import run_detached
from funcscope.telemetry._http.deadline import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.telemetry._config.otlp_target import Origin
    from funcscope.telemetry._config.proxy import Proxy
    from funcscope.telemetry._http.deadline import Deadline
    from funcscope.telemetry._http.tls import TlsContexts

    Reply = tuple[int, str, bytes, str]
    """Status, `Retry-After`, the body's first bytes, `Location`."""

_MAX_LATE = 4
"""How many posts at most may go on that nobody waits for any more."""


class LibraryPoster:
    """
    Posts bodies by urllib3, each on a thread that alone may be late.

    urllib3 bounds each wait, not all of them together. What is late is abandoned: its socket is
    shut, which ends its thread, unless the system holds it, as at looking up a name.

    Args:
        origin: The server.
        proxy: What to go through.
        tls: The server's TLS contexts.
    """

    def __init__(self, origin: Origin, proxy: Proxy, tls: TlsContexts) -> None:
        self._origin = origin
        self._proxy = proxy
        self._tls = tls
        self._manager: PoolManager | None = None
        self._connections: WeakSet[Any] = WeakSet()  # urllib3 has no type for all four
        self._is_closed = threading.Event()  # a new one for each manager
        self._late: list[threading.Thread] = []

    def post(
        self, path: str, headers: Mapping[str, str], body: bytes, deadline: Deadline, most: int
    ) -> Reply:
        """
        Post a body in the current context, and return at most so many bytes of the answer's.

        Raises:
            OSError: There was no answer, or not in time.
            HTTPException: What came is not HTTP.
        """
        self._late = [thread for thread in self._late if thread.is_alive()]
        if len(self._late) >= _MAX_LATE:
            raise TimeoutError(f"{len(self._late)} earlier requests are still under way")
        if self._manager is None or self._tls.have_changed():
            self.close()
            self._manager = self._make_manager()
        left_s = max(0.001, deadline.left_s)
        request = self._manager.urlopen
        deadline.phase = Phase.WAITING  # as far as can be told
        future: Future[Reply] = Future()

        def run() -> None:
            url = f"{self._origin.scheme}://{self._origin.authority}{path}"
            timeout = Timeout(connect=left_s, read=left_s)
            try:
                response = request(
                    "POST", url, body=body, headers=headers, timeout=timeout, retries=False,
                    redirect=False, preload_content=False,
                )  # fmt: skip
                future.set_result(_read(response, most))
            except Exception as error:  # noqa: BLE001  (whoever waits is told of it)
                future.set_exception(error)

        thread = run_detached(partial(copy_context().run, run), "funcscope-proxy")
        return self._wait(future, thread, deadline)

    def close(self) -> None:
        """Shut the connection, whoever waits for it, and each that is being made."""
        self._is_closed.set()
        connections, self._connections = self._connections, WeakSet()
        for connection in connections:
            with contextlib.suppress(OSError, AttributeError):  # it may have no socket
                connection.sock.shutdown(socket.SHUT_RDWR)
        if self._manager is not None:
            self._manager.clear()
        self._manager = None

    def _wait(self, future: Future[Reply], thread: threading.Thread, deadline: Deadline) -> Reply:
        try:
            while not wait([future], deadline.check()).done:
                pass
            return future.result()
        except HTTPError as error:
            if isinstance(error, (ConnectTimeoutError, NewConnectionError, ProxyError)):
                deadline.phase = Phase.CONNECTING
            if isinstance(error, ReadTimeoutError):  # its clock was quicker than ours
                raise TimeoutError(f"timed out while {deadline.phase.value}") from error
            causes = (each for each in error.args if isinstance(each, (OSError, HTTPException)))
            raise next(causes, OSError(str(error))) from error
        finally:
            if not future.done():
                self._late.append(thread)

    def _make_manager(self) -> PoolManager:
        proxy = self._proxy
        of_proxy = self._tls.without_client()
        # Of the proxy, where no other server speaks TLS: urllib3 2.0.2 takes no other for it.
        context = self._tls.get() if self._origin.scheme == "https" else of_proxy
        manager: PoolManager
        if proxy.scheme == "https":
            manager = ProxyManager(
                proxy.url,
                proxy_headers=proxy.headers,
                proxy_ssl_context=of_proxy,
                ssl_context=context,
            )
        else:
            from urllib3.contrib.socks import SOCKSProxyManager  # needs PySocks, of an extra

            user, password = proxy.user or None, proxy.password or None
            manager = SOCKSProxyManager(proxy.url, user, password, ssl_context=context)
        pool = manager.connection_from_host(*self._origin[1:3], self._origin.scheme)
        make: Any = pool.ConnectionCls
        self._is_closed = is_closed = threading.Event()

        def make_and_keep(**options: Any) -> Any:
            connection = make(**options)
            connection.connect = partial(_connect_unless_closed, ref(connection), is_closed)
            self._connections.add(connection)
            return connection

        pool.ConnectionCls = make_and_keep  # type: ignore[assignment]  # called as the class is
        return manager


def _connect_unless_closed(made: ref[Any], is_closed: threading.Event) -> None:
    """Connect; whoever waited may have given up meanwhile, and has found no socket to shut."""
    connection: Any = made()
    connection.__class__.connect(connection)
    if is_closed.is_set():
        connection.close()
        raise ConnectionAbortedError("given up while connecting")


def _read(response: Any, most: int) -> Reply:
    """Read an answer's body; the status stands, even where the rest never comes."""
    try:
        body, has_more = response.read(most), bool(response.read(1))
    except (HTTPError, OSError):
        body, has_more = b"", True
    response.close() if has_more else response.release_conn()
    header = response.headers.get
    return response.status, header("retry-after", ""), body, header("location", "")
