"""
One timer: it waits for the next time of its schedule, and runs its function.

The order of things is that of azure-webjobs-sdk-extensions, `TimerListener.cs`: one run at a time;
times that come while the function runs are made up for by one run at once; what is next is found
from when the last run began.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, cast

from funcscope.contrib._local.payloads import parse
from funcscope.contrib._local.trace_context import continue_trace
from funcscope.contrib.host._schedule.status import (
    status_after,
    status_at_start,
    status_from_json,
)
from funcscope.contrib.host._worker.invocations import InvocationRequest
from funcscope.contrib.host._worker.triggers import trigger_data

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from datetime import datetime

    from funcscope.contrib.host._schedule.clock import Clock
    from funcscope.contrib.host._schedule.schedules import Schedule
    from funcscope.contrib.host._schedule.status import ScheduleStatus
    from funcscope.contrib.host._schedule.statuses import Statuses
    from funcscope.contrib.host._schedule.zones import Zone
    from funcscope.contrib.host._traces.console import HostConsole
    from funcscope.contrib.host._worker.worker import LoadedFunction

    Call: TypeAlias = Callable[[InvocationRequest], Awaitable[object]]

_LOOK_AGAIN_S = 20.0  # the clock may be set, and a laptop sleeps
_SET_BACK = timedelta(minutes=1)  # a clock that is corrected by less changes no plan


@dataclass(frozen=True, slots=True)
class TimerPlan:
    """
    What a timer trigger says.

    Attributes:
        text: The schedule as it is written.
        statuses: Where the status is kept; None where it is not, and the function is told of none.
    """

    function: LoadedFunction
    text: str
    schedule: Schedule
    zone: Zone
    runs_on_startup: bool
    statuses: Statuses | None


class FunctionTimer:
    """
    Runs one function on its schedule.

    Args:
        plan: What its trigger says.
        call: Calls the function, and again if that is its policy.
        console: Where to say what is next, and what goes wrong.
        clock: What it goes by.
    """

    def __init__(self, plan: TimerPlan, call: Call, console: HostConsole, clock: Clock) -> None:
        self._plan = plan
        self._call = call
        self._console = console
        self._clock = clock
        self._status: ScheduleStatus | None = None
        self._is_kept = True

    @property
    def name(self) -> str:
        """What it is, as messages name it."""
        return f"the timer of function {self.function_name!r}"

    @property
    def function_name(self) -> str:
        """The function that it runs."""
        return self._plan.function.name

    def input(self, given: object) -> object:
        """Return what a call by hand gets: what is known, and what was given of it."""
        given = parse(given)
        fields = cast("dict[str, object]", given) if isinstance(given, dict) else {}
        return {**self._info(), **fields}

    def _info(self, *, is_past_due: bool = False) -> dict[str, object]:
        """Return what the function is told."""
        status = None if self._plan.statuses is None else self._status
        fields = status and status.as_json(self._plan.zone)
        return {"ScheduleStatus": fields, "IsPastDue": is_past_due}

    async def run(self) -> None:
        """Run the function on its schedule until this is cancelled; a run is finished then."""
        now = self._clock.now()
        status = await self._begin(now)
        if status.next is not None and now > status.next:
            self._log(f"{self.name} is past due: it was to run at {self._local(status.next)}")
            status = await _to_the_end(self._fire(is_past_due=True))
        elif self._plan.runs_on_startup:
            self._log(f"{self.name} runs on startup")
            status = await _to_the_end(self._fire())
        self._log(f"{self.name} ({self._plan.text}) runs next at {self._local(status.next)}")
        while (status := await self._wait(status)).next is not None:
            status = await _to_the_end(self._fire())

    async def _begin(self, now: datetime) -> ScheduleStatus:
        kept = await self._load()
        status = status_at_start(kept, self._plan.schedule, now)
        if status != kept:
            await self._save(status)
        self._status = status
        return status

    async def _wait(self, status: ScheduleStatus) -> ScheduleStatus:
        """Wait for the next time; return the status with the time that it was in the end."""
        seen, due = self._clock.now(), status.next
        while due is not None and (now := self._clock.now()) < due:
            if seen - now > _SET_BACK:
                due = self._plan.schedule.next_after(now)
                self._log(f"the clock was set back: {self.name} runs next at {self._local(due)}")
            else:
                remaining_s = (due - now).total_seconds()
                await self._clock.sleep(min(remaining_s, _LOOK_AGAIN_S))
            seen = now
        return replace(status, next=due)

    async def _fire(self, *, is_past_due: bool = False) -> ScheduleStatus:
        """Run the function, and return what is known afterwards."""
        began = self._clock.now()
        await self._invoke(is_past_due=is_past_due)
        self._status = status_after(began, self._plan.schedule)
        await self._save(self._status)
        return self._status

    async def _invoke(self, *, is_past_due: bool) -> None:
        function = self._plan.function
        data = trigger_data(self._info(is_past_due=is_past_due), function.trigger)
        title = f"{function.trigger_type} {function.name}"
        try:
            await self._call(InvocationRequest(function, title, data, continue_trace()))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the schedule goes on
            self._complain("could not run its function", error)

    async def _load(self) -> ScheduleStatus | None:
        if self._plan.statuses is None:
            return None
        try:
            kept = await self._plan.statuses.load(self.function_name)
        except Exception as error:  # noqa: BLE001 -- as above
            self._complain("cannot tell whether a run was missed", error)
            return None
        return None if kept is None else status_from_json(kept)

    async def _save(self, status: ScheduleStatus) -> None:
        if self._plan.statuses is None:
            return
        fields = status.as_json(self._plan.zone)
        try:
            await self._plan.statuses.save(self.function_name, fields)
        except Exception as error:  # noqa: BLE001 -- as above
            if self._is_kept:  # said once, and not after each run
                self._complain("cannot keep when it ran", error)
            self._is_kept = False
        else:
            self._is_kept = True

    def _local(self, instant: datetime | None) -> str:
        if instant is None:
            return "no time"
        return self._plan.zone.local(instant).isoformat(" ", "seconds")

    def _complain(self, problem: str, error: Exception) -> None:
        message = f"{self.name} {problem}: {type(error).__name__}: {error}"
        self._console.log(message, level=logging.ERROR)

    def _log(self, message: str) -> None:
        self._console.log(message)


async def _to_the_end(work: Coroutine[object, object, ScheduleStatus]) -> ScheduleStatus:
    """Await something to its end even where this is cancelled, and let that through then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
