"""Tiled logs (c2sp.org/tlog-tiles): where tiles are, what a writer stores, and proofs from what it serves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lucid_proof import merkle
from lucid_proof.domains import DIGEST_SIZE, leaf_hash
from lucid_proof.errors import BadProof, LogUnreadable

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
MAX_ENTRY: Final = 0xFFFF
MAX_TILE: Final = WIDTH * DIGEST_SIZE
MAX_BUNDLE: Final = WIDTH * (2 + MAX_ENTRY)
_CACHED: Final = 64


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A run of up to 256 hashes of one level.

    Attributes
    ----------
    level : int
        0 for leaf hashes; at level L each hash covers 256^L leaves.
    index : int
        Which run of 256 it is.
    width : int
        How many hashes it holds: 256 for a full tile, fewer at the right edge.
    """

    level: int
    index: int
    width: int = WIDTH

    def path(self) -> str:
        """Below the log's prefix, for example `tile/1/x001/x234/067.p/8`."""
        return f"tile/{self.level}/{_numbered(self.index, self.width)}"


def entries_path(index: int, width: int = WIDTH) -> str:
    """Where the bundle with the entries of level-0 tile `index` is."""
    return f"tile/entries/{_numbered(index, width)}"


def tile_at(level: int, index: int, size: int) -> Tile:
    """The tile as wide as a tree of `size` leaves fills it.

    Raises
    ------
    ValueError
        If such a tree has nothing in it.
    """
    width = min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH)
    if width < 1 or index < 0:
        raise ValueError(f"a tree of {size} leaves has no tile {index} at level {level}")
    return Tile(level, index, width)


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree of `size` leaves: full ones and one partial tile a level, at most."""
    return tiles_between(0, size)


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """The tiles of a tree of `new` leaves that the tree of `old` leaves did not have, lower levels first."""
    level = 0
    while (filled := new >> (HEIGHT * level)) > 0:
        before = old >> (HEIGHT * level)
        if filled != before:
            for index in range(before // WIDTH, (filled - 1) // WIDTH + 1):
                yield tile_at(level, index, new)
        level += 1


def tiles_for(old: int, new: int, hash_at: merkle.Node) -> Iterator[tuple[str, bytes]]:
    """What a writer stores when its log grows from `old` to `new` leaves.

    Parameters
    ----------
    hash_at : Callable[[int, int], bytes]
        `hash_at(level, index)`: root of the full subtree of 2^level leaves at `index`, as `MemoryTree.node`.

    Yields
    ------
    tuple of str and bytes
        A path below the prefix, and the tile.
    """
    for tile in tiles_between(old, new):
        first = tile.index * WIDTH
        hashes = (hash_at(HEIGHT * tile.level, first + at) for at in range(tile.width))
        yield tile.path(), b"".join(hashes)


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length in two bytes, big-endian.

    Raises
    ------
    ValueError
        If an entry is longer than 65,535 bytes, or there are more than 256.
    """
    if len(entries) > WIDTH or any(len(each) > MAX_ENTRY for each in entries):
        raise ValueError(f"an entry bundle has at most {WIDTH} entries of at most {MAX_ENTRY} bytes")
    return b"".join(len(each).to_bytes(2, "big") + each for each in entries)


