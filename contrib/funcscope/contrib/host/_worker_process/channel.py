"""
The channel between a host and its worker's process: frames, each with a kind and bytes.

They go over the process's standard streams, from the host on its input and to the host on its
output. Whatever the interpreter prints before `start.py` has the streams comes before `GREETING`.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GREETING = b"\x00funcscope worker process\x00"
HEADER = struct.Struct("!IB")
"""The number of bytes that follow, and the frame's kind."""

MESSAGE = 1
"""A `StreamingMessage` of FunctionRpc, in either direction."""
LOG = 2
"""A log record, from the worker: JSON with `created`, `level`, `logger`, `text`, `function`."""
IMPORTED = 3
"""Names of funcscope's modules that the app has imported, from the worker: a list in JSON."""
STOP = 4
"""The end, from the host: nothing is in flight any more."""
ENDED = 5
"""What the app has begun is ended, from the worker: the process should end by itself now."""

_READ_BYTES = 1 << 16
_MOST_WAITING = 10_000
_PAUSE_S = 0.001


def frame(kind: int, content: bytes) -> bytes:
    """Encode a frame."""
    return HEADER.pack(len(content), kind) + content


class Channel:
    """
    The worker's end. Frames to and from the host; any thread may send, also from within sending.

    Args:
        source: A file descriptor to read from.
        target: One to write to.
    """

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._waiting: deque[bytes] = deque()
        self._writing = threading.Lock()
        self._writer: int | None = None
        self.is_closed = False
        os.write(target, GREETING)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def send(self, kind: int, content: bytes) -> None:
        """
        Send a frame; it has been written when this returns, or another thread is about to.

        A host that has gone is no error: what is sent to it is dropped.
        """
        if self.is_closed:
            return
        self._waiting.append(frame(kind, content))
        # Never waits for the lock: a finalizer that logs may run while this very thread writes.
        while self._waiting and self._writing.acquire(blocking=False):
            try:
                self._write_all()
            finally:
                self._writing.release()
        self._hold_back()

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield the host's frames until it has gone."""
        while True:
            header = self._read(HEADER.size)
            if header is None:
                return
            size, kind = HEADER.unpack(header)
            content = self._read(size)
            if content is None:
                return
            yield kind, content

    def _write_all(self) -> None:
        self._writer = threading.get_ident()
        try:
            while self._waiting:
                self._write(memoryview(self._waiting.popleft()))
        except OSError:  # the host has gone
            self.is_closed = True
            self._waiting.clear()
        finally:
            self._writer = None

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[os.write(self._target, data) :]

    def _hold_back(self) -> None:
        """Wait where the host cannot keep up, so that the app's memory does not fill."""
        while len(self._waiting) > _MOST_WAITING and self._writer != threading.get_ident():
            time.sleep(_PAUSE_S)

    def _read(self, size: int) -> bytes | None:
        parts: list[bytes] = []
        while size:
            try:
                part = os.read(self._source, min(size, _READ_BYTES))
            except OSError:
                part = b""
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _leave_to_parent(self) -> None:
        """Let go of the channel in a process that the app has forked."""
        self.is_closed = True
        for descriptor in (self._source, self._target):
            os.close(descriptor)


def take_standard_streams() -> Channel:
    """
    Make the process's input and output the channel.

    The app has an empty input, and its output goes where its errors go, line by line.
    """
    sys.stdout.flush()
    channel = Channel(os.dup(0), os.dup(1))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    return channel
