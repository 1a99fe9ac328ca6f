"""The end of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE_S

from funcscope.telemetry._delivery.spool import Spool
from funcscope.telemetry._pipeline.shutdown import drain_at_exit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.telemetry.delivery.conftest import Collector

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no SIGTERM here")

PRELUDE = """
import atexit, os, signal, sys, threading, time
from funcscope.telemetry._pipeline.shutdown import drain_at_exit

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def wait():
    say("ready")
    while True:
        time.sleep(60)

def refuse(*_):
    raise RuntimeError("can't create new thread at interpreter shutdown")

def refuse_threads():
    # As Python 3.12 does it: no thread is started once `atexit` has begun.
    atexit.register(setattr, threading.Thread, "start", refuse)
"""


class Process:
    """A Python process that says what it does."""

    def __init__(self, code: str, *arguments: str) -> None:
        source = PRELUDE + textwrap.dedent(code)
        self._process = subprocess.Popen(
            [sys.executable, "-c", source, *arguments], stdout=subprocess.PIPE, text=True
        )

    def says(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def ends(self) -> tuple[int, list[str]]:
        """Wait for the end; return the status, and what was not read yet."""
        assert self._process.stdout
        watchdog = threading.Timer(PATIENCE_S, self._process.kill)
        watchdog.start()
        # Not communicate(): it misses what readline() has read ahead.
        with self._process.stdout as output:
            rest = output.read().split()
        status = self._process.wait()
        watchdog.cancel()
        return status, rest


def test_sigterm_drains_and_kills() -> None:
    """The process drains, and dies of the signal as if nobody had caught it."""
    process = Process("drain_at_exit(lambda s: say('drained', s), 1.5); wait()")
    assert process.says() == "ready"
    process.terminate()

    assert process.says() == "drained 1.5"
    assert process.ends() == (-signal.SIGTERM, [])


def test_exit_drains() -> None:
    """A process that ends by itself drains, too."""
    process = Process("drain_at_exit(lambda s: say('drained'))")

    assert process.ends() == (0, ["drained"])


def test_previous_handler_is_called_after() -> None:
    """The handler that was there has its turn after the drain, and decides what happens."""
    process = Process("""
        def handler(number, frame):
            say("handler", number, frame is not None)
            sys.exit(3)
        signal.signal(signal.SIGTERM, handler)
        drain_at_exit(lambda s: say("drained"))
        wait()
    """)
    assert process.says() == "ready"
    process.terminate()

    assert [process.says(), process.says()] == ["drained", "handler 15 True"]
    assert process.ends() == (3, ["drained"])  # at exit once more


def test_ignored_signal_stays_ignored() -> None:
    """Who ignores SIGTERM is not made to end or to drain by it."""
    process = Process("""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        drain_at_exit(lambda s: say("drained"))
        say(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGTERM)
    """)

    assert process.ends() == (0, ["True", "drained"])


def test_second_signal_does_not_wait() -> None:
    """While a drain is under way, another SIGTERM ends the process at once."""
    process = Process("""
        def drain(budget_s):
            say("draining")
            time.sleep(1000)
        drain_at_exit(drain, 1000)
        wait()
    """)
    assert process.says() == "ready"
    process.terminate()
    assert process.says() == "draining"
    process.terminate()

    assert process.ends() == (-signal.SIGTERM, [])


def test_second_signal_with_a_handler_does_not_wait() -> None:
    """Then the handler that was there is called for each signal, and the wait is over."""
    process = Process("""
        def drain(budget_s):
            say("draining")
            threading.Event().wait()
        def handler(number, frame):
            say("handler")
            seen.append(number)
        seen = []
        signal.signal(signal.SIGTERM, handler)
        uninstall = drain_at_exit(drain, 1000).uninstall
        say("ready")
        while len(seen) < 2:
            time.sleep(0.01)
        uninstall()
        say("over")
    """)
    assert process.says() == "ready"
    process.terminate()
    assert process.says() == "draining"
    process.terminate()

    assert process.ends() == (0, ["handler", "handler", "over"])


def test_drain_that_hangs_is_left() -> None:
    """A drain that does not keep to its budget does not keep the process alive."""
    process = Process("drain_at_exit(lambda s: time.sleep(1000), 0.1); wait()")
    assert process.says() == "ready"
    process.terminate()

    assert process.ends() == (-signal.SIGTERM, [])


def test_drain_that_fails_is_silent() -> None:
    """An error in the drain changes nothing about the end."""
    process = Process("drain_at_exit(lambda s: 1 / 0); wait()")
    assert process.says() == "ready"
    process.terminate()

    assert process.ends() == (-signal.SIGTERM, [])


def test_signal_within_a_lock() -> None:
    """A signal that interrupts code which holds a lock that the drain needs still ends in time."""
    process = Process("""
        lock = threading.Lock()
        def drain(budget_s):
            with lock:
                say("drained")
        drain_at_exit(drain, 0.1)
        with lock:
            wait()
    """)
    assert process.says() == "ready"
    process.terminate()

    assert process.ends() == (-signal.SIGTERM, [])


def test_other_thread_gets_exit_alone() -> None:
    """From another thread than the main one nothing fails, and the exit drains."""
    process = Process("""
        thread = threading.Thread(target=drain_at_exit, args=(lambda s: say("drained"),))
        thread.start()
        thread.join()
        say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    """)

    assert process.ends() == (0, ["True", "drained"])


def test_event_loop_with_a_handler_of_its_own() -> None:
    """A handler that asyncio had set is still called by its loop."""
    process = Process("""
        import asyncio
        async def main():
            stopped = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
            drain_at_exit(lambda s: say("drained"))
            say("ready")
            await stopped.wait()
            say("stopped")
        asyncio.run(main())
    """)
    assert process.says() == "ready"
    process.terminate()

    assert process.says() == "drained"
    assert process.says() == "stopped"
    assert process.ends() == (0, ["drained"])


LOOP = """
    import asyncio

    async def main():
        loop = asyncio.get_running_loop()
        {}

    asyncio.run(main())
