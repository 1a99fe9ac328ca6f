"""A function with a retry policy is invoked again as the policy says."""

from __future__ import annotations

import itertools
import json
import re
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.contrib.host import find_app
from funcscope.contrib.host._forwarding.host_spans import SCOPE
from funcscope.contrib.host._retry_policy import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, TelemetryStore

ALL_LINES = ("--port", "0", "-v")
FIXED = {"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:10"}
EXPONENTIAL = {
    "strategy": "exponentialBackoff",
    "maxRetryCount": -1,
    "minimumInterval": "00:00:10",
    "maximumInterval": "00:15:00",
}
BACKWARDS = (
    'strategy="exponential_backoff", max_retry_count="2", '
    'minimum_interval="00:00:10", maximum_interval="00:00:01"'
)
V1_SCRIPT = """
import json, logging

def hello(req) -> str:
    return "hello"

def main(timer, context) -> None:
    state = context.retry_context
    logging.info("attempt %s", json.dumps([state.retry_count, state.max_retry_count]))
    raise ValueError("no tea left")
"""

V2_SCRIPT = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
@app.retry({retry})
def tick(timer: func.TimerRequest) -> None:
    pass

@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""


@pytest.fixture
def v1_app(tmp_path: Path) -> Callable[[object], Path]:
    """Make a v1 app: `v1_app(retry)` has a timer function `tick` with that retry policy."""

    def make(retry: object) -> Path:
        (tmp_path / "tick").mkdir()
        (tmp_path / "tick" / "__init__.py").write_text(V1_SCRIPT)
        timer = {
            "type": "timerTrigger",
            "name": "timer",
            "direction": "in",
            "schedule": "0 0 0 1 1 *",
        }
        file = {"scriptFile": "__init__.py", "bindings": [timer], "retry": retry}
        (tmp_path / "tick" / "function.json").write_text(json.dumps(file))
        (tmp_path / "hello").mkdir()
        http = {"type": "httpTrigger", "name": "req", "direction": "in"}
        file = {"scriptFile": "../tick/__init__.py", "entryPoint": "hello", "bindings": [http]}
        (tmp_path / "hello" / "function.json").write_text(json.dumps(file))
        return tmp_path

    return make


def policy(app: Path) -> RetryPolicy:
    """Read the policy of a v1 app's only function."""
    _, function = find_app(app, {}).functions
    assert function.retry is not None
    return function.retry


def attempts(host: HostProcess) -> list[list[object]]:
    """Return what the attempts have logged: retries so far, retries allowed and more."""
    found = re.findall(r"\] attempt (\[.*\])$", host.output, re.M)
    return [json.loads(each) for each in found]


@pytest.mark.library_worker
def test_function_is_tried_until_its_retries_are_used_up(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver, store: TelemetryStore
) -> None:
    """
    Each attempt is told how many there were, how many there may be, and what went wrong.

    It has a span of its own below a request of its own, in one trace.
    """
    host = run_host("host_retries", *ALL_LINES, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    host.wait_for("^Functions:")

    assert host.fetch("/admin/functions/fails", "POST", "{}")[0] == 202
    host.wait_for(r"'Functions.fails' failed after 2 retries: it is not tried again$")

    assert attempts(host) == [
        [0, 2, ""],
        [1, 2, "ValueError: no tea left, 0"],
        [2, 2, "ValueError: no tea left, 1"],
    ]
    assert "'Functions.fails' failed: retry 2 of 2 in 0 s" in host.output
    assert host.stop() == 0
    spans = sorted((s for s in store.spans if s.scope != SCOPE), key=lambda s: s.start_ns)
    assert [s.attributes.get("azure.functions.retry_count") for s in spans] == [None, 1, 2]
    assert len({s.trace_id for s in spans}) == 1
    assert len({s.parent_id for s in spans}) == 3


@pytest.mark.library_worker
def test_retries_end_with_success(run_host: Callable[..., HostProcess]) -> None:
    """A policy without an end tries until the function succeeds, and no more."""
    host = run_host("host_retries", *ALL_LINES)
    host.wait_for("^Functions:")

    host.fetch("/admin/functions/recovers", "POST", "{}")
    host.wait_for(r"^timerTrigger recovers, retry 3 → succeeded ")

    assert [each[:2] for each in attempts(host)] == [[n, -1] for n in range(4)]
    assert host.output.count("Executing 'Functions.recovers'") == 4


@pytest.mark.library_worker
def test_stop_gives_up_retries(run_host: Callable[..., HostProcess]) -> None:
    """A retry that waits does not keep the host from stopping, which says what is given up."""
    host = run_host("host_retries", *ALL_LINES)
    host.wait_for("^Functions:")
    host.fetch("/admin/functions/waits", "POST", "{}")
    host.wait_for(r"'Functions.waits' failed: retry 1 of 4 in 23:00:00$")

    host.send(signal.SIGTERM)

    assert host.wait() == 0
    host.wait_for(r"'Functions.waits' failed, and the app stops: retry 1 of 4 is given up$")


@pytest.mark.library_worker
def test_other_triggers_have_no_retry_policies(run_host: Callable[..., HostProcess]) -> None:
    """A policy on a trigger that retries in its own way is named, and has no effect."""
    host = run_host("host_retries", *ALL_LINES)
    host.wait_for("^function 'queue' has a retry policy, which a queueTrigger does not follow")

    host.fetch("/admin/functions/queue", "POST", '{"input": "x"}')
    host.wait_for("^queueTrigger queue → failed")

    assert attempts(host) == [[0, 0, ""]]
    assert host.output.count("has a retry policy") == 1


@pytest.mark.library_worker
def test_v1_function_is_tried_again(
    run_host: Callable[..., HostProcess], v1_app: Callable[[object], Path]
) -> None:
    """The `retry` of a `function.json` is followed, too."""
    host = run_host(v1_app({**FIXED, "delayInterval": "00:00:00"}), *ALL_LINES)
    host.wait_for("^Functions:")

    host.fetch("/admin/functions/tick", "POST", "{}")
    host.wait_for("'Functions.tick' failed after 2 retries: it is not tried again$")

    assert attempts(host) == [[0, 2], [1, 2], [2, 2]]


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (FIXED, RetryPolicy(2, timedelta(seconds=10), timedelta(seconds=10))),
        (EXPONENTIAL, RetryPolicy(-1, timedelta(seconds=10), timedelta(minutes=15))),
        (
            {**FIXED, "strategy": "FixedDelay", "maxRetryCount": "3", "delayInterval": "1.00:00"},
            RetryPolicy(3, timedelta(days=1), timedelta(days=1)),
        ),
    ],
)
def test_reads_policies_of_function_json(
    v1_app: Callable[[object], Path], retry: object, expected: RetryPolicy
) -> None:
    """Both strategies are read; intervals are .NET's, and names have any case."""
    assert policy(v1_app(retry)) == expected


