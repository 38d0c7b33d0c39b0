"""The log's tree as it is stored: rows of tile hashes, eight binary levels apart (c2sp.org/tlog-tiles).

Level 0 holds leaf hashes; position n of level l+1 is the root over the 256 hashes of level l from 256·n
on. Any node between two levels is made of at most 128 stored hashes when it is needed, so nothing else is
stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from lucid_proof import merkle

TILE: Final = 256
_TILE_LEVELS: Final = 8

Read: TypeAlias = Callable[[int, int, int], Sequence[bytes]]
"""`read(level, start, end)`: the stored hashes [start, end) of a tile level."""


def grown(first: int, leaf_hashes: Sequence[bytes], read: Read) -> Iterator[tuple[int, int, bytes]]:
    """The rows (level, position, hash) that appending leaves adds.

    Parameters
    ----------
    first
        The position of the first new leaf: the log's size before.
    leaf_hashes
        Of the new leaves, in order.
    read
        The rows as they were before.
    """
    level, new = 0, list(leaf_hashes)
    while new:
        yield from ((level, first + at, each) for at, each in enumerate(new))
        # What completes a tile with the new hashes: the tile's earlier ones are stored already.
        tile = first - first % TILE
        row = [*read(level, tile, first), *new]
        level, first = level + 1, tile // TILE
        new = [merkle.root(row[at : at + TILE]) for at in range(0, len(row) - TILE + 1, TILE)]


def node(read: Read) -> merkle.Node:
    """Roots of full subtrees, as `merkle.inclusion_nodes` and `merkle.consistency_nodes` ask for them."""

    def root_of(level: int, index: int) -> bytes:
        tile_level, rest = divmod(level, _TILE_LEVELS)
        hashes = read(tile_level, index << rest, (index + 1) << rest)
        return merkle.root(hashes)

    return root_of
