"""Proof bundles: what the object store holds, what was signed, and the log's proofs of it, as one file.

A bundle leads to the checkpoint of the block that anchors the session's newest record. That makes it the same
file every time it is asked for, until another record is anchored: an interrupted download goes on where it
stopped, after a restart of this service too.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from lucid.sessions.archive import Archive
from lucid.sessions.bundle_layout import Layout, describe, lay_out
from lucid.sessions.chunks import ChunkReader
from lucid.sessions.errors import ChainMismatch, ChunkLost, NotAnchoredYet
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Chunk, Record, RecordState, Session
from lucid.sessions.ports import PAGE, Block, Chain
from lucid_proof.checkpoint import Checkpoint, open_checkpoint
from lucid_proof.errors import ProofError
from lucid_proof.layout import BLOCKS, CHECKPOINT, MANIFEST, RECORDS, leaf_name, proof_name
from lucid_proof.layout import Block as BlockProof
from lucid_proof.records import ChunkRecord, Transaction
from lucid_proof.tiles import TileReader
from lucid_proof.tlogproof import TlogProof
from lucid_proof.trust import TrustPolicy

_KEPT = 8
_BLOCKS_KEPT = 20_000
_AT_ONCE = 8
_RETRY_S = 10
_FEW = 3  # blocks of a page that are asked for one by one

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle ready to be sent."""

    session: str
    layout: Layout
    chunks: Sequence[Chunk]
    reader: ChunkReader

    def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Its bytes from `start` up to `stop`."""
        return self.layout.stream(start, stop, lambda index: self.reader.read(self.chunks[index]))


class Exporter:
    """Makes bundles.

    Parameters
    ----------
    fetch
        What is at a path below the log's prefix (c2sp.org/tlog-tiles); called off the event loop.
    """

    def __init__(
        self,
        chain: Chain,
        fetch: Fetch,
        archive: Archive,
        ledger: Ledger,
        reader: ChunkReader,
        trust: TrustPolicy,
    ) -> None:
        self._chain = chain
        self._fetch = fetch
        self._archive = archive
        self._ledger = ledger
        self._reader = reader
        self._trust = trust
        self._bundles: OrderedDict[tuple[str, int], Bundle] = OrderedDict()
        self._blocks: OrderedDict[int, Block] = OrderedDict()

    async def bundle(self, session: Session) -> Bundle:
        """The bundle over everything of this session that is anchored.

        Raises
        ------
        NotAnchoredYet
            If nothing is.
        ChunkLost
            If an acknowledged chunk is gone.
        LucidError
            If the chain does not answer.
        """
        placed = await self._anchored(session)
        key = (session.id, len(placed))
        if key not in self._bundles:
            self._bundles[key] = await self._make(session, placed)
            while len(self._bundles) > _KEPT:
                self._bundles.popitem(last=False)
        self._bundles.move_to_end(key)
        return self._bundles[key]

    async def _anchored(self, session: Session) -> list[Record]:
        """The records that are anchored, without a gap from the first."""
        placed = []
        for record in await self._ledger.records(session.id):
            if record.state is not RecordState.ANCHORED:
                break
            placed.append(record)
        if not placed:
            raise NotAnchoredYet(
                f"The begin record of {session.id} is not in the log yet",
                session=session.id,
                retry_after_s=_RETRY_S,
            )
        return placed

    async def _make(self, session: Session, placed: Sequence[Record]) -> Bundle:
        signed = (await self._archive.records(session))[: len(placed)]
        count = placed[-1].chunks
        journal = (await self._archive.journal(session))[:count]
        chunks = await self._ledger.chunks(session.id, limit=count) if count else []
        if len(journal) != count or len(chunks) != count:
            raise ChunkLost(
                f"{session.id} has signed {count} chunks and holds {min(len(journal), len(chunks))}"
            )
        crcs = [await self._reader.crc32(chunk) for chunk in chunks]
        blocks = await self._named_blocks(journal, signed, placed)
        newest = await self._block(max(record.height or 0 for record in placed))
        files = await asyncio.to_thread(self._prove, session, journal, signed, placed, blocks, newest)
        layout = lay_out([(chunk.size, crc) for chunk, crc in zip(chunks, crcs, strict=True)], files)
        return Bundle(session.id, layout, chunks, self._reader)

    async def _named_blocks(
        self, journal: Sequence[ChunkRecord], signed: Sequence[Transaction], placed: Sequence[Record]
    ) -> list[Block]:
        """The blocks that chunks and records name, and those that anchor the records, by height."""
        heights = {chunk.seen.height for chunk in journal}
        heights |= {record.seen.height for record in signed}
        heights |= {record.height for record in placed if record.height is not None}
        windows: dict[int, list[int]] = {}
        for height in sorted(heights):
            windows.setdefault(height // PAGE, []).append(height)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(window: int, wanted: list[int]) -> list[Block]:
            async with gate:
                missing = [height for height in wanted if height not in self._blocks]
                if len(missing) > _FEW:
                    for block in await self._chain.blocks(window * PAGE):
                        self._blocks[block.header.height] = block
                return [await self._block(height) for height in wanted]

        found = await asyncio.gather(*(one(window, wanted) for window, wanted in windows.items()))
        return [block for blocks in found for block in blocks]

    async def _block(self, height: int) -> Block:
        if height not in self._blocks:
            self._blocks[height] = await self._chain.block(height)
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        return self._blocks[height]

    def _prove(
        self,
        session: Session,
        journal: Sequence[ChunkRecord],
        signed: Sequence[Transaction],
        placed: Sequence[Record],
        blocks: Sequence[Block],
        newest: Block,
    ) -> list[tuple[str, bytes]]:
        """The members behind the chunks. Reads the log: called off the event loop."""
        try:
            checkpoint = open_checkpoint(newest.checkpoint, self._trust).checkpoint
            log = TileReader(self._fetch, checkpoint.size, checkpoint.root)
            files = [(RECORDS, b"".join(chunk.bytes() + b"\n" for chunk in journal))]
            for at, (record, place) in enumerate(zip(signed, placed, strict=True)):
                files += [
                    (leaf_name(at), record.bytes()),
                    (proof_name(at), _proof(log, place.index, newest.checkpoint)),
                ]
            lines = [_block_line(block, log, checkpoint) for block in blocks]
        except ProofError as error:
            raise ChainMismatch(f"The chain gives no proof that the trust policy accepts: {error}") from error
        files += [(BLOCKS, b"".join(lines)), (CHECKPOINT, newest.checkpoint)]
        described = describe(self._trust.origin, session.id, len(journal), len(signed), files)
        return [*files, (MANIFEST, described)]


def _proof(log: TileReader, index: int | None, checkpoint: bytes) -> bytes:
    assert index is not None
    return TlogProof(index, log.inclusion(index), checkpoint).encode()


def _block_line(block: Block, log: TileReader, checkpoint: Checkpoint) -> bytes:
    if block.header.log_size >= checkpoint.size:
        raise ChainMismatch(f"Block {block.header.height} is newer than the checkpoint it should lie under")
    return BlockProof(block.header, tuple(log.inclusion(block.header.log_size))).line()