@pytest.mark.parametrize(
    ("retry", "problem"),
    [
        ("often", "'retry' is 'often': it must be an object with a 'strategy'"),
        ({**FIXED, "strategy": "linear"}, "'strategy' of 'retry' is 'linear': use 'fixedDelay'"),
        ({"maxRetryCount": 2}, "'strategy' of 'retry' is None: use 'fixedDelay'"),
        ({**FIXED, "maxRetryCount": -2}, "'maxRetryCount' of 'retry' is -2: use a number"),
        ({**FIXED, "maxRetryCount": None}, "'maxRetryCount' of 'retry' is None: use a number"),
        ({**FIXED, "delayInterval": "10 s"}, "'delayInterval' of 'retry' is '10 s': use a time"),
        ({**FIXED, "delayInterval": "-00:00:10"}, "'-00:00:10': use a time such as '00:00:10'"),
        ({**EXPONENTIAL, "minimumInterval": None}, "'minimumInterval' of 'retry' is None: use a"),
    ],
)
def test_wrong_policy_is_named(
    v1_app: Callable[[object], Path], retry: object, problem: str
) -> None:
    """What Azure would refuse is named with its file, and the app goes on without the function."""
    app = v1_app(retry)

    found = find_app(app, {})

    assert [function.name for function in found.functions] == ["hello"]
    (said,) = found.problems
    assert problem in said
    assert str(app / "tick" / "function.json") in said


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("retry", "problem"),
    [
        (
            'strategy="fixed_delay", max_retry_count="-2", delay_interval="00:00:10"',
            "-2 times: use",
        ),
        (BACKWARDS, "the minimum interval is more than the maximum"),
    ],
)
def test_policy_that_azure_refuses(
    run_host: Callable[..., HostProcess], tmp_path: Path, retry: str, problem: str
) -> None:
    """A v2 function whose policy the host would not take is named, and the app goes on without."""
    (tmp_path / "function_app.py").write_text(V2_SCRIPT.format(retry=retry))
    host = run_host(tmp_path)

    host.wait_for(f"^function 'tick' has a wrong retry policy: .*{problem}")
    assert host.fetch("/api/hello")[2] == "hello"


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("retry", "problem"),
    [
        ('strategy="fixedDelay", max_retry_count="2"', "unknown enum label 'fixedDelay'"),
        ('strategy="fixed_delay", max_retry_count="2", delay_interval="5"', "time data '5'"),
        ('strategy="fixed_delay", max_retry_count="two"', "'two'"),
    ],
)
def test_policy_that_the_worker_refuses(
    run_host: Callable[..., HostProcess], tmp_path: Path, retry: str, problem: str
) -> None:
    """Where the worker cannot read a policy, which fails the app, it is said how to write one."""
    (tmp_path / "function_app.py").write_text(V2_SCRIPT.format(retry=retry))
    host = run_host(tmp_path)

    assert host.wait() == 1
    assert problem in host.output
    assert "An @app.retry is wrong: its strategy is 'fixed_delay' with a" in host.output


def test_policy_of_the_whole_app_is_named(v1_app: Callable[[object], Path]) -> None:
    """The `retry` of host.json, which the host has followed until 2021, is named."""
    app = v1_app(FIXED)
    (app / "host.json").write_text(json.dumps({"version": "2.0", "retry": FIXED}))

    (note,) = find_app(app, {}).notes
    assert "host.json has a 'retry', which no host follows: give functions their own" in note


@given(
    retries=st.integers(0, 20),
    minimum=st.floats(0, 100),
    more=st.floats(0, 10_000),
    spread=st.floats(0.8, 1.2),
)
def test_delays_grow_up_to_a_limit(
    retries: int, minimum: float, more: float, spread: float
) -> None:
    """There is a delay for each retry: at first the minimum, then longer, up to the maximum."""
    shortest, longest = timedelta(seconds=minimum), timedelta(seconds=minimum + more)

    delays = list(RetryPolicy(retries, shortest, longest).delays_s(lambda: spread))

    assert len(delays) == retries
    assert delays == sorted(delays)
    assert delays[:1] in ([], [shortest.total_seconds()])
    assert all(delay <= longest.total_seconds() for delay in delays)


def test_delay_doubles() -> None:
    """What comes on top of the minimum doubles with each retry."""
    endless = RetryPolicy(-1, timedelta(seconds=10), timedelta(seconds=65))

    delays = itertools.islice(endless.delays_s(lambda: 1.0), 6)

    assert list(delays) == [10, 20, 30, 50, 65, 65]
