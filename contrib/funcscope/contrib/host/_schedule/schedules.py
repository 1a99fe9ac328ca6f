"""
Schedules of timer triggers: when a function runs next.

Sources: azure-webjobs-sdk-extensions, `TimerSchedule.cs`, `CronSchedule.cs`, `ConstantSchedule.cs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from funcscope.contrib._local.timespan import parse_timespan
from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._schedule.ncrontab import count_fields, parse_cron

if TYPE_CHECKING:
    from datetime import datetime

    from funcscope.contrib.host._schedule.ncrontab import CronExpression
    from funcscope.contrib.host._schedule.zones import Zone

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


class Schedule(Protocol):
    """When a function runs."""

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first instant after one, both aware of their zone; None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class PeriodicSchedule:
    """Runs once in each period, counted from the last run."""

    period: timedelta

    def next_after(self, instant: datetime) -> datetime:
        """Return the instant one period later."""
        return instant + self.period


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """
    Runs at the local times that an expression means.

    Where clocks are set forward, a time that is left out is as long after the change as it would
    have been. Where they are set back, an expression that means intervals goes on in the hour that
    comes twice, and one that means certain times runs in the first of both alone.
    """

    expression: CronExpression
    zone: Zone

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first time after an instant."""
        local = self.zone.local(instant).replace(tzinfo=None, fold=0)
        found = self.expression.next_after(local)
        if self.zone.comes_twice(local):
            return self._in_hour_that_comes_twice(instant, local, found)
        return found and self.zone.instants(found)[0]

    def _in_hour_that_comes_twice(
        self, instant: datetime, local: datetime, found: datetime | None
    ) -> datetime | None:
        second_pass = self.zone.instants(local)[1]
        is_second = instant >= second_pass
        if self.expression.is_interval and not is_second and not self._is_in_hour(found, local):
            again = self._first_of_second_pass(local - (second_pass - instant))
            found, is_second = (again or found), again is not None
        elif not self.expression.is_interval and is_second:
            while found and self._is_in_hour(found, local):
                found = self.expression.next_after(found)
        if found is None:
            return None
        return self.zone.instants(found)[is_second and self._is_in_hour(found, local)]

    def _first_of_second_pass(self, before: datetime) -> datetime | None:
        """Return the first local time of the hour that comes twice; `before` is ahead of it."""
        end = before + _DAY
        found = self.expression.next_after(before)
        while found and found < end and not self.zone.comes_twice(found):
            found = self.expression.next_after(found)
        return found if found and found < end else None

    def _is_in_hour(self, found: datetime | None, local: datetime) -> bool:
        """Tell whether a time is in the hour that comes twice, this year's."""
        return found is not None and found - local < _DAY and self.zone.comes_twice(found)


def parse_schedule(text: str, zone: Zone) -> Schedule:
    """
    Read a schedule: an NCRONTAB expression, or a time span such as `00:05:00`.

    Raises:
        HostError: It is neither, or no time will ever fit it.
    """
    period = parse_timespan(text)
    if count_fields(text) == 1 and period is not None:
        if period <= timedelta():
            raise HostError("a time span must be more than nothing")
        return PeriodicSchedule(period)
    return CronSchedule(parse_cron(text), zone)


def is_frequent(schedule: Schedule, now: datetime) -> bool:
    """Tell whether it runs more than once within the next minute: then nothing of it is kept."""
    if isinstance(schedule, PeriodicSchedule):
        return schedule.period < _MINUTE
    first = schedule.next_after(now)
    second = first and schedule.next_after(first)
    return second is not None and second < now + _MINUTE
