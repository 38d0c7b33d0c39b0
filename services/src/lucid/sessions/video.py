"""A recording as a video for people, made while it is sent: nothing of it is written down."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from lucid.recording.errors import NoSuchFrame
from lucid.recording.picture import painted
from lucid.recording.pictures import ended, packed
from lucid.recording.replay import SealedChunks, frames
from lucid.sessions.errors import TooManyVideos, VideoUnavailable
from lucid.sessions.models import Session
from lucid.sessions.replay import Replay

_ENCODER = (sys.executable, "-I", "-m", "lucid.recording.video")
_READ = 1 << 16
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Videos:
    """Videos of recordings, of running sessions as far as they are. Few are made at once."""

    replay: Replay
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def stream(self, session: Session, *, cursor: bool = True) -> AsyncIterator[bytes]:
        """The video's bytes, WebM. Closing the iterator ends the encoder.

        Raises
        ------
        ContentDestroyed
            If the session's key is gone.
        NoSuchFrame
            If it has no frame yet.
        TooManyVideos
            If enough are being made already.
        VideoUnavailable
            If there is no encoder, or it fails.
        """
        if self._turns.locked():
            raise TooManyVideos(f"{_AT_ONCE} videos are being made")
        source = await self.replay.opened(session)
        async with self._turns:
            encoder = await asyncio.create_subprocess_exec(
                *_ENCODER,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            feeding = asyncio.create_task(_feed(encoder, source, cursor))
            try:
                assert encoder.stdout is not None
                while data := await encoder.stdout.read(_READ):
                    yield data
                await feeding
                if await encoder.wait():
                    raise VideoUnavailable(await _why(encoder))
            finally:
                feeding.cancel()
                if encoder.returncode is None:
                    encoder.kill()
                    await encoder.wait()


async def _feed(encoder: asyncio.subprocess.Process, source: SealedChunks, cursor: bool) -> None:
    """Give the encoder every frame; a damaged recording ends the video where it is damaged."""
    assert encoder.stdin is not None
    pictures = _pictures(source, cursor)
    try:
        with contextlib.suppress(ConnectionError):  # it ended: its exit status says why
            while picture := await asyncio.to_thread(next, pictures, b""):
                encoder.stdin.write(picture)
                await encoder.stdin.drain()
    finally:
        encoder.stdin.close()


def _pictures(source: SealedChunks, cursor: bool) -> Iterator[bytes]:
    began: int | None = None
    for frame in frames(source):
        began = frame.at_ms if began is None else began
        yield packed(painted(frame, cursor=cursor), frame.at_ms - began)
    if began is None:
        raise NoSuchFrame("the recording holds no complete frame")
    _, end = source.span(len(source) - 1)
    yield ended(end - began)


async def _why(encoder: asyncio.subprocess.Process) -> str:
    assert encoder.stderr is not None
    last = (await encoder.stderr.read()).decode(errors="replace").strip().rpartition("\n")[2]
    return f"The encoder ended with {encoder.returncode}: {last[:300] or 'it said nothing'}"
