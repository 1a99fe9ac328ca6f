"""
NCRONTAB expressions: second, minute, hour, day, month, weekday; five fields have no second.

They are read as NCrontab reads them (github.com/atifaziz/NCrontab, `CrontabFieldImpl.cs`,
`CrontabField.cs`, `CrontabSchedule.cs`), which the timer trigger uses: day *and* weekday must fit,
a name may be any beginning of `January` or `Monday`, `5/10` goes on to the field's end, and a
range may be written either way round. `docs/decisions/058` tells why no library does it.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAME_CALENDAR_AFTER_YEARS = 400
_MONTHS = tuple(calendar.month_name)[1:]
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True, slots=True)
class _CronField:
    """
    One field of an expression.

    Attributes:
        first: The lowest value.
        last: The highest one.
        names: Names of the values, from `first` on.
    """

    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> tuple[int, ...]:
        """Read a list such as `1,5-9,*/20`."""
        return tuple(sorted({n for item in text.split(",") for n in self._item(item)}))

    def _item(self, text: str) -> range:
        """Read a value, a range or `*`, with or without a step."""
        span, slash, step = text.partition("/")
        if span == "*":
            first, last = self.first, self.last
        elif "-" in span[1:]:
            first, last = sorted(map(self._value, span.split("-", 1)))
        else:
            first = self._value(span)
            last = self.last if slash else first
        return range(first, last + 1, max(1, self._number(step)) if slash else 1)

    def _value(self, text: str) -> int:
        value = self._named(text) if self.names and text.isalpha() else self._number(text)
        if not self.first <= value <= self.last:
            raise HostError(f"{self.name} {value} is not within {self.first} to {self.last}")
        return value

    def _named(self, text: str) -> int:
        for value, name in enumerate(self.names, self.first):
            if name.lower().startswith(text.lower()):
                return value
        raise HostError(f"{text!r} is no {self.name}: use a number, or {self.names[1][:3]}")

    def _number(self, text: str) -> int:
        if text.isascii() and text.isdecimal():
            return int(text)
        raise HostError(f"{text!r} is no {self.name}: use numbers, `*`, `-`, `,` and `/`")


_FIELDS = (
    _CronField("second", 0, 59),
    _CronField("minute", 0, 59),
    _CronField("hour", 0, 23),
    _CronField("day", 1, 31),
    _CronField("month", 1, 12, _MONTHS),
    _CronField("weekday", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """When something is to happen: the values that each part of a local time may have, sorted."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def is_interval(self) -> bool:
        """
        Whether it means "every so often" rather than certain times of a day.

        That is how the timer trigger tells them apart where clocks are set back: by two values in
        a row of second, minute or hour (azure-webjobs-sdk-extensions, `CronSchedule.cs`).
        """
        fields = (self.seconds, self.minutes, self.hours)
        return any(b - a == 1 for values in fields for a, b in pairwise(values))

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first local time after one, both naive; None where none will come."""
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        for day in self._days_from(start.date()):
            found = self._time_from(start.time() if day == start.date() else time())
            if found is not None:
                return datetime.combine(day, found)
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in range(first.year, min(first.year + _SAME_CALENDAR_AFTER_YEARS, MAXYEAR) + 1):
            for month in self.months:
                if (year, month) >= (first.year, first.month):
                    yield from (day for day in self._days_of(year, month) if day >= first)

    def _days_of(self, year: int, month: int) -> Iterator[date]:
        length = calendar.monthrange(year, month)[1]
        for day in (date(year, month, number) for number in self.days if number <= length):
            if day.isoweekday() % 7 in self.weekdays:
                yield day

    def _time_from(self, earliest: time) -> time | None:
        hour, minute, second = earliest.hour, earliest.minute, earliest.second
        times = (
            time(h, m, s)
            for h in self.hours
            if h >= hour
            for m in self.minutes
            if (h, m) >= (hour, minute)
            for s in self.seconds
            if (h, m, s) >= (hour, minute, second)
        )
        return next(times, None)


def count_fields(text: str) -> int:
    """Return how many fields a text has."""
    return len(_split(text))


def parse_cron(text: str) -> CronExpression:
    """
    Read an expression of five or six fields.

    Raises:
        HostError: One of them is wrong; the message does not say in which expression.
    """
    fields = _split(text)
    if len(fields) == len(_FIELDS) - 1:
        fields = ["0", *fields]
    if len(fields) != len(_FIELDS):
        raise HostError(
            f"it has {len(fields)} fields: use six (second, minute, hour, day, month, weekday), "
            "five without the second, or a time span such as '00:05:00'"
        )
    return CronExpression(
        *(field.values(part) for field, part in zip(_FIELDS, fields, strict=True))
    )


def _split(text: str) -> list[str]:
    return [part for part in text.split(" ") if part]
