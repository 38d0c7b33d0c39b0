"""RFC 6962 trees: roots, compact ranges, inclusion and consistency proofs.

A leaf enters as its *leaf hash* (`domains.leaf_hash`); sizes count leaves; every hash is 32 bytes.
Verification follows RFC 9162 § 2.1.3.2 and § 2.1.4.2, which spell out what RFC 6962 leaves to the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, TypeAlias

from lucid_proof.domains import DIGEST_SIZE, EMPTY_ROOT, Buffer, node_hash, node_hashes, piece_hashes
from lucid_proof.errors import BadProof

Node: TypeAlias = Callable[[int, int], bytes]
"""`node(level, index)`: root of the full subtree over leaves [index·2^level, (index+1)·2^level)."""

_BATCH_LEVEL: Final = 12
_BATCH: Final = 1 << _BATCH_LEVEL


class CompactRange:
    """The right edge of a growing tree: all that is needed to append to it and to know its root.

    `hashes` are the roots of the full subtrees that make up the tree, largest first: one for each bit set in
    `size`. Appending costs one hash on average, memory is O(log size).
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def from_hashes(cls, size: int, hashes: Iterable[bytes]) -> CompactRange:
        """Continue a range that was stored as its `size` and `hashes`.

        Raises
        ------
        ValueError
            If the number of hashes or a hash's length does not fit.
        """
        edge = list(hashes)
        if size < 0 or len(edge) != size.bit_count() or any(len(each) != DIGEST_SIZE for each in edge):
            raise ValueError(
                f"a compact range of {size} leaves has one 32-byte hash for each bit set in its size"
            )
        new = cls()
        new._size, new._hashes = size, edge
        return new

    @property
    def size(self) -> int:
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return tuple(self._hashes)

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf."""
        # `_push` at level 0, written out: the call alone would cost a fifth of the hashing.
        hashes, carry = self._hashes, self._size
        self._size = carry + 1
        while carry & 1:
            leaf_hash = node_hash(hashes.pop(), leaf_hash)
            carry >>= 1
        hashes.append(leaf_hash)

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaves in order; at the speed of hashing alone when there are many."""
        leaves = iter(leaf_hashes)
        while self._size % _BATCH:
            leaf = next(leaves, None)
            if leaf is None:
                return
            self.append(leaf)
        while batch := list(islice(leaves, _BATCH)):
            if len(batch) < _BATCH:
                for leaf in batch:
                    self.append(leaf)
                return
            while len(batch) > 1:
                batch = node_hashes(batch)
            self._push(batch[0], _BATCH_LEVEL)

    def root(self) -> bytes:
        """Root of the tree so far (MTH in RFC 6962 § 2.1)."""
        if not self._hashes:
            return EMPTY_ROOT
        return fold(self._hashes)

    def _push(self, subtree: bytes, level: int) -> None:
        carry = self._size >> level
        while carry & 1:
            subtree = node_hash(self._hashes.pop(), subtree)
            carry >>= 1
        self._hashes.append(subtree)
        self._size += 1 << level


class MemoryTree:
    """A whole tree in memory that proves things about any size it ever had."""

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for each in leaf_hashes:
            self.append(each)

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def append(self, leaf_hash: bytes) -> int:
        """Add a leaf; gives its index."""
        node, level = leaf_hash, 0
        self._levels[0].append(node)
        while len(self._levels[level]) % 2 == 0:
            node = node_hash(self._levels[level][-2], node)
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node)
        return self.size - 1

    def node(self, level: int, index: int) -> bytes:
        """Root of a full subtree.

        Raises
        ------
        IndexError
            If the tree does not hold that subtree whole.
        """
        return self._levels[level][index]

    def root(self, size: int | None = None) -> bytes:
        return range_root(0, self._sized(size), self.node)

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Path from leaf `index` to the root of the tree of `size` leaves, the leaf's sibling first."""
        return inclusion_nodes(index, self._sized(size), self.node)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Proof that the first `old` leaves of the tree of size `new` are the tree of size `old`."""
        return consistency_nodes(old, self._sized(new), self.node)

    def _sized(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"the tree never had {size} leaves; it has {self.size}")
        return size


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Root of the tree over these leaves (MTH in RFC 6962 § 2.1)."""
    tree = CompactRange()
    tree.extend(leaf_hashes)
    return tree.root()


def piece_root(data: Buffer) -> bytes:
    """Root of the tree over the 4,096-byte pieces of `data`: any piece can later prove that it is held."""
    return root(piece_hashes(data))


