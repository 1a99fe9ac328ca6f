"""When invocations are told of that are about to be killed, and of which nothing is told."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from tests.patience import PROCESS_S
from tests.sdk_versions import OWN_SPANS, since

from funcscope.extensions import Invocation
from funcscope.extensions._invocation import entered
from funcscope.telemetry._context import set_invocation_span
from funcscope.telemetry._recording import unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Look = Callable[[], float]
    Begin = Callable[[str, float], Invocation]

AFTER_S = 90.0


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Told:
    """Keeps the ids of the invocations that it is told of."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, invocations: Iterable[Invocation]) -> None:
        self.ids += [invocation.id for invocation in invocations]


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
def told() -> Told:
    """Give somebody to tell."""
    return Told()


@pytest.fixture
def look(clock: Clock, told: Told) -> Callable[[], float]:
    """Look for invocations that have run for 90 s, and return how long to sleep then."""
    watch = unfinished.watch(AFTER_S, told, clock)
    return lambda: next(watch)


@pytest.fixture
def begin(invocation: Callable[..., Invocation]) -> Iterator[Begin]:
    """Have an invocation in flight that began so many seconds ago: `begin("id", 5)`."""
    tracer = TracerProvider().get_tracer(__name__)

    def make(name: str, ago_s: float) -> Invocation:
        like = invocation()
        call = Invocation(name, like.function, {}, like.context)
        began_ns = time.time_ns() - int(ago_s * 1e9)
        set_invocation_span(call, tracer.start_span(name, start_time=began_ns))
        running.enter_context(entered(call))
        return call

    with ExitStack() as running:
        yield make


def test_nobody_looks_before_one_may_be_due(look: Look, begin: Begin, told: Told) -> None:
    """Who looks sleeps until the oldest is due, or whatever begins from now on may be."""
    begin("young", 20)
    begin("old", 50)

    assert look() == pytest.approx(40, abs=1)
    assert told.ids == []


def test_each_is_told_of_when_it_is_due(look: Look, begin: Begin, told: Told, clock: Clock) -> None:
    """Whoever has run so long is told of."""
    begin("old", 50)
    begin("young", 20)
    clock.now_s += look()

    assert look() == pytest.approx(30, abs=1)
    assert told.ids == ["old"]


@pytest.mark.parametrize("ago_s", [-7200.0, 7200.0], ids=["back", "forth"])
def test_a_clock_that_jumps_misleads_nobody(
    look: Look, begin: Begin, told: Told, clock: Clock, ago_s: float
) -> None:
    """Whoever begins between two looks has run no longer than that, whatever the time of day."""
    assert look() == AFTER_S
    clock.now_s += 30
    begin("new", ago_s)

    assert AFTER_S - 30 <= look() <= AFTER_S
    assert told.ids == []


PRELUDE = """
import atexit, logging, os, signal, sys, threading
logging.basicConfig(format="%(message)s", stream=sys.stdout)
from tests.telemetry.test_recorder import PRELUDE
exec(PRELUDE)
from funcscope.telemetry._api.activation import activate
from funcscope.telemetry._recording import unfinished
activate()
session = recorder.session
"""
LOAD = 'session.prepare("/app")\n'
SETTINGS = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRICS_EXPORTER": "none"}


def run(code: str, before: str = "", **environ: str) -> list[str]:
    """Run code in a fresh interpreter that has loaded a function; return the lines that it says."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))}
    ending = "\nsys.stdout.flush(); os._exit(0)"
    done = subprocess.run(
        [sys.executable, "-c", f"{PRELUDE}{before}\n{LOAD}{textwrap.dedent(code)}{ending}"],
        capture_output=True, text=True, check=False, timeout=PROCESS_S,
        env={**kept, **SETTINGS, "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "4000", **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def warnings(lines: list[str]) -> list[str]:
    """Return how the invocations will end that are told of."""
    return [line.partition(" s, and ")[2] for line in lines if line.startswith("f has run for ")]


@pytest.mark.parametrize(
    ("settings", "number"),
    [
        ({"AzureFunctionsJobHost__functionTimeout": "00:30:00"}, 1),
        ({"AzureFunctionsJobHost__functionTimeout": "-1"}, 0),
        ({"FUNCSCOPE_UNFINISHED": "off"}, 0),
        ({"OTEL_TRACES_EXPORTER": "none"}, 0),
    ],
    ids=["usual", "unlimited", "off", "no spans"],
)
def test_one_thread_watches_where_there_is_a_timeout(settings: dict[str, str], number: int) -> None:
    """It is there only where something could be told, once in a process."""
    lines = run(
        """
        session.prepare("/app")
        for thread in threading.enumerate():
            if thread.name == "funcscope-warm-up":
                thread.join()
        print(sum(t.name == "funcscope-unfinished" for t in threading.enumerate()))
        """,
        **settings,
    )

    assert lines == [str(number)]


EXIT = """
def f(req):
    child = os.fork() if "fork" in how else 0
    if child:
        os.waitpid(child, 0)
        return
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(0)
invoke(f)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("how", [pytest.param("plain", marks=since(42, OWN_SPANS)), "fork"])
def test_a_forked_child_tells_nothing_of_its_parent(how: str) -> None:
    """At its exit the invocations in flight are still its parent's, which tells of them."""
    lines = run(f"how = {how!r}" + EXIT)

    assert warnings(lines) == (["its process is about to end"] if how == "plain" else [])


def test_app_that_handles_sigterm_may_let_invocations_end() -> None:
    """Where the app has a handler of its own, the end tells nothing."""
    lines = run("how = 'plain'" + EXIT, before="signal.signal(signal.SIGTERM, print)")

    assert warnings(lines) == []


@since(42, OWN_SPANS)
def test_no_invocation_is_told_of_twice() -> None:
    """At its time-out, at SIGTERM or at exit: the first tells."""
    lines = run(
        """
        def f(req):
            for ending in ("first", "second"):
                session._tell_of(ending, unfinished.in_flight())
        invoke(f)
        """
    )

    assert warnings(lines) == ["first"]


@pytest.mark.parametrize(
    "whose", [pytest.param("own", marks=since(42, OWN_SPANS)), "foreign", "unsampled"]
)
def test_only_sampled_spans_of_our_provider_are_told_of(whose: str) -> None:
    """Spans of a provider that the app has set are not ours to send, nor are unsampled ones."""
    lines = run(
        f"""
        if {whose!r} == "foreign":
            from opentelemetry.sdk.trace import TracerProvider
            trace.set_tracer_provider(TracerProvider())
        def f(req):
            session._tell_of("it ends", unfinished.in_flight())
        invoke(f)
        """,
        **({"OTEL_TRACES_SAMPLER": "always_off"} if whose == "unsampled" else {}),
    )

    assert warnings(lines) == (["it ends"] if whose == "own" else [])


@since(42, OWN_SPANS)
def test_processors_of_the_app_see_one_end() -> None:
    """A processor that an app adds is told of a span's end once, when it ends."""
    lines = run(
        """
        class Seeing(SpanProcessor):
            def on_end(self, span):
                print("ended", "funcscope.is_unfinished" in span.attributes)
        def f(req):
            trace.get_tracer_provider().add_span_processor(Seeing())
            session._tell_of("it ends", unfinished.in_flight())
        invoke(f)
        """
    )

    assert warnings(lines) == ["it ends"]
    assert [line for line in lines if line.startswith("ended")] == ["ended False"]
