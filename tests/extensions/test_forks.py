"""What a forked child of a process has of its parent, and what it has not."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from tests.patience import PROCESS_S

from funcscope.extensions import _forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

PRELUDE = """
import os, signal, sys, time
from functools import partial
from funcscope.extensions._forks import reset_after_fork, lock_of
print = partial(print, flush=True)
def in_a_child(call):
    child = os.fork()
    if not child:
        signal.alarm(60)
        call()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def run(code: str) -> list[str]:
    """Run code in a process of its own; return what it and its children print."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_lock_that_is_held_at_the_fork() -> None:
    """A lock that another thread holds is free in the child, and stays held in the parent."""
    assert run(
        """
        class Owner:
            def __init__(self):
                self._lock = lock_of(self)

        owner, module = Owner(), sys.modules[__name__]
        _lock = lock_of(module)
        owner._lock.acquire(), _lock.acquire()
        in_a_child(lambda: print(owner._lock.acquire(timeout=60), _lock.acquire(timeout=60)))
        print(owner._lock.locked(), _lock.locked())
        """
    ) == ["True True", "True True"]


def test_owner_that_is_gone() -> None:
    """What had a lock, or was to be called, is kept by nothing."""

    class Owner:
        def __init__(self) -> None:
            self.lock = _forks.lock_of(self, "lock")
            _forks.reset_after_fork(self.renew)

        def renew(self) -> None:
            """Do nothing."""

    before = len(_forks._renewed), len(_forks._calls)
    owner = Owner()
    assert (len(_forks._renewed), len(_forks._calls)) == (before[0] + 1, before[1] + 1)
    del owner
    gc.collect()
    assert (len(_forks._renewed), len(_forks._calls)) == before


def test_calls_in_a_child() -> None:
    """What came last is called first, and what fails there keeps nothing else from being called."""
    assert run(
        """
        reset_after_fork(lambda: print("first"))
        reset_after_fork(lambda: 1 / 0)
        reset_after_fork(lambda: print("last"))
        in_a_child(lambda: None)
        """
    ) == ["last", "first"]


def test_end_of_an_interpreter() -> None:
    """A process that imports extensions says nothing of it when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", "import funcscope.extensions"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROCESS_S,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_signal_that_comes_while_a_process_forks() -> None:
    """A signal that reaches a child at once is dealt with as the child is to, and not lost."""
    assert run(
        """
        signal.signal(signal.SIGTERM, lambda *_: print("handled in the parent's way"))

        def leave():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

        reset_after_fork(leave, before=[signal.SIGTERM])
        child = os.fork()
        if not child:
            time.sleep(60)
        print(os.waitpid(child, 0)[1] == signal.SIGTERM)
        print(signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        """
    ) == ["True", "False"]


def test_mask_of_who_forks_is_kept() -> None:
    """What a thread had blocked when it forks is blocked after, there and in the child."""
    assert (
        run(
            """
        reset_after_fork(int, before=[signal.SIGTERM])
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
        look = lambda: print(*sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))))
        in_a_child(look)
        look()
        """
        )
        == [f"{signal.SIGUSR1.value} {signal.SIGTERM.value}"] * 2
    )
