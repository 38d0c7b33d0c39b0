"""Cadence from the monotonic clock, time and phase from the wall clock, and neither hurts the other."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lucid_blocks.clock import SLEW_MS, SlotClock
from lucid_kit.clock import ManualClock

BLOCK_MS = 10_000
SLOT = 1_767_225_600_000  # a whole multiple of ten seconds
HOUR_MS = 3_600_000


def decided(clock: ManualClock, slots: SlotClock, blocks: int, work_ms: int = 3) -> list[tuple[int, int]]:
    """(monotonic moment, block time) of the next blocks."""
    made = []
    for _ in range(blocks):
        clock.advance(max(0, slots.due_in_ms))
        stamp = slots.stamp()
        made.append((clock.monotonic_ms(), stamp))
        clock.advance(work_ms)
        slots.made(stamp)
    return made


def steps(made: list[tuple[int, int]]) -> list[int]:
    return [later[0] - earlier[0] for earlier, later in pairwise(made)]


def test_blocks_fall_on_whole_slots_of_the_wall_clock() -> None:
    clock = ManualClock(SLOT + 3_217)
    made = decided(clock, SlotClock(clock, BLOCK_MS, SLOT), 5)
    assert [stamp for _, stamp in made] == [SLOT + BLOCK_MS * number for number in range(1, 6)]


def test_a_wall_clock_that_jumps_back_an_hour_neither_stops_nor_reverses_the_chain() -> None:
    clock = ManualClock(SLOT)
    slots = SlotClock(clock, BLOCK_MS, SLOT)
    before = decided(clock, slots, 3)
    clock.set_now_ms(clock.now_ms() - HOUR_MS)
    after = decided(clock, slots, 400)
    stamps = [stamp for _, stamp in before + after]
    assert stamps == sorted(set(stamps))
    assert all(abs(step - BLOCK_MS) <= 200 for step in steps(before + after))
    ran = after[-1][0] - after[0][0]
    assert 0.98 * ran < after[-1][1] - after[0][1] < ran, "time goes on, a little slower"


def test_after_a_jump_back_the_wall_clock_catches_up_and_leads_again() -> None:
    clock = ManualClock(SLOT)
    slots = SlotClock(clock, BLOCK_MS, SLOT)
    decided(clock, slots, 1)
    clock.set_now_ms(clock.now_ms() - 5_000)
    decided(clock, slots, 60)
    (_, stamp), *_ = decided(clock, slots, 1, work_ms=0)
    assert stamp == clock.now_ms()


def test_a_jump_forward_is_taken_over_and_the_cadence_unbroken() -> None:
    clock = ManualClock(SLOT)
    slots = SlotClock(clock, BLOCK_MS, SLOT)
    before = decided(clock, slots, 2)
    clock.set_now_ms(clock.now_ms() + HOUR_MS)
    after = decided(clock, slots, 2)
    assert after[0][1] - before[-1][1] >= HOUR_MS
    assert all(abs(step - BLOCK_MS) <= 200 for step in steps(before + after))


def test_after_a_jump_the_phase_walks_back_to_the_slots() -> None:
    clock = ManualClock(SLOT)
    slots = SlotClock(clock, BLOCK_MS, SLOT)
    decided(clock, slots, 2)
    clock.set_now_ms(clock.now_ms() + 4_321)
    made = decided(clock, slots, 60)
    assert all(abs(step - BLOCK_MS) <= SLEW_MS for step in steps(made))
    assert made[-1][1] % BLOCK_MS == 0


def test_a_chain_whose_newest_block_lies_in_the_future_starts_and_grows() -> None:
    clock = ManualClock(SLOT)
    made = decided(clock, SlotClock(clock, BLOCK_MS, SLOT + HOUR_MS), 3)
    stamps = [SLOT + HOUR_MS, *(stamp for _, stamp in made)]
    assert stamps == sorted(set(stamps))


def test_slots_that_passed_while_a_block_was_made_are_skipped() -> None:
    clock = ManualClock(SLOT)
    slots = SlotClock(clock, BLOCK_MS, SLOT)
    made = decided(clock, slots, 2, work_ms=25_000)
    assert made[1][1] - made[0][1] == 30_000


async def test_wait_returns_when_the_block_is_due_and_not_before() -> None:
    clock = ManualClock(SLOT + 1)
    slots = SlotClock(clock, BLOCK_MS, SLOT)
    waiting = asyncio.create_task(slots.wait())
    await asyncio.sleep(0)
    clock.advance(9_998)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(1)
    await waiting
    assert slots.due_in_ms == 0


@given(
    st.lists(
        st.tuples(st.integers(-2 * HOUR_MS, 2 * HOUR_MS), st.integers(0, 9_000)), min_size=1, max_size=30
    )
)
def test_whatever_the_wall_clock_does_time_grows_and_no_slot_is_lost(jumps: list[tuple[int, int]]) -> None:
    clock = ManualClock(SLOT)
    slots = SlotClock(clock, BLOCK_MS, SLOT)
    made = []
    for jump, work_ms in jumps:
        clock.set_now_ms(max(0, clock.now_ms() + jump))
        made += decided(clock, slots, 1, work_ms)
    stamps = [SLOT, *(stamp for _, stamp in made)]
    assert stamps == sorted(set(stamps))
    assert all(abs(step - BLOCK_MS) <= SLEW_MS for step in steps(made))
