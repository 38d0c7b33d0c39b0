"""Tiled logs: paths and widths as C2SP has them, and a reader that believes only what leads to the root."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid_proof import merkle
from lucid_proof.domains import leaf_hash
from lucid_proof.errors import BadProof, LogUnreadable
from lucid_proof.tiles import (
    Tile,
    TileReader,
    decode_entries,
    encode_entries,
    entries_path,
    tile_at,
    tiles_between,
    tiles_for,
    tiles_of,
)


def a_log(size: int) -> tuple[merkle.MemoryTree, dict[str, bytes]]:
    leaves = [b"entry %d" % number for number in range(size)]
    tree = merkle.MemoryTree(leaf_hash(each) for each in leaves)
    files = dict(tiles_for(0, size, tree.node))
    for at in range(0, size, 256):
        part = leaves[at : at + 256]
        files[entries_path(at // 256, len(part))] = encode_entries(part)
    return tree, files


def test_the_examples_of_the_page():
    assert Tile(1, 1234067).path() == "tile/1/x001/x234/067"
    assert entries_path(1234067, 3) == "tile/entries/x001/x234/067.p/3"
    tiles = list(tiles_of(70_000))
    assert [each for each in tiles if each.level == 0] == [
        *(Tile(0, at) for at in range(273)),
        Tile(0, 273, 112),
    ]
    assert [each for each in tiles if each.level > 0] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_growing_log_writes_exactly_the_tiles_it_did_not_have(old, more):
    new = old + more
    assert set(tiles_of(old)) | set(tiles_between(old, new)) >= set(tiles_of(new))
    assert not set(tiles_between(old, new)) & set(tiles_of(old))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 1500), st.data())
def test_proofs_from_tiles_are_those_of_the_tree(size, data):
    tree, files = a_log(size)
    reader = TileReader(files.__getitem__, size, tree.root())
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    assert reader.inclusion(index) == tree.inclusion(index)
    assert reader.consistency(old) == tree.consistency(old)
    assert (
        reader.inclusion(min(index, old - 1), old) == tree.inclusion(min(index, old - 1), old)
        if old
        else True
    )
    assert reader.leaf_hash(index) == tree.node(0, index)
    assert reader.entry(index) == b"entry %d" % index
    assert list(reader.leaf_hashes(index, size + 5)) == [(at, tree.node(0, at)) for at in range(index, size)]


def test_a_log_of_many_tiles_is_read_in_bounded_memory():
    tree, files = a_log(256 * 70)
    reader = TileReader(files.__getitem__, tree.size, tree.root())
    assert sum(1 for _ in reader.leaf_hashes(0, tree.size)) == tree.size
    assert len(reader._tiles) <= 64


def test_a_partial_tile_that_is_gone_is_taken_from_the_full_one():
    tree, files = a_log(600)  # holds tile/0/001 whole; a log of 300 leaves had tile/0/001.p/44
    files["tile/1/000.p/1"] = a_log(300)[1]["tile/1/000.p/1"]
    assert "tile/0/001.p/44" not in files
    reader = TileReader(files.__getitem__, 300, tree.root(300))
    assert reader.entry(299) == b"entry 299"
    assert reader.inclusion(299) == tree.inclusion(299, 300)


def test_an_empty_log_is_read():
    assert TileReader({}.__getitem__, 0, merkle.root([])).size == 0


def test_tiles_that_do_not_lead_to_the_root_are_refused():
    tree, files = a_log(300)
    with pytest.raises(BadProof, match="do not lead to the root"):
        TileReader(files.__getitem__, 300, b"\0" * 32)
    with pytest.raises(BadProof, match="do not lead to the root"):
        TileReader((files | {"tile/0/001.p/44": bytes(44 * 32)}).__getitem__, 300, tree.root())


def test_a_false_leaf_inside_a_full_tile_is_refused_where_it_is_used():
    tree, files = a_log(300)
    false = bytearray(files["tile/0/000"])
    false[0] ^= 1
    reader = TileReader((files | {"tile/0/000": bytes(false)}).__getitem__, 300, tree.root())
    with pytest.raises(BadProof):
        reader.leaf_hash(0)


def test_a_false_entry_is_refused():
    tree, files = a_log(3)
    for false in ([b"entry 0", b"entry X", b"entry 2"], [b"entry 0"]):
        reader = TileReader(
            (files | {"tile/entries/000.p/3": encode_entries(false)}).__getitem__, 3, tree.root()
        )
        with pytest.raises(BadProof, match="leaf 1"):
            reader.entry(1)


@pytest.mark.parametrize("content", [b"", b"x", bytes(43 * 32), bytes(44 * 32 + 1), bytes(257 * 32)])
def test_a_tile_of_the_wrong_length_is_unreadable(content):
    tree, files = a_log(300)
    with pytest.raises(LogUnreadable):
        TileReader((files | {"tile/0/001.p/44": content}).__getitem__, 300, tree.root())


def test_a_tile_that_is_missing_is_named():
    tree, files = a_log(300)
    del files["tile/0/001.p/44"]
    with pytest.raises(LogUnreadable, match=r"tile/0/001\.p/44: not there"):
        TileReader(files.__getitem__, 300, tree.root())


def test_what_a_tree_does_not_hold_cannot_be_asked():
    tree, files = a_log(5)
    reader = TileReader(files.__getitem__, 5, tree.root())
    for ask in (lambda: reader.inclusion(5), lambda: reader.inclusion(0, 6), lambda: reader.consistency(6)):
        with pytest.raises(ValueError, match=r"leaf|leaves"):
            ask()
    for level, index in [(0, 1), (1, 0), (0, -1)]:
        with pytest.raises(ValueError, match="no tile"):
            tile_at(level, index, 5)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_entry_bundles_are_read_as_they_are_written(entries):
    assert decode_entries(encode_entries(entries)) == entries


@given(st.binary(max_size=50))
def test_arbitrary_entry_bundles_are_read_back_or_refused(data):
    with contextlib.suppress(LogUnreadable):
        assert encode_entries(decode_entries(data)) == data


def test_entries_too_long_or_too_many_are_refused():
    with pytest.raises(ValueError, match="at most"):
        encode_entries([bytes(65_536)])
    with pytest.raises(ValueError, match="at most"):
        encode_entries([b""] * 257)
    with pytest.raises(LogUnreadable):
        decode_entries(bytes(2 * 257))