"""
INSTALL = 'drain_at_exit(lambda s: say("drained"))'


def test_event_loop_that_takes_the_signal_later() -> None:
    """A callback that the app gives its loop afterwards is called, after the drain."""
    process = Process(
        LOOP.format(f"""
        stopped = asyncio.Event()
        {INSTALL}
        loop.add_signal_handler(signal.SIGTERM, callback=stopped.set)
        say("ready")
        await stopped.wait()
        say("stopped")
        """)
    )
    assert process.says() == "ready"
    process.terminate()

    assert [process.says(), process.says()] == ["drained", "stopped"]
    assert process.ends() == (0, ["drained"])


@pytest.mark.parametrize("is_earlier", [True, False], ids=["before", "after"])
def test_event_loop_that_gives_the_signal_back(is_earlier: bool) -> None:
    """Where the app takes its callback away again, SIGTERM drains and ends the process."""
    parts = [INSTALL, "loop.add_signal_handler(signal.SIGTERM, say, 'called')"]
    process = Process(
        LOOP.format(f"""
        {"; ".join(reversed(parts) if is_earlier else parts)}
        say(loop.remove_signal_handler(signal.SIGTERM))
        await asyncio.sleep(1000)
        """)
    )
    assert process.says() == "True"
    process.terminate()

    assert process.ends() == (-signal.SIGTERM, ["drained"])


@pytest.mark.parametrize("has_handler", [True, False])
def test_event_loop_that_is_closed(has_handler: bool) -> None:
    """Once the loop is closed, SIGTERM drains, and what it did before comes after that."""
    handler = "lambda *_: (say('handler'), os._exit(3))" if has_handler else "signal.SIG_DFL"
    before = f"    signal.signal(signal.SIGTERM, {handler})"
    process = Process(f"{before}\n{LOOP.format(INSTALL)}    wait()")
    assert process.says() == "ready"
    process.terminate()

    ends = (3, ["drained", "handler"]) if has_handler else (-signal.SIGTERM, ["drained"])
    assert process.ends() == ends


def test_idle_event_loop_notices_the_signal() -> None:
    """A loop that waits for nothing is woken, after the app gave the signal back, too."""
    process = Process(
        LOOP.format(f"""
        {INSTALL}
        loop.add_signal_handler(signal.SIGTERM, print)
        loop.remove_signal_handler(signal.SIGTERM)
        say(signal.set_wakeup_fd(-1) != -1)
        """)
    )

    assert process.ends() == (0, ["True", "drained"])


def test_event_loop_of_a_child_is_left_alone() -> None:
    """In a forked child, what is done with the loop sets no handler of ours."""
    process = Process(
        LOOP.format(f"""
        {INSTALL}
        child = os.fork()
        if not child:
            loop.add_signal_handler(signal.SIGTERM, print)
            loop.remove_signal_handler(signal.SIGTERM)
            say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
            os._exit(0)
        os.waitpid(child, 0)
        """)
    )

    assert process.ends() == (0, ["True", "drained"])


def test_exit_has_a_budget() -> None:
    """A drain that does not keep its budget at the exit does not keep the process alive, either."""
    process = Process("""
        def drain(budget_s):
            say("draining")
            time.sleep(1000)
        drain_at_exit(drain, 0.1)
        refuse_threads()
    """)

    assert process.ends() == (0, ["draining"])


def test_exit_of_a_child_has_a_budget() -> None:
    """Nor does it in a forked child that has recorded something."""
    process = Process("""
        def drain(budget_s):
            if os.getpid() != parent:
                say("draining")
                time.sleep(1000)
        parent = os.getpid()
        installed = drain_at_exit(drain, 0.1)
        child = os.fork()
        if not child:
            installed.get_ready()  # as the thread that sends does when it starts
            refuse_threads()
            sys.exit(3)
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)

    assert process.ends() == (0, ["draining", "3"])


def test_drain_that_ends_its_thread() -> None:
    """A drain that raises `SystemExit` is over, and the next one is there for the exit."""
    process = Process("""
        def drain(budget_s):
            say("draining")
            sys.exit(5)
        signal.signal(signal.SIGTERM, lambda *_: None)
        drain_at_exit(drain, 1000)
        os.kill(os.getpid(), signal.SIGTERM)
        say("goes on")
    """)

    assert process.ends() == (0, ["draining", "goes", "on", "draining"])


