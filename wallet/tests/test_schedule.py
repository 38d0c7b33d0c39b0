"""A run a day or a week, at its time in UTC; missed ones are made up for once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid_kit import fault
from lucid_kit.clock import ManualClock
from lucid_kit.documents import open_documents
from lucid_tron.payouts.errors import InvalidSchedule, ScheduleNotFound
from lucid_tron.payouts.schedule import Schedule, Schedules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1000  # type: ignore[arg-type,misc]


@given(st.integers(0, 2**42), st.integers(0, 1439), st.integers(0, 6), st.sampled_from(("day", "week")))
def test_runs_fall_on_the_minute_and_weekday_that_were_asked_for(
    now: int, minute: int, weekday: int, every: Any
) -> None:
    schedule = Schedule(every, minute, weekday)
    latest, following = schedule.latest(now), schedule.following(now)
    assert latest <= now < following
    assert following - latest == (DAY_MS if every == "day" else 7 * DAY_MS)
    for each in (latest, following):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=each)
        assert moment.hour * 60 + moment.minute == minute
        assert (moment.second, moment.microsecond) == (0, 0)
        assert every == "day" or moment.weekday() == weekday


@pytest.mark.parametrize(
    "bad", [("month", 0, 0), ("day", 1440, 0), ("day", -1, 0), ("week", 0, 7), ("day", 0, 0, 0, 0)]
)
def test_a_schedule_that_is_no_time_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidSchedule):
        Schedule(*bad)


@pytest.fixture
async def room(tmp_path: Path) -> Any:
    documents = await open_documents(f"sqlite:///{tmp_path}/books.db")
    clock = ManualClock(ms(2026, 3, 2, 7, 0))  # a Monday
    made = Schedules(documents, clock)
    await made.prepare()
    await made.set("daily", Schedule("day", 8 * 60))
    yield made, clock
    await documents.close()


async def test_a_run_is_due_at_its_time_and_until_it_is_finished(room: Any) -> None:
    schedules, clock = room
    assert await schedules.due("daily") is None
    assert await schedules.next("daily") == ms(2026, 3, 2, 8, 0)
    clock.advance(HOUR_MS)
    run = await schedules.due("daily")
    assert run == ms(2026, 3, 2, 8, 0) == await schedules.due("daily") == await schedules.next("daily")
    await schedules.finish("daily", run)
    await schedules.finish("daily", run - DAY_MS)
    assert await schedules.due("daily") is None
    assert await schedules.next("daily") == ms(2026, 3, 3, 8, 0)


async def test_several_missed_runs_are_made_up_for_once(room: Any) -> None:
    schedules, clock = room
    clock.advance(5 * DAY_MS)
    run = await schedules.due("daily")
    assert run == ms(2026, 3, 6, 8, 0)
    await schedules.finish("daily", run)
    assert await schedules.due("daily") is None


async def test_a_run_missed_for_too_long_waits_for_the_next_time(room: Any) -> None:
    schedules, clock = room
    await schedules.set("weekly", Schedule("week", 8 * 60, weekday=2, catch_up_ms=HOUR_MS))
    clock.advance(2 * DAY_MS + 3 * HOUR_MS)  # Wednesday 10:00
    assert await schedules.due("weekly") is None
    assert await schedules.next("weekly") == ms(2026, 3, 11, 8, 0)
    clock.advance(7 * DAY_MS - 2 * HOUR_MS)
    assert await schedules.due("weekly") == ms(2026, 3, 11, 8, 0)


async def test_a_clock_that_is_set_back_makes_nothing_due_twice(room: Any) -> None:
    schedules, clock = room
    clock.advance(2 * HOUR_MS)
    await schedules.finish("daily", await schedules.due("daily"))
    clock.set_now_ms(ms(2026, 3, 1, 9, 0))
    assert await schedules.due("daily") is None
    clock.set_now_ms(ms(2026, 3, 2, 9, 0))
    assert await schedules.due("daily") is None


async def test_changing_a_schedule_makes_up_for_nothing(room: Any) -> None:
    schedules, clock = room
    clock.advance(3 * HOUR_MS)
    await schedules.set("daily", Schedule("day", 9 * 60))
    assert await schedules.due("daily") is None


@pytest.mark.parametrize("point", ["schedule-due", "schedule-begun"])
async def test_a_run_that_died_goes_on(room: Any, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    schedules, clock = room
    clock.advance(HOUR_MS)

    def die(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    payer = Payer()
    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(KeyboardInterrupt):
        await schedules.drive("daily", payer)
    monkeypatch.undo()
    await schedules.drive("daily", payer)
    assert payer.started == [True]
    assert await schedules.due("daily") is None


class Payer:
    """Starts what is approved when it is told to."""

    def __init__(self) -> None:
        self.started: list[bool] = []
        self.broken = False
        self.done = True

    async def run_once(self, *, start: bool) -> dict[str, str]:
        self.started.append(start)
        if self.broken:
            raise OSError("no disk")
        return {}

    async def is_done(self) -> bool:
        return self.done


async def test_payments_start_only_in_runs_and_go_on_between_them(room: Any) -> None:
    schedules, clock = room
    payer = Payer()
    await schedules.drive("daily", payer)
    clock.advance(HOUR_MS)
    payer.broken = True
    with pytest.raises(OSError, match="no disk"):
        await schedules.drive("daily", payer)
    payer.broken = False
    await schedules.drive("daily", payer)
    await schedules.drive("daily", payer)
    assert payer.started == [False, True, True, False]


async def test_a_run_is_open_until_all_is_paid_or_its_time_is_over(room: Any) -> None:
    schedules, clock = room
    await schedules.set("daily", Schedule("day", 8 * 60, open_ms=HOUR_MS))
    payer = Payer()
    payer.done = False
    clock.advance(HOUR_MS)
    await schedules.drive("daily", payer)
    clock.advance(HOUR_MS - 1)
    await schedules.drive("daily", payer)
    plan = await schedules.plan("daily")
    assert (plan.open, plan.finished_ms) == (True, None)
    clock.advance(1)
    await schedules.drive("daily", payer)  # from now on only what was signed goes on
    await schedules.drive("daily", payer)
    assert payer.started == [True, True, False, False]
    plan = await schedules.plan("daily")
    assert (plan.open, plan.finished_ms) == (False, ms(2026, 3, 2, 9, 0))
    assert plan.next_ms == ms(2026, 3, 3, 8, 0)


async def test_an_open_run_is_not_missed_however_late_it_is(room: Any) -> None:
    schedules, clock = room
    await schedules.set("daily", Schedule("day", 8 * 60, catch_up_ms=0, open_ms=2 * HOUR_MS))
    payer = Payer()
    payer.done = False
    clock.advance(HOUR_MS)
    await schedules.drive("daily", payer)
    clock.advance(HOUR_MS)
    payer.done = True
    await schedules.drive("daily", payer)
    assert payer.started == [True, True]


async def test_a_schedule_that_is_removed_leaves_no_run_behind(room: Any) -> None:
    schedules, clock = room
    assert await schedules.remove("daily")
    assert not await schedules.remove("daily")
    assert await schedules.plan("daily") is None
    clock.advance(3 * HOUR_MS)
    await schedules.set("daily", Schedule("day", 9 * 60))
    assert await schedules.due("daily") is None


async def test_an_unknown_schedule_is_not_found(room: Any) -> None:
    schedules, _ = room
    with pytest.raises(ScheduleNotFound):
        await schedules.due("nightly")
