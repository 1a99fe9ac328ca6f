"""Timer triggers run on their schedule."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from tests.patience import PATIENCE_S

from funcscope.contrib.host import HostError, LoadedFunction
from funcscope.contrib.host._forwarding.host_spans import SCOPE
from funcscope.contrib.host._schedule.source import make_plan
from funcscope.contrib.host._schedule.statuses import MemoryStatuses
from funcscope.contrib.host._schedule.timer import FunctionTimer
from funcscope.contrib.host._schedule.zones import UTC
from funcscope.contrib.host._traces.console import HostConsole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from tests.contrib.host.accounts import Account
    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, TelemetryStore
    from funcscope.contrib.host._schedule.statuses import Statuses
    from funcscope.contrib.host._worker.invocations import InvocationRequest

ALL_LINES = ("--port", "0", "-v")
NOON = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
TEA = {"TEA_TIME": "30 4 * * *"}


class SteppedClock:
    """A clock that goes on when somebody sleeps, and stops everything at its end."""

    def __init__(self, end: datetime, now: datetime = NOON) -> None:
        self.time = now
        self._end = end

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.check()
        await asyncio.sleep(0)

    def check(self) -> None:
        """Stop everything after the end."""
        if self.time > self._end:
            raise asyncio.CancelledError


class TimerRun:
    """
    What has become of a timer.

    Attributes:
        told: What the function was told in each run, with the time at which it began.
        output: What was written.
    """

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._file = io.StringIO()
        self.console = HostConsole(Console(file=self._file, width=10_000))

    @property
    def output(self) -> str:
        return self._file.getvalue()

    @property
    def times(self) -> list[str]:
        """When the function ran."""
        return [time for time, _ in self.told]

    def note(self, call: InvocationRequest) -> None:
        """Keep what the function is told."""
        self.told.append((f"{self.clock.time:%H:%M:%S}", json.loads(call.data.value.json)))


def run_timer(
    schedule: str,
    *,
    until: timedelta = timedelta(minutes=5),
    clock: SteppedClock | None = None,
    statuses: Statuses | None = None,
    body: Callable[[TimerRun], Awaitable[None]] | None = None,
    **trigger: object,
) -> TimerRun:
    """Run a timer on a stepped clock from noon on; `body` is what its function does."""
    run = TimerRun(clock or SteppedClock(NOON + until))
    binding = {"type": "timerTrigger", "name": "timer", "direction": "in", "schedule": schedule}
    function = LoadedFunction("tick", "1", ({**binding, **trigger},))
    plan = make_plan(function, UTC, statuses or MemoryStatuses(), run.clock.now())

    async def call(request: InvocationRequest) -> None:
        run.clock.check()
        run.note(request)
        if body is not None:
            await body(run)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(FunctionTimer(plan, call, run.console, run.clock).run())
    return run


def takes(**time: float) -> Callable[[TimerRun], Awaitable[None]]:
    """Make a function that takes some time."""

    async def body(run: TimerRun) -> None:
        run.clock.time += timedelta(**time)

    return body


def test_runs_at_the_times_of_its_schedule() -> None:
    """The function runs at each time, and is told when it ran and when it will."""
    run = run_timer("0 */2 * * * *")

    assert run.times == ["12:02:00", "12:04:00"]
    assert [told["IsPastDue"] for _, told in run.told] == [False, False]
    assert run.told[1][1]["ScheduleStatus"] == {
        "Last": "2026-11-30T12:02:00+00:00",
        "LastUpdated": "2026-11-30T12:02:00+00:00",
        "Next": "2026-11-30T12:04:00+00:00",
    }
    assert run.told[0][1]["ScheduleStatus"]["Last"] == "0001-01-01T00:00:00+00:00"
    assert run.told[0][1]["Schedule"] == {"AdjustForDST": True}
    assert "(0 */2 * * * *) runs next at 2026-11-30 12:02:00+00:00" in run.output


def test_every_second() -> None:
    """A timer of every second is as frequent as it says, and is told of no status."""
    run = run_timer("*/1 * * * * *", until=3 * SECOND)

    assert run.times == ["12:00:01", "12:00:02", "12:00:03"]
    assert [told["ScheduleStatus"] for _, told in run.told] == [None, None, None]


def test_times_that_pass_during_a_run_are_made_up_for_once() -> None:
    """Of all times that come while the function runs, one run is made, when it has returned."""
    run = run_timer("0 * * * * *", body=takes(seconds=150), until=timedelta(minutes=6))

    assert run.times == ["12:01:00", "12:03:30", "12:06:00"]


def test_never_two_runs_at_once() -> None:
    """While the function runs, its timer does not start it a second time."""
    running: list[int] = []

    async def body(run: TimerRun) -> None:
        running.append(1)
        run.clock.time += timedelta(seconds=5)
        await asyncio.sleep(0)
        assert len(running) == 1
        running.clear()

    run = run_timer("* * * * * *", body=body, until=30 * SECOND)

    assert len(run.times) > 3
    assert "could not run" not in run.output


def test_clock_that_is_corrected() -> None:
    """A clock that is set back a little while the function runs makes no second run of a time."""

    async def body(run: TimerRun) -> None:
        run.clock.time -= timedelta(seconds=20)

    run = run_timer("0 * * * * *", body=body, until=timedelta(minutes=2))

    assert run.times == ["12:01:00", "12:02:00"]


def test_clock_set_forward() -> None:
    """Where the clock jumps ahead, what was due runs soon."""

    class Jumping(SteppedClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            self.time = max(self.time, NOON + timedelta(hours=3))

    run = run_timer("0 0 13 * * *", clock=Jumping(NOON + timedelta(hours=4)))

    assert run.times == ["15:00:00"]


def test_clock_set_back() -> None:
    """Where the clock is set back for good, the next time is found anew."""

    class SetBack(SteppedClock):
        async def sleep(self, seconds: float) -> None:
            if self.time.year == 2027:
                self.time = NOON
            await super().sleep(seconds)

    a_year_later = NOON.replace(year=2027)
    run = run_timer("0 0 13 * * *", clock=SetBack(NOON + timedelta(hours=2), a_year_later))

    assert run.times == ["13:00:00"]
    assert "the clock was set back" in run.output


def test_failure_does_not_end_the_schedule() -> None:
    """Whatever goes wrong in a call, the next time comes."""

    async def body(run: TimerRun) -> None:
        raise OSError("the worker is gone")

    run = run_timer("0 */2 * * * *", body=body)

    assert run.times == ["12:02:00", "12:04:00"]
    assert "of function 'tick' could not run its function: OSError: the worker is" in run.output


@pytest.mark.parametrize("value", [True, "true", "True"])
def test_runs_on_startup(value: object) -> None:
    """With `runOnStartup` the function runs at once, and then on its schedule."""
    run = run_timer("0 */2 * * * *", runOnStartup=value, until=timedelta(minutes=2))

    assert run.times == ["12:00:00", "12:02:00"]
    assert [told["IsPastDue"] for _, told in run.told] == [False, False]


def test_missed_run_is_made_up_for() -> None:
    """What was due while the host did not run is run at start, as past due."""
    statuses = MemoryStatuses()
    run_timer("0 */2 * * * *", statuses=statuses)
    later = NOON + timedelta(hours=1)

    run = run_timer(
        "0 */2 * * * *", statuses=statuses, clock=SteppedClock(later + timedelta(minutes=3), later)
    )

    assert run.times == ["13:00:00", "13:02:00"]
    assert [told["IsPastDue"] for _, told in run.told] == [True, False]
    assert run.told[0][1]["ScheduleStatus"]["Last"] == "2026-11-30T12:04:00+00:00"
    assert "is past due: it was to run at 2026-11-30 12:06:00+00:00" in run.output


def test_first_run_that_is_missed() -> None:
    """A timer that has never run is kept, too."""
    statuses = MemoryStatuses()
    run_timer("0 30 12 * * *", statuses=statuses)
    later = NOON + timedelta(hours=1)

    run = run_timer("0 30 12 * * *", statuses=statuses, clock=SteppedClock(later, later))

    assert [told["IsPastDue"] for _, told in run.told] == [True]


@pytest.mark.parametrize(
    ("schedule", "use_monitor"), [("0 */2 * * * *", False), ("*/2 * * * * *", True)]
)
def test_nothing_is_made_up_for(schedule: str, *, use_monitor: bool) -> None:
    """A timer that is not monitored, or runs more than once a minute, has missed nothing."""
    statuses = MemoryStatuses()
    run_timer(schedule, statuses=statuses, useMonitor=use_monitor)
    later = NOON + timedelta(hours=1)

    run = run_timer(
        schedule, statuses=statuses, clock=SteppedClock(later, later), useMonitor=use_monitor
    )

    assert run.told == []


def test_storage_that_fails() -> None:
    """Where the status cannot be kept, that is said, and the schedule goes on."""

    class Broken(MemoryStatuses):
        async def load(self, function: str) -> Mapping[str, object] | None:
            raise OSError("no such storage")

        async def save(self, function: str, status: Mapping[str, str]) -> None:
            raise OSError("disk full")

    run = run_timer("0 */2 * * * *", statuses=Broken())

    assert run.times == ["12:02:00", "12:04:00"]
    assert "cannot tell whether a run was missed: OSError: no such storage" in run.output
    assert run.output.count("cannot keep when it ran: OSError: disk full") == 1


def test_run_in_flight_is_finished() -> None:
    """A timer that is cancelled while its function runs ends when that has returned."""
    seen: list[str] = []

    async def main() -> None:
        began, may_end = asyncio.Event(), asyncio.Event()

        async def call(request: InvocationRequest) -> None:
            began.set()
            await may_end.wait()
            seen.append("finished")

        binding = {"type": "timerTrigger", "name": "timer", "direction": "in"}
        trigger = {**binding, "schedule": "0 0 0 1 1 *", "runOnStartup": True}
        function = LoadedFunction("tick", "1", (trigger,))
        run = TimerRun(SteppedClock(NOON))
        plan = make_plan(function, UTC, MemoryStatuses(), NOON)
        task = asyncio.create_task(FunctionTimer(plan, call, run.console, run.clock).run())
        await began.wait()
        for _ in range(2):  # the host cancels once more when its server has ended
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["finished"]


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("0 0 25 * * *", "function 'tick' has the schedule '0 0 25 * * *': hour 25 is not within"),
        ("0 0 0 30 2 *", "function 'tick' has the schedule '0 0 0 30 2 *': no date fits it"),
    ],
)
def test_wrong_schedule_is_named(schedule: str, problem: str) -> None:
    """The function, what it says and what is wrong with that are named."""
    with pytest.raises(HostError, match=re.escape(problem)):
        run_timer(schedule)


@pytest.mark.library_worker
def test_host_runs_timers(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver, store: TelemetryStore
) -> None:
    """`funcscope run` runs an app's timers, each run a request with a span of its own."""
    host = run_host("host_timers", *ALL_LINES, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, **TEA)
    host.wait_for("^Functions:")

    host.wait_for(r"timer of function 'start' runs on startup$")
    told = json.loads(host.wait_for(r"\] told (\{.*\})$")[1])
    host.wait_for("Executed 'Functions.tick' .Succeeded", count=3)

    assert host.stop() == 0
    assert told["past_due"] is False
    assert set(told["status"]) == {"Last", "LastUpdated", "Next"}
    spans = [span for span in store.spans if span.scope != SCOPE]
    ticks = [span for span in spans if span.name == "tick"]
    assert len({span.trace_id for span in ticks}) == len(ticks) >= 3
    assert len(spans) == len(ticks) + 1


