"""Request bodies on disk that could not be sent."""

from __future__ import annotations

import itertools
import logging
import os
import re
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._config.options import DEFAULTS
from funcscope.telemetry._config.otlp_target import SIGNALS
from funcscope.telemetry._delivery.spool_file import (
    HEADER_SIZE,
    LEASED,
    Torn,
    acquire,
    encode_header,
    read_count,
    recover,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._delivery.batcher import ExportRequest
    from funcscope.telemetry._delivery.buffer import Wanted
    from funcscope.telemetry._delivery.spool_file import Lease

    SpoolDrop = Literal["spool_full", "spool_age", "spool_torn"]

_logger = logging.getLogger("funcscope.telemetry")

_SUFFIX = ".otlp"
_UNFINISHED = ".tmp"
_MAX_UNFINISHED_S = 60.0  # a file is written in far less, unless its writer died
_FILE_NAME = re.compile(
    rf"\d{{20}}-\d{{6,}}-[0-9a-f]{{8}}\.({'|'.join(SIGNALS)}){re.escape(_SUFFIX)}"
)
_BLOCK = 4096  # what a small file takes on disk
_RESCAN_S = 5.0


@dataclass(frozen=True, slots=True)
class SpooledRequest:
    """
    A request of the spool that this process has claimed.

    Attributes:
        request: What to send.
    """

    request: ExportRequest
    lease: Lease = field(repr=False)
    name: str


class Spool:
    """
    Keeps requests in a folder until they are sent, first in first out for each signal.

    Several processes may share the folder, one after the other or at once. No method
    raises. A request is one file, named by when it was made, and written under another name
    until it is whole; nothing is synced to the disk, so a file that a crash of the
    machine tears is known by its checksum, and counted.

    Args:
        directory: The folder; made when it is needed, for this user alone.
        max_bytes: What all files may take, each rounded up to 4 KiB. The oldest go first.
            With several processes, up to a sixteenth more for each.
        max_age_s: Older requests are dropped.
        on_drop: Called with the signal, reason and number of what is dropped.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        directory: str | Path,
        max_bytes: int = DEFAULTS["spool_max_mb"] << 20,
        max_age_s: float = DEFAULTS["spool_max_age_h"] * 3600.0,
        *,
        on_drop: Callable[[str, SpoolDrop, int], object] = lambda _signal, _reason, _number: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = Path(directory)
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self.on_drop = on_drop
        self._clock = clock
        self._once = OnceLog(_logger)
        self._leases: set[Lease] = set()
        self.reset()

    def reset(self) -> None:
        """Be another process, in a forked child: with names of its own and no claims."""
        for lease in self._leases:
            lease.close()
        self._leases = set()
        self._token = os.urandom(4).hex()
        self._serial = itertools.count()
        self._names: dict[str, deque[str]] = {}
        self._undeletable: set[str] = set()
        self._used = 0
        self._unseen = 0
        self._scanned_at = float("-inf")
        self.is_writable: bool = True

    def put(self, request: ExportRequest) -> bool:
        """Write a request; false where it is not on disk after that."""
        size = _blocks(HEADER_SIZE + len(request.data))
        if size > self._max_bytes:
            self._warn(f"no body of {len(request.data)} bytes fits in {self._max_bytes}")
            return False
        serial = f"{next(self._serial):06d}-{self._token}"
        name = f"{request.created_ns:020d}-{serial}.{request.signal}{_SUFFIX}"
        try:
            self._make_room(size)
            self._write(name, encode_header(request), request.data)
        except OSError as error:
            self._warn(f"cannot be written: {error.strerror or error}")
            self.is_writable = False
            return False
        self.is_writable = True
        self._used += size
        self._unseen += size
        if request.signal in self._names:
            self._names[request.signal].append(name)
        return True

    def take(self, signal: str, is_wanted: Wanted = lambda _: True) -> SpooledRequest | None:
        """Claim the oldest request of a signal that is wanted, and that no other process has."""
        has_listed = False
        while True:
            names = self._names.get(signal, deque())
            name = next((name for name in names if is_wanted(_created_ns(name))), None)
            if name is None:
                if has_listed:
                    return None
                self._scan()
                has_listed = True
                continue
            names.remove(name)
            taken = self._open(name)
            if taken is not None:
                return taken

    def remove(self, spooled: SpooledRequest) -> None:
        """Delete a request that was delivered, or refused."""
        self._leases.discard(spooled.lease)
        self._delete(spooled.lease, spooled.name)

    def release(self, spooled: SpooledRequest) -> None:
        """Put a request back, first in line: it could not be sent now."""
        self._leases.discard(spooled.lease)
        spooled.lease.release()
        self._names.setdefault(spooled.request.signal, deque()).appendleft(spooled.name)

    def _open(self, name: str) -> SpooledRequest | None:
        """Claim a file and read it, or drop it if it is torn or too old."""
        lease = acquire(self._directory / name)
        if lease is None:
            return None
        try:
            request = unpack(lease.read(), _created_ns(name))
        except OSError as error:
            self._warn(f"cannot be read: {error.strerror or error}")
            lease.release()
            return None
        if isinstance(request, Torn):
            self._drop(lease, name, "spool_torn", request.count)
        elif self._clock() - request.created_ns / 1e9 > self._max_age_s:
            self._drop(lease, name, "spool_age", request.count)
        else:
            self._leases.add(lease)
            return SpooledRequest(request, lease, name)
        return None

    def _drop(self, lease: Lease, name: str, reason: SpoolDrop, count: int) -> None:
        self._delete(lease, name)
        self.on_drop(_signal_of(name), reason, count)

    def _delete(self, lease: Lease, name: str) -> None:
        try:
            size = _blocks(lease.path.stat().st_size)
            lease.remove()
            self._used -= size
        except OSError as error:
            lease.close()
            self._undeletable.add(name)  # or it would be sent again, and again
            self._warn(f"cannot be cleared: {error.strerror or error}")

    def _write(self, name: str, *parts: bytes) -> None:
        path = self._directory / name
        unfinished = path.with_name(name + _UNFINISHED)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(unfinished, flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(parts)
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def _make_room(self, size: int) -> None:
        """Drop the oldest until a file of that size fits."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_full = self._used + size > self._max_bytes
        # What others wrote is seen in a scan only; scanning for each file would be slow.
        is_unsure = self._unseen + size > self._max_bytes // 16
        if is_full or is_unsure or time.monotonic() - self._scanned_at > _RESCAN_S:
            files = self._scan()
            for name in files:
                if self._used + size <= self._max_bytes:
                    break
                lease = acquire(self._directory / name)
                if lease is not None:
                    self._drop(lease, name, "spool_full", _count_in(lease))

    def _scan(self) -> list[str]:
        """List all requests, oldest first, and measure them; clear up after processes that died."""
        sizes: dict[str, int] = {}
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    with suppress(OSError):
                        self._look_at(entry, sizes)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self._warn(f"cannot be read: {error.strerror or error}")
        self._used, self._unseen, self._scanned_at = sum(sizes.values()), 0, time.monotonic()
        names = sorted(name for name in sizes if name.endswith(_SUFFIX))
        self._names = {}
        for name in names:
            if name not in self._undeletable:
                self._names.setdefault(_signal_of(name), deque()).append(name)
        return names

    def _look_at(self, entry: os.DirEntry[str], sizes: dict[str, int]) -> None:
        name = entry.name
        status = entry.stat()
        if name.endswith(_SUFFIX + LEASED):
            recovered = recover(Path(entry.path))
            name = recovered.name if recovered else name
        elif name.endswith(_SUFFIX + _UNFINISHED):
            if self._clock() - status.st_mtime > _MAX_UNFINISHED_S:
                count = read_count(_first_bytes(entry.path))
                Path(entry.path).unlink()
                self.on_drop(_signal_of(name.removesuffix(_UNFINISHED)), "spool_torn", count)
                return
        elif not _FILE_NAME.fullmatch(name):
            return
        sizes[name] = _blocks(status.st_size)

    def _warn(self, problem: str) -> None:
        self._once.log("telemetry spool %s %s", self._directory, problem)


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _created_ns(name: str) -> int:
    return int(name.partition("-")[0])


def _signal_of(name: str) -> str:
    return name.removesuffix(_SUFFIX).rpartition(".")[2]


def _count_in(lease: Lease) -> int:
    return read_count(_first_bytes(lease.path))


def _first_bytes(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(HEADER_SIZE)
    except OSError:
        return b""
