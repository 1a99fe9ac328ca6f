"""The timers of an app, made of what its triggers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._schedule.clock import WallClock
from funcscope.contrib.host._schedule.schedules import is_frequent, parse_schedule
from funcscope.contrib.host._schedule.statuses import MemoryStatuses
from funcscope.contrib.host._schedule.timer import FunctionTimer, TimerPlan
from funcscope.contrib.host._schedule.zones import UTC, zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from funcscope.contrib.host._listeners.listener import RunningApp
    from funcscope.contrib.host._schedule.schedules import Schedule
    from funcscope.contrib.host._schedule.statuses import Statuses
    from funcscope.contrib.host._schedule.zones import Zone
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.worker import LoadedFunction


def make_timers(running: RunningApp) -> list[FunctionTimer]:
    """Make a timer for each function that has a timer trigger and a schedule that can be read."""
    clock = WallClock()
    functions = [f for f in running.functions if f.trigger_type.lower() == "timertrigger"]
    zone = _zone(running.storage.settings, running.console) if functions else UTC
    statuses = MemoryStatuses()
    plans: list[TimerPlan] = []
    for function in functions:
        try:
            plans.append(make_plan(function, zone, statuses, clock.now()))
        except HostError as error:
            running.console.say(
                f"{error}: it runs when it is called, and never by itself", style="red"
            )
    timers = [FunctionTimer(plan, running.retrier.run, running.console, clock) for plan in plans]
    running.inputs.update({timer.function_name: timer.input for timer in timers})
    return timers


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
