"""What is done once, while no lock is held."""

from __future__ import annotations

import os
import threading

import pytest
from tests.patience import PATIENCE_S

from funcscope.telemetry._once import Once


def test_one_does_it_and_others_wait() -> None:
    """Of threads that come at once one does it, and the others go on when it is done."""
    once, done, seen = Once(), threading.Event(), list[int]()
    begun = threading.Event()

    def call() -> None:
        begun.set()
        done.wait(PATIENCE_S)
        seen.append(1)

    def come() -> None:
        begun.wait(PATIENCE_S)
        once.do(call)
        seen.append(2)

    threads = [threading.Thread(target=once.do, args=(call,)), threading.Thread(target=come)]
    for thread in threads:
        thread.start()
    begun.wait(PATIENCE_S)
    done.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    once.do(call)

    assert seen == [1, 2]


def test_who_comes_again_goes_on() -> None:
    """The thread that is at it goes on when it comes again, and others do after a time."""
    once, seen = Once(wait_s=0.01), list[str]()

    def call() -> None:
        once.do(call)
        seen.append("within")
        other = threading.Thread(target=once.do, args=(call,))
        other.start()
        other.join(PATIENCE_S)
        seen.append("in time" if not other.is_alive() else "never")

    once.do(call)

    assert seen == ["within", "in time"]


def test_what_fails_is_tried_again() -> None:
    """What fails is the caller's to know, and is done by whoever comes next."""
    once, calls = Once(), list[int]()

    def call() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        once.do(call)
    once.do(call)
    once.do(call)

    assert len(calls) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_begins_anew() -> None:
    """What another thread was at when the process was forked is done in the child."""
    once = Once()
    begun, over = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        over.wait(PATIENCE_S)

    thread = threading.Thread(target=once.do, args=(call,))
    thread.start()
    begun.wait(PATIENCE_S)
    child = os.fork()
    if not child:
        done = list[int]()
        once.do(lambda: done.append(1))
        os._exit(0 if done else 1)
    _, status = os.waitpid(child, 0)
    over.set()
    thread.join(PATIENCE_S)

    assert os.waitstatus_to_exitcode(status) == 0
