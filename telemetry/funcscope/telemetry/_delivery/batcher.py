"""Request bodies, how they are made of one signal's items, and the options of that."""

from __future__ import annotations

import itertools
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry._config.options import DEFAULTS
from funcscope.telemetry._otlp.request import RequestBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._config.otlp_target import OtlpTarget
    from funcscope.telemetry._delivery.queue import DropPolicy, Queue
    from funcscope.telemetry._otlp.request import EncodedItem

ENCODINGS = ("", "gzip", "deflate")
"""Values of `Content-Encoding`; their places are what the spool writes."""

_PIECE = 16
_PIECES = 32
"""
Into how many pieces at most a queue is divided.

A busy app has the interpreter for 5 ms (`sys.getswitchinterval()`) after each piece. With pieces of
16 that is 3,000 items a second, while its invocations put twice as many.
"""


LOGS_INTERVAL_S = 1.0
"""The SDK's default for log records (OTEL_BLRP_SCHEDULE_DELAY, SDK 1.45)."""

SPANS_INTERVAL_S = 5.0
"""The SDK's default for spans (OTEL_BSP_SCHEDULE_DELAY, SDK 1.45)."""


def default_interval_s(signal: str) -> float:
    """Return how long an item of a signal waits at most under load, unless the app says so."""
    return LOGS_INTERVAL_S if signal == "logs" else SPANS_INTERVAL_S


class ExportOptions(NamedTuple):
    """
    Options of one signal's export, from its queue to its target.

    Attributes:
        target: Where its requests are sent.
        encode: Encodes an item, on the worker's thread; None for a signal whose requests come
            encoded.
        interval_s: How long an item waits at most under load.
        capacity: How many items its queue holds.
        policy: What is dropped first when that is full.
        max_items: How many items one request has at most.
        max_bytes: The size from which a request takes no further item, before compression.
        capacity_bytes: How many bytes the queue holds; None where that is not counted.
        weigh: Tells how many an item has, about.
    """

    target: OtlpTarget
    encode: Callable[[object], EncodedItem] | None = None
    interval_s: float = SPANS_INTERVAL_S
    capacity: int = DEFAULTS["queue_size"]
    policy: DropPolicy = DEFAULTS["drop_first"]
    max_items: int = 512
    max_bytes: int = 4 * 1024 * 1024
    capacity_bytes: int | None = None
    weigh: Callable[[object], int] = sys.getsizeof


_serials = itertools.count()


def _now_ns() -> int:
    """Tell the time, but twice the same in a thousand times only where the clock has stopped."""
    return time.time_ns() // 1_000 * 1_000 + next(_serials) % 1_000


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """
    One OTLP/HTTP request body, as it is sent.

    Attributes:
        signal: `traces`, `logs` or `metrics`.
        data: The protobuf, compressed as `encoding` says.
        count: How many spans, log records or data points it holds.
        encoding: The value of `Content-Encoding`; empty for none.
        created_ns: When it was encoded, in nanoseconds since the epoch: what it is ordered by, and
            known by in its process.
    """

    signal: str
    data: bytes = field(repr=False)
    count: int
    encoding: str = ""
    created_ns: int = field(default_factory=_now_ns)


def compressed(signal: str, data: bytes, count: int, compression: str) -> ExportRequest:
    """
    Make a request of a protobuf, compressed as the target asks.

    `deflate` is zlib's format (RFC 9110 section 8.4.1.2), as the SDK's exporters send it.

    Args:
        signal: `traces`, `logs` or `metrics`.
        data: The protobuf.
        count: How many items it holds.
        compression: `none`, `gzip` or `deflate`.
    """
    if compression == "none":
        return ExportRequest(signal, data, count)
    # zlib by itself: the gzip module is not loaded in a function app. 16: gzip's header.
    wbits = zlib.MAX_WBITS | (16 if compression == "gzip" else 0)
    compressor = zlib.compressobj(wbits=wbits)
    return ExportRequest(signal, compressor.compress(data) + compressor.flush(), count, compression)


class Batcher:
    """
    Encodes items, and cuts requests of so many items or bytes.

    Args:
        options: The signal's.
        encode: Encodes one item.
        keep: Called with each request.
        on_failure: Called with a count and an error, for what cannot be encoded.
    """

    def __init__(
        self,
        options: ExportOptions,
        encode: Callable[[object], EncodedItem],
        keep: Callable[[ExportRequest], object],
        on_failure: Callable[[int, BaseException], object],
    ) -> None:
        self._options = options
        self._encode = encode
        self._builder = RequestBuilder()
        self._count = 0
        self._keep = keep
        self._on_failure = on_failure

    def encode(self, queue: Queue, number: int, has_room: Callable[[], bool]) -> int:
        """
        Make requests of so many items, or of as many as there is room for.

        Pieces are the larger the more items wait, for other threads go on after each.

        Args:
            queue: What has the items.
            number: How many.
            has_room: Asked before each piece.

        Returns:
            How many items were taken.
        """
        taken = 0
        while taken < number and has_room():
            size = max(_PIECE, len(queue) // _PIECES)
            piece = queue.take(min(size, number - taken))
            if not piece:
                break
            taken += len(piece)
            for item in piece:
                self._add(item)
            time.sleep(0)  # lets other threads go on
        self._cut()
        return taken

    def _add(self, item: object) -> None:
        try:
            self._builder.add(*self._encode(item))
        except BaseException as error:  # noqa: BLE001  (`SystemExit` of the item's code, too)
            self._on_failure(1, error)
            return
        self._count += 1
        options = self._options
        if self._builder.size >= options.max_bytes or self._count >= options.max_items:
            self._cut()

    def _cut(self) -> None:
        if not self._count:
            return
        count, self._count = self._count, 0
        builder, self._builder = self._builder, RequestBuilder()
        try:
            data = builder.build()
        except BaseException as error:  # noqa: BLE001  (whatever it is, telemetry goes on)
            self._on_failure(count, error)
            return
        target = self._options.target
        self._keep(compressed(target.signal, data, count, target.compression))
