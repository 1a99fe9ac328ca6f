"""
Spans of time as the host's settings have them, such as `00:00:10`.

What is accepted is what .NET's `TimeSpan.TryParse` accepts: `[d.]hh:mm[:ss[.fraction]]`,
`d:hh:mm:ss`, or days alone. `hh:mm:ss` with more than 23 hours is read as `dd:hh:mm`: .NET means it
so (dotnet/runtime, issue 40316), and the documentation of the timer trigger says it.
"""

from __future__ import annotations

import re
from datetime import timedelta

_DAYS = re.compile(r"(?P<sign>-?)(?P<d>\d{1,8})")
_CLOCK = re.compile(
    r"(?P<sign>-?)(?:(?P<d>\d{1,8})[.:])?(?P<h>\d{1,2}):(?P<m>\d{1,2}):(?P<s>\d{1,2})"
    r"(?:\.(?P<fraction>\d{1,7}))?"
)
_SHORT = re.compile(r"(?P<sign>-?)(?:(?P<d>\d{1,8})\.)?(?P<h>\d{1,2}):(?P<m>\d{1,2})")
_LONG = re.compile(r"(?P<sign>-?)(?P<d>\d{1,8}):(?P<h>\d{1,2}):(?P<m>\d{1,2})")


def parse_timespan(text: str) -> timedelta | None:
    """
    Read a span of time; None where the text is none.

    Examples:
        >>> parse_timespan("00:00:10"), parse_timespan("1.12:00")
        (datetime.timedelta(seconds=10), datetime.timedelta(days=1, seconds=43200))
        >>> parse_timespan("24:00:00")
        datetime.timedelta(days=24)
        >>> parse_timespan("10 s") is None
        True
    """
    for shape in (_DAYS, _CLOCK, _SHORT, _LONG):
        match = shape.fullmatch(text.strip())
        if match is not None and (span := _span(match.groupdict())) is not None:
            return span
    return None


def _span(parts: dict[str, str | None]) -> timedelta | None:
    days, hours, minutes, seconds = (int(parts.get(name) or 0) for name in "dhms")
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    microseconds = int(float(f"0.{parts.get('fraction') or 0}") * 1_000_000)
    span = timedelta(days, seconds, microseconds, minutes=minutes, hours=hours)
    return -span if parts["sign"] else span
