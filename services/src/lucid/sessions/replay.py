"""Shows what was recorded: opens chunks with the session's key and paints one frame. Nothing of it is written
down.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from lucid.recording.picture import frame_to_png
from lucid.recording.replay import Frame, SealedChunks, first_frame, frame_at, last_frame
from lucid.sessions.chunks import ChunkReader
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Session
from lucid.sessions.vault import Vault
from lucid_proof.records import ChunkRecord

_READ_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as PNG, and where in the recording it stands."""

    png: bytes
    at_ms: int
    number: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Frames of recordings, of running sessions too."""

    vault: Vault
    ledger: Ledger
    reader: ChunkReader

    async def frame(
        self, session: Session, at: int | Literal["first", "last"], *, cursor: bool = False
    ) -> Picture:
        """The frame that was shown `at` milliseconds after the recording began, the first or the last.

        Raises
        ------
        ContentDestroyed
            If the session's key is gone.
        NoSuchFrame
            If the recording shows nothing then.
        """
        source = await self.opened(session)

        def paint() -> Picture:
            frame = _find(source, at)
            return Picture(
                frame_to_png(frame, cursor=cursor), frame.at_ms, frame.number, frame.width, frame.height
            )

        return await asyncio.to_thread(paint)

    async def opened(self, session: Session) -> SealedChunks:
        """The recording so far, to be read off the event loop.

        Raises
        ------
        ContentDestroyed
            If the session's key is gone.
        """
        key = await self.vault.open(session.id)
        chunks = await self.ledger.chunks(session.id)
        loop = asyncio.get_running_loop()

        def read(index: int) -> bytes:
            reading = asyncio.run_coroutine_threadsafe(self.reader.read(chunks[index]), loop)
            return reading.result(_READ_WITHIN_S)

        return SealedChunks([ChunkRecord.from_json(chunk.record) for chunk in chunks], key, read)


def _find(source: SealedChunks, at: int | Literal["first", "last"]) -> Frame:
    if at == "first":
        return first_frame(source)
    if at == "last":
        return last_frame(source)
    return frame_at(source, (source.span(0)[0] if len(source) else 0) + at)
