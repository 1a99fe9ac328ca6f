"""A spooled request's file: its name, its content, and who holds it (docs/decisions/045)."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from funcscope.telemetry._config.otlp_target import SIGNALS
from funcscope.telemetry._delivery.batcher import ENCODINGS, ExportRequest

if TYPE_CHECKING:
    from funcscope.telemetry._config.otlp_target import OtlpTarget

    State = Literal["", "leased", "tmp"]

_VERSION = "2"
_MAX_HEADER = 160
_BLOCK = 4096  # what a small file takes on disk
_GUESS_COST = 10_000

_NAME = re.compile(
    r"(\d{20})-(\d{10})-([0-9a-f]{16})-(\d{1,10})-(\d{1,15})-([0-9a-f]{16})"
    rf"\.({'|'.join(SIGNALS)})\.{_VERSION}\.otlp"
    r"(?:\.([0-9a-f]{8}-\d{1,10})-(\d{1,12})\.(leased|tmp))?"
)
_ANY_VERSION = re.compile(r"\d{20}-.*\.otlp(\..+)?")


class SpoolFile(NamedTuple):
    """
    A file by its name, which says all that a listing is asked for.

    Attributes:
        created_ns: When its request was made.
        until_s: When that is too old to be sent, in seconds since the epoch.
        serial: 16 hexadecimal digits that no other file has.
        items: How many it has.
        size: How many bytes it may take.
        fingerprint: Where it is to go.
        signal: Its signal.
        owner: The process that holds it; empty where none does.
        held_until_s: When that is taken to be gone.
        state: `leased` to be sent; `tmp` for what is being written, or is a quota for it.
    """

    created_ns: int
    until_s: int
    serial: str
    items: int
    size: int
    fingerprint: str
    signal: str
    owner: str = ""
    held_until_s: int = 0
    state: State = ""

    @property
    def name(self) -> str:
        """The file's name."""
        name = (
            f"{self.created_ns:020d}-{self.until_s:010d}-{self.serial}-{self.items}-{self.size}"
            f"-{self.fingerprint}.{self.signal}.{_VERSION}.otlp"
        )
        return f"{name}.{self.owner}-{self.held_until_s}.{self.state}" if self.state else name

    def free(self) -> SpoolFile:
        """Return the file as nobody holds it."""
        return self._replace(owner="", held_until_s=0, state="") if self.state else self


def parse(name: str) -> SpoolFile | None:
    """Read a file's name; None for another's, or another version's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    created, until, serial, items, size, fingerprint, signal, owner, held_until, state = (
        match.groups("")
    )
    return SpoolFile(
        int(created), int(until), serial, int(items), int(size), fingerprint, signal,
        owner, int(held_until or 0), cast("State", state),
    )  # fmt: skip


def is_of_another_version(name: str) -> bool:
    """Whether a name that `parse` does not know is of an older or newer format."""
    return _ANY_VERSION.fullmatch(name) is not None


def blocks(length: int) -> int:
    """Return what a file with so many bytes of a request takes on disk, in whole blocks."""
    return -(-(_MAX_HEADER + length) // _BLOCK) * _BLOCK


def pack(request: ExportRequest, file: SpoolFile) -> bytes:
    """Make a file's content: a line of its name, encoding and checksum, and the request's bytes."""
    head = f"{file.free().name} {request.encoding}".encode()
    return b"%b %08x\n%b" % (head, zlib.crc32(request.data, zlib.crc32(head)), request.data)


def unpack(content: bytes, file: SpoolFile) -> ExportRequest | Literal["torn", "foreign"]:
    """Read a file's content; `foreign` is of a version that its name does not tell of."""
    line, end, data = content.partition(b"\n")
    head, _, checksum = line.rpartition(b" ")
    name, _, encoding = head.decode("latin-1").partition(" ")
    if name != file.free().name and is_of_another_version(name) and not parse(name):
        return "foreign"
    is_whole = end and checksum == b"%08x" % zlib.crc32(data, zlib.crc32(head))
    if not is_whole or name != file.free().name or encoding not in ENCODINGS:
        return "torn"
    return ExportRequest(file.signal, data, file.items, encoding, file.created_ns)


def fingerprint_of(target: OtlpTarget) -> str:
    """
    Return what tells a destination from others, in 16 hexadecimal digits.

    They are of the URL and of all headers that the settings name, as any may say whose a request
    is, and cannot be led back to them: PBKDF2 makes each guess slow.
    """
    origin = target.origin
    headers = sorted(f"{name}:{value}" for name, value in target.headers)
    text = "\n".join((origin.scheme, origin.authority.lower(), target.path, *headers))
    return hashlib.pbkdf2_hmac("sha256", text.encode(), b"funcscope", _GUESS_COST, 8).hex()


def this_process() -> str:
    """Name the process that asks: by its host, and its id among the processes that it sees."""
    try:
        host = repr((
            Path("/proc/sys/kernel/random/boot_id").read_text(),
            Path("/proc/self/ns/pid").stat().st_ino,
            os.uname().nodename,
        )).encode()  # fmt: skip
    except (OSError, AttributeError):  # not Linux: ids are not compared, as no host is the same
        host = os.urandom(16)
    return f"{zlib.crc32(host):08x}-{os.getpid()}"


def is_gone(owner: str, asker: str) -> bool:
    """Whether a process is known to have ended; false where that cannot be told."""
    host, _, pid = owner.partition("-")
    if sys.platform == "win32" or host != asker.partition("-")[0]:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False
