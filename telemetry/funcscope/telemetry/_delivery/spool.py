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

from funcscope.telemetry._config.otlp_target import SIGNALS
from funcscope.telemetry._delivery.spool_file import (
    CLAIMED,
    HEADER_SIZE,
    Torn,
    claim,
    pack_header,
    read_count,
    recover,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.telemetry._delivery.batcher import Body
    from funcscope.telemetry._delivery.buffer import Wish
    from funcscope.telemetry._delivery.spool_file import Claim

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
class SpooledBody:
    """
    A body of the spool that this process has claimed.

    Attributes:
        body: What to send.
    """

    body: Body
    claim: Claim = field(repr=False)
    name: str


class Spool:
    """
    Keeps bodies in a folder until they are sent, first in first out for each signal.

    Several processes may share the folder, one after the other or at once. No method
    raises. A body is one file, named by when it was made, and written under another name
    until it is whole; nothing is synced to the disk, so what a crash of the machine tears
    is told by its checksum, and counted.

    Args:
        directory: The folder; made when it is needed, for this user alone.
        max_bytes: What all files may take, each rounded up to 4 KiB. The oldest go first.
            With several processes, up to a sixteenth more for each.
        max_age_s: Older bodies are dropped.
        on_drop: Called with the signal, reason and number of what is dropped.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        directory: str | Path,
        max_bytes: int = 64 * 1024 * 1024,
        max_age_s: float = 48 * 3600.0,
        *,
        on_drop: Callable[[str, SpoolDrop, int], object] = lambda _signal, _reason, _number: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = Path(directory)
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self.on_drop = on_drop
        self._clock = clock
        self._said: set[str] = set()
        self._claimed: set[Claim] = set()
        self.reset()

    def reset(self) -> None:
        """Be another process, in a forked child: with names of its own and no claims."""
        for held in self._claimed:
            held.close()
        self._claimed = set()
        self._token = os.urandom(4).hex()
        self._serial = itertools.count()
        self._names: dict[str, deque[str]] = {}
        self._undeletable: set[str] = set()
        self._used = 0
        self._unseen = 0
        self._scanned_at = float("-inf")
        self.is_writable: bool = True

    def put(self, body: Body) -> bool:
        """Write a body; false where it is not on disk after that."""
        size = _blocks(HEADER_SIZE + len(body.data))
        if size > self._max_bytes:
            self._say(f"no body of {len(body.data)} bytes fits in {self._max_bytes}")
            return False
        name = f"{body.made_ns:020d}-{next(self._serial):06d}-{self._token}.{body.signal}{_SUFFIX}"
        try:
            self._make_room(size)
            self._write(name, pack_header(body), body.data)
        except OSError as error:
            self._say(f"cannot be written: {error.strerror or error}")
            self.is_writable = False
            return False
        self.is_writable = True
        self._used += size
        self._unseen += size
        if body.signal in self._names:
            self._names[body.signal].append(name)
        return True

    def take(self, signal: str, wish: Wish = lambda _: True) -> SpooledBody | None:
        """Claim the oldest body of a signal that is wanted, and that no other process has."""
        has_listed = False
        while True:
            names = self._names.get(signal, deque())
            name = next((name for name in names if wish(_made_ns(name))), None)
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

    def remove(self, spooled: SpooledBody) -> None:
        """Delete a body that was delivered, or refused."""
        self._claimed.discard(spooled.claim)
        self._delete(spooled.claim, spooled.name)

    def release(self, spooled: SpooledBody) -> None:
        """Put a body back, first in line: it could not be sent now."""
        self._claimed.discard(spooled.claim)
        spooled.claim.release()
        self._names.setdefault(spooled.body.signal, deque()).appendleft(spooled.name)

    def _open(self, name: str) -> SpooledBody | None:
        """Claim a file and read it, or drop it if it is torn or too old."""
        held = claim(self._directory / name)
        if held is None:
            return None
        try:
            body = unpack(held.read(), _made_ns(name))
        except OSError as error:
            self._say(f"cannot be read: {error.strerror or error}")
            held.release()
            return None
        if isinstance(body, Torn):
            self._drop(held, name, "spool_torn", body.count)
        elif self._clock() - body.made_ns / 1e9 > self._max_age_s:
            self._drop(held, name, "spool_age", body.count)
        else:
            self._claimed.add(held)
            return SpooledBody(body, held, name)
        return None

    def _drop(self, held: Claim, name: str, reason: SpoolDrop, count: int) -> None:
        self._delete(held, name)
        self.on_drop(_signal_of(name), reason, count)

    def _delete(self, held: Claim, name: str) -> None:
        try:
            size = _blocks(held.path.stat().st_size)
            held.remove()
            self._used -= size
        except OSError as error:
            held.close()
            self._undeletable.add(name)  # or it would be sent again, and again
            self._say(f"cannot be cleared: {error.strerror or error}")

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
                held = claim(self._directory / name)
                if held is not None:
                    self._drop(held, name, "spool_full", _count_in(held))

    def _scan(self) -> list[str]:
        """List all bodies, oldest first, and measure them; clear up after processes that died."""
        sizes: dict[str, int] = {}
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    with suppress(OSError):
                        self._look_at(entry, sizes)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self._say(f"cannot be read: {error.strerror or error}")
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
        if name.endswith(_SUFFIX + CLAIMED):
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

    def _say(self, problem: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            _logger.warning("telemetry spool %s %s", self._directory, problem)


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _made_ns(name: str) -> int:
    return int(name.partition("-")[0])


def _signal_of(name: str) -> str:
    return name.removesuffix(_SUFFIX).rpartition(".")[2]


def _count_in(held: Claim) -> int:
    return read_count(_first_bytes(held.path))


def _first_bytes(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(HEADER_SIZE)
    except OSError:
        return b""
