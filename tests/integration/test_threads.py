"""Every log line finds its invocation, from whatever thread or callback it comes."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from tests.environments import needs, python_beside
from tests.patience import PROCESS_S

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]
Row = tuple[str, str | None]  # a message, and the invocation that it was found to belong to

CROWD = 50  # as in the app, which makes its invocations wait until all are there
PLACES = {
    "call-soon",
    "callback",
    "dummy-process",
    "function",
    "late-thread-pool",
    "nested-thread",
    "others-callback",
    "pool-map",
    "pool-submit",
    "run-in-executor",
    "run-in-pool",
    "task",
    "thread",
    "thread-pool-apply",
    "thread-pool-imap",
    "thread-pool-map",
    "timer",
    "to-thread",
}
POOL_SIZE = 4  # as in the app
OUTSIDE = {"pool-afterwards", "thread-pool-afterwards", "late-thread-pool-afterwards"}
ALONE = {"PROPAGATION_ALONE": "1"}


@pytest.fixture
def crowd(call: Caller) -> list[dict[str, Any]]:
    """Make fifty calls, each in a trace of its own, of a sync and of an async function."""
    return [
        call(
            "everywhere_async" if index % 2 else "everywhere",
            trace_parent=f"00-{index + 1:032x}-{index + 1:016x}-01",
        )
        for index in range(CROWD)
    ]


@pytest.fixture
def run_crowd(run: Runner, call: Caller, crowd: list[dict[str, Any]]) -> Runner:
    """Make these calls at once, and look at the shared pools afterwards."""

    def drive(path: str, **env: str) -> Any:
        return run(
            "v2_threads",
            crowd,
            path=path,
            concurrent=True,
            afterwards=[call("clean")],
            host_stream=True,
            env={"PYTHON_THREADPOOL_THREAD_COUNT": str(CROWD // 2), **env},
        )

    return drive


def test_every_record_of_a_crowd(run_crowd: Runner, crowd: list[dict[str, Any]], path: str) -> None:
    """Of fifty invocations at once, each exported record has its own id, trace and span."""
    result = run_crowd(path)

    assert [o["error"] for o in result.outcomes[:CROWD] if not o["ok"]] == []
    assert places(exported(result)) == expected(crowd)
    assert misplaced(exported(result)) == {}
    for index, made in enumerate(crowd):
        span = result.span(index)
        assert span.trace_id == f"{index + 1:032x}"
        for log in result.messages(index):
            assert log.attributes["InvocationId"] == made["id"]
            assert log.attributes["faas.name"] == made["function"]
            assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)


def test_every_line_of_a_crowd_in_the_hosts_stream(
    run_crowd: Runner, crowd: list[dict[str, Any]], path: str
) -> None:
    """Of fifty invocations at once, the host gets each line with the id of its own invocation."""
    result = run_crowd(path)

    assert places(result.host_stream) == expected(crowd)
    assert misplaced(result.host_stream) == {}


@pytest.mark.library_worker
@pytest.mark.parametrize("order", ["A", "B"])
def test_every_line_of_a_crowd_in_a_proxys_stream(
    run_crowd: Runner, crowd: list[dict[str, Any]], order: str
) -> None:
    """So it is where the workers' proxy asks all invocations' common place, or no variable."""
    result = run_crowd("proxied", PROXY_ORDER=order)
    of_invocations = [row for row in result.host_stream if not row[0].endswith(" nobody")]

    wanted = {row: count for row, count in expected(crowd).items() if not row.endswith(" nobody")}
    assert places(of_invocations) == wanted
    assert misplaced(of_invocations) == {}


def test_shared_pools_are_clean(run_crowd: Runner, path: str) -> None:
    """After a crowd of invocations, neither a pool's nor the worker's threads carry any of them."""
    result = run_crowd(path)

    clean = result.outcomes[CROWD]
    assert clean["ok"], clean["error"]
    assert result.leaks == []


def test_propagation_alone(run_crowd: Runner, crowd: list[dict[str, Any]], path: str) -> None:
    """Without telemetry the host's stream is as right, and OpenTelemetry is never imported."""
    result = run_crowd(path, **ALONE)

    assert [o["error"] for o in result.outcomes if not o["ok"]] == []
    assert places(result.host_stream) == expected(crowd)
    assert misplaced(result.host_stream) == {}
    assert result.opentelemetry == []
    assert result.leaks == []


