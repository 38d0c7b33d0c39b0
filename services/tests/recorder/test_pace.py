"""Pictures come as often as asked, and less often when they are too much; never never."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lucid.recorder.pace import BURST, BYTES_PER_SECOND, LONGEST, SETTLE, Pace


def test_after_a_quiet_time_the_picture_comes_as_soon_as_drawing_settles() -> None:
    pace = Pace(10)
    pace.taken(1000, 1001, 100)
    assert pace.due(5000) == 5000 + SETTLE


def test_small_pictures_come_at_the_full_rate() -> None:
    pace = Pace(10)
    pace.taken(1000, 1003, 100)
    assert pace.due(1010) == 1100


def test_pictures_take_at_most_half_of_the_time() -> None:
    pace = Pace(10)
    pace.taken(1000, 1300, 100)
    assert pace.due(1301) == 1600


def test_a_flood_of_bytes_is_spread_over_time() -> None:
    pace, now, stored = Pace(10), 1000, 0
    while now < 61_000:
        pace.taken(now, now + 1, 3_000_000)
        stored += 3_000_000
        now = pace.due(now)
    assert stored / 60 < BYTES_PER_SECOND + BURST / 60 + 100_000


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 1 << 28)), max_size=40))
def test_the_next_picture_is_never_far(costs: list[tuple[int, int]]) -> None:
    pace, now = Pace(10), 1000
    for cost, stored in costs:
        pace.taken(now, now + cost, stored)
        assert pace.due(now) <= now + LONGEST
        now = max(now + cost, pace.due(now))
