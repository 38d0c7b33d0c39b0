"""A chunk's ciphertext, wherever it is: in the spool until it is stored, in the object store afterwards."""

import asyncio
import zlib
from dataclasses import dataclass
from pathlib import Path

from lucid.recording.spool import chunk_name
from lucid.sessions.errors import ChunkDamaged, ChunkLost
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Chunk
from lucid.sessions.uploader import blob_key
from lucid_kit.blobs import BlobMissing, Blobs
from lucid_proof.domains import digest


@dataclass(frozen=True, slots=True)
class ChunkReader:
    """Reads chunks and believes only what their records say."""

    blobs: Blobs
    ledger: Ledger
    spool: Path

    async def read(self, chunk: Chunk) -> bytes:
        """The ciphertext.

        Raises
        ------
        ChunkLost, ChunkDamaged
            If it is nowhere, or not what was recorded.
        """
        file = self.spool / chunk.session / chunk_name(chunk.index)
        try:
            data = await asyncio.to_thread(file.read_bytes)
        except FileNotFoundError:
            try:
                data = await self.blobs.get(blob_key(chunk.session, chunk.index))
            except BlobMissing:
                raise ChunkLost(
                    f"Chunk {chunk.index} of {chunk.session} is neither in the spool nor stored",
                    index=chunk.index,
                ) from None
        if (await asyncio.to_thread(digest, data)).hex() != chunk.sha256:
            raise ChunkDamaged(
                f"Chunk {chunk.index} of {chunk.session} is not what was recorded", index=chunk.index
            )
        return data

    async def crc32(self, chunk: Chunk) -> int:
        """CRC-32 of the ciphertext: known since the upload, or read for it."""
        if chunk.crc32 is not None:
            return chunk.crc32
        crc = zlib.crc32(await self.read(chunk))
        await self.ledger.set_chunk(chunk, crc32=crc)
        return crc
