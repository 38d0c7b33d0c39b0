"""What changed between two pictures: the part of the screen that is worth storing.

The damage that X reports is what was drawn, not what changed: a terminal that redraws its line damages all of
it. Pixels are compared row by row with the previous picture, in bands of 32 rows, and each band gives at most
one rectangle for each separate damaged stretch of columns. Slices of bytes and their comparison are memcpy
and memcmp: an unchanged row costs less than a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from mmap import mmap
from typing import Final, NamedTuple

BAND: Final = 32
"""Rows of a band. Smaller ones cut closer and cost more Python a frame."""
GAP: Final = 64
"""Damaged stretches closer than this, in pixels, are one: an event's header is cheaper than a second scan."""
_STEP: Final = 64  # bytes: how closely a rectangle's sides are cut, 16 pixels


class Area(NamedTuple):
    """A rectangle on the screen, in pixels."""

    x: int
    y: int
    width: int
    height: int


class Stretch(NamedTuple):
    """Columns `left` to `right` (exclusive) of the band that begins at row `top` and ends before `bottom`."""

    top: int
    bottom: int
    left: int
    right: int


def stretches(damage: Iterable[Area], width: int, height: int) -> list[Stretch]:
    """Damaged rectangles, cut to the screen and into bands; in order of rows, none over another."""
    bands: dict[int, list[tuple[int, int]]] = {}
    for x, y, w, h in damage:
        left, right = max(0, x), min(width, x + w)
        top, bottom = max(0, y), min(height, y + h)
        if left >= right or top >= bottom:
            continue
        for band in range(top // BAND, (bottom - 1) // BAND + 1):
            bands.setdefault(band, []).append((left, right))
    found = []
    for band in sorted(bands):
        top = band * BAND
        found += [Stretch(top, min(height, top + BAND), *side) for side in _merged(bands[band])]
    return found


def runs(parts: Iterable[Stretch]) -> list[tuple[int, int]]:
    """The rows (top, bottom) that the stretches lie in, adjacent bands joined: what has to be fetched."""
    rows: list[tuple[int, int]] = []
    for part in parts:
        if rows and part.top <= rows[-1][1]:
            rows[-1] = (rows[-1][0], max(rows[-1][1], part.bottom))
        else:
            rows.append((part.top, part.bottom))
    return rows


def changes(now: mmap | bytes, before: bytearray, width: int, parts: Iterable[Stretch]) -> Iterator[Area]:
    """The rectangles in which two pictures (rows of 4-byte pixels) differ, given where they may."""
    stride = width * 4
    for top, bottom, left, right in parts:
        start, end = left * 4, right * 4
        length = end - start
        first = last = -1
        low, high = length, 0
        for row in range(top, bottom):
            at = row * stride + start
            new, old = now[at : at + length], before[at : at + length]
            if new == old:
                continue
            if first < 0:
                first = row
            last = row
            if low and new[:low] != old[:low]:
                low = next(i for i in range(0, low, _STEP) if new[i : i + _STEP] != old[i : i + _STEP])
            if high < length and new[high:] != old[high:]:
                high = _end(new, old, high, length)
        if first >= 0:
            yield Area(left + low // 4, first, (high - low) // 4, last - first + 1)


def _end(new: bytes, old: bytearray, floor: int, end: int) -> int:
    while end - _STEP > floor and new[end - _STEP : end] == old[end - _STEP : end]:
        end -= _STEP
    return end


def _merged(sides: list[tuple[int, int]]) -> list[tuple[int, int]]:
    sides.sort()
    merged = [sides[0]]
    for left, right in sides[1:]:
        if left <= merged[-1][1] + GAP:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged
