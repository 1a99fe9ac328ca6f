"""What is received, and who is told of it while it changes."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from funcscope.contrib.host._view.history import TraceHistory
from funcscope.contrib.host._view.records import encode_json
from funcscope.contrib.host._view.series import MetricHistory

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from funcscope.contrib.host._traces.otlp import Batch
    from funcscope.contrib.host._traces.traces import HostRequest
    from funcscope.contrib.host._view.filters import RowFilter

_PAUSE_S = 0.1  # what changes meanwhile goes in one message
_SUMMARY_PAUSE_S = 1.0
_HEARTBEAT_S = 15.0  # so that a client that went away is found out

_logger = logging.getLogger(__name__)


class LiveFeed:
    """Wakes what waits on one event loop; any thread may call `tell`, and `close` ends it."""

    def __init__(self) -> None:
        self.is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events: set[asyncio.Event] = set()
        self._is_told = False

    def tell(self) -> None:
        """Wake all that listen."""
        loop = self._loop
        if loop is None or self._is_told:
            return
        self._is_told = True
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Wake all that listen for the last time; on their loop."""
        self.is_closed = True
        self._wake()

    @contextmanager
    def listen(self) -> Generator[asyncio.Event, None, None]:
        """Return an event that is set at each change, for as long as the block runs."""
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        self._events.add(event)
        try:
            yield event
        finally:
            self._events.discard(event)

    def _wake(self) -> None:
        self._is_told = False
        for event in self._events:
            event.set()


class TraceView:
    """
    What the page shows: fed from any thread, and streamed to any number of pages.

    Whatever fails here costs the page alone: it is logged once, and not raised.
    """

    def __init__(self) -> None:
        self.traces = TraceHistory()
        self.metrics = MetricHistory()
        self.feed = LiveFeed()
        self._has_failed = False

    def observe(self, request: HostRequest) -> None:
        """Note that an invocation has started, or has ended where the request has a result."""
        self._take(lambda: self.traces.observe(request))

    def add(self, batch: Batch) -> None:
        """Keep received telemetry."""

        def keep() -> None:
            self.traces.add(batch)
            self.metrics.add(batch.metrics)

        self._take(keep)

    def clear(self) -> None:
        """Forget what has been received."""
        self.traces.clear()
        self.metrics.clear()
        self.feed.tell()

    async def stream(self, wanted: RowFilter) -> AsyncGenerator[bytes, None]:
        """
        Yield server-sent events: `rows`, `functions` and `metrics`, each when it changed.

        The first `rows` are all that are wanted, later ones what has changed of them.
        """
        seen = counted = measured = 0
        counted_at = -_SUMMARY_PAUSE_S
        with self.feed.listen() as changed:
            while not self.feed.is_closed:
                changed.clear()
                if self.traces.version != seen:
                    changes = await asyncio.to_thread(self.traces.changes, seen, wanted)
                    seen = changes.version
                    yield _message("rows", asdict(changes))
                if self.traces.version != counted and _is_over(counted_at, _SUMMARY_PAUSE_S):
                    counted, counted_at = self.traces.version, time.monotonic()
                    yield _message("functions", await asyncio.to_thread(self.traces.summaries))
                if self.metrics.version != measured:
                    measured = self.metrics.version
                    yield _message("metrics", {"version": measured})
                await asyncio.sleep(_PAUSE_S)
                patience_s = _HEARTBEAT_S if self.traces.version == counted else _SUMMARY_PAUSE_S
                if not await _comes(changed, patience_s):
                    yield b":\n\n"

    def _take(self, keep: Callable[[], None]) -> None:
        try:
            keep()
            self.feed.tell()
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                _logger.exception("the trace page leaves out what it cannot read")


async def _comes(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for an event, and tell whether it came in time."""
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except asyncio.TimeoutError:
        return False
    return True


def _is_over(since: float, pause_s: float) -> bool:
    return time.monotonic() - since >= pause_s


def _message(event: str, data: object) -> bytes:
    """Encode a server-sent event; JSON has no line breaks of its own."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), encode_json(data))