@pytest.mark.library_worker
def test_host_names_a_wrong_schedule(run_host: Callable[..., HostProcess]) -> None:
    """A function whose schedule is wrong is named, runs when it is called, and the rest go on."""
    host = run_host("host_timers", *ALL_LINES)
    host.wait_for("^function 'wrong' has the schedule '0 0 25 .*: it runs when it is called")
    host.wait_for("^function 'tea': no setting 'TEA_TIME' for %TEA_TIME% in 'schedule'")

    host.wait_for("Executed 'Functions.tick' .Succeeded")
    host.fetch("/admin/functions/wrong", "POST", "{}")
    host.wait_for("Executed 'Functions.wrong' .Succeeded")


@pytest.mark.library_worker
def test_call_by_hand_is_told_what_is_known(run_host: Callable[..., HostProcess]) -> None:
    """A call through the admin route gets the timer's status, and what is given of its own."""
    host = run_host(
        "host_timers", *ALL_LINES, WEBSITE_TIME_ZONE="Asia/Tokyo", TEA_TIME="0 */5 * * * *"
    )
    host.wait_for(r"'tea' \(0 \*/5 \* \* \* \*\) runs next at .*\+09:00$")
    host.wait_for(r"timer of function 'start' \(.*\) runs next")

    host.fetch("/admin/functions/start", "POST", '{"input": {"IsPastDue": true}}')
    told = json.loads(host.wait_for(r'\] told (\{"past_due": true.*\})$')[1])

    assert re.fullmatch(r"\d{4}-02-29T00:00:00\+09:00", told["status"]["Next"])
    assert told["status"]["Last"].endswith("+09:00")


