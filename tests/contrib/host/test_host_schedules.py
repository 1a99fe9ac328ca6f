"""Schedules mean what they mean to the Functions host."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from funcscope.contrib._local.timespan import parse_timespan
from funcscope.contrib.host import HostError
from funcscope.contrib.host._schedule.ncrontab import CronExpression, parse_cron
from funcscope.contrib.host._schedule.schedules import CronSchedule, is_frequent, parse_schedule
from funcscope.contrib.host._schedule.status import (
    ScheduleStatus,
    status_at_start,
    status_from_json,
)
from funcscope.contrib.host._schedule.zones import UTC, Zone, zone_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SECOND = timedelta(seconds=1)
BERLIN = Zone("Europe/Berlin", ZoneInfo("Europe/Berlin"))
PACIFIC = Zone("America/Los_Angeles", ZoneInfo("America/Los_Angeles"))
NOON = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)  # a Monday


def values(first: int, last: int) -> SearchStrategy[tuple[int, ...]]:
    """Make values of a field."""
    sets = st.sets(st.integers(first, last), min_size=1)
    return st.one_of(
        st.just(tuple(range(first, last + 1))), sets.map(lambda each: tuple(sorted(each)))
    )


EXPRESSIONS = st.builds(
    CronExpression,
    values(0, 59), values(0, 59), values(0, 23), values(1, 31), values(1, 12), values(0, 6),
)  # fmt: skip
DENSE = st.builds(
    CronExpression,
    values(0, 59), values(0, 59), *(st.just(tuple(range(first, last))) for first, last in
    ((0, 24), (1, 32), (1, 13), (0, 7))),
)  # fmt: skip


def local(text: str) -> datetime:
    """Make a time of no zone."""
    return datetime.fromisoformat(text)


MOMENTS = st.datetimes(local("1999-01-01"), local("2101-01-01"))


def fits(expression: CronExpression, time: datetime) -> bool:
    """Tell whether each part of a time is one of the expression's."""
    return (
        time.second in expression.seconds
        and time.minute in expression.minutes
        and time.hour in expression.hours
        and fits_day(expression, time)
    )


def fits_day(expression: CronExpression, day: datetime) -> bool:
    """Tell whether a day is one of the expression's."""
    return (
        day.day in expression.days
        and day.month in expression.months
        and day.isoweekday() % 7 in expression.weekdays
    )


def runs(text: str, zone: Zone, after: str, count: int) -> list[str]:
    """List the next times of a schedule, in local time with the offset."""
    schedule, instant, times = parse_schedule(text, zone), datetime.fromisoformat(after), []
    for _ in range(count):
        found = schedule.next_after(instant)
        assert found is not None
        instant = found
        times.append(f"{zone.local(found):%d %H:%M%z}")
    return times


@given(DENSE, MOMENTS)
def test_next_is_the_first_second_that_fits(expression: CronExpression, moment: datetime) -> None:
    """No second before the next one fits: each of them is looked at."""
    found = expression.next_after(moment)

    assert found is not None
    second = moment.replace(microsecond=0) + SECOND
    while not fits(expression, second):
        second += SECOND
    assert found == second


@given(EXPRESSIONS, MOMENTS)
def test_next_is_on_the_first_day_that_fits(expression: CronExpression, moment: datetime) -> None:
    """The next day is the first whose day, month and weekday all fit, however far it is."""
    found = expression.next_after(moment)

    if found is None:
        assert max(expression.days, default=0) > 28
        return
    assert fits(expression, found)
    days = (found.date() - moment.date()).days
    first = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    between = [first + timedelta(days=n) for n in range(1, min(days, 4000))]
    assert not any(fits_day(expression, day) for day in between)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 */20 * * * *", [0, 20, 40]),
        ("*/20 * * * *", [0, 20, 40]),  # without the second
        ("0 5/20 * * * *", [5, 25, 45]),
        ("0 10-30/10 * * * *", [10, 20, 30]),
        ("0 30-10/10 * * * *", [10, 20, 30]),
        ("0 1,3,1 * * * *", [1, 3]),
        ("0 */0 * * * *", list(range(60))),
        ("0 */90 * * * *", [0]),
        ("  0   7 *  * * * ", [7]),
    ],
)
def test_steps_ranges_and_lists(text: str, expected: list[int]) -> None:
    """Steps, ranges either way round and lists are read as NCrontab reads them."""
    expression = parse_cron(text)

    assert expression.seconds == (0,)
    assert list(expression.minutes) == expected


@pytest.mark.parametrize(
    ("text", "months", "weekdays"),
    [
        ("0 0 0 * jan MON", (1,), (1,)),
        ("0 0 0 * ma sat", (3,), (6,)),
        ("0 0 0 * August Wednesday", (8,), (3,)),
        ("0 0 0 * oct-DEC fri-mon", (10, 11, 12), (1, 2, 3, 4, 5)),
        ("0 0 0 * apr/4 0", (4, 8, 12), (0,)),
    ],
)
def test_names(text: str, months: tuple[int, ...], weekdays: tuple[int, ...]) -> None:
    """Any beginning of a month's or a weekday's name is read, in any case."""
    expression = parse_cron(text)

    assert (expression.months, expression.weekdays) == (months, weekdays)


