"""Pieces: how much is encoded before other threads go on."""

from __future__ import annotations

import time

import pytest
from tests.telemetry.delivery.conftest import encode_number

from funcscope.telemetry._config.otlp_target import read_target
from funcscope.telemetry._delivery.batcher import Batcher, ExportOptions, ExportRequest
from funcscope.telemetry._delivery.queue import Queue


class RecordingQueue(Queue):
    """Tells how many items each piece has had."""

    def __init__(self) -> None:
        super().__init__(8192, "keep_errors", batch_size=512, on_batch_ready=lambda: None)
        self.pieces: list[int] = []

    def take(self, number: int) -> list[object]:
        items = super().take(number)
        self.pieces.append(len(items))
        return items


@pytest.mark.parametrize(("waiting", "most"), [(64, 4), (512, 32), (8192, 150)])
def test_pieces_grow_with_the_queue(waiting: int, most: int) -> None:
    """A short queue is encoded in small pieces, and a long one in few; nothing is left out."""
    queue = RecordingQueue()
    bodies: list[ExportRequest] = []
    for number in range(waiting):
        queue.put(number)
    options = ExportOptions(read_target("traces", {}, []), encode_number)
    batcher = Batcher(options, encode_number, bodies.append, lambda *_: pytest.fail("not encoded"))
    batcher.encode(queue, waiting, lambda: True)

    assert sum(body.count for body in bodies) == sum(queue.pieces) == waiting
    assert len(queue.pieces) <= most
    assert max(queue.pieces) <= max(16, waiting // 32)


def test_requests_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are told apart by when they were made, where the clock goes in long steps, too."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    made = [ExportRequest("traces", b"", 1).created_ns for _ in range(100)]

    assert len(set(made)) == len(made)