@pytest.mark.library_worker
def test_host_makes_up_for_a_missed_run(
    run_host: Callable[..., HostProcess], account: Account
) -> None:
    """What is kept in storage outlives the host: a run that was due since is made up for."""
    settings = {"AzureWebJobsStorage": account.connection, "WEBSITE_TIME_ZONE": "UTC", **TEA}
    host = run_host("host_timers", *ALL_LINES, **settings)
    host.wait_for(r"timer of function 'start' \(.*\) runs next")
    host.stop()
    container = account.blobs.get_container_client("azure-webjobs-hosts")
    (name,) = [
        blob.name
        for blob in container.list_blobs("timers/")
        if blob.name.endswith("/Host.Functions.start/status")
    ]
    assert "made up for" not in host.output
    missed = {"Last": "2023-01-01T00:00:00.0000000+00:00", "Next": "2024-02-29T00:00:00+00:00"}
    account.upload(f"azure-webjobs-hosts/{name}", json.dumps(missed).encode())

    again = run_host("host_timers", *ALL_LINES, **settings)
    again.wait_for(r"timer of function 'start' \(.*\) runs next")
    again.stop()

    assert "'start' is past due: it was to run at 2024-02-29 00:00:00+00:00" in again.output
    assert "runs on startup" not in again.output
    (told,) = re.findall(r"\] told (\{.*\})$", again.output, re.M)
    assert json.loads(told)["past_due"] is True
    assert json.loads(told)["status"]["Last"] == "2023-01-01T00:00:00+00:00"
    kept = json.loads(account.download(f"azure-webjobs-hosts/{name}") or b"")
    assert kept["Last"] > "2026"
    assert kept["Next"].endswith("-02-29T00:00:00+00:00")


