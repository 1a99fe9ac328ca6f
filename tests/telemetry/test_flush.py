"""Flushes on a thread of their own, when the app is idle and for those who wait."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S, PROCESS_S

from funcscope.extensions import Function, Invocation, current_invocation, propagate
from funcscope.extensions._invocation import PartialContext, entered, when_idle
from funcscope.telemetry._delivery.delivery import Delivery
from funcscope.telemetry._pipeline.context import SignalPipeline
from funcscope.telemetry._pipeline.flush import FlushThread, attempt_each, wait_for
from funcscope.telemetry._pipeline.pipeline import Pipeline

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
    when_idle(FlushThread(flush).notify)
    with entered(call("1")):
        with entered(call("2")):
            pass
        assert not flush.threads
    assert flush.called.wait(PATIENCE_S)
    assert flush.threads == ["funcscope-flush"]


def test_flush_that_hangs_holds_nobody_up() -> None:
    """An invocation ends at once though a flush is still under way."""
    release, started = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        release.wait(PATIENCE_S)

    thread = FlushThread(hang)
    thread.notify()
    assert started.wait(PATIENCE_S)
    thread.notify()  # returns, or the test hangs
    release.set()


def test_flush_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A flush that raises is logged, and the others are called all the same."""
    flush = Flush()

    def fail() -> None:
        raise OSError("no network")

    thread = FlushThread(partial(attempt_each, [fail, flush]))
    thread.notify()

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

    thread = FlushThread(look)
    with entered(invocation()):
        thread.notify()

    assert done.wait(PATIENCE_S)
    assert seen == [None]


def test_nothing_is_started_before_somebody_asks() -> None:
    """What nobody has asked to flush has no thread."""
    before = threading.active_count()
    FlushThread(Flush())

    assert threading.active_count() == before


def test_what_is_called_at_once_is_called_by_who_notifies() -> None:
    """What must not wait for the thread is called before it, where the last invocation ends."""
    flush, at_once = Flush(), Flush()
    FlushThread(flush, at_once=at_once).notify()

    assert at_once.threads == [threading.current_thread().name]
    assert flush.called.wait(PATIENCE_S)


def test_who_waits_waits_no_longer_than_it_may() -> None:
    """A flush that hangs holds who waits up for the time given, and the others not at all."""
    release, flush = threading.Event(), Flush()
    hanging = FlushThread(lambda: release.wait(PATIENCE_S))
    start = time.monotonic()
    is_done = wait_for([hanging.ask(), FlushThread(flush).ask()], start + 0.1)
    took = time.monotonic() - start
    release.set()

    assert not is_done
    assert 0.1 <= took < 10
    assert flush.called.wait(PATIENCE_S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_child_delivers_again() -> None:
    """A child has neither thread nor invocations of its parent's, and flushes when it is idle."""
    code = """
    import os, threading, warnings
    warnings.filterwarnings("ignore", "This process", DeprecationWarning)
    from funcscope.extensions import Function, Invocation
    from funcscope.extensions._invocation import PartialContext, entered, when_idle
    from funcscope.telemetry._pipeline.flush import FlushThread

    def call(id):
        context = PartialContext(id, "hello", "/app", thread_local_storage=None)
        return Invocation(id, Function("hello", "/app", False, "app.hello"), {}, context)

    flushed = threading.Event()
    when_idle(FlushThread(flushed.set).notify)
    with entered(call("1")):
        pass
    assert flushed.wait(60)
    flushed.clear()
    with entered(call("2")):
        child = os.fork()
        if not child:
            print([t.name for t in threading.enumerate() if t.name == "funcscope-flush"])
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


class Sender:
    """Sends when it is let, and counts how often."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.has_begun = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def flush(self) -> None:
        self.threads.append(threading.current_thread())
        self.has_begun.release()
        assert self.may_go_on.wait(PATIENCE_S)


def test_who_asks_while_it_sends_waits_for_the_next_time() -> None:
    """What was recorded after a sending began is in the next, on the same thread, for all."""
    sender = Sender()
    thread = FlushThread(sender.flush)
    first = thread.ask()
    assert sender.has_begun.acquire(timeout=PATIENCE_S)
    others = [thread.ask() for _ in range(10)]
    assert not first.is_set()
    sender.may_go_on.set()

    assert all(done.wait(PATIENCE_S) for done in (first, *others))
    assert len(sender.threads) == 2
    assert len(set(sender.threads)) == 1


def test_what_cannot_send_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    """A sending that fails is one that is over, and is logged."""

    def fail() -> None:
        raise OSError("no")

    assert FlushThread(fail).ask().wait(PATIENCE_S)
    assert caplog.messages == ["telemetry could not be sent"]


def test_pipeline_goes_on_when_the_time_is_over() -> None:
    """An invocation waits for an integration's batches within its budget, and not for ever."""
    sender = Sender()
    signal = SignalPipeline(object(), flushes=[sender.flush])
    pipeline = Pipeline(Delivery([]), {"traces": signal})

    assert not pipeline.flush(0.01)
    sender.may_go_on.set()
    assert pipeline.flush(PATIENCE_S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_child_asks_anew() -> None:
    """In a forked child, where its thread is not, it has another."""
    sender = Sender()
    sender.may_go_on.set()
    thread = FlushThread(sender.flush)
    assert thread.ask().wait(PATIENCE_S)
    child = os.fork()
    if not child:
        os._exit(0 if thread.ask().wait(PATIENCE_S) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
