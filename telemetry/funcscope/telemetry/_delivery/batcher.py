"""Request bodies, and how they are made of one signal's items."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funcscope.telemetry._otlp.request import RequestBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._delivery.options import ExportOptions
    from funcscope.telemetry._delivery.queue import Queue
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


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """
    One OTLP/HTTP request body, as it is sent.

    Attributes:
        signal: `traces`, `logs` or `metrics`.
        data: The protobuf, compressed as `encoding` says.
        count: How many spans, log records or data points it holds.
        encoding: The value of `Content-Encoding`; empty for none.
        created_ns: When it was encoded, in nanoseconds since the epoch: what it is ordered by.
    """

    signal: str
    data: bytes = field(repr=False)
    count: int
    encoding: str = ""
    created_ns: int = field(default_factory=time.time_ns)


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
        on_failure: Callable[[int, Exception], object],
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
        except Exception as error:  # noqa: BLE001  (whatever it is, the others are encoded)
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
        except Exception as error:  # noqa: BLE001  (whatever it is, telemetry goes on)
            self._on_failure(count, error)
            return
        target = self._options.target
        self._keep(compressed(target.signal, data, count, target.compression))
