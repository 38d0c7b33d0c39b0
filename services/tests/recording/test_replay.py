"""Chunks become the pictures that were recorded, from any moment on; malformed ones become errors."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

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
    encode,
)
from lucid.recording.picture import frame_to_png
from lucid.recording.replay import Frame, Screen, SealedChunks, first_frame, frame_at, frames, last_frame
from lucid.recording.sealing import Span, record_of, seal
from lucid_proof.records import Seen

SESSION = "ses_01920192019271928192019201920192"
KEY = bytes(32)
SEEN = Seen(0, bytes(32))


def solid(value: int, width: int = 2, height: int = 2) -> bytes:
    return bytes([value]) * (width * height * 4)


def sealed(*chunks: list[Event], start: int = 1000, step: int = 100) -> SealedChunks:
    """Chunks of `step` ms each, sealed."""
    records, files = [], []
    for index, events in enumerate(chunks):
        raw = MAGIC + b"".join(encode(event) for event in events)
        files.append(seal(raw, KEY, SESSION, index, SEEN))
        span = Span(start + index * step, start + (index + 1) * step)
        records.append(record_of(files[-1], SESSION, index, SEEN, span))
    return SealedChunks(records, KEY, files.__getitem__)


def a_recording() -> SealedChunks:
    """Frames 0 to 5 of 2x2 pixels, frame n all of value n; decoding can start in chunks 0 and 2."""
    entry: list[Event] = [Geometry(0, 2, 2), Keyframe(0, 0, 0, 2, 2, solid(0)), FrameEnd(0, 0)]
    return sealed(
        [*entry, Rectangle(50, 0, 0, 2, 2, solid(1)), FrameEnd(50, 1)],
        [Rectangle(10, 0, 0, 2, 2, solid(2)), FrameEnd(10, 2)],
        [Geometry(0, 2, 2), Keyframe(0, 0, 0, 2, 2, solid(3)), FrameEnd(0, 3)],
        [Rectangle(90, 0, 0, 2, 2, solid(4)), FrameEnd(90, 4)],
        [Rectangle(5, 0, 0, 2, 2, solid(5)), FrameEnd(5, 5)],
        [],
    )


def test_every_frame_is_played_once_and_in_order() -> None:
    played = [(frame.number, frame.at_ms, frame.pixels[0]) for frame in frames(a_recording())]
    assert played == [(0, 1000, 0), (1, 1050, 1), (2, 1110, 2), (3, 1200, 3), (4, 1390, 4), (5, 1405, 5)]


def test_first_and_last_frame() -> None:
    assert first_frame(a_recording()).number == 0
    frame = last_frame(a_recording())
    assert (frame.number, bytes(frame.pixels)) == (5, solid(5))


@pytest.mark.parametrize(
    ("at", "number"), [(1000, 0), (1049, 0), (1050, 1), (1109, 1), (1110, 2), (1200, 3), (1389, 3), (9999, 5)]
)
def test_a_moment_shows_the_newest_frame_not_after_it(at: int, number: int) -> None:
    frame = frame_at(a_recording(), at)
    assert (frame.number, bytes(frame.pixels)) == (number, solid(number))


def test_before_the_first_frame_there_is_none() -> None:
    with pytest.raises(NoSuchFrame):
        frame_at(a_recording(), 999)
    for source in (sealed(), sealed([Geometry(0, 2, 2)])):
        with pytest.raises(NoSuchFrame):
            first_frame(source)
        with pytest.raises(NoSuchFrame):
            last_frame(source)


def test_seeking_opens_no_chunk_before_the_entry() -> None:
    source = a_recording()
    read, opened = source.read, []

    def spy(index: int) -> bytes:
        opened.append(index)
        return read(index)

    source.read = spy
    frame_at(source, 1395)
    assert min(opened) == 2


def test_a_picture_that_spans_chunks_is_shown_when_it_is_whole() -> None:
    source = sealed(
        [Geometry(0, 2, 4), Keyframe(0, 0, 0, 2, 2, solid(7))],
        [Keyframe(0, 0, 2, 2, 2, solid(8)), FrameEnd(0, 0)],
        [Rectangle(0, 0, 0, 2, 2, solid(9))],
    )
    frame = last_frame(source)
    assert bytes(frame.pixels) == solid(7) + solid(8)
    assert frame.number == 0


@given(st.integers(1, 8), st.integers(1, 8), st.data())
def test_a_copy_is_as_if_read_whole_before_written(width: int, height: int, data: st.DataObject) -> None:
    w, h = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    fx, fy = data.draw(st.integers(0, width - w)), data.draw(st.integers(0, height - h))
    x, y = data.draw(st.integers(0, width - w)), data.draw(st.integers(0, height - h))
    pixels = [bytes([n, n, n, n]) for n in range(width * height)]
    screen = Screen()
    screen.apply(Geometry(0, width, height))
    screen.apply(Keyframe(0, 0, 0, width, height, b"".join(pixels)))
    screen.apply(Copy(0, fx, fy, w, h, x, y))
    wanted = list(pixels)
    for row in range(h):
        for column in range(w):
            wanted[(y + row) * width + x + column] = pixels[(fy + row) * width + fx + column]
    assert screen.frame is not None
    assert bytes(screen.frame.pixels) == b"".join(wanted)


GEOMETRY = Geometry(0, 2, 2)


@pytest.mark.parametrize(
    "chunks",
    [
        [[FrameEnd(0, 0)]],
        [[GEOMETRY, Rectangle(0, 1, 0, 2, 2, solid(0)), FrameEnd(0, 0)]],
        [[GEOMETRY, Copy(0, 0, 0, 2, 2, 0, 1), FrameEnd(0, 0)]],
        [[GEOMETRY, Copy(0, 1, 1, 2, 1, 0, 0), FrameEnd(0, 0)]],
        [[GEOMETRY, FrameEnd(0, 0), FrameEnd(0, 2)]],
        [[GEOMETRY, FrameEnd(101, 0)]],
    ],
    ids=[
        "no geometry",
        "rectangle outside",
        "copy to outside",
        "copy from outside",
        "a frame missing",
        "too late",
    ],
)
def test_events_that_make_no_picture_are_refused(chunks: list[list[Event]]) -> None:
    with pytest.raises(MalformedRecording):
        list(frames(sealed(*chunks)))


def test_a_recording_without_an_entry_is_refused() -> None:
    with pytest.raises(MalformedRecording, match="no chunk begins"):
        last_frame(sealed([FrameEnd(0, 0)]))


def test_a_picture_is_the_frame_pixel_by_pixel() -> None:
    pixels = bytearray(bytes([1, 2, 3, 255, 4, 5, 6, 0]))
    png = Image.open(io.BytesIO(frame_to_png(Frame(2, 1, pixels))))
    assert png.mode == "RGB"
    assert [png.getpixel((x, 0)) for x in range(2)] == [(3, 2, 1), (6, 5, 4)]


def test_the_pointer_is_drawn_where_it_was_if_asked_for() -> None:
    source = sealed(
        [
            Geometry(0, 8, 8),
            Keyframe(0, 0, 0, 8, 8, solid(100, 8, 8)),
            CursorImage(0, 5, 1, 1, 2, 1, bytes([255, 0, 0, 255, 0, 0, 0, 0])),
            CursorAt(0, 4, 5, 5),
            FrameEnd(0, 0),
        ]
    )
    frame = last_frame(source)
    assert frame.cursor is not None
    with_pointer = Image.open(io.BytesIO(frame_to_png(frame, cursor=True)))
    without = Image.open(io.BytesIO(frame_to_png(frame)))
    assert with_pointer.getpixel((3, 4)) == (0, 0, 255)
    assert with_pointer.getpixel((4, 4)) == (100, 100, 100)
    assert without.getpixel((3, 4)) == (100, 100, 100)


def test_a_hidden_pointer_is_not_drawn() -> None:
    source = sealed(
        [Geometry(0, 2, 2), Keyframe(0, 0, 0, 2, 2, solid(1)), CursorAt(0, 1, 1, 0), FrameEnd(0, 0)]
    )
    frame = last_frame(source)
    assert frame_to_png(frame, cursor=True) == frame_to_png(frame)
