"""Timer triggers: `azure.functions.TimerRequest`; semantic conventions 1.44, `faas`."""

from __future__ import annotations

from datetime import datetime, timezone

from funcscope.telemetry._semconv import PAST_DUE, TIMER_LAST, TIMER_NEXT
from funcscope.telemetry._triggers.fields import Field, entries, read
from funcscope.telemetry._triggers.table import Family, setting_field


def _now(_trigger: object) -> str:
    """Return the time in UTC: the host does not say when the timer fired."""
    return datetime.now(timezone.utc).isoformat()


def _status(key: str) -> Field[object]:
    name = {"Last": TIMER_LAST, "Next": TIMER_NEXT}[key]
    source = f'`timer.schedule_status["{key}"]`'
    return Field(name, source, lambda timer: entries(read(timer, "schedule_status")).get(key))


TIMER = Family(
    title="Timer",
    types=("timerTrigger",),
    faas_trigger="timer",
    constants=(setting_field("faas.cron", "schedule"),),
    message=(
        Field("faas.time", "the time at which the function starts", _now),
        Field(PAST_DUE, "`timer.past_due`", lambda timer: read(timer, "past_due")),
        _status("Last"),
        _status("Next"),
    ),
)