@pytest.mark.parametrize("previous", ["signal.SIG_DFL", "lambda *_: os._exit(7)"])
def test_forked_child_is_ended_at_once(previous: str) -> None:
    """A forked child has the handler that was there before, and does not drain at a signal."""
    process = Process(f"""
        signal.signal(signal.SIGTERM, {previous})
        before = signal.getsignal(signal.SIGTERM)
        drain_at_exit(lambda s: say("drained"))
        child = os.fork()
        if not child:
            say(signal.getsignal(signal.SIGTERM) is before)
            while True:
                time.sleep(0.01)  # a longer one may begin just after the signal
        os.kill(child, signal.SIGTERM)
        say(os.waitpid(child, 0)[1])
    """)
    _, said = process.ends()

    assert said[-2:] == [str(signal.SIGTERM.value if "DFL" in previous else 7 << 8), "drained"]
    assert said[:-2] in ([], ["True"])  # ended before it could say so


def test_handler_that_was_put_over_it_stays_in_a_child() -> None:
    """A handler that somebody put over it goes on in a child, and what it calls does not drain."""
    process = Process("""
        drain_at_exit(lambda s: say("drained"))
        under = signal.getsignal(signal.SIGTERM)
        def over(number, frame):
            say("over")
            under(number, frame)
        signal.signal(signal.SIGTERM, over)
        child = os.fork()
        if not child:
            while True:
                time.sleep(0.01)  # a longer one may begin just after the signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(child, signal.SIGTERM)
        say(os.waitpid(child, 0)[1] == signal.SIGTERM)
        os._exit(0)
    """)

    assert process.ends() == (0, ["over", "True"])


def test_signal_in_a_child_does_not_wake_the_parents_loop() -> None:
    """A forked child writes no signal to the loop that its parent runs."""
    process = Process("""
        import asyncio
        async def main():
            drain_at_exit(lambda s: None)
            child = os.fork()
            if not child:
                say(signal.set_wakeup_fd(-1))
                os._exit(0)
            os.waitpid(child, 0)
            say(signal.set_wakeup_fd(-1) != -1)
        asyncio.run(main())
    """)

    assert process.ends() == (0, ["-1", "True"])


def test_at_exit_alone() -> None:
    """Where SIGTERM is to be left alone, exit drains."""
    process = Process("""
        drain_at_exit(lambda s: say("drained"), at_signal=False)
        say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    """)

    assert process.ends() == (0, ["True", "drained"])


@pytest.fixture
def _own_handler() -> Iterator[None]:
    """Put SIGTERM's handler back."""
    previous = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, previous)


@pytest.mark.usefixtures("_own_handler")
def test_uninstall() -> None:
    """What is taken away leaves the handler that was there, and a later one alone."""
    assert threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGTERM)
    uninstall = drain_at_exit(lambda _: None).uninstall
    assert signal.getsignal(signal.SIGTERM) is not previous
    assert "funcscope-drain" in [thread.name for thread in threading.enumerate()]
    uninstall()
    assert signal.getsignal(signal.SIGTERM) is previous
    uninstall = drain_at_exit(lambda _: None).uninstall
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    uninstall()

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


LOADED = """
    from funcscope.telemetry._config.otlp_target import read_target
    from funcscope.telemetry._delivery.batcher import ExportOptions
    from funcscope.telemetry._delivery.delivery import Delivery
    from funcscope.telemetry._delivery.spool import Spool
    from tests.telemetry.delivery.conftest import encode_number

    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": sys.argv[1]}
    options = ExportOptions(read_target("traces", environ, []), encode_number, capacity=1_000_000)
    worker = Delivery([options], spool=Spool(sys.argv[2]))
    put, number = worker.queue("traces").put, 0

    def drain(budget_s):
        worker.drain(budget_s)
        say("put", number)

    drain_at_exit(drain, 60.0)
    threading.Timer(0.2, say, ["ready"]).start()
    while True:
        put(number)
        number += 1
        if number % 100 == 0:
            time.sleep(0.001)
"""


@pytest.mark.parametrize("is_there", [True, False], ids=["collector", "spool"])
def test_sigterm_under_load(collector: Collector, tmp_path: Path, is_there: bool) -> None:
    """What was put before SIGTERM is sent before the process dies, or in the spool then."""
    if not is_there:
        collector.stop()
    process = Process(LOADED, f"http://127.0.0.1:{collector.port}", str(tmp_path))
    assert process.says() == "ready"
    process.terminate()
    number = int(process.says().split()[1])
    assert process.ends() == (-signal.SIGTERM, [])

    spool, spooled = Spool(tmp_path), 0
    while (taken := spool.take(collector.target())) is not None:
        spooled += taken.request.count
        spool.remove(taken)
    # The loop may have been interrupted between putting a number and counting it.
    assert len(collector.accepted) + spooled in (number, number + 1)
    assert max(Counter(collector.accepted).values(), default=1) == 1
