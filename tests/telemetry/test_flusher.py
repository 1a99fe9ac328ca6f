"""Waiting within a time for what sends without one."""

from __future__ import annotations

import os
import threading

import pytest
from tests.patience import PATIENCE_S

from funcscope.telemetry._config.settings import Settings
from funcscope.telemetry._pipeline.flush import Flusher
from funcscope.telemetry._pipeline.pipeline import Pipeline


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
    flusher = Flusher(sender.flush)
    first = flusher.ask()
    assert sender.has_begun.acquire(timeout=PATIENCE_S)
    others = [flusher.ask() for _ in range(10)]
    assert not first.is_set()
    sender.may_go_on.set()

    assert all(done.wait(PATIENCE_S) for done in (first, *others))
    assert len(sender.threads) == 2
    assert len(set(sender.threads)) == 1


def test_what_cannot_send_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    """A sending that fails is one that is over, and is logged."""

    def fail() -> None:
        raise OSError("no")

    assert Flusher(fail).ask().wait(PATIENCE_S)
    assert caplog.messages == ["telemetry could not be sent"]


def test_pipeline_goes_on_when_the_time_is_over() -> None:
    """An invocation waits for an integration's batches within its budget, and not for ever."""
    sender = Sender()
    pipeline = Pipeline(Settings(), {})
    pipeline.flush_with(sender.flush)

    assert not pipeline.flush(0.01)
    sender.may_go_on.set()
    assert pipeline.flush(PATIENCE_S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_child_asks_anew() -> None:
    """In a forked child, where its thread is not, it has another."""
    sender = Sender()
    sender.may_go_on.set()
    flusher = Flusher(sender.flush)
    assert flusher.ask().wait(PATIENCE_S)
    child = os.fork()
    if not child:
        os._exit(0 if flusher.ask().wait(PATIENCE_S) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
