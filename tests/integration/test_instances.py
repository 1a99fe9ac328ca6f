"""Real workers that come and go: what a collector has of them in the end is what they did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.faults import FaultyReceiver
from tests.patience import PATIENCE_S
from tests.sdk_versions import since
from tests.telemetry.test_instances import (
    TEMPORALITY,
    Backend,
    by_start,
    by_value,
    check_times,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
APP = HERE.parent / "apps" / "v2_sending"
CALLS = 30


@pytest.fixture
def receiver() -> Iterator[FaultyReceiver]:
    """Give a receiver that listens."""
    faulty = FaultyReceiver()
    faulty.listen()
    yield faulty
    faulty.stop()


def start(receiver: FaultyReceiver, path: str, preference: str) -> subprocess.Popen[str]:
    """Start a worker on the one instance that there is, as its host does: with an id of its own."""
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))},
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "600000",  # what arrives is of idle times, and of the end
        "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "60000",
        "WEBSITE_INSTANCE_ID": "vm",
        TEMPORALITY: preference,
    }
    named = ["--functions-worker-id", str(uuid.uuid4())]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.sending", str(APP), path, *named],
        cwd=HERE.parents[1], env=environ, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def call(worker: subprocess.Popen[str]) -> dict[str, int]:
    """Have functions called, two of which succeed, and return how often they did and did not."""
    order = {
        "do": "call", "of": 0, "prefix": "c", "at_a_time": 4,
        "functions": ["hello", "later", "fails"], "number": CALLS,
    }  # fmt: skip
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps(order) + "\n")
    worker.stdin.flush()
    answer: dict[str, int] = json.loads(worker.stdout.readline())
    return answer


@since(42, "an instance id made up")
@pytest.mark.parametrize("preference", ["cumulative", "delta"])
@pytest.mark.parametrize("path", [pytest.param("protobuf", marks=pytest.mark.library_worker)])
def test_workers_that_come_and_go(receiver: FaultyReceiver, path: str, preference: str) -> None:
    """One worker, five, and none: SIGTERM takes them at once, and all has been counted."""
    first = start(receiver, path, preference)
    workers, done = [first], Counter[str]()
    try:
        done.update(call(first))
        workers += [start(receiver, path, preference) for _ in range(4)]
        for worker in workers:
            done.update(call(worker))
        for worker in reversed(workers):
            worker.send_signal(signal.SIGTERM)
        said = [worker.communicate(timeout=PATIENCE_S)[1] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()

    assert [worker.returncode for worker in workers] == [-signal.SIGTERM] * 5, said
    backend = Backend()
    for request in list(receiver.requests):
        if request.path == "/v1/metrics":
            backend.take(request.body)
    assert (done["ok"], done["failed"]) == (6 * CALLS * 2 // 3, 6 * CALLS // 3)
    assert len({who for who, *_ in backend.series()}) == len(workers)
    for increase in (by_value, by_start):
        totals = backend.totals(increase)
        assert totals["faas.invocations"] == done["ok"]
        assert totals["faas.errors"] == done["failed"]
        assert totals["faas.invoke_duration"] == done["ok"] + done["failed"]
        assert totals["faas.coldstarts"] == totals["faas.init_duration"] == len(workers)
    grown = Backend()
    grown.points = [p for p in backend.points if p.series[1] != "funcscope.export.waiting"]
    check_times(grown)
    # What an instance sends at its end comes after its last word on that.
    sent = Backend()
    sent.points = [
        point
        for point in backend.points
        if {("funcscope.export.signal", "traces"), ("funcscope.export.outcome", "sent")}
        <= point.series[2]
    ]
    received = len(receiver.store.spans)
    assert 0 < sent.totals(by_start)["funcscope.export.items"] <= received
