"""The spans of stages, in processes of their own: OpenTelemetry sets a provider once."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

PRELUDE = """
import asyncio, json, logging, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from funcscope.telemetry import timed
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
def show():
    for s in exporter.get_finished_spans():
        parent = s.parent.span_id if s.parent else 0
        print(json.dumps({"name": s.name, "id": s.context.span_id, "parent": parent,
                          "span": s.to_json()}))
    assert not trace.get_current_span().get_span_context().is_valid
"""


def run(code: str) -> list[dict[str, Any]]:
    """Run code in a fresh interpreter and return the spans it made, in the order of their ends."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code) + "\nshow()"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_stages_nest() -> None:
    """A stage within a stage is its child, be it another object or the same."""
    inner, middle, outer = run(
        """
        stage = timed("same")
        with timed("outer"):
            with stage:
                with stage:
                    pass
        """
    )

    assert [inner["name"], middle["name"], outer["name"]] == ["same", "same", "outer"]
    assert (inner["parent"], middle["parent"], outer["parent"]) == (middle["id"], outer["id"], 0)


def test_one_object_serves_calls_at_once() -> None:
    """A decorator's calls in tasks and threads at once have a span each, and leave none behind."""
    spans = run(
        """
        @timed("stage")
        async def work(n):
            await asyncio.sleep(0)
            assert trace.get_current_span().is_recording()
            await asyncio.sleep(0)
        async def main():
            await asyncio.gather(*map(work, range(10)))
        asyncio.run(main())

        barrier = threading.Barrier(5)
        @timed("stage")
        def wait():
            barrier.wait(10)
        threads = [threading.Thread(target=wait) for _ in range(5)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )

    assert [span["name"] for span in spans] == ["stage"] * 15
    assert len({span["id"] for span in spans}) == 15
    assert {span["parent"] for span in spans} == {0}


def test_failed_stage() -> None:
    """An exception makes the stage an error with one event, and no secret of it leaves."""
    (span,) = run(
        """
        try:
            with timed("stage"):
                raise ValueError("cannot reach https://app.net/f?code=s3cret")
        except ValueError:
            pass
        """
    )

    recorded = json.loads(span["span"])
    assert recorded["status"] == {
        "status_code": "ERROR",
        "description": "cannot reach https://app.net/f?code=REDACTED",
    }
    assert [event["name"] for event in recorded["events"]] == ["exception"]
    assert recorded["attributes"]["error.type"] == "ValueError"
    assert "s3cret" not in span["span"]


def test_exception_that_is_a_frozen_dataclass() -> None:
    """An exception that refuses to have attributes set leaves a stage as it is."""
    run(
        """
        from dataclasses import dataclass
        @dataclass(frozen=True)
        class Refusing(Exception):
            code: int
        error = Refusing(7)
        try:
            with timed("stage"):
                raise error
        except Refusing as caught:
            assert caught is error
        """
    )