@pytest.mark.library_worker
def test_host_without_storage_says_what_that_means(run_host: Callable[..., HostProcess]) -> None:
    """Without storage, one line says for which functions a missed run is not made up for."""
    host = run_host("host_timers", AzureWebJobsStorage="", **TEA)

    host.wait_for(
        "^start: a run that is missed while the host is stopped is not made up for, as the "
        "setting 'AzureWebJobsStorage' is not set"
    )


@pytest.mark.library_worker
def test_unknown_zone_is_said(run_host: Callable[..., HostProcess]) -> None:
    """A time zone that is none is named, and schedules go by UTC."""
    host = run_host("host_timers", *ALL_LINES, WEBSITE_TIME_ZONE="Tokyo Standard Time", **TEA)

    host.wait_for("^WEBSITE_TIME_ZONE is 'Tokyo Standard Time': .*; schedules go by UTC now$")
    host.wait_for(r"'tea' \(30 4 \* \* \*\) runs next at .* 04:30:00\+00:00$")


@pytest.mark.library_worker
@pytest.mark.skipif(os.name != "posix", reason="needs named pipes and POSIX signals")
def test_host_finishes_a_timers_run(run_host: Callable[..., HostProcess], tmp_path: Path) -> None:
    """A run in flight is finished when the host stops, and no other begins."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    host = run_host("host_timers", *ALL_LINES, GATE=str(gate), **TEA)
    host.wait_for("at the gate$")

    host.send(signal.SIGTERM)
    host.wait_for("^stopping: ")
    opener = threading.Thread(target=gate.write_text, args=("open", "utf-8"), daemon=True)
    opener.start()
    opener.join(PATIENCE_S)

    assert host.wait() == 0
    assert host.output.count("Executing 'Functions.tick'") == 1
    assert host.output.count("Executed 'Functions.tick' (Succeeded") == 1
