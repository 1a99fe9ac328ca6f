"""What waits in memory, with several threads at it."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from funcscope.telemetry._delivery.batcher import ExportRequest
from funcscope.telemetry._delivery.buffer import MemoryLimiter, RetryBuffer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def _switching() -> Iterator[None]:
    """Have threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_switching")
def test_memory_is_counted_from_many_threads() -> None:
    """Whatever threads put and remove at the same moment, what is counted is what is there."""
    memory = MemoryLimiter(1)
    shared = RetryBuffer(memory)

    def put_and_remove() -> None:
        own = RetryBuffer(memory)
        for size in range(1, 300):
            request = ExportRequest("traces", bytes(size), 1)
            own.put(request)
            shared.put(request)
            own.remove(request)

    threads = [threading.Thread(target=put_and_remove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.used == 4 * sum(range(1, 300))
    while (request := shared.first()) is not None:
        assert shared.remove(request)

    assert memory.used == 0
    assert memory.has_room()


def test_request_is_removed_once() -> None:
    """Of two threads that remove a request one is told that it did, and it is counted once."""
    memory = MemoryLimiter(1)
    buffer = RetryBuffer(memory)
    request = ExportRequest("traces", b"x", 1, created_ns=1)
    buffer.put(request)
    buffer.put(ExportRequest("traces", b"x", 1, created_ns=1))

    assert [buffer.remove(request), buffer.remove(request)] == [True, False]
    assert len(buffer) == memory.used == 1
