"""Small questions that all rooms have: once in a process, in no context."""

from __future__ import annotations

import logging
import os
import threading
from contextvars import ContextVar

import pytest
from tests.patience import PATIENCE_S

from funcscope.extensions._runtime import Latch, Once, OnceLog, start_detached


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


def test_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A problem is logged once, as what its key tells apart, and no more than the limit of them."""
    problems = OnceLog(logging.getLogger("funcscope.test"), logging.ERROR, limit=3)

    for text in ("one", "one", "two"):
        problems.log("%s is wrong", text)
    for text in ("three", "four"):
        problems.log("%s is wrong", text, key="any", error=ValueError("no"))
    problems.log("five is wrong")

    assert caplog.messages == ["one is wrong", "two is wrong", "three is wrong"]
    assert caplog.records[-1].exc_info is not None
    assert {(r.levelno, r.filename) for r in caplog.records} == {(logging.ERROR, "test_runtime.py")}


def test_latch_has_one_first() -> None:
    """Of threads that close a latch at once, one is told that it did."""
    latch, firsts = Latch(), list[bool]()
    threads = [threading.Thread(target=lambda: firsts.append(latch.close())) for _ in range(8)]
    assert not latch.is_closed

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert sorted(firsts) == [*[False] * 7, True]
    assert latch.is_closed


def test_detached_thread_has_no_context() -> None:
    """A thread that is started detached sees nothing that is set where it is started."""
    variable, seen = ContextVar[str]("variable", default="nothing"), list[str]()
    variable.set("something")
    thread = threading.Thread(target=lambda: seen.append(variable.get()))

    start_detached(thread)
    thread.join(PATIENCE_S)

    assert seen == ["nothing"]
