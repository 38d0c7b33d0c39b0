import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid_kit import ids
from lucid_kit.clock import ManualClock, SystemClock, parse_rfc3339, rfc3339
from lucid_kit.errors import ValidationFailed

YEARS_1_TO_9999 = st.integers(-62_135_596_800_000, 253_402_300_799_999)


def test_a_known_moment_is_written_as_the_design_says() -> None:
    assert rfc3339(1_795_343_428_123) == "2026-11-22T10:30:28.123Z"


@given(YEARS_1_TO_9999)
def test_writing_then_reading_gives_the_same_millisecond(ms: int) -> None:
    assert parse_rfc3339(rfc3339(ms)) == ms


@given(YEARS_1_TO_9999, YEARS_1_TO_9999)
def test_text_sorts_as_time_does(a: int, b: int) -> None:
    assert (rfc3339(a) < rfc3339(b)) == (a < b)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-22T12:30:28.5+02:00", "2026-11-22T10:30:28.500Z"),
        ("2026-11-22t10:30:28z", "2026-11-22T10:30:28.000Z"),
        ("2026-11-22T10:30:28.123999999Z", "2026-11-22T10:30:28.123Z"),
    ],
)
def test_other_forms_of_rfc_3339_are_read(text: str, same: str) -> None:
    assert rfc3339(parse_rfc3339(text)) == same


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-22", "2026-11-22T10:30:28", "2026-13-22T10:30:28Z", "2026-11-22T10:30:60Z",
     "2026-11-22T10:30:28Z\n", "２026-11-22T10:30:28Z", "0001-01-01T00:00:00+23:99", "2026-11-22T10:30:28.Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed, match="RFC 3339"):
        parse_rfc3339(text)


def test_the_system_clock_is_utc_and_does_not_run_backwards() -> None:
    clock = SystemClock()
    assert abs(clock.now_ms() - datetime.now(UTC).timestamp() * 1000) < 60_000
    assert clock.monotonic_ms() <= clock.monotonic_ms()


async def test_the_system_clock_sleeps_for_no_time_when_told_to() -> None:
    await SystemClock().sleep(-1)


async def test_sleepers_wake_in_the_order_of_their_time(clock: ManualClock) -> None:
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(s)) for s in (3, 1, 2, 9)]
    while clock.sleepers < 4:  # noqa: ASYNC110 - lets the tasks run until each sleeps
        await asyncio.sleep(0)
    clock.advance(3000)
    await asyncio.gather(*tasks[:3])
    assert woken == [1, 2, 3]
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    clock.advance(10_000)
    await clock.sleep(0)
    assert clock.sleepers == 0


def test_a_jump_of_the_wall_clock_leaves_durations_alone(clock: ManualClock) -> None:
    before = clock.monotonic_ms()
    clock.set_now_ms(clock.now_ms() - 3_600_000)
    assert clock.monotonic_ms() == before
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_ids_sort_by_the_time_they_were_made_and_never_repeat() -> None:
    made = [ids.new_id("ses") for _ in range(5000)]
    assert made == sorted(set(made))
    assert all(ids.is_id(one, "ses") for one in made[:50])


@pytest.mark.parametrize(
    "text",
    ["", "ses_", "usr_0193f0e0c1a27b3c8d4e5f60718293a4", "ses_0193F0E0C1A27B3C8D4E5F60718293A4",
     "ses_0193f0e0c1a24b3c8d4e5f60718293a4", "ses_0193f0e0c1a27b3c8d4e5f60718293a4\n",
     "ses_0193f0e0c1a27b3c8d4e5f60718293a45"],
)  # fmt: skip
def test_what_only_looks_like_an_id_is_not_one(text: str) -> None:
    assert not ids.is_id(text, "ses")


@pytest.mark.parametrize("prefix", ["", "Ses", "a_b", "1x", "a" * 17])
def test_a_prefix_is_a_short_lowercase_word(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        ids.new_id(prefix)
