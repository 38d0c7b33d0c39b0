"""HTTP routes of the schedule: when payouts run. Times are UTC."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lucid_kit.clock import rfc3339
from lucid_tron.payouts.access import Admin, Body, Desk, Reader
from lucid_tron.payouts.errors import ScheduleNotFound
from lucid_tron.payouts.schedule import Plan, Schedule

routes = APIRouter(prefix="/payouts", tags=["schedule"])
_MINUTE_MS = 60_000
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DAYS: tuple[Day, ...] = get_args(Day)


class ScheduleIn(Body):
    """Every day, or every week on `weekday`, at `at` (UTC).

    A run that was missed is made up for within `catch_up_hours`. It is open for `open_minutes` at most.
    """

    every: Literal["day", "week"]
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["06:30"])]
    weekday: Day = "monday"
    catch_up_hours: Annotated[int, Field(ge=0, le=168)] = 24
    open_minutes: Annotated[int, Field(ge=1, le=1440)] = 60

    def read(self) -> Schedule:
        """As the schedule counts."""
        hours, _, minutes = self.at.partition(":")
        return Schedule(
            self.every,
            int(hours) * 60 + int(minutes),
            _DAYS.index(self.weekday),
            self.catch_up_hours * 60 * _MINUTE_MS,
            self.open_minutes * _MINUTE_MS,
        )


class ScheduleOut(ScheduleIn):
    """… with its runs: the next (in the past while it is open), and when the last one was finished."""

    says: str
    next_run: str
    last_finished: str | None
    open: bool


class Removed(BaseModel):
    removed: bool


def _out(plan: Plan) -> ScheduleOut:
    schedule = plan.schedule
    at, day = f"{schedule.minute // 60:02}:{schedule.minute % 60:02}", _DAYS[schedule.weekday]
    when = "Every day" if schedule.every == "day" else f"Every {day.capitalize()}"
    then = "a run is open now" if plan.open else f"the next run is {rfc3339(plan.next_ms)}"
    return ScheduleOut(
        every=schedule.every,
        at=at,
        weekday=day,
        catch_up_hours=schedule.catch_up_ms // (60 * _MINUTE_MS),
        open_minutes=schedule.open_ms // _MINUTE_MS,
        says=f"{when} at {at} UTC; {then}",
        next_run=rfc3339(plan.next_ms),
        last_finished=None if plan.finished_ms is None else rfc3339(plan.finished_ms),
        open=plan.open,
    )


@routes.get("/schedule")
async def schedule(_who: Reader, desk: Desk) -> ScheduleOut:
    """When payouts run; without a schedule they are paid as soon as they are approved."""
    plan = await desk.plan()
    if plan is None:
        raise ScheduleNotFound("There is no schedule: payouts are paid as soon as they are approved")
    return _out(plan)


@routes.put("/schedule")
async def set_schedule(body: ScheduleIn, who: Admin, desk: Desk) -> ScheduleOut:
    """Let payouts run at set times from now on. What was signed already goes on at once."""
    return _out(await desk.set_schedule(body.read(), who.subject))


@routes.delete("/schedule")
async def remove_schedule(who: Admin, desk: Desk) -> Removed:
    """Pay at once again."""
    return Removed(removed=await desk.remove_schedule(who.subject))
