"""The trace page: beside an app that runs (`run --view`), or alone (`view`)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._host import listen, stopping_on_signals
from funcscope.contrib.host._traces.console import HostConsole, encode_safely
from funcscope.contrib.host._traces.receiver import OtlpReceiver
from funcscope.contrib.host._view.api import ViewApi
from funcscope.contrib.host._view.live import TraceView
from funcscope.contrib.host._view.server import ViewServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from funcscope.contrib.host._traces.otlp import Batch
    from funcscope.contrib.host._traces.traces import HostRequest, Observer

VIEW_PORT = 7080
"""Where the page is unless told otherwise; a free port where that one is taken."""

RECEIVER_PORT = 4318
"""The port of OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp-default-port)."""

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class PageOptions:
    """
    How to serve the trace page.

    Attributes:
        port: 0 for a free one; None for `VIEW_PORT`, or a free one where that is taken.
    """

    port: int | None = None


@contextmanager
def showing_page(
    view: TraceView, console: HostConsole, port: int | None, **about: str
) -> Generator[None, None, None]:
    """
    Serve the page on loopback while the block runs, and say where.

    Args:
        view: What it shows.
        console: Where to say so.
        port: As in `PageOptions`.
        about: What the page says of where its data comes from.

    Raises:
        HostError: The port cannot be had.
    """
    with _listen(port) as listener:
        application = ViewApi(view, {"version": version("funcscope"), **about}).application()
        with ViewServer(application, listener, view.feed.close) as server:
            console.say(f"traces on {server.url}", style="dim")
            yield


@contextmanager
def showing_on_page(
    showing: Callable[..., AbstractContextManager[Observer]],
    console: HostConsole,
    page: PageOptions | None,
    app: str,
) -> Generator[Observer, None, None]:
    """
    Show an app's telemetry as it is shown anyway, and on a page where one is wanted.

    Args:
        showing: `showing_traces` with all but `on_batch`.
        console: Where to say where the page is.
        page: How to serve it; None for not at all.
        app: What the page calls the app.

    Raises:
        HostError: The page's port cannot be had.
    """
    if page is None:
        with showing() as observer:
            yield observer
        return
    view = TraceView()
    with (
        showing_page(view, console, page.port, app=app),
        showing(on_batch=view.add) as observer,
    ):

        def observe(request: HostRequest) -> None:
            view.observe(request)
            observer(request)

        yield observe


def view_telemetry(port: int, *, view_port: int | None) -> int:
    """
    Receive telemetry of any sender and show it on the page, until it is stopped.

    Raises:
        HostError: A port cannot be had.
    """
    encode_safely()
    console, view, stopped = HostConsole(), TraceView(), threading.Event()
    with (
        stopping_on_signals(lambda _: stopped.set(), lambda: None),
        _receive(view.add, port) as receiver,
        showing_page(view, console, view_port, receiver=receiver.endpoint),
    ):
        console.say(f"receiving OTLP/HTTP on {receiver.endpoint}")
        stopped.wait()
    return 0


def _receive(on_batch: Callable[[Batch], object], port: int) -> OtlpReceiver:
    try:
        return OtlpReceiver(on_batch, port=port)
    except OSError as error:
        raise HostError(
            f"cannot receive on port {port}: {error.strerror}; pass another --port"
        ) from error


def _listen(port: int | None) -> socket.socket:
    if port is not None:
        return listen(_LOOPBACK, port, option="--view-port")
    try:
        return listen(_LOOPBACK, VIEW_PORT)
    except HostError:
        return listen(_LOOPBACK, 0)
