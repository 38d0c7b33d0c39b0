"""The codec: what is written is read back, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.recording.errors import MalformedRecording
from lucid.recording.events import (
    MAGIC,
    MAX_RAW,
    Copy,
    CursorAt,
    CursorImage,
    DesktopEvent,
    Event,
    FrameEnd,
    Geometry,
    Keyframe,
    Rectangle,
    decode,
    encode,
    header,
)

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
side = st.integers(1, 9)


@st.composite
def pixels_of(draw: Any, kind: type[Keyframe | Rectangle]) -> Event:
    width, height = draw(side), draw(side)
    data = draw(st.binary(min_size=width * height * 4, max_size=width * height * 4))
    return kind(draw(u32), draw(u16), draw(u16), width, height, data)


@st.composite
def cursors(draw: Any) -> Event:
    width, height = draw(side), draw(side)
    data = draw(st.binary(min_size=width * height * 4, max_size=width * height * 4))
    return CursorImage(draw(u32), draw(st.integers(1, 0xFFFFFFFF)), draw(u16), draw(u16), width, height, data)


safe_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
bodies = st.one_of(
    st.fixed_dictionaries(
        {
            "event": st.just("window"),
            "action": st.sampled_from(["open", "title", "close", "focus"]),
            "title": safe_text,
            "window": u32,
        }
    ),
    st.fixed_dictionaries({"event": st.just("client"), "action": st.sampled_from(["connect", "disconnect"])}),
    st.fixed_dictionaries(
        {"event": st.just("clipboard"), "bytes": u32, "selection": st.sampled_from(["clipboard", "primary"])}
    ),
    st.fixed_dictionaries({"event": st.just("resize"), "width": u16, "height": u16}),
    st.fixed_dictionaries({"event": st.just("mark"), "text": safe_text}),
)
later = st.one_of(
    pixels_of(Keyframe),
    pixels_of(Rectangle),
    st.builds(Copy, u32, u16, u16, side, side, u16, u16),
    st.builds(FrameEnd, u32, u32),
    cursors(),
    st.builds(CursorAt, u32, u16, u16, u32),
    st.builds(DesktopEvent, u32, bodies),
)
geometries = st.builds(Geometry, st.just(0), st.integers(1, 4096), st.integers(1, 4096))


def chunk(*events: Event) -> bytes:
    return MAGIC + b"".join(encode(event) for event in events)


@given(st.none() | geometries, st.lists(later, max_size=6))
def test_what_is_encoded_is_decoded(first: Event | None, rest: list[Event]) -> None:
    events = ([first] if first else []) + sorted(rest, key=lambda event: event.at)
    read = list(decode(chunk(*events)))
    assert read == events
    assert chunk(*read) == chunk(*events)


@given(st.binary(max_size=200))
def test_bytes_are_either_refused_or_mean_themselves(data: bytes) -> None:
    raw = MAGIC + data
    try:
        events = list(decode(raw))
    except MalformedRecording:
        return
    known = chunk(*events)
    assert len(known) <= len(raw)


@given(st.lists(later, min_size=1, max_size=4), st.data())
def test_a_chunk_cut_short_is_refused_unless_cut_between_events(
    events: list[Event], data: st.DataObject
) -> None:
    events = sorted(events, key=lambda event: event.at)
    whole = chunk(*events)
    ends = {4}
    for event in events:
        ends.add(max(ends) + len(encode(event)))
    at = data.draw(st.integers(4, len(whole) - 1))
    if at in ends:
        assert len(list(decode(whole[:at]))) < len(events)
    else:
        with pytest.raises(MalformedRecording):
            list(decode(whole[:at]))


def test_types_of_later_versions_are_passed_over() -> None:
    raw = MAGIC + header(200, 5, 3) + b"new" + encode(FrameEnd(5, 1))
    assert list(decode(raw)) == [FrameEnd(5, 1)]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"LRC2", "does not begin with LRC1"),
        (b"", "does not begin with LRC1"),
        (MAGIC + b"\x05\x01\x00\x00" + bytes(12), "flags"),
        (MAGIC + b"\x05\x00\x01\x00" + bytes(12), "flags"),
        (MAGIC + encode(FrameEnd(9, 0)) + encode(FrameEnd(8, 1)), "earlier"),
        (MAGIC + encode(FrameEnd(0, 0)) + encode(Geometry(0, 4, 4)), "not the chunk's first"),
        (MAGIC + header(1, 0, 4) + b"\x00\x00\x04\x00", "0x4"),
        (MAGIC + header(1, 0, 4) + b"\xff\xff\xff\xff", "65535x65535"),
        (MAGIC + header(1, 0, 3) + b"\x01\x00\x01", "3 bytes"),
        (MAGIC + header(3, 0, 12) + bytes(12), "0x0"),
        (MAGIC + header(3, 0, 8) + b"\x00\x00\x00\x00\xff\xff\xff\xff", "65535x65535"),
        (MAGIC + header(3, 0, 5) + bytes(5), "byte 4"),
        (MAGIC + header(4, 0, 12) + bytes(12), "0x0"),
        (MAGIC + header(5, 0, 5) + bytes(5), "5 bytes"),
        (MAGIC + header(6, 0, 12) + bytes(12), "pointer image 0"),
        (MAGIC + header(6, 0, 12) + b"\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00", "0 bytes of pixels"),
        (MAGIC + header(7, 0, 1) + b"x", "1 bytes"),
        (MAGIC + header(8, 0, 2) + b"[]", "not an object"),
        (MAGIC + header(8, 0, 13) + b'{"event":"x"}', "of a kind"),
        (MAGIC + header(8, 0, 14) + b'{"event": "x"}', "canonical"),
        (MAGIC + header(8, 0, 5000) + bytes(5000), "5000 bytes"),
        (bytes(MAX_RAW + 1), "at most"),
    ],
)
def test_a_malformed_chunk_is_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(MalformedRecording, match=words):
        list(decode(raw))


@pytest.mark.parametrize(
    "event",
    [
        Rectangle(0, 0, 0, 2, 2, bytes(15)),
        Rectangle(-1, 0, 0, 1, 1, bytes(4)),
        CursorAt(0, -1, 0, 0),
        CursorImage(0, 1, 0, 0, 500, 1, bytes(2000)),
        DesktopEvent(0, {"event": "key", "text": "a"}),
        DesktopEvent(0, {"event": "mark", "text": "a", "more": 1}),
        DesktopEvent(0, {"event": "mark", "text": 1}),
        DesktopEvent(0, {"event": "mark", "text": "\ud800"}),
        DesktopEvent(0, {"event": "mark", "text": "x" * 5000}),
        DesktopEvent(0, {"event": "clipboard", "bytes": -1, "selection": "primary"}),
        DesktopEvent(0, {"event": "clipboard", "bytes": True, "selection": "primary"}),
        DesktopEvent(0, {"event": "client", "action": "type"}),
    ],
)
def test_what_the_format_cannot_say_is_not_written(event: Event) -> None:
    with pytest.raises(MalformedRecording):
        encode(event)
