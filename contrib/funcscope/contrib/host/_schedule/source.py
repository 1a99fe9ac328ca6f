"""The timers of an app, made of what its triggers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._schedule.clock import WallClock
from funcscope.contrib.host._schedule.schedules import is_frequent, parse_schedule
from funcscope.contrib.host._schedule.singleton import SingletonListener
from funcscope.contrib.host._schedule.statuses import BlobStatuses, MemoryStatuses
from funcscope.contrib.host._schedule.timer import FunctionTimer, TimerPlan
from funcscope.contrib.host._schedule.zones import UTC, zone_of
from funcscope.contrib.host._storage.blobs import BlobStore
from funcscope.contrib.host._storage.errors import StorageError
from funcscope.contrib.host._storage.leases import BlobLease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from funcscope.contrib.host._listeners.listener import Listener, RunningApp
    from funcscope.contrib.host._schedule.schedules import Schedule
    from funcscope.contrib.host._schedule.statuses import Statuses
    from funcscope.contrib.host._schedule.zones import Zone
    from funcscope.contrib.host._storage.accounts import Storage
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.worker import LoadedFunction


def make_timers(running: RunningApp) -> list[Listener]:
    """
    Make a timer for each function that has a timer trigger and a schedule that can be read.

    Where there is storage, each runs on one host of those that share it.
    """
    functions = [f for f in running.functions if f.trigger_type.lower() == "timertrigger"]
    if not functions:
        return []
    clock, call, console = WallClock(), running.retrier.run, running.console
    plans = _plans(functions, running.storage, console, clock.now())
    timers = [FunctionTimer(plan, call, console, clock) for plan in plans]
    running.inputs.update({timer.function_name: timer.input for timer in timers})
    return [_singleton(timer, running) for timer in timers]


def _singleton(timer: FunctionTimer, running: RunningApp) -> Listener:
    storage = running.storage
    try:
        account = storage.host_account()
    except StorageError:
        return timer
    lock = f"{storage.host_id}/Host.Functions.{timer.function_name}.Listener"
    return SingletonListener(timer, BlobLease(account, lock), running.console)


def _plans(
    functions: Iterable[LoadedFunction], storage: Storage, console: HostConsole, now: datetime
) -> list[TimerPlan]:
    """Read what the functions' triggers say, and say what is wrong."""
    zone = _zone(storage.settings, console)
    statuses, reason = _statuses(storage)
    plans: list[TimerPlan] = []
    for function in functions:
        try:
            plans.append(make_plan(function, zone, statuses, now))
        except HostError as error:
            console.say(f"{error}: it runs when it is called, and never by itself", style="red")
    kept = [plan.function.name for plan in plans if plan.statuses is not None]
    if kept and reason:
        console.say(_explain(kept, reason), style="yellow")
    return plans


def make_plan(
    function: LoadedFunction,
    zone: Zone,
    statuses: Statuses,
    now: datetime,
) -> TimerPlan:
    """
    Read what a timer trigger says.

    Args:
        function: A function with a timer trigger.
        zone: The time zone of its times.
        statuses: Where its status is kept, if it is.
        now: A schedule that is frequent at this time is not kept.

    Raises:
        HostError: Its schedule is wrong.
    """
    trigger = function.trigger
    text = str(trigger.get("schedule"))
    try:
        schedule = parse_schedule(text, zone)
        _check_comes(schedule, now)
    except HostError as error:
        raise HostError(f"function {function.name!r} has the schedule {text!r}: {error}") from error
    is_kept = _flag(trigger.get("useMonitor"), default=True) and not is_frequent(schedule, now)
    return TimerPlan(
        function=function,
        text=text,
        schedule=schedule,
        zone=zone,
        runs_on_startup=_flag(trigger.get("runOnStartup"), default=False),
        statuses=statuses if is_kept else None,
    )


def _statuses(storage: Storage) -> tuple[Statuses, str]:
    """Return where statuses are kept, and why that is not storage if it is not."""
    try:
        return BlobStatuses(BlobStore(storage.host_account()), storage.host_id), ""
    except StorageError as error:
        return MemoryStatuses(), str(error)


def _explain(names: Iterable[str], reason: str) -> str:
    return (
        f"{', '.join(names)}: a run that is missed while the host is stopped is not made up for, "
        f"as {reason}"
    )


def _check_comes(schedule: Schedule, now: datetime) -> None:
    if schedule.next_after(now) is None:
        raise HostError("no date fits it")


def _zone(settings: Mapping[str, str], console: HostConsole) -> Zone:
    try:
        return zone_of(settings)
    except HostError as error:
        console.say(f"{error}; schedules go by UTC now", style="red")
        return UTC


def _flag(value: object, *, default: bool) -> bool:
    return default if value is None else str(value).lower() == "true"
