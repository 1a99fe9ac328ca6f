"""A spooled request's file: its format, and how one process has it to itself."""

from __future__ import annotations

import os
import struct
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from funcscope.telemetry._config.otlp_target import SIGNALS
from funcscope.telemetry._delivery.batcher import ENCODINGS, ExportRequest

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # there is no other way to say that it is missing

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"FSPL"
_VERSION = 1
# Magic, version, signal, encoding, nothing, count of items, length, CRC-32 of the bytes, and
# CRC-32 of what stands before it.
_HEADER = struct.Struct(">4sBBBxIQII")
_CHECKED = _HEADER.size - 4

HEADER_SIZE = _HEADER.size

LEASED = ".claimed"
"""The ending of a file that is leased by its name, where there are no locks."""

MAX_LEASE_S = 600.0
"""After so long such a lease is taken to be of a process that died."""


@dataclass(frozen=True, slots=True)
class Torn:
    """
    A file that is not whole.

    Attributes:
        count: How many items it held; 1 where that is torn, too.
    """

    count: int


def encode_header(request: ExportRequest) -> bytes:
    """Make the header that stands before a request's bytes."""
    head = _HEADER.pack(
        _MAGIC,
        _VERSION,
        SIGNALS.index(request.signal),
        ENCODINGS.index(request.encoding),
        min(request.count, 0xFFFFFFFF),
        len(request.data),
        zlib.crc32(request.data),
        0,
    )[:_CHECKED]
    return head + zlib.crc32(head).to_bytes(4, "big")


def read_count(header: bytes) -> int:
    """Return how many items a file holds, 1 where its header is torn."""
    fields = _read_header(header)
    return fields[2] if fields else 1


def unpack(content: bytes, created_ns: int) -> ExportRequest | Torn:
    """
    Read a file's content.

    Args:
        content: All of it.
        created_ns: When its request was made, as its name says.
    """
    fields = _read_header(content)
    if fields is None:
        return Torn(1)
    signal, encoding, count, length, checksum = fields
    data = content[HEADER_SIZE:]
    if len(data) != length or zlib.crc32(data) != checksum:
        return Torn(count)
    return ExportRequest(SIGNALS[signal], data, count, ENCODINGS[encoding], created_ns)


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


class Lease:
    """
    Holds a file, so that no other process sends it at the same time.

    With a lock where there are any: the system gives it back if the process dies. Elsewhere
    the file is renamed, and a lease that was left is known by its age.

    Attributes:
        path: The file as it is called while it is held.
    """

    def __init__(self, path: Path, original: Path, descriptor: int) -> None:
        self.path = path
        self._original = original
        self._descriptor = descriptor

    def read(self) -> bytes:
        """
        Return the file's content.

        Raises:
            OSError: It cannot be read.
        """
        return self.path.read_bytes()

    def remove(self) -> None:
        """
        Delete the file, and let go of it.

        Raises:
            OSError: It cannot be deleted.
        """
        try:
            self.path.unlink(missing_ok=True)
        finally:
            self.close()

    def release(self) -> None:
        """Let go of the file: another process may have it."""
        if self.path != self._original:
            with suppress(OSError):
                self.path.replace(self._original)
        self.close()

    def close(self) -> None:
        """Close the lock's descriptor; in a forked child this leaves the parent's lock alone."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def acquire(path: Path) -> Lease | None:
    """Take a file, unless another process has it or it is gone."""
    if fcntl is None:
        return _acquire_by_name(path)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The one who had it may have sent and deleted it since it was opened.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return Lease(path, path, descriptor)
    except OSError:
        pass
    os.close(descriptor)
    return None


def recover(path: Path) -> Path | None:
    """Give a file its name back if whoever claimed it by name is long gone."""
    try:
        if time.time() - path.stat().st_mtime < MAX_LEASE_S:
            return None
        return path.replace(path.with_name(path.name.removesuffix(LEASED)))
    except OSError:
        return None


def _acquire_by_name(path: Path) -> Lease | None:
    claimed = path.with_name(path.name + LEASED)
    try:
        os.utime(path)  # from here on the lease's age counts
        path.rename(claimed)
    except OSError:
        return None
    return Lease(claimed, path, -1)
