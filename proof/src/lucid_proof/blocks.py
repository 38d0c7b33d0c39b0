"""The blocks that a bundle brings along: each proved to stand in the log, then kept as a few numbers."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

from lucid_proof import fields, merkle
from lucid_proof.canonical import decode, encode
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.domains import leaf_hash
from lucid_proof.errors import AlteredBundle, MalformedRecord
from lucid_proof.layout import BLOCKS, MAX_BLOCKS, Block
from lucid_proof.records import Header, Seen

_MAX_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class Moment:
    """A block as a point in time: its time in ms since 1970, and its height."""

    time_ms: int
    height: int

    def __str__(self) -> str:
        return f"block {self.height}"


def parse_block(line: bytes) -> Block:
    """One line of blocks.jsonl.

    Raises
    ------
    NotCanonical, MalformedRecord
        If it is none.
    """
    both = fields.members(decode(line), ("header", "proof"), "block")
    return Block(Header.from_json(both["header"]), _path(both["proof"]))


def prove_block(block: Block, head: Checkpoint) -> bytes:
    """Check that the block stands in the log and that the log's root that it states is true; gives its hash.

    Raises
    ------
    BadProof
        If its header is not the leaf at index `log_size` under the checkpoint.
    AlteredBundle
        If it states another root than the log had before it.
    """
    header = block.header
    block_hash = leaf_hash(encode(header.to_json()))
    merkle.verify_inclusion(block_hash, header.log_size, head.size, block.path, head.root)
    # The path's left siblings are the log before the header: its own claim can be held against them.
    if merkle.root_before(header.log_size, head.size, block.path) != header.log_root:
        raise AlteredBundle("the block states a root that the log before it does not have", "log_root")
    return block_hash


class Blocks:
    """The proved blocks of a bundle, in ascending height: 65 bytes for each."""

    def __init__(self, head: Checkpoint) -> None:
        self._head = head
        self._heights, self._times, self._sizes, self._txs = (array("Q") for _ in range(4))
        self._hashes = bytearray()
        self._used = bytearray()

    def __len__(self) -> int:
        return len(self._heights)

    def add(self, block: Block) -> None:
        """Prove a block and keep it.

        Raises
        ------
        ProofError
            If it is not proved, of another chain, or not behind the one before.
        """
        header = block.header
        if header.chain != self._head.origin:
            raise AlteredBundle(f"it is of the chain {header.chain!r}, not of {self._head.origin!r}")
        block_hash = prove_block(block, self._head)
        if len(self) == MAX_BLOCKS:
            raise AlteredBundle(f"more than {MAX_BLOCKS} blocks", BLOCKS)
        growing = (
            ("height", self._heights, header.height),
            ("time", self._times, header.time_ms),
            ("log_size", self._sizes, header.log_size),
        )
        for name, numbers, value in growing:
            if numbers and value <= numbers[-1]:
                raise AlteredBundle(
                    f"its {name} {value} is not above that of the block before, {numbers[-1]}"
                )
        self._heights.append(header.height)
        self._times.append(header.time_ms)
        self._sizes.append(header.log_size)
        self._txs.append(header.txs)
        self._hashes += block_hash
        self._used.append(0)

    def seen(self, seen: Seen) -> Moment:
        """The block that a record names as the newest its maker knew.

        Raises
        ------
        AlteredBundle
            If the bundle has no such block, or one with another hash.
        """
        at = bisect_right(self._heights, seen.height) - 1
        if at < 0 or self._heights[at] != seen.height:
            raise AlteredBundle(f"it names block {seen.height}, which the bundle does not hold", "seen")
        if self._hashes[32 * at : 32 * at + 32] != seen.hash:
            raise AlteredBundle(
                f"it names block {seen.height} by a hash that this block does not have", "seen"
            )
        return self._moment(at)

    def anchor(self, index: int) -> Moment:
        """The block that put the leaf `index` into the log.

        Raises
        ------
        AlteredBundle
            If the bundle does not hold that block.
        """
        at = bisect_right(self._sizes, index)
        if at == len(self) or index < self._sizes[at] - self._txs[at]:
            raise AlteredBundle(f"the block that anchors it at index {index} is not in the bundle", BLOCKS)
        return self._moment(at)

    def unused(self) -> int | None:
        """Height of a block that nothing named; None if there is none."""
        at = self._used.find(0)
        return None if at < 0 else self._heights[at]

    def _moment(self, at: int) -> Moment:
        self._used[at] = 1
        return Moment(self._times[at], self._heights[at])


def _path(value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > _MAX_PATH:
        raise MalformedRecord(f"not a list of at most {_MAX_PATH} hashes", "proof")
    return tuple(fields.binary(each, f"proof[{at}]") for at, each in enumerate(value))
