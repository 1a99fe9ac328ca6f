"""What is ended before the worker's loop is: servers, lifespans of ASGI apps, telemetry."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

_SERVERS_WITHIN_S = 5.0
_LIFESPANS_WITHIN_S = 10.0
_TELEMETRY_WITHIN_S = 10.0

_PROVIDERS = (
    ("opentelemetry.trace", "get_tracer_provider"),
    ("opentelemetry._logs", "get_logger_provider"),
    ("opentelemetry.metrics", "get_meter_provider"),
)

_logger = logging.getLogger("funcscope.host")


class WorkerServers:
    """
    The servers that the worker starts on its loop.

    `azurefunctions-extensions-http-fastapi` 1.0.1 runs a uvicorn server there and never stops it.
    Signals are left to the host, whose terminal has a line for each request already, and the server
    has to end before the loop does.
    """

    def __init__(self) -> None:
        self._running: list[tuple[Any, asyncio.Event]] = []

    def watch(self) -> None:
        """Remember uvicorn's servers from now on, if the app has imported it."""
        uvicorn: Any = sys.modules.get("uvicorn")
        if uvicorn is None:
            return
        running = self._running

        @contextmanager
        def capture_signals(server: object) -> Generator[None, None, None]:
            has_ended = asyncio.Event()
            running.append((server, has_ended))
            for name in ("uvicorn.error", "uvicorn.access"):  # INFO by the server's configuration
                logging.getLogger(name).setLevel(logging.WARNING)
            try:
                yield
            finally:
                has_ended.set()

        uvicorn.Server.capture_signals = capture_signals

    async def stop(self) -> None:
        """Stop them; what they serve is finished first."""
        for server, _ in self._running:
            server.should_exit = True
        ends = [asyncio.create_task(ended.wait()) for _, ended in self._running]
        if ends:
            await asyncio.wait(ends, timeout=_SERVERS_WITHIN_S)


async def end_lifespans() -> None:
    """
    Let ASGI apps shut down that have been told of their start.

    `AsgiMiddleware` (azure-functions 2.3.0, `_http_asgi.py`) runs an app's lifespan as a task. A
    worker ends with that task still waiting, so that the app's shutdown never runs.
    """
    ends = [
        asyncio.create_task(middleware.notify_shutdown())
        for middleware in map(_middleware_of, asyncio.all_tasks())
        if middleware is not None
    ]
    if not ends:
        return
    done, late = await asyncio.wait(ends, timeout=_LIFESPANS_WITHIN_S)
    if late:
        _logger.warning("an ASGI app did not shut down within %g s", _LIFESPANS_WITHIN_S)
    for task in done:
        if (error := task.exception()) is not None:
            _logger.error("an ASGI app did not shut down", exc_info=error)


def _middleware_of(task: asyncio.Task[Any]) -> Any:
    """Return the middleware whose lifespan a task runs, None for any other task."""
    coroutine = task.get_coro()
    if getattr(coroutine, "__qualname__", "") != "AsgiMiddleware._lifespan_main":
        return None
    frame = getattr(coroutine, "cr_frame", None)
    return None if frame is None else frame.f_locals.get("self")


async def flush_telemetry() -> None:
    """Shut the OpenTelemetry providers down, off the event loop and within a limit of time."""
    loop = asyncio.get_running_loop()
    is_done = asyncio.Event()

    def shut_down() -> None:
        _shut_down_providers()
        loop.call_soon_threadsafe(is_done.set)

    # Not a pool's thread: one that hangs must not keep the process from ending.
    threading.Thread(target=shut_down, name="telemetry-shutdown", daemon=True).start()
    try:
        await asyncio.wait_for(is_done.wait(), _TELEMETRY_WITHIN_S)
    except asyncio.TimeoutError:
        _logger.warning(
            "telemetry was not flushed within %g s: some of it may be lost", _TELEMETRY_WITHIN_S
        )


def _shut_down_providers() -> None:
    for module, getter in _PROVIDERS:
        if module not in sys.modules:
            continue
        provider = getattr(sys.modules[module], getter)()
        shutdown = getattr(provider, "shutdown", None)
        if shutdown is None:  # the API's stand-ins have none
            continue
        try:
            shutdown()
        except Exception:
            _logger.exception("%s did not shut down", type(provider).__name__)