@pytest.mark.parametrize("env", [{}, ALONE], ids=["telemetry", "alone"])
def test_a_thread_that_outlives_its_invocation(
    run: Runner, call: Caller, path: str, env: dict[str, str]
) -> None:
    """A thread that outlives its invocation logs under it, and does not delay its span's end."""
    calls = [call("outlives"), call("release")]
    result = run("v2_threads", calls, path=path, host_stream=True, env=env)

    sent = {("outlives", 0), ("release", 1)}
    wanted = {f"{place} {calls[index]['id']}": 1 for place, index in sent}
    assert [o["error"] for o in result.outcomes if not o["ok"]] == []
    assert places(result.host_stream) == wanted
    assert misplaced(result.host_stream) == {}
    assert result.leaks == []
    if env:
        return
    assert places(exported(result)) == wanted
    assert misplaced(exported(result)) == {}
    (late,) = result.messages(0)
    first, second = result.span(0), result.span(1)
    assert (late.trace_id, late.span_id) == (first.trace_id, first.span_id)
    assert first.end_ns <= second.start_ns <= late.time_ns


@pytest.mark.parametrize("env", [{}, ALONE], ids=["telemetry", "alone"])
def test_the_documented_recipe(run: Runner, call: Caller, path: str, env: dict[str, str]) -> None:
    """A thread that sets the worker's thread-local, as Microsoft documents, has its invocation."""
    calls = [call("recipe")]
    result = run("v2_threads", calls, path=path, host_stream=True, env=env)

    wanted = {f"{place} {calls[0]['id']}": 1 for place in ("recipe", "recipe-alone")}
    assert [o["error"] for o in result.outcomes if not o["ok"]] == []
    assert places(result.host_stream) == wanted
    assert misplaced(result.host_stream) == {}
    if not env:
        assert places(exported(result)) == wanted
        assert misplaced(exported(result)) == {}


@pytest.mark.library_worker
def test_the_documented_recipe_on_r2p2(run: Runner, call: Caller) -> None:
    """On R2P2 the recipe works in a coroutine of the app's own loop, too."""
    calls = [call("recipe"), call("recipe_in_a_loop")]
    result = run("v2_threads", calls, path="r2p2", host_stream=True)

    assert [outcome["error"] for outcome in result.outcomes] == ["", ""]
    rows = [tuple(row) for row in result.host_stream if row[0].startswith("recipe")]
    assert sorted(rows) == [
        (f"{place} {calls[index]['id']}", calls[index]["id"])
        for place, index in (("recipe", 0), ("recipe-alone", 0), ("recipe-in-a-loop", 1))
    ]


def exported(result: Any) -> list[Row]:
    """Return what the app logged, with the invocation that each exported record belongs to."""
    return [(str(log.body), log.attributes.get("faas.invocation_id")) for log in result.logs]


def expected(calls: list[dict[str, Any]]) -> dict[str, int]:
    """Count the messages of a crowd: one from each place of each call, then nobody's."""
    everyones = {f"{place} {made['id']}": 1 for made in calls for place in PLACES}
    return everyones | {f"{place} nobody": POOL_SIZE for place in OUTSIDE}


def places(rows: Iterable[Row]) -> dict[str, int]:
    """Count the app's messages; workers log more into their streams."""
    known = PLACES | OUTSIDE | {"outlives", "release", "recipe", "recipe-alone"}
    return Counter(message for message, _ in rows if message.partition(" ")[0] in known)


def misplaced(rows: Iterable[Row]) -> dict[str, int]:
    """Count, by their place, the messages that were not found to belong to whom they say."""
    wrong: Counter[str] = Counter()
    for message, found in rows:
        place, _, claimed = message.partition(" ")
        if message in places([(message, found)]) and (found or "nobody") != claimed:
            wrong[f"{place} without" if found is None else f"{place} of another"] += 1
    return wrong


BESIDE_THREADING = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from opentelemetry import trace
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span
from funcscope.extensions import Function, Invocation, current_invocation, propagate
from funcscope.extensions._invocation import PartialContext, entered

def look():
    seen.append((current_invocation(), trace.get_current_span().get_span_context().span_id))

def use_threads():
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(look).result()

turn_on = {"ours": propagate, "theirs": ThreadingInstrumentor().instrument}
for whose in sys.argv[1:]:
    turn_on[whose]()
function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
call = Invocation("0f8e", function, {}, PartialContext("0f8e", "hello", "/app", threading.local()))
seen = []
with entered(call), use_span(NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=False))):
    use_threads()
    ThreadingInstrumentor().uninstrument()
    use_threads()
use_threads()
assert seen == [(call, 0xB)] * 4 + [(None, 0)] * 2, seen
"""


@needs("azure-monitor")
@pytest.mark.parametrize("order", ["ours theirs", "theirs ours"])
def test_beside_opentelemetrys_threading_instrumentation(order: str) -> None:
    """With OpenTelemetry's own instrumentation on, before or after, and off again, all holds."""
    done = subprocess.run(
        [python_beside("azure-monitor"), "-c", BESIDE_THREADING, *order.split()],
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
