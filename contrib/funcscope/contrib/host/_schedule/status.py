"""
What is kept of a timer: when it ran, and when it is to run next.

Sources: azure-webjobs-sdk-extensions, `ScheduleStatus.cs`, `ScheduleMonitor.cs` (what is past due).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib.host._schedule.schedules import Schedule
    from funcscope.contrib.host._schedule.zones import Zone

_NEVER = "0001-01-01T00:00:00+00:00"
_TIME = re.compile(r"(.{19})(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """
    What is kept of a timer.

    Attributes:
        next: When it is to run; None where it has run for the last time.
        last: When it last ran, None where it has not yet.
        updated: From which time `next` was found.
    """

    next: datetime | None
    last: datetime | None
    updated: datetime

    def as_json(self, zone: Zone) -> dict[str, str]:
        """Return what the host keeps, and sends as `ScheduleStatus`, in local times."""
        times = {"Last": self.last, "LastUpdated": self.updated, "Next": self.next}
        return {
            name: _NEVER if at is None else zone.local(at).isoformat() for name, at in times.items()
        }


def status_after(instant: datetime, schedule: Schedule) -> ScheduleStatus:
    """Return the status of a timer that has run at an instant."""
    return ScheduleStatus(schedule.next_after(instant), instant, instant)


def status_from_json(fields: Mapping[str, object]) -> ScheduleStatus | None:
    """Read what is kept; None where it cannot be read."""
    values = {name: _read_time(fields.get(name)) for name in ("Last", "LastUpdated", "Next")}
    updated = values["LastUpdated"] or values["Last"]
    return None if updated is None else ScheduleStatus(values["Next"], values["Last"], updated)


def status_at_start(
    kept: ScheduleStatus | None, schedule: Schedule, now: datetime
) -> ScheduleStatus:
    """
    Return the status to start from.

    Its `next` is in the past where a run was missed. A schedule that has changed since misses none.
    """
    if kept is None:
        return ScheduleStatus(schedule.next_after(now), None, now)
    expected = schedule.next_after(kept.last or kept.updated)
    if kept.next == expected:
        return kept
    if expected is None or now > expected:
        return ScheduleStatus(schedule.next_after(now), None, now)
    return replace(kept, next=expected, last=None)


def _read_time(value: object) -> datetime | None:
    """Read a time as .NET writes it, with up to seven digits of a second."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    moment, fraction, offset = match.groups()
    offset = "+00:00" if offset in (None, "Z") else offset
    try:
        read = datetime.fromisoformat(f"{moment}.{(fraction or '0'):0<6}{offset}")
    except ValueError:
        return None
    return None if read.year == 1 else read.astimezone(timezone.utc)
