"""Versioned state: whatever is sealed can be taken back, and the past reads as it was."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lucid_tron.devnet.state import Sheet, World

KEYS = st.tuples(st.sampled_from(["account", "storage"]), st.integers(0, 3))
VALUES = st.none() | st.integers(0, 9)
BLOCK = st.lists(st.tuples(KEYS, VALUES), max_size=6)


def content(reader: Any) -> dict[Any, Any]:
    keys = [(kind, number) for kind in ("account", "storage") for number in range(4)]
    return {key: value for key in keys if (value := reader.get(key)) is not None}


def sealed(world: World, block: list[tuple[Any, Any]]) -> None:
    sheet = Sheet(world)
    for key, value in block:
        sheet.put(key, value)
    world.seal(sheet.changes)


@given(st.lists(BLOCK, min_size=1, max_size=6), st.data())
def test_the_past_reads_as_it_was(blocks: list[Any], data: st.DataObject) -> None:
    world, history = World(), []
    for block in blocks:
        sealed(world, block)
        history.append(content(world))
    height = data.draw(st.integers(0, len(blocks) - 1))
    assert content(world.at(height)) == history[height]


@given(st.lists(BLOCK, min_size=1, max_size=6), st.data())
def test_unsealing_blocks_undoes_exactly_them(blocks: list[Any], data: st.DataObject) -> None:
    world, history = World(), [{}]
    for block in blocks:
        sealed(world, block)
        history.append(content(world))
    count = data.draw(st.integers(0, len(blocks)))
    for _ in range(count):
        world.unseal()
    assert content(world) == history[len(blocks) - count]
    assert world.height == len(blocks) - count - 1


@given(BLOCK, BLOCK, BLOCK)
def test_going_back_to_a_mark_forgets_only_what_came_after(below: Any, kept: Any, dropped: Any) -> None:
    world = World()
    sealed(world, below)
    sheet = Sheet(world)
    for key, value in kept:
        sheet.put(key, value)
    before, mark = content(sheet), sheet.mark()
    for key, value in dropped:
        sheet.put(key, value)
    assert {key for key, _ in dropped} == sheet.touched_since(mark)
    sheet.back_to(mark)
    assert content(sheet) == before
