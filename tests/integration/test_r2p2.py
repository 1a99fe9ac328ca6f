"""
R2P2, the Rust program around the library workers. Stand-in: tests/r2p2.

The app is imported on the thread of a loop, SIGTERM kills the process without a word, and nothing
of Python runs when it ends but that the worker is told to stop.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest
from scripts.snippets import text_of
from tests.integration import test_sending
from tests.integration.test_sending import NEVER_BY_ITSELF, ids, invocations, wait_for

from funcscope.contrib.host import HostError

if TYPE_CHECKING:
    from tests.integration.faults import FaultyReceiver
    from tests.integration.test_sending import Starter

receiver, start = test_sending.receiver, test_sending.start

pytestmark = pytest.mark.library_worker

HURRIED = "SIGTERM ends this process without a word"
TRIES = 5
"""Of what a machine that stands still for a moment spoils, and nothing else."""


def test_worker_that_is_told_to_stop_loses_nothing(
    start: Starter, receiver: FaultyReceiver
) -> None:
    """What waits is sent when the worker is told to stop, after which the process ends."""
    receiver.listen()
    worker = start("r2p2", FUNCSCOPE_FLUSH="interval", **NEVER_BY_ITSELF)
    worker.call("hello", "later", number=20)
    assert worker.process.stdin is not None
    worker.process.stdin.close()

    assert worker.end() == 0
    assert invocations(receiver) == ids(20)
    (told,) = (line for line in worker.lines if HURRIED in line)
    assert told.partition("funcscope.telemetry: ")[2] in text_of("docs/how-to/sending.md")


def test_idle_for_a_moment_loses_nothing(start: Starter, receiver: FaultyReceiver) -> None:
    """A process that ends 0.05 s after its last invocation, without a word, has sent all."""
    receiver.listen()
    for attempt in range(TRIES):
        worker, of = start("r2p2"), f"try {attempt}"
        worker.call("hello", of=of)
        wait_for(receiver, ids(1, of))  # a pause between two sendings begins
        names = {"functions": ["hello", "later"], "prefix": of}
        worker.order("exit", **names, number=4, at_a_time=4, after_s=0.05)
        assert worker.end() == 0
        if ids(4, of) <= invocations(receiver):
            return
    pytest.fail("it was lost each time")


def test_age_under_load(start: Starter, receiver: FaultyReceiver) -> None:
    """A span of an app that is never idle does not wait for the SDK's 5 s."""
    receiver.listen()
    worker = start("r2p2")
    worker.begin("hangs", of="hanging")
    worker.wait_for(lambda: {"said": "it hangs"} in worker.said)
    for attempt in range(TRIES):
        worker.call("hello", of=f"before {attempt}")
        wait_for(receiver, ids(1, f"before {attempt}"))  # an interval begins
        worker.call("hello", of=f"try {attempt}")
        with contextlib.suppress(HostError):
            wait_for(receiver, ids(1, f"try {attempt}"), 3)
            break
    else:
        pytest.fail("it waited each time")
    worker.stop(signal.SIGKILL)
