"""Gathers from a log what a bundle must hold: the session records' proofs and the blocks that are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lucid_proof.bundle import Evidence
from lucid_proof.errors import BadProof
from lucid_proof.layout import Block
from lucid_proof.records import Header, Seen, Transaction
from lucid_proof.tiles import TileReader


def assemble(
    log: TileReader,
    records: Sequence[tuple[Transaction, int, int]],
    seen: Iterable[Seen],
    header_at: Callable[[int], Header],
) -> tuple[list[Evidence], list[Block]]:
    """Evidence and blocks for `BundleWriter.finish`, proved under the checkpoint that `log` was opened with.

    Parameters
    ----------
    records : sequence of (Transaction, int, int)
        The session's records in order of `seq`, each with its index in the log and the height of the block
        that anchors it.
    seen : iterable of Seen
        What the chunk records name; the session records' own is added.
    header_at : Callable[[int], Header]
        The header of the block of a height.

    Raises
    ------
    BadProof
        If a record or header does not stand in the log where it should, or a block has another hash than
        `seen` says.
    """
    named: dict[int, bytes | None] = {height: None for _, _, height in records}
    for each in (*seen, *(record.seen for record, _, _ in records)):
        if named.get(each.height) not in (None, each.hash):
            raise BadProof(f"two records name block {each.height} by different hashes")
        named[each.height] = each.hash
    evidence = []
    for record, index, _ in records:
        if log.leaf_hash(index) != record.leaf_hash():
            raise BadProof(f"the record with seq {record.seq} does not stand at index {index} of the log")
        evidence.append(Evidence(record, index, tuple(log.inclusion(index))))
    blocks = []
    for height, block_hash in sorted(named.items()):
        header = header_at(height)
        if log.leaf_hash(header.log_size) != header.hash() or block_hash not in (None, header.hash()):
            raise BadProof(
                f"the header of block {height} is not the one that the log holds or a record names"
            )
        blocks.append(Block(header, tuple(log.inclusion(header.log_size))))
    return evidence, blocks
