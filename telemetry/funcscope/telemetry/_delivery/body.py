"""An encoded request body, on its way to a collector."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, field

ENCODINGS = ("", "gzip", "deflate")
"""Values of `Content-Encoding`; their places are what the spool writes."""


@dataclass(frozen=True, slots=True)
class Body:
    """
    One OTLP/HTTP request body, as it is sent.

    Attributes:
        signal: `traces`, `logs` or `metrics`.
        data: The protobuf, compressed as `encoding` says.
        count: How many spans, log records or data points it holds.
        encoding: The value of `Content-Encoding`; empty for none.
        made_ns: When it was encoded, in nanoseconds since the epoch: what it is ordered by.
    """

    signal: str
    data: bytes = field(repr=False)
    count: int
    encoding: str = ""
    made_ns: int = field(default_factory=time.time_ns)


def compressed(signal: str, data: bytes, count: int, compression: str) -> Body:
    """
    Make a body of a protobuf, compressed as the target asks.

    `deflate` is zlib's format (RFC 9110 section 8.4.1.2), as the SDK's exporters send it.

    Args:
        signal: `traces`, `logs` or `metrics`.
        data: The protobuf.
        count: How many items it holds.
        compression: `none`, `gzip` or `deflate`.
    """
    if compression == "none":
        return Body(signal, data, count)
    # zlib by itself: the gzip module is not loaded in a function app. 16: gzip's header.
    wbits = zlib.MAX_WBITS | (16 if compression == "gzip" else 0)
    packer = zlib.compressobj(wbits=wbits)
    return Body(signal, packer.compress(data) + packer.flush(), count, compression)