def test_day_and_weekday_must_both_fit() -> None:
    """Friday the 13th is a Friday, unlike in cron."""
    found = parse_cron("0 0 0 13 * 5").next_after(local("2026-01-01"))

    assert found == local("2026-02-13")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("* * * *", "it has 4 fields: use six (second, minute, hour, day, month, weekday)"),
        ("0 0 0 0 0 0 0", "it has 7 fields"),
        ("", "it has 0 fields"),
        ("soon", "it has 1 fields"),
        ("60 * * * * *", "second 60 is not within 0 to 59"),
        ("0 0 25 * * *", "hour 25 is not within 0 to 23"),
        ("0 0 0 0 * *", "day 0 is not within 1 to 31"),
        ("0 0 0 * * 7", "weekday 7 is not within 0 to 6"),
        ("0 0 0 ? * *", "'?' is no day: use numbers"),
        ("0 0 0 L * *", "'L' is no day: use numbers"),
        ("0 0 0 * mai *", "'mai' is no month: use a number, or Feb"),
        ("0 0 0 * * fri#2", "'fri#2' is no weekday: use numbers"),
        ("0 1- * * * *", "'' is no minute"),
        ("0 ,1 * * * *", "'' is no minute"),
        ("0 -1 * * * *", "'-1' is no minute"),
        ("0 1/2/3 * * * *", "'2/3' is no minute"),
        ("0 */x * * * *", "'x' is no minute"),
        ("0 *-5 * * * *", "'*' is no minute"),
        ("0 ² * * * *", "'²' is no minute"),
        ("00:00:00", "a time span must be more than nothing"),
        ("-00:05:00", "a time span must be more than nothing"),
    ],
)
def test_wrong_schedule_is_explained(text: str, problem: str) -> None:
    """What NCrontab refuses is refused, and the field that is wrong is named."""
    with pytest.raises(HostError, match=re.escape(problem)):
        parse_schedule(text, UTC)


def test_a_time_that_never_comes() -> None:
    """A date that is in no calendar has no next time; one that is rare has."""
    assert parse_cron("0 0 0 30 2 *").next_after(local("2026-01-01")) is None
    leap_sunday = parse_cron("0 0 0 29 2 0").next_after(local("2072-01-01"))
    assert leap_sunday == local("2088-02-29")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01:00:00", timedelta(hours=1)),
        ("24:00:00", timedelta(days=24)),
        ("25:00:00:00", timedelta(days=25)),
        ("1.00:00:00", timedelta(days=1)),
        ("00:00:00.25", timedelta(milliseconds=250)),
        ("12:30", timedelta(hours=12, minutes=30)),
        ("7", timedelta(days=7)),
        ("-00:01:00", timedelta(minutes=-1)),
        ("00:60:00", None),
        ("1:2:3:4:5", None),
        ("1 2", None),
    ],
)
def test_time_spans(text: str, expected: timedelta | None) -> None:
    """A time span is what .NET reads as one: 24 hours and more are days."""
    assert parse_timespan(text) == expected


def test_time_span_is_a_period() -> None:
    """A time span runs that long after the last run."""
    assert parse_schedule("00:05:30", UTC).next_after(NOON) == NOON + timedelta(seconds=330)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/20 * * * * *", True),
        ("0 * * * * *", False),
        ("00:00:30", True),
        ("00:01:00", False),
        ("0,1 0 0 1 1 *", False),  # not within the next minute
    ],
)
def test_what_is_frequent(text: str, *, expected: bool) -> None:
    """More than one run within the next minute is too frequent to be kept."""
    assert is_frequent(parse_schedule(text, UTC), NOON) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Intervals go on, by what has passed.
        ("0 */30 * * * *", ["08 01:30-0800", "08 03:00-0700", "08 03:30-0700"]),
        # What is left out is as long after the change.
        ("0 30 2 * * *", ["08 03:30-0700", "09 02:30-0700"]),
        ("0 15 3 * * *", ["08 03:15-0700", "09 03:15-0700"]),
    ],
)
def test_clocks_set_forward(text: str, expected: list[str]) -> None:
    """At 02:00 it is 03:00: nothing is lost, and nothing runs twice."""
    assert runs(text, PACIFIC, "2026-03-08T01:10:00-08:00", len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "0 */30 * * * *",
            ["01 01:00-0700", "01 01:30-0700", "01 01:00-0800", "01 01:30-0800", "01 02:00-0800"],
        ),
        ("0 0 * * * *", ["01 01:00-0700", "01 01:00-0800", "01 02:00-0800"]),
        ("0 30 1 * * *", ["01 01:30-0700", "02 01:30-0800"]),
        ("0 45 0 * * *", ["01 00:45-0700", "02 00:45-0800"]),
        ("0 10 2 * * *", ["01 02:10-0800", "02 02:10-0800"]),
    ],
)
def test_clocks_set_back(text: str, expected: list[str]) -> None:
    """At 02:00 it is 01:00 again: intervals go on, a certain time comes once."""
    assert runs(text, PACIFIC, "2026-11-01T00:40:00-07:00", len(expected)) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-11-01T01:20:00-08:00", ["02 01:30-0800"]),  # its time has been, in the first pass
        ("2026-10-31T12:00:00-07:00", ["01 01:30-0700"]),
    ],
)
def test_start_around_clocks_set_back(after: str, expected: list[str]) -> None:
    """A host that starts in the second pass takes the time of day for done."""
    assert runs("0 30 1 * * *", PACIFIC, after, 1) == expected