def decode_entries(data: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises
    ------
    LogUnreadable
        If the bundle ends within an entry or holds more than 256.
    """
    entries, at = list[bytes](), 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data) or len(entries) == WIDTH:
            raise LogUnreadable(
                "an entry bundle that ends within an entry, or has more than 256", f"byte {at}"
            )
        entries.append(data[at + 2 : end])
        at = end
    return entries


class TileReader:
    """Reads a log of `size` leaves through its tiles and takes none on trust: all of it must lead to `root`.

    Parameters
    ----------
    fetch : Callable[[str], bytes]
        Gives what is at a path below the log's prefix. May raise KeyError or FileNotFoundError for a partial
        tile that was replaced by the full one.
    size, root
        Of the checkpoint to read under.

    Every method raises `LogUnreadable` for what is not there or not of its form, `BadProof` where a hash does
    not lead to the root, and ValueError for a leaf or size that the tree does not have.
    """

    def __init__(self, fetch: Callable[[str], bytes], size: int, root: bytes) -> None:
        self._fetch = fetch
        self._tiles: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._bundle: list[bytes] = []
        self._bundle_at = -1
        self.size = size
        self.root = root
        if merkle.range_root(0, size, self._node) != root:
            raise BadProof("the log's tiles do not lead to the root of its checkpoint", "tile")

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Path from leaf `index` to the root of the first `size` leaves (default: all)."""
        return merkle.inclusion_nodes(index, self._sized(size), self._node)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Proof that the log of `old` leaves is the beginning of the one of `new` (default: all)."""
        return merkle.consistency_nodes(old, self._sized(new), self._node)

    def leaf_hashes(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Index and hash of the leaves first, …, last - 1."""
        for index in range(first, min(last, self.size)):
            yield index, self._node(0, index)

    def leaf_hash(self, index: int) -> bytes:
        """Hash of one leaf, proved to stand at `index` under the root."""
        node = self._node(0, index)
        merkle.verify_inclusion(node, index, self.size, self.inclusion(index), self.root)
        return node

    def entry(self, index: int) -> bytes:
        """The entry at `index`, proved to stand there under the root."""
        tile, at = divmod(index, WIDTH)
        entries = self._entries(tile)
        if at >= len(entries) or leaf_hash(entries[at]) != self.leaf_hash(index):
            raise BadProof("the entry is not the one whose hash the log committed to", f"leaf {index}")
        return entries[at]

    def _entries(self, tile: int) -> list[bytes]:
        if tile != self._bundle_at:
            width = tile_at(0, tile, self.size).width
            data = self._get(entries_path(tile, width), entries_path(tile), width, MAX_BUNDLE)
            self._bundle, self._bundle_at = decode_entries(data), tile
        return self._bundle

    def _node(self, level: int, index: int) -> bytes:
        """Root of a full subtree, from the tile level below it."""
        tile_level, within = divmod(level, HEIGHT)
        first = index << within
        tile, offset = divmod(first, WIDTH)
        data = self._tile(tile_level, tile)
        hashes = [
            data[at * DIGEST_SIZE : (at + 1) * DIGEST_SIZE] for at in range(offset, offset + (1 << within))
        ]
        if len(hashes[-1]) != DIGEST_SIZE:
            raise LogUnreadable("the tile is too short", Tile(tile_level, tile).path())
        return merkle.root(hashes)

    def _tile(self, level: int, index: int) -> bytes:
        key = (level, index)
        if key in self._tiles:
            self._tiles.move_to_end(key)
            return self._tiles[key]
        tile = tile_at(level, index, self.size)
        data = self._get(tile.path(), Tile(level, index).path(), tile.width, MAX_TILE)
        if len(data) < tile.width * DIGEST_SIZE or len(data) % DIGEST_SIZE:
            raise LogUnreadable(
                f"the tile has {len(data)} bytes and should have {tile.width} hashes", tile.path()
            )
        self._tiles[key] = data[: tile.width * DIGEST_SIZE]
        if len(self._tiles) > _CACHED:
            self._tiles.popitem(last=False)
        return self._tiles[key]

    def _get(self, path: str, full: str, width: int, largest: int) -> bytes:
        """A partial tile may be gone once its full tile exists (c2sp.org/tlog-tiles § Partial Tiles)."""
        for each in dict.fromkeys((path, full)):
            try:
                data = self._fetch(each)
            except (KeyError, FileNotFoundError):
                continue
            if len(data) > largest:
                raise LogUnreadable(f"more than {largest} bytes", each)
            return data
        raise LogUnreadable(f"not there, though a tree of {self.size} leaves has it ({width} wide)", path)

    def _sized(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"the log has {self.size} leaves, not {size}")
        return size


def _numbered(index: int, width: int) -> str:
    """`x001/x234/067` for 1234067, and `.p/W` behind it for a partial tile."""
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03d}")
    return "/".join(parts) + ("" if width == WIDTH else f".p/{width}")
