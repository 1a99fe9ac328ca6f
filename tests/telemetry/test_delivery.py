"""Sending when idle."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S, PROCESS_S

from funcscope.extensions import Function, Invocation, current_invocation, propagate
from funcscope.extensions._invocation import PartialContext, entered, when_idle
from funcscope.telemetry._pipeline.flush import Delivery, flush_within

if TYPE_CHECKING:
    from collections.abc import Callable


def call(invocation_id: str) -> Invocation:
    """Make an invocation with an id."""
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    context = PartialContext(invocation_id, "hello", "/app", thread_local_storage=None)
    return Invocation(invocation_id, function, {}, context)


class Flush:
    """Counts its calls, and lets a test wait for one."""

    def __init__(self) -> None:
        self.called = threading.Event()
        self.threads: list[str] = []

    def __call__(self) -> None:
        self.threads.append(threading.current_thread().name)
        self.called.set()


def test_flushes_when_the_last_invocation_ends() -> None:
    """Nothing is flushed while an invocation is in flight, and at once when none is."""
    flush = Flush()
    when_idle(Delivery([flush]).idle)
    with entered(call("1")):
        with entered(call("2")):
            pass
        assert not flush.threads
    assert flush.called.wait(PATIENCE_S)
    assert flush.threads == ["funcscope-delivery"]


def test_flush_that_hangs_holds_nobody_up() -> None:
    """An invocation ends at once though a flush is still under way."""
    release, started = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        release.wait(PATIENCE_S)

    delivery = Delivery([hang])
    delivery.idle()
    assert started.wait(PATIENCE_S)
    delivery.idle()  # returns, or the test hangs
    release.set()


def test_flush_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A flush that raises is logged, and the others are called all the same."""
    flush = Flush()

    def fail() -> None:
        raise OSError("no network")

    delivery = Delivery([fail, flush])
    delivery.idle()

    assert flush.called.wait(PATIENCE_S)
    assert "telemetry could not be sent" in caplog.text


def test_thread_belongs_to_no_invocation(invocation: Callable[..., Invocation]) -> None:
    """The thread that sends outlives the invocation that starts it, and is not part of it."""
    propagate()
    seen: list[Invocation | None] = []
    done = threading.Event()

    def look() -> None:
        seen.append(current_invocation())
        done.set()

    delivery = Delivery([look])
    with entered(invocation()):
        delivery.idle()

    assert done.wait(PATIENCE_S)
    assert seen == [None]


def test_nothing_to_flush_starts_no_thread() -> None:
    """Without providers to flush there is no thread."""
    before = threading.active_count()
    delivery = Delivery([])
    delivery.idle()

    assert threading.active_count() == before


def test_waits_for_all_flushes() -> None:
    """What is flushed at an end is sent when it returns, each on a thread, errors or not."""
    flushes = [Flush(), Flush()]

    def fail() -> None:
        raise OSError("no network")

    flush_within([flushes[0], fail, flushes[1]], 5)

    assert [flush.threads for flush in flushes] == [["funcscope-flush"]] * 2


def test_waits_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    """A flush that hangs holds an end up for the time given, and the others not at all."""
    release, flush = threading.Event(), Flush()
    start = time.monotonic()
    flush_within([lambda: release.wait(PATIENCE_S), flush], 0.1)
    took = time.monotonic() - start
    release.set()

    assert 0.1 <= took < 10
    assert flush.called.is_set()
    assert "telemetry could not be sent within 0.1 s" in caplog.text


def test_what_flushes_at_an_end_belongs_to_no_invocation(
    invocation: Callable[..., Invocation],
) -> None:
    """The threads that send are not part of the invocation that ends."""
    propagate()
    seen: list[Invocation | None] = []
    with entered(invocation()):
        flush_within([lambda: seen.append(current_invocation())], 5)

    assert seen == [None]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_child_delivers_again() -> None:
    """A child has neither thread nor invocations of its parent's, and flushes when it is idle."""
    code = """
    import os, threading, warnings
    warnings.filterwarnings("ignore", "This process", DeprecationWarning)
    from funcscope.extensions import Function, Invocation
    from funcscope.extensions._invocation import PartialContext, entered, when_idle
    from funcscope.telemetry._pipeline.flush import Delivery

    def call(id):
        context = PartialContext(id, "hello", "/app", thread_local_storage=None)
        return Invocation(id, Function("hello", "/app", False, "app.hello"), {}, context)

    flushed = threading.Event()
    when_idle(Delivery([flushed.set]).idle)
    with entered(call("1")):
        pass
    assert flushed.wait(60)
    flushed.clear()
    with entered(call("2")):
        child = os.fork()
        if not child:
            print([t.name for t in threading.enumerate() if t.name == "funcscope-delivery"])
            with entered(call("3")):
                print(flushed.is_set())
            print(flushed.wait(60), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROCESS_S,
    )
    assert done.stdout.splitlines() == ["[]", "False", "True"]
