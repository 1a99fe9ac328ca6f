"""Request bodies on disk that could not be sent (docs/decisions/045)."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import threading
import time
from bisect import bisect_left
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._config.options import DEFAULTS
from funcscope.telemetry._config.otlp_target import SIGNALS
from funcscope.telemetry._delivery.spool_file import (
    SpoolFile,
    blocks,
    fingerprint_of,
    is_gone,
    is_of_another_version,
    pack,
    parse,
    this_process,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from funcscope.telemetry._config.otlp_target import OtlpTarget
    from funcscope.telemetry._delivery.batcher import ExportRequest
    from funcscope.telemetry._delivery.buffer import Wanted
    from funcscope.telemetry._delivery.spool_file import State

    SpoolRefusal = Literal["spool_full", "spool_io"]
    SpoolDrop = Literal["spool_full", "spool_age", "spool_torn"]

_logger = logging.getLogger("funcscope.telemetry")

_GRACE_S = 60.0  # how much longer a lease is than its post, as clocks of machines may differ
_WRITE_S = 600.0  # a file is written in far less, unless its writer has died
_FULL_S = 5.0  # how long a spool that was full is taken to be full
_HANGING_S = 5.0
_PARTS = 64  # how many there are in all bytes
_TRIES = 3
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class SpooledRequest:
    """
    A request of the spool that this process alone has, for a while.

    Attributes:
        request: What to send.
    """

    request: ExportRequest
    file: SpoolFile = field(repr=False)


@dataclass(slots=True, eq=False)
class _Quota:
    """Bytes that this process may write: an empty file whose name tells others of as many."""

    file: SpoolFile
    left: int
    until: float  # on the monotonic clock, as the other may be set back


class Spool:
    """
    Keeps requests in a folder until they are sent, first in first out for each target.

    Several processes may share the folder, one after the other or at once, on a network share,
    too: who has renamed a file has it, and no lock is asked for. Any thread may call, and none
    waits for another's disk. No method raises.

    Args:
        directory: The folder, with `~` and `$NAME`; made when it is needed, for this user alone.
        max_bytes: What all files may take, each rounded up to 4 KiB.
        max_age_s: Older requests are dropped.
        fsync: Whether a request is on the disk itself when `put` returns.
        on_drop: Called with the signal, reason and number of what is dropped.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        directory: str | Path,
        max_bytes: int = DEFAULTS["spool_max_mb"] << 20,
        max_age_s: float = DEFAULTS["spool_max_age_h"] * 3600.0,
        *,
        fsync: bool = False,
        on_drop: Callable[[str, SpoolDrop, int], object] = lambda _signal, _reason, _number: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        expanded = os.path.expanduser(os.path.expandvars(directory))  # noqa: PTH111  (it raises not)
        self._directory = Path(expanded).absolute()
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._fsync = fsync
        self.on_drop = on_drop
        self._clock = clock
        self._once = OnceLog(_logger)
        self._fingerprints: dict[OtlpTarget, str] = {}
        self.reset()

    def reset(self) -> None:
        """Be another process, in a forked child: with names of its own and no leases."""
        # Reentrant: a signal handler may interrupt its own thread here, and save what waits.
        self._lock = threading.RLock()
        self._owner = this_process()
        self._token = os.urandom(4).hex()
        self._serial = itertools.count()
        self._index: dict[tuple[str, str], list[SpoolFile]] = {}
        self._known: dict[str, SpoolFile] = {}
        self._settled: dict[str, SpoolFile] = {}
        self._quotas: list[_Quota] = []
        self._full_at = _NEVER
        self._calls: dict[object, float] = {}
        self._is_writable = True

    @property
    def is_writable(self) -> bool:
        """Whether the last request could be written, and the disk answers."""
        return self._is_writable and not self._is_hanging()

    def put(self, request: ExportRequest, target: OtlpTarget) -> SpoolRefusal | None:
        """Write a request that is for a target; say why where it is not on disk after that."""
        refusal: SpoolRefusal | None = "spool_io"
        if not self._is_hanging():
            try:
                with self._on_disk():
                    refusal = None if self._store(request, target) else "spool_full"
            except OSError as error:
                self._quotas = []
                self._warn("cannot be written", error)
        if refusal == "spool_full":
            self._warn(f"has no room: its {self._max_bytes} bytes are taken, or kept for others")
        self._is_writable = refusal is None
        return refusal

    def take(
        self, target: OtlpTarget, is_wanted: Wanted = lambda _: True, *, looks: bool = True
    ) -> SpooledRequest | None:
        """
        Lease the oldest request for a target that is wanted, and that no other process has.

        Args:
            target: Where it is to go.
            is_wanted: Whether it is.
            looks: Whether to look at the folder where none is known of.
        """
        if self._is_hanging():
            return None
        with self._on_disk():
            try:
                spooled = self._take(target, is_wanted)
                if looks and spooled is None:
                    self._look()
                    spooled = self._take(target, is_wanted)
                if looks and spooled is None:
                    self._cancel_quotas()
            except OSError as error:
                self._warn("cannot be read", error)
                return None
        return spooled

    def remove(self, spooled: SpooledRequest) -> None:
        """Delete a request that was delivered, or refused."""
        self._full_at = _NEVER
        with self._on_disk():
            # It has its own name again where this process was taken to be gone.
            if not (self._unlink(spooled.file) or self._unlink(spooled.file.free())):
                with self._lock:
                    self._settled[spooled.file.serial] = spooled.file

    def release(self, spooled: SpooledRequest) -> None:
        """Put a request back, in its place: it could not be sent now."""
        file = spooled.file.free()
        with self._on_disk(), suppress(OSError):
            self._move(spooled.file, file)
        self._add(file)

    def _fingerprint(self, target: OtlpTarget) -> str:
        if target not in self._fingerprints:
            self._fingerprints[target] = fingerprint_of(target)
        return self._fingerprints[target]

    def _file(self, created_ns: int, items: int, size: int, kind: tuple[str, str]) -> SpoolFile:
        until_s = int(created_ns / 1e9 + self._max_age_s)
        serial = f"{self._token}{next(self._serial):08x}"
        return SpoolFile(created_ns, until_s, serial, items, size, *kind)

    def _held(self, file: SpoolFile, state: State, seconds: float) -> SpoolFile:
        held_until_s = int(self._clock() + seconds)
        return file._replace(owner=self._owner, held_until_s=held_until_s, state=state)

    # What is written has a quota before, and is `tmp` until it is whole.

    def _store(self, request: ExportRequest, target: OtlpTarget) -> bool:
        size = blocks(len(request.data))
        kind = self._fingerprint(target), request.signal
        file = self._file(request.created_ns, request.count, size, kind)
        for _ in range(_TRIES):
            quotas = self._reserve(size)
            if quotas is None:
                break
            unfinished = self._held(file, "tmp", _WRITE_S)
            try:
                if not self._write(unfinished, quotas, pack(request, file)):
                    continue
                if not self._move(unfinished, file):
                    raise FileNotFoundError(errno.ENOENT, "what was written is gone")
            except OSError:
                with suppress(OSError):
                    self._path(unfinished).unlink()
                raise
            if self._fsync:
                self._sync_directory()
            self._add(file)
            return True
        return False

    def _write(self, file: SpoolFile, quotas: Sequence[_Quota], content: bytes) -> bool:
        """Write a file; false, and there is none, where the quota is not ours any more."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(self._path(file), flags, 0o600), "wb") as opened:
            # Who looks from here on counts this file; who looked before has counted the quota.
            is_ours = all(self._is_ours(quota) for quota in quotas)
            for quota in quotas:
                if not quota.left:
                    self._unlink(quota.file)
            if is_ours:
                opened.write(content)
                opened.flush()
                if self._fsync:
                    os.fsync(opened.fileno())
        if not is_ours:
            self._unlink(file)
        return is_ours

    def _sync_directory(self) -> None:
        with suppress(OSError):  # Windows opens no folder, and some shares sync none
            descriptor = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _reserve(self, size: int) -> Sequence[_Quota] | None:
        """Find quotas for so many bytes; the oldest of our targets are dropped if need be."""
        if size > self._max_bytes:
            return None
        quotas = self._draw(size)
        if quotas is None and time.monotonic() - self._full_at > _FULL_S:
            quotas = self._announce(size)
        while quotas is None and self._free(size):
            quotas = self._draw(size)
        return quotas

    def _is_ours(self, quota: _Quota) -> bool:
        is_counted = self._clock() < quota.file.held_until_s - _GRACE_S
        return is_counted and time.monotonic() < quota.until

    def _draw(self, size: int) -> Sequence[_Quota] | None:
        """Use quotas that there are, one after the other."""
        with self._lock:
            self._quotas = [quota for quota in self._quotas if quota.left and self._is_ours(quota)]
            if sum(quota.left for quota in self._quotas) < size:
                return None
            drawn: list[_Quota] = []
            while size:
                quota = self._quotas[len(drawn)]
                part = min(quota.left, size)
                quota.left -= part
                size -= part
                drawn.append(quota)
        return drawn

    def _announce(self, size: int) -> Sequence[_Quota] | None:
        """
        Tell others of a new quota, look whether there is as much, and use so many bytes of it.

        Of two processes that do so at once, one at least sees the other's.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._cancel_quotas()
        quota = self._quota(max(size, self._max_bytes // _PARTS))
        self._path(quota.file).touch(0o600, exist_ok=False)
        # Twice, for a listing may miss a file that is renamed meanwhile.
        (first, others), (second, _) = self._look(), self._list()
        excess = others + sum(file.size for file in {**first, **second}.values()) - self._max_bytes
        if excess > 0:
            self._full_at = time.monotonic()
            wide, quota = quota, self._quota(max(quota.left - excess, 0))
            if quota.left < size or not self._move(wide.file, quota.file):
                self._unlink(wide.file)
                for file in self._oldest(excess - wide.left):  # there may be less than there was
                    self._drop(file, "spool_full")
                return None
        quota.left -= size
        with self._lock:
            self._quotas.append(quota)
        return [quota]

    def _quota(self, size: int) -> _Quota:
        file = self._file(time.time_ns(), 0, size, ("0" * 16, SIGNALS[0]))
        held = self._held(file, "tmp", 2 * _GRACE_S)
        return _Quota(held, size, time.monotonic() + _GRACE_S)

    def _oldest(self, size: int) -> Sequence[SpoolFile]:
        """Take the oldest files of our targets that have so many bytes, as far as there are any."""
        oldest: list[SpoolFile] = []
        with self._lock:
            while size > 0 and (indexes := [*filter(None, self._index.values())]):
                oldest.append(min(indexes).pop(0))
                size -= oldest[-1].size
        return oldest

    def _free(self, size: int) -> bool:
        """Make quotas of our targets' oldest files; of none, and false, where they are too few."""
        needed = size - sum(quota.left for quota in self._quotas)
        oldest = self._oldest(needed)
        if sum(file.size for file in oldest) < needed:
            for file in oldest:
                self._add(file)
            return False
        for file in oldest:
            quota = self._quota(file.size)
            if self._move(file, quota.file):
                self._count(file, "spool_full")
                os.truncate(self._path(quota.file), 0)
                with self._lock:
                    self._quotas.append(quota)
        return True

    def _cancel_quotas(self) -> None:
        with self._lock:
            quotas, self._quotas = self._quotas, []
            for quota in quotas:
                quota.until = _NEVER
        for quota in quotas:
            self._unlink(quota.file)

    # The index has our targets' files that nobody holds. The folder is looked at where
    # there are none, and for a new quota.

    def _add(self, file: SpoolFile) -> None:
        with self._lock:
            files = self._index.get((file.fingerprint, file.signal))
            if files is not None:  # the folder has been looked at: none that is older is missed
                place = bisect_left(files, file)
                if files[place : place + 1] != [file]:
                    files.insert(place, file)

    def _take(self, target: OtlpTarget, is_wanted: Wanted) -> SpooledRequest | None:
        while (
            file := self._pop((self._fingerprint(target), target.signal), is_wanted)
        ) is not None:
            spooled = self._lease(file, target.timeout_s + _GRACE_S)
            if spooled is not None:
                return spooled
        return None

    def _pop(self, kind: tuple[str, str], is_wanted: Wanted) -> SpoolFile | None:
        with self._lock:
            for place, file in enumerate(self._index.get(kind, ())):
                if is_wanted(file.created_ns):
                    return self._index[kind].pop(place)
        return None

    def _look(self) -> tuple[dict[str, SpoolFile], int]:
        """Bring the index up to date, and clear up; return what was listed."""
        with self._lock:
            before = {file.serial for files in self._index.values() for file in files}
        found, others = self._list()
        free = {file.serial: file.free() for file in found.values() if self._is_free(file)}
        kinds = {(mark, target.signal) for target, mark in [*self._fingerprints.items()]}
        with self._lock:
            self._settled = {key: self._settled[key] for key in self._settled.keys() & found.keys()}
            for kind in kinds:
                files = self._index.get(kind, [])
                self._index[kind] = [
                    file for file in files if file.serial in free or file.serial not in before
                ]
            for serial in free.keys() - before:
                self._add(free[serial])
        return found, others

    def _list(self) -> tuple[dict[str, SpoolFile], int]:
        """List the files of a spool by their serials, and say what other versions' take."""
        found: dict[str, SpoolFile] = {}
        known: dict[str, SpoolFile] = {}
        others = 0
        with suppress(FileNotFoundError), os.scandir(self._directory) as entries:
            for entry in entries:
                file = self._known.get(entry.name) or parse(entry.name)
                if file is not None:
                    known[entry.name] = found[file.serial] = file
                elif is_of_another_version(entry.name):
                    with suppress(FileNotFoundError):
                        others += blocks(entry.stat().st_size)
        self._known = known
        return found, others

    def _is_free(self, file: SpoolFile) -> bool:
        """Whether a file may be leased; clear up what is too old, or whose owner is gone."""
        now = self._clock()
        settled = self._settled.get(file.serial)
        if settled is not None:
            if file in (settled, settled.free()):
                self._unlink(file)
            return False
        if file.state and file.held_until_s > now and not is_gone(file.owner, self._owner):
            return False
        if file.state == "tmp":
            self._drop(file, "spool_torn")
        elif file.until_s <= now:
            self._drop(file, "spool_age")
        else:
            with suppress(OSError):
                return not file.state or self._move(file, file.free())
        return False

    def _lease(self, file: SpoolFile, seconds: float) -> SpooledRequest | None:
        """Lease a file and read it, or drop it if it is torn or too old."""
        if file.until_s <= self._clock():
            self._drop(file, "spool_age")
            return None
        leased = self._held(file, "leased", seconds)
        if not self._move(file, leased):
            return None
        try:
            request = unpack(self._path(leased).read_bytes(), file)
        except OSError as error:  # the others may be read; this one, when its lease is over
            self._warn("cannot be read", error)
            return None
        if request == "torn":
            self._drop(leased, "spool_torn")
        elif request == "foreign":
            with suppress(OSError):
                self._move(leased, file)
        return None if isinstance(request, str) else SpooledRequest(request, leased)

    def _path(self, file: SpoolFile) -> Path:
        return self._directory / file.name

    def _move(self, source: SpoolFile, target: SpoolFile) -> bool:
        """Rename a file to a name that nobody else gives; false where it is not there."""
        try:
            self._path(source).replace(self._path(target))
        except FileNotFoundError:
            # The answer may be lost on the network, and the same be asked for again.
            return self._path(target).exists()
        return True

    def _unlink(self, file: SpoolFile) -> bool:
        """Delete a file; false where that failed, or another has deleted or renamed it."""
        try:
            self._path(file).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            self._warn("cannot be cleared", error)
            return False
        return True

    def _drop(self, file: SpoolFile, reason: SpoolDrop) -> None:
        if self._unlink(file):
            self._count(file, reason)

    def _count(self, file: SpoolFile, reason: SpoolDrop) -> None:
        if file.items:
            self.on_drop(file.signal, reason, file.items)

    @contextmanager
    def _on_disk(self) -> Generator[None]:
        call = object()
        self._calls[call] = time.monotonic()
        try:
            yield
        finally:
            del self._calls[call]

    def _is_hanging(self) -> bool:
        """Whether another thread waits for the disk for long: this one goes on without it."""
        now = time.monotonic()
        is_hanging = now - min([*self._calls.values()], default=now) > _HANGING_S
        if is_hanging:
            self._warn("does not answer")
        return is_hanging

    def _warn(self, problem: str, error: OSError | None = None) -> None:
        reason = f": {error.strerror or error}" if error else ""
        self._once.log("telemetry spool %s %s%s", self._directory, problem, reason)
