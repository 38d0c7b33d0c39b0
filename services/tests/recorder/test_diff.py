"""The comparison of two pictures: every changed pixel is in a rectangle, and no two rectangles overlap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lucid.recorder.diff import BAND, Area, changes, runs, stretches

WIDTH, HEIGHT = 200, 90
areas = st.builds(
    Area, st.integers(-20, WIDTH), st.integers(-20, HEIGHT), st.integers(0, 120), st.integers(0, 80)
)


def covered(parts: list[Area]) -> set[tuple[int, int]]:
    cells: set[tuple[int, int]] = set()
    for x, y, width, height in parts:
        new = {(column, row) for row in range(y, y + height) for column in range(x, x + width)}
        assert not new & cells, "two rectangles overlap"
        cells |= new
    return cells


@given(st.lists(areas, max_size=6))
def test_stretches_cover_the_damage_that_is_on_the_screen(damage: list[Area]) -> None:
    parts = stretches(damage, WIDTH, HEIGHT)
    wanted = {
        (column, row)
        for x, y, width, height in damage
        for row in range(max(0, y), min(HEIGHT, y + height))
        for column in range(max(0, x), min(WIDTH, x + width))
    }
    cells = covered([Area(p.left, p.top, p.right - p.left, p.bottom - p.top) for p in parts])
    assert wanted <= cells
    assert all(column < WIDTH and row < HEIGHT for column, row in cells)
    rows = {row for top, bottom in runs(parts) for row in range(top, bottom)}
    assert {row for _, row in cells} == rows
    assert all(part.bottom - part.top <= BAND for part in parts)


@given(st.lists(st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)), max_size=8))
def test_every_changed_pixel_is_in_a_rectangle(dots: list[tuple[int, int]]) -> None:
    before = bytearray(WIDTH * HEIGHT * 4)
    now = bytearray(before)
    for x, y in dots:
        now[(y * WIDTH + x) * 4] = 255
    parts = stretches([Area(0, 0, WIDTH, HEIGHT)], WIDTH, HEIGHT)
    found = list(changes(bytes(now), before, WIDTH, parts))
    cells = covered(found)
    assert set(dots) <= cells
    assert all(area.width > 0 and area.height > 0 for area in found)
    assert all(area.y in {y for _, y in dots} for area in found), "no row above the first changed one"


def test_an_unchanged_picture_gives_nothing() -> None:
    same = bytes(WIDTH * HEIGHT * 4)
    parts = stretches([Area(0, 0, WIDTH, HEIGHT)], WIDTH, HEIGHT)
    assert list(changes(same, bytearray(same), WIDTH, parts)) == []


def test_a_rectangle_is_cut_to_what_changed() -> None:
    before = bytearray(WIDTH * HEIGHT * 4)
    now = bytearray(before)
    at = (40 * WIDTH + 100) * 4
    now[at : at + 8] = b"\xff" * 8
    (area,) = changes(bytes(now), before, WIDTH, stretches([Area(0, 0, WIDTH, HEIGHT)], WIDTH, HEIGHT))
    assert (area.y, area.height) == (40, 1)
    assert area.x <= 100
    assert area.x + area.width >= 102
    assert area.width <= 32


def test_damage_far_apart_stays_apart() -> None:
    parts = stretches([Area(0, 0, 10, 10), Area(150, 0, 10, 10), Area(20, 5, 10, 10)], WIDTH, HEIGHT)
    assert [(part.left, part.right) for part in parts] == [(0, 30), (150, 160)]