def fold(hashes: Sequence[bytes]) -> bytes:
    """One hash from the roots of adjoining subtrees, largest first; not for an empty sequence."""
    right = hashes[-1]
    for left in reversed(hashes[:-1]):
        right = node_hash(left, right)
    return right


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, leaves) of RFC 6962 § 2.1.1, the leaf's sibling first.

    Raises
    ------
    ValueError
        If there is no leaf `index`.
    """
    return MemoryTree(leaf_hashes).inclusion(index)


def consistency_path(leaf_hashes: Sequence[bytes], old: int) -> list[bytes]:
    """PROOF(old, leaves) of RFC 6962 § 2.1.2.

    Raises
    ------
    ValueError
        If `old` is negative or above the number of leaves.
    """
    return MemoryTree(leaf_hashes).consistency(old)


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf stands at `index` in the tree of `size` leaves with this root (RFC 9162 § 2.1.3.2).

    Raises
    ------
    BadProof
        If it does not follow from `path`.
    """
    if not 0 <= index < size:
        raise BadProof(f"leaf {index} cannot stand in a tree of {size} leaves")
    _check_lengths(leaf_hash, *path, root)
    node, last, here = leaf_hash, size - 1, index
    for sibling in path:
        if last == 0:
            raise BadProof(f"the path has {len(path)} hashes, more than a tree of {size} leaves has levels")
        if here & 1 or here == last:
            node = node_hash(sibling, node)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        here, last = here >> 1, last >> 1
    if last != 0:
        raise BadProof(f"the path has {len(path)} hashes, too few for leaf {index} of {size}")
    if node != root:
        raise BadProof(f"the path from leaf {index} of {size} leads to another root")


def root_before(index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Root of the leaves before `index`, from a path that `verify_inclusion` accepted for it.

    The siblings on the left of the path are the full subtrees that make up those leaves.
    """
    lefts = []
    last, here = size - 1, index
    for sibling in path:
        if here & 1 or here == last:
            lefts.append(sibling)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        here, last = here >> 1, last >> 1
    return fold(lefts[::-1]) if lefts else EMPTY_ROOT


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of size `old` is a beginning of the tree of size `new` (RFC 9162 § 2.1.4.2).

    Raises
    ------
    BadProof
        If it does not follow from `path`.
    """
    if not 0 <= old <= new:
        raise BadProof(f"a tree of {old} leaves is no beginning of one of {new}")
    _check_lengths(*path, old_root, new_root)
    if old == 0 or old == new:
        empty = old > 0 or old_root == EMPTY_ROOT
        same = old < new or old_root == new_root
        if path or not empty or not same:
            raise BadProof(f"the trees of {old} and {new} leaves are not consistent")
        return
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        raise BadProof("the consistency proof is empty")
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old_node = new_node = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise BadProof("the consistency proof is too long")
        if here & 1 or here == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        here, last = here >> 1, last >> 1
    if last != 0:
        raise BadProof("the consistency proof is too short")
    if old_node != old_root or new_node != new_root:
        raise BadProof(f"the trees of {old} and {new} leaves are not consistent")


def range_root(low: int, high: int, node: Node) -> bytes:
    """Hash over leaves [low, high) as a tree holds it; `low` is a multiple of the largest subtree in it."""
    if low == high:
        return EMPTY_ROOT
    parts = []
    while low < high:
        # The largest full subtree that starts here and does not reach beyond.
        level = (high - low).bit_length() - 1
        parts.append(node(level, low >> level))
        low += 1 << level
    return fold(parts)


def inclusion_nodes(index: int, size: int, node: Node) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 § 2.1.1 from full subtrees.

    Raises
    ------
    ValueError
        If the tree has no leaf `index`.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    low, high, path = 0, size, list[bytes]()
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(range_root(middle, high, node))
            high = middle
        else:
            path.append(range_root(low, middle, node))
            low = middle
    return path[::-1]


def consistency_nodes(old: int, new: int, node: Node) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 § 2.1.2 from full subtrees.

    Raises
    ------
    ValueError
        If `old` is negative or above `new`.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves is no beginning of one of {new}")
    if old in (0, new):
        return []
    low, high, path = 0, new, list[bytes]()
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(range_root(middle, high, node))
            high = middle
        else:
            path.append(range_root(low, middle, node))
            low = middle
    if low:  # the old tree's own root is known to whoever verifies, unless it is only a part of it
        path.append(range_root(low, high, node))
    return path[::-1]


def _check_lengths(*hashes: bytes) -> None:
    if any(len(each) != DIGEST_SIZE for each in hashes):
        raise BadProof(f"a hash in a proof has {DIGEST_SIZE} bytes")


def _split(size: int) -> int:
    """The largest power of two smaller than `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1