def test_yearly_time_in_the_hour_that_comes_twice() -> None:
    """A date long after the last run is not taken for done."""
    (found,) = runs("0 30 1 1 11 *", PACIFIC, "2025-12-01T00:00:00-08:00", 1)

    assert found == "01 01:30-0700"


def test_same_hour_a_year_later() -> None:
    """The hour that comes twice next year is not the one that comes twice now."""
    (found,) = runs("0 30 1 1-7 11 0", PACIFIC, "2026-11-01T01:40:00-08:00", 1)

    assert found == "07 01:30-0700"


@given(DENSE, st.integers(-7200, 7200), st.sampled_from(["back", "forward"]))
def test_intervals_around_changes(expression: CronExpression, offset: int, change: str) -> None:
    """Whenever the clocks change, an interval's next run is the first instant that fits."""
    assume(expression.is_interval)
    at = {"back": local("2026-10-25 01:00"), "forward": local("2026-03-29 01:00")}[change]
    instant = at.replace(tzinfo=timezone.utc) + timedelta(seconds=offset)

    found = parse_schedule_of(expression).next_after(instant)

    second = instant + SECOND
    while not fits(expression, BERLIN.local(second).replace(tzinfo=None)):
        second += SECOND
    assert found is not None
    assert found <= second
    # Earlier only for a time that was left out.
    assert found == second or change == "forward"


def parse_schedule_of(expression: CronExpression) -> CronSchedule:
    """Make a schedule in Berlin."""
    return CronSchedule(expression, BERLIN)


def test_machines_own_zone() -> None:
    """Without a setting, times are the machine's."""
    zone = zone_of({})

    noon = local("2026-06-01 12:00")
    assert zone.rules is None
    assert zone.instants(noon)[0].timestamp() == noon.timestamp()
    assert zone.local(NOON) == NOON


def test_zone_of_the_setting() -> None:
    """An IANA name in WEBSITE_TIME_ZONE is the zone."""
    assert zone_of({"WEBSITE_TIME_ZONE": "Europe/Berlin"}) == BERLIN


@pytest.mark.parametrize("name", ["W. Europe Standard Time", "Mars/Base", "/etc/passwd", "x\0"])
def test_unknown_zone_is_named(name: str) -> None:
    """A name of Windows', or one of nothing, is named with what is expected."""
    with pytest.raises(HostError, match=r"WEBSITE_TIME_ZONE is .* an IANA name such as"):
        zone_of({"WEBSITE_TIME_ZONE": name})


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-30T12:00:00+00:00",
        "2026-11-30T13:00:00.0000000+01:00",
        "2026-11-30T12:00:00Z",
        "2026-11-30T12:00:00",
    ],
)
def test_reads_what_the_host_has_kept(text: str) -> None:
    """Times as .NET writes them are read, and its least one is none."""
    never = "0001-01-01T00:00:00+01:00"

    status = status_from_json({"Last": never, "Next": text, "LastUpdated": text})

    assert status == ScheduleStatus(next=NOON, last=None, updated=NOON)


@pytest.mark.parametrize(
    "fields", [{}, {"Last": 7}, {"Last": "soon"}, {"Last": "2026-13-01T00:00:00Z"}]
)
def test_what_cannot_be_read_is_nothing(fields: dict[str, object]) -> None:
    """A status that is broken counts as none."""
    assert status_from_json(fields) is None


def test_status_survives_being_kept() -> None:
    """What is kept is read as it was, in any zone."""
    status = ScheduleStatus(next=NOON + SECOND, last=NOON, updated=NOON)

    assert status_from_json(status.as_json(PACIFIC)) == status


@pytest.mark.parametrize(
    ("text", "kept", "next_run"),
    [
        # As it was kept, and missed.
        ("0 0 * * * *", ("10:00", "09:00"), "10:00"),
        # As it was kept, and still to come.
        ("0 0 * * * *", ("13:00", "12:00"), "13:00"),
        # Changed since: what would have been missed by the new schedule is not made up for.
        ("0 30 * * * *", ("10:00", "09:00"), "12:30"),
        ("0 30 12 * * *", ("13:00", "09:00"), "12:30"),
    ],
)
def test_what_was_missed(text: str, kept: tuple[str, str], next_run: str) -> None:
    """The time that was kept is past due, unless the schedule is another one now."""
    due, last = (NOON.replace(hour=int(t[:2]), minute=int(t[3:])) for t in kept)
    expected = NOON.replace(hour=int(next_run[:2]), minute=int(next_run[3:]))

    status = status_at_start(ScheduleStatus(due, last, last), parse_schedule(text, UTC), NOON)

    assert status.next == expected
