"""When payouts run: daily or weekly at a time in UTC, and what happens to runs that were missed.

Catch-up rule: however many runs were missed while nothing ran, one is made as soon as something runs again,
if the newest missed one is not older than `catch_up_ms`; else the next comes at its time.

A run is open until everything approved is paid, or for `open_ms` at most: so what waits for funds, for nodes
or for an attestation has that long, and what is approved meanwhile goes along. One that died goes on.
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
_HOUR_MS: Final = 60 * _MINUTE_MS
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
    open_ms: int = _HOUR_MS

    def __post_init__(self) -> None:
        fits = 0 <= self.minute < 1440 and 0 <= self.weekday < 7 and self.catch_up_ms >= 0
        fits = fits and 0 < self.open_ms <= _DAY_MS
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
    """What a schedule drives: `PayoutDesk`."""

    async def run_once(self, *, start: bool) -> dict[str, str]:
        """Go on with what was signed; with `start` begin what is approved, too."""
        ...

    async def is_done(self) -> bool:
        """Whether nothing is approved or under way."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule as it stands; times in ms UTC. `open` while a run is under way."""

    schedule: Schedule
    next_ms: int
    finished_ms: int | None
    open: bool


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
            "passed_ms": schedule.latest(self._clock.now_ms()),
            "finished_ms": None,
            "begun": None,
            "schedule": asdict(schedule),
        }
        known = await self._documents.get(SCHEDULES.name, name)
        if known is None:
            await self._documents.insert(SCHEDULES.name, document)
        else:
            await self._documents.replace(SCHEDULES.name, document | {"finished_ms": known["finished_ms"]})

    async def remove(self, name: str) -> bool:
        """Forget a schedule; whether there was one."""
        return await self._documents.delete(SCHEDULES.name, name)

    async def plan(self, name: str) -> Plan | None:
        """A schedule and its runs; None if there is none of that name."""
        found = await self._documents.get(SCHEDULES.name, name)
        if found is None:
            return None
        schedule = Schedule(**found["schedule"])
        return Plan(schedule, await self.next(name), found["finished_ms"], await self.due(name) is not None)

    async def due(self, name: str) -> int | None:
        """The run to make now, by its time; None when there is none. The same until it is finished.

        Raises
        ------
        ScheduleNotFound
            If there is no schedule of that name.
        """
        found = await self._get(name)
        schedule, now = Schedule(**found["schedule"]), self._clock.now_ms()
        if (begun := found["begun"]) is not None:
            return int(begun["run_ms"])
        newest = schedule.latest(now)
        # A clock that was set back makes no run due twice: times only rise.
        if newest <= found["passed_ms"] or now - newest > schedule.catch_up_ms:
            return None
        return newest

    async def begin(self, name: str, run_ms: int) -> int:
        """Remember when a run was begun, and say when that was; asking again gives the first time."""
        found = await self._get(name)
        if found["begun"] is not None:
            return int(found["begun"]["at_ms"])
        fault.point("schedule-due")
        # Ends here: nothing was written; the run is due again.
        begun = {"run_ms": run_ms, "at_ms": self._clock.now_ms()}
        await self._documents.update(SCHEDULES.name, name, {"begun": begun}, expect={"begun": None})
        fault.point("schedule-begun")
        # Ends here: the run is open and paid nobody yet; it goes on for the rest of its time.
        return begun["at_ms"]

    async def finish(self, name: str, run_ms: int) -> None:
        """Remember that a run was made; runs before it are made up for by it."""
        found = await self._get(name)
        if run_ms > found["passed_ms"]:
            expect = {"passed_ms": found["passed_ms"]}
            change = {"passed_ms": run_ms, "finished_ms": self._clock.now_ms(), "begun": None}
            await self._documents.update(SCHEDULES.name, name, change, expect=expect)

    async def drive(self, name: str, payouts: Driven) -> dict[str, str]:
        """Go on with what was started; start what is approved if a run is due. Called again and again.

        Raises
        ------
        ScheduleNotFound
            If there is no schedule of that name. Else what `run_once` raises: then the run stays open.
        """
        run = await self.due(name)
        if run is None:
            return await payouts.run_once(start=False)
        schedule = Schedule(**(await self._get(name))["schedule"])
        over = self._clock.now_ms() - await self.begin(name, run) >= schedule.open_ms
        said = await payouts.run_once(start=not over)
        if over or await payouts.is_done():
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
