"""From chunks back to pictures: what was on the screen at a moment.

One frame and one chunk are in memory at a time. Sizes are checked before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lucid.recording.errors import MalformedRecording, NoSuchFrame
from lucid.recording.events import (
    MAGIC,
    Copy,
    CursorAt,
    CursorImage,
    Event,
    FrameEnd,
    Geometry,
    Keyframe,
    Rectangle,
    decode,
)
from lucid.recording.sealing import open_chunk
from lucid_proof.records import ChunkRecord

_GEOMETRY_TYPE = Geometry.type


@dataclass(frozen=True, slots=True)
class Cursor:
    """The pointer over a frame: position of the hot spot, and its image (None: hidden)."""

    x: int
    y: int
    image: CursorImage | None


@dataclass(slots=True)
class Frame:
    """A picture: `height` rows of `width` pixels of 4 bytes B, G, R, X, and when it was on the screen.

    `at_ms` is on the recorder's clock, ms since 1970; `number` counts the session's frames from 0.
    """

    width: int
    height: int
    pixels: bytearray
    at_ms: int = 0
    number: int = -1
    cursor: Cursor | None = None


class Source(Protocol):
    """Where opened chunks come from."""

    def __len__(self) -> int: ...
    def span(self, index: int) -> tuple[int, int]: ...
    def plaintext(self, index: int) -> bytes: ...


@dataclass(slots=True)
class SealedChunks:
    """Chunks as a spool, a blob store or a bundle holds them.

    Parameters
    ----------
    records
        In order from index 0.
    key
        The session's key, 32 bytes.
    read
        Ciphertext of a chunk by index.
    """

    records: Sequence[ChunkRecord]
    key: bytes
    read: Callable[[int], bytes]

    def __len__(self) -> int:
        return len(self.records)

    def span(self, index: int) -> tuple[int, int]:
        record = self.records[index]
        return record.from_ms, record.to_ms

    def plaintext(self, index: int) -> bytes:
        record = self.records[index]
        return open_chunk(self.read(index), self.key, record.session, index, record.seen)


@dataclass(slots=True)
class Screen:
    """The state that events act on."""

    frame: Frame | None = None
    _images: dict[int, CursorImage] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Let one event happen.

        Raises
        ------
        MalformedRecording
            If it reaches outside the picture, or comes before there is one.
        """
        if isinstance(event, Geometry):
            number = self.frame.number if self.frame else -1
            pixels = bytearray(event.width * event.height * 4)
            self.frame = Frame(event.width, event.height, pixels, number=number)
            self._images.clear()
            return
        frame = self.frame
        if frame is None:
            raise MalformedRecording("an event before the first geometry")
        if isinstance(event, Keyframe | Rectangle):
            _inside(frame, event.x, event.y, event.width, event.height)
            _paint(frame, event)
        elif isinstance(event, Copy):
            _inside(frame, event.from_x, event.from_y, event.width, event.height)
            _inside(frame, event.x, event.y, event.width, event.height)
            _move(frame, event)
        elif isinstance(event, CursorImage):
            self._images[event.serial] = event
        elif isinstance(event, CursorAt):
            frame.cursor = Cursor(event.x, event.y, self._images.get(event.serial))
        elif isinstance(event, FrameEnd):
            frame.number = event.number


def frames(source: Source, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
    """Each frame of the chunks `start` to `stop`, as it was shown. `start` must begin with a geometry.

    The frame that is given is changed by the next step: copy what you keep.
    """
    screen = Screen()
    last: int | None = None
    for index in range(start, len(source) if stop is None else stop):
        from_ms, to_ms = source.span(index)
        for event in decode(source.plaintext(index)):
            if from_ms + event.at > to_ms:
                raise MalformedRecording(f"chunk {index} holds an event from after its end")
            screen.apply(event)
            if isinstance(event, FrameEnd) and screen.frame is not None:
                if last is not None and event.number != last + 1:
                    raise MalformedRecording(f"chunk {index}: frame {event.number} follows frame {last}")
                last = event.number
                screen.frame.at_ms = from_ms + event.at
                yield screen.frame


def first_frame(source: Source) -> Frame:
    """The first picture that was recorded.

    Raises
    ------
    NoSuchFrame
        If no frame is complete.
    """
    for frame in frames(source):
        return frame
    raise NoSuchFrame("the recording holds no complete frame")


def last_frame(source: Source) -> Frame:
    """The last picture that was recorded.

    Raises
    ------
    NoSuchFrame
        If no frame is complete.
    """
    for index in reversed(range(len(source))):
        ends = [event.number for event in decode(source.plaintext(index)) if isinstance(event, FrameEnd)]
        if ends:
            return _frame(source, index, ends[-1])
    raise NoSuchFrame("the recording holds no complete frame")


def frame_at(source: Source, at_ms: int) -> Frame:
    """The picture that was on the screen at a moment, ms since 1970: the newest one not after it.

    Raises
    ------
    NoSuchFrame
        If the first frame is later.
    """
    for index in reversed(range(len(source))):
        from_ms, _ = source.span(index)
        if from_ms > at_ms:
            continue
        ends = [
            event.number
            for event in decode(source.plaintext(index))
            if isinstance(event, FrameEnd) and from_ms + event.at <= at_ms
        ]
        if ends:
            return _frame(source, index, ends[-1])
    raise NoSuchFrame(f"the recording shows nothing at {at_ms}", at_ms=at_ms)


def _frame(source: Source, index: int, number: int) -> Frame:
    for frame in frames(source, _entry(source, index), index + 1):
        if frame.number == number:
            return frame
    raise MalformedRecording(f"chunk {index} announces a frame that it does not hold")


def _entry(source: Source, index: int) -> int:
    """The nearest chunk at or before `index` where decoding can start: one that begins with a geometry."""
    for entry in range(index, -1, -1):
        head = source.plaintext(entry)[: len(MAGIC) + 1]
        if head[len(MAGIC) :] == bytes([_GEOMETRY_TYPE]):
            return entry
    raise MalformedRecording("no chunk begins with a geometry")


def _inside(frame: Frame, x: int, y: int, width: int, height: int) -> None:
    if x + width > frame.width or y + height > frame.height:
        raise MalformedRecording(f"{width}x{height}+{x}+{y} reaches outside {frame.width}x{frame.height}")


def _paint(frame: Frame, event: Keyframe | Rectangle) -> None:
    stride, row = frame.width * 4, event.width * 4
    start = event.y * stride + event.x * 4
    if row == stride:
        frame.pixels[start : start + len(event.pixels)] = event.pixels
        return
    for line in range(event.height):
        at = start + line * stride
        frame.pixels[at : at + row] = event.pixels[line * row : (line + 1) * row]


def _move(frame: Frame, event: Copy) -> None:
    stride, row = frame.width * 4, event.width * 4
    source, target = event.from_y * stride + event.from_x * 4, event.y * stride + event.x * 4
    # Downwards the last row goes first, so that no row is overwritten before it was read.
    lines = range(event.height) if event.y <= event.from_y else reversed(range(event.height))
    for line in lines:
        at = source + line * stride
        frame.pixels[target + line * stride : target + line * stride + row] = frame.pixels[at : at + row]
