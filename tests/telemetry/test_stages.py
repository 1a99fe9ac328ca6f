"""The spans of stages."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace

from funcscope.telemetry import timed

if TYPE_CHECKING:
    from funcscope.contrib.testing import Metrics, Spans


def test_stages_nest(spans: Spans) -> None:
    """A stage within a stage is its child, be it another object or the same."""
    stage = timed("same")
    with timed("outer"), stage, stage:
        pass

    outer = spans.one("outer")
    (same,) = spans.children(outer)
    (inner,) = spans.children(same)
    assert outer.parent is None
    assert [same.name, inner.name, *spans.children(inner)] == ["same", "same"]
    assert not trace.get_current_span().get_span_context().is_valid


def test_one_object_serves_calls_at_once(spans: Spans) -> None:
    """A decorator's calls in tasks and threads at once have a span each, and leave none behind."""
    stage, barrier = timed("stage"), threading.Barrier(5)

    @stage
    async def work() -> None:
        await asyncio.sleep(0)
        assert trace.get_current_span().is_recording()
        await asyncio.sleep(0)

    async def work_at_once() -> None:
        await asyncio.gather(*(work() for _ in range(10)))

    threads = [threading.Thread(target=stage(barrier.wait), args=(10,)) for _ in range(5)]
    asyncio.run(work_at_once())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [span.name for span in spans] == ["stage"] * 15
    assert [span.parent for span in spans] == [None] * 15
    assert len({span.context.span_id for span in spans if span.context}) == 15
    assert not trace.get_current_span().get_span_context().is_valid


def test_failed_stage(spans: Spans, metrics: Metrics) -> None:
    """An exception makes the stage an error with one event, and no secret of it leaves."""

    def fail() -> None:
        raise ValueError("cannot reach https://app.net/f?code=s3cret")

    with pytest.raises(ValueError, match="s3cret"):
        timed("stage")(fail)()

    span = spans.one("stage")
    assert span.status.status_code.name == "ERROR"
    assert span.status.description == "cannot reach https://app.net/f?code=REDACTED"
    assert [event.name for event in span.events] == ["exception"]
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert "s3cret" not in span.to_json()
    assert metrics.one("funcscope.timed.duration").attributes["error.type"] == "ValueError"


def test_exception_that_is_a_frozen_dataclass(spans: Spans) -> None:
    """An exception that refuses to have attributes set leaves a stage as it is."""

    @dataclass(frozen=True)
    class Refusing(Exception):  # noqa: N818
        code: int

    error = Refusing(7)
    with pytest.raises(Refusing) as caught, timed("stage"):
        raise error

    assert caught.value is error
    assert spans.one("stage").status.status_code.name == "ERROR"
