"""When payouts run: daily or weekly at a time in UTC, and what happens to runs that were missed.

Catch-up rule: however many runs were missed while nothing ran, one is made as soon as something runs again,
if the newest missed one is not older than `catch_up_ms`; else the next comes at its time. A run is finished
when it says so: one that died half-way is begun again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Protocol

from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents
from lucid_tron.payouts.errors import InvalidSchedule, ScheduleNotFound

SCHEDULES = Collection("payout_schedules")
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 24 * 60 * _MINUTE_MS
_WEEK_MS: Final = 7 * _DAY_MS
# 1970-01-01 was a Thursday: weekday 3 counted from Monday.
_EPOCH_WEEKDAY: Final = 3


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every day, or every week on `weekday` (0 Monday … 6 Sunday), at `minute` of the day (0 … 1439), UTC.

    UTC has no summer time, so no run falls out or happens twice.
    """

    every: Literal["day", "week"]
    minute: int
    weekday: int = 0
    catch_up_ms: int = _DAY_MS

    def __post_init__(self) -> None:
        fits = 0 <= self.minute < 1440 and 0 <= self.weekday < 7 and self.catch_up_ms >= 0
        if self.every not in ("day", "week") or not fits:
            raise InvalidSchedule(
                f"{self.every} at minute {self.minute} on weekday {self.weekday} is no time"
            )

    def latest(self, now_ms: int) -> int:
        """The newest time of a run at or before `now_ms`."""
        period, offset = (_DAY_MS, 0) if self.every == "day" else (_WEEK_MS, self.weekday - _EPOCH_WEEKDAY)
        first = offset * _DAY_MS + self.minute * _MINUTE_MS
        return now_ms - (now_ms - first) % period

    def following(self, now_ms: int) -> int:
        """The next time of a run after `now_ms`."""
        return self.latest(now_ms) + (_DAY_MS if self.every == "day" else _WEEK_MS)


class Driven(Protocol):
    """What a schedule drives: `PayoutProcessor`."""

    async def run_once(self, limit: int | None = None, *, start: bool = True) -> dict[str, str]: ...


class Schedules:
    """Schedules by name, and the last run of each that was finished."""

    collections = (SCHEDULES,)

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def prepare(self) -> None:
        """Make the collections."""
        await self._documents.ensure(*self.collections)

    async def set(self, name: str, schedule: Schedule) -> None:
        """Make a schedule or change it. A run whose time passed before is not made up for."""
        document = {
            "id": name,
            "finished_ms": schedule.latest(self._clock.now_ms()),
            "schedule": asdict(schedule),
        }
        if await self._documents.get(SCHEDULES.name, name) is None:
            await self._documents.insert(SCHEDULES.name, document)
        else:
            await self._documents.replace(SCHEDULES.name, document)

    async def due(self, name: str) -> int | None:
        """The run to make now, by its time; None when there is none. The same until it is finished.

        Raises
        ------
        ScheduleNotFound
            If there is no schedule of that name.
        """
        found = await self._get(name)
        schedule, now = Schedule(**found["schedule"]), self._clock.now_ms()
        newest = schedule.latest(now)
        # A clock that was set back makes no run due twice: times only rise.
        if newest <= found["finished_ms"] or now - newest > schedule.catch_up_ms:
            return None
        fault.point("schedule-due")
        # Ends here: nothing was written; the run is due again.
        return newest

    async def finish(self, name: str, run_ms: int) -> None:
        """Remember that a run was made; runs before it are made up for by it."""
        found = await self._get(name)
        if run_ms > found["finished_ms"]:
            expect = {"finished_ms": found["finished_ms"]}
            await self._documents.update(SCHEDULES.name, name, {"finished_ms": run_ms}, expect=expect)

    async def drive(self, name: str, payouts: Driven) -> dict[str, str]:
        """Go on with what was started; start what is approved if a run is due. Called again and again.

        Raises
        ------
        ScheduleNotFound
            If there is no schedule of that name. Else what `run_once` raises: then the run stays due.
        """
        run = await self.due(name)
        said = await payouts.run_once(start=run is not None)
        if run is not None:
            await self.finish(name, run)
        return said

    async def next(self, name: str) -> int:
        """When the next run comes, in ms; in the past if it is due."""
        found = await self._get(name)
        waiting = await self.due(name)
        schedule = Schedule(**found["schedule"])
        return waiting if waiting is not None else schedule.following(self._clock.now_ms())

    async def _get(self, name: str) -> Mapping[str, Any]:
        found = await self._documents.get(SCHEDULES.name, name)
        if found is None:
            raise ScheduleNotFound(f"There is no schedule {name[:80]!r}")
        return found
