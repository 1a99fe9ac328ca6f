"""The format of a spooled body: a header that tells a torn file, and the bytes as they are sent."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from funcscope.telemetry._config.otlp_target import SIGNALS
from funcscope.telemetry._delivery.body import ENCODINGS, Body

_MAGIC = b"FSPL"
_VERSION = 1
# Magic, version, signal, encoding, nothing, count of items, length, CRC-32 of the bytes, and
# CRC-32 of what stands before it.
_HEADER = struct.Struct(">4sBBBxIQII")
_CHECKED = _HEADER.size - 4

HEADER_SIZE = _HEADER.size


@dataclass(frozen=True, slots=True)
class Torn:
    """
    A file that is not whole.

    Attributes:
        count: How many items it held; 1 where that is torn, too.
    """

    count: int


def pack_header(body: Body) -> bytes:
    """Make the header that stands before a body's bytes."""
    head = _HEADER.pack(
        _MAGIC,
        _VERSION,
        SIGNALS.index(body.signal),
        ENCODINGS.index(body.encoding),
        min(body.count, 0xFFFFFFFF),
        len(body.data),
        zlib.crc32(body.data),
        0,
    )[:_CHECKED]
    return head + zlib.crc32(head).to_bytes(4, "big")


def read_count(header: bytes) -> int:
    """Return how many items a file holds, 1 where its header is torn."""
    fields = _read_header(header)
    return fields[2] if fields else 1


def unpack(content: bytes, made_ns: int) -> Body | Torn:
    """
    Read a file's content.

    Args:
        content: All of it.
        made_ns: When its body was made, as its name says.
    """
    fields = _read_header(content)
    if fields is None:
        return Torn(1)
    signal, encoding, count, length, checksum = fields
    data = content[HEADER_SIZE:]
    if len(data) != length or zlib.crc32(data) != checksum:
        return Torn(count)
    return Body(SIGNALS[signal], data, count, ENCODINGS[encoding], made_ns)


def _read_header(content: bytes) -> tuple[int, int, int, int, int] | None:
    if len(content) < HEADER_SIZE:
        return None
    magic, version, signal, encoding, count, length, checksum, own = _HEADER.unpack_from(content)
    if (
        (magic, version) != (_MAGIC, _VERSION)
        or zlib.crc32(content[:_CHECKED]) != own
        or signal >= len(SIGNALS)
        or encoding >= len(ENCODINGS)
    ):
        return None
    return signal, encoding, count, length, checksum
