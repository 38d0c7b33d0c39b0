"""Events of a recording chunk, `lucid-recording/1`: encode and decode (docs/specs/recording.md).

Times (`at`) are milliseconds after the chunk's `from`; coordinates are pixels from the top left corner;
`pixels` are rows of 4 bytes B, G, R, X without padding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from lucid.recording.errors import MalformedRecording
from lucid_proof.canonical import decode as decode_json
from lucid_proof.canonical import encode as encode_json
from lucid_proof.errors import NotCanonical

if TYPE_CHECKING:
    from lucid_proof.canonical import JSON

FORMAT: Final = "lucid-recording/1"
MAGIC: Final = b"LRC1"
MAX_RAW: Final = 10_000_000
"""Bytes that a chunk never exceeds, neither as plaintext nor as ciphertext."""
MAX_SIDE: Final = 16_384
MAX_AREA: Final = 1 << 26
MAX_CURSOR: Final = 256
MAX_DESKTOP_EVENT: Final = 4_096

Buffer: TypeAlias = bytes | bytearray | memoryview

HEADER: Final = struct.Struct("<BBHII")
_TWO: Final = struct.Struct("<HH")
_FOUR: Final = struct.Struct("<HHHH")
_SIX: Final = struct.Struct("<HHHHHH")
_NUMBER: Final = struct.Struct("<I")
_CURSOR: Final = struct.Struct("<IHHHH")
_POINTER: Final = struct.Struct("<HHI")


@dataclass(frozen=True, slots=True)
class Geometry:
    """The picture starts anew, black, in this size. Only ever the first event of a chunk."""

    type: ClassVar[int] = 1
    at: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A part of a whole picture; the parts up to the next frame end cover it."""

    type: ClassVar[int] = 2
    at: int
    x: int
    y: int
    width: int
    height: int
    pixels: Buffer


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Pixels that changed."""

    type: ClassVar[int] = 3
    at: int
    x: int
    y: int
    width: int
    height: int
    pixels: Buffer


@dataclass(frozen=True, slots=True)
class Copy:
    """Pixels that moved inside the picture, as if read whole before any was written."""

    type: ClassVar[int] = 4
    at: int
    from_x: int
    from_y: int
    width: int
    height: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class FrameEnd:
    """Frame `number` is complete: what came since the last frame end was on the screen at `at`."""

    type: ClassVar[int] = 5
    at: int
    number: int


@dataclass(frozen=True, slots=True)
class CursorImage:
    """What the pointer looks like under `serial`: rows of B, G, R, A, premultiplied."""

    type: ClassVar[int] = 6
    at: int
    serial: int
    hot_x: int
    hot_y: int
    width: int
    height: int
    pixels: Buffer


@dataclass(frozen=True, slots=True)
class CursorAt:
    """Where the pointer's hot spot is, and which image it shows; serial 0: none."""

    type: ClassVar[int] = 7
    at: int
    x: int
    y: int
    serial: int


@dataclass(frozen=True, slots=True)
class DesktopEvent:
    """Something beside the pixels: a window, the client, the clipboard's size. Never a keystroke."""

    type: ClassVar[int] = 8
    at: int
    body: dict[str, JSON]


Event: TypeAlias = Geometry | Keyframe | Rectangle | Copy | FrameEnd | CursorImage | CursorAt | DesktopEvent

_WORD: Final = frozenset
_SHAPES: Final[dict[str, dict[str, type | frozenset[str]]]] = {
    "window": {"action": _WORD({"open", "title", "close", "focus"}), "title": str, "window": int},
    "client": {"action": _WORD({"connect", "disconnect"})},
    "clipboard": {"bytes": int, "selection": _WORD({"clipboard", "primary"})},
    "resize": {"height": int, "width": int},
    "mark": {"text": str},
}


def check_desktop_event(body: object) -> dict[str, JSON]:
    """`body` if it is one of the desktop events of the format.

    Raises
    ------
    MalformedRecording
        For an unknown event, and a missing, unknown or ill-typed member.
    """
    if not isinstance(body, dict):
        raise MalformedRecording("a desktop event is not an object")
    shape = _SHAPES.get(str(body.get("event")))
    if shape is None:
        raise MalformedRecording("a desktop event of a kind that the format does not have")
    if body.keys() != shape.keys() | {"event"}:
        raise MalformedRecording(f"a {body['event']} event has the members {sorted(shape)}, no others")
    for name, form in shape.items():
        value = body[name]
        good = value in form if isinstance(form, frozenset) else type(value) is form
        if not good or (form is int and value < 0):
            raise MalformedRecording(f"the member {name} of a {body['event']} event has the wrong form")
    return body


def header(type_: int, at: int, length: int) -> bytes:
    """The 12 bytes before a payload of `length` bytes."""
    return HEADER.pack(type_, 0, 0, at, length)


def encode(event: Event) -> bytes:
    """Bytes of one event.

    Raises
    ------
    MalformedRecording
        If a value does not fit its field, or the pixels do not fit the rectangle.
    """
    try:
        payload = _payload(event)
        return header(event.type, event.at, len(payload)) + payload
    except (struct.error, NotCanonical) as error:
        raise MalformedRecording(f"a {type(event).__name__} that the format cannot say: {error}") from error


def _payload(event: Event) -> bytes:
    match event:
        case Geometry():
            _check_geometry(event.width, event.height)
            return _TWO.pack(event.width, event.height)
        case Keyframe() | Rectangle():
            _check_pixels(event.width, event.height, len(event.pixels))
            return b"".join((_FOUR.pack(event.x, event.y, event.width, event.height), event.pixels))
        case Copy():
            _check_pixels(event.width, event.height, event.width * event.height * 4)
            return _SIX.pack(event.from_x, event.from_y, event.width, event.height, event.x, event.y)
        case FrameEnd():
            return _NUMBER.pack(event.number)
        case CursorImage():
            _check_cursor(event.serial, event.width, event.height, len(event.pixels))
            head = _CURSOR.pack(event.serial, event.hot_x, event.hot_y, event.width, event.height)
            return b"".join((head, event.pixels))
        case CursorAt():
            return _POINTER.pack(event.x, event.y, event.serial)
        case DesktopEvent():
            body = encode_json(check_desktop_event(event.body))
            if len(body) > MAX_DESKTOP_EVENT:
                raise MalformedRecording(f"a desktop event of more than {MAX_DESKTOP_EVENT} bytes")
            return body


def decode(chunk: Buffer) -> Iterator[Event]:
    """Events of a chunk's plaintext, in order. Pixels are views into `chunk`, not copies.

    Types that this version does not know are passed over; everything else is strict.

    Raises
    ------
    MalformedRecording
        While iterating, at the first byte that is not as the format says.
    """
    view = memoryview(chunk).toreadonly()
    if len(view) > MAX_RAW:
        raise MalformedRecording(f"a chunk of {len(view)} bytes; at most {MAX_RAW} are allowed")
    if bytes(view[:4]) != MAGIC:
        raise MalformedRecording("the chunk does not begin with LRC1")
    offset, before = 4, 0
    while offset < len(view):
        if len(view) - offset < HEADER.size:
            raise MalformedRecording(f"byte {offset}: the chunk ends inside an event's header")
        type_, flags, reserved, at, length = HEADER.unpack_from(view, offset)
        start = offset + HEADER.size
        if flags or reserved:
            raise MalformedRecording(f"byte {offset}: flags of an event are not 0")
        if at < before:
            raise MalformedRecording(f"byte {offset}: an event is earlier than the one before it")
        if length > len(view) - start:
            raise MalformedRecording(f"byte {offset}: the chunk ends inside an event")
        reader = _READERS.get(type_)
        if reader is not None:
            if type_ == Geometry.type and offset != 4:
                raise MalformedRecording(f"byte {offset}: a geometry that is not the chunk's first event")
            try:
                yield reader(at, view[start : start + length])
            except (struct.error, NotCanonical) as error:
                raise MalformedRecording(f"byte {offset}: {error}") from error
        offset, before = start + length, at


def _exactly(form: struct.Struct, payload: memoryview) -> tuple[int, ...]:
    if len(payload) != form.size:
        raise MalformedRecording(f"an event's payload has {len(payload)} bytes instead of {form.size}")
    return form.unpack(payload)


def _geometry(at: int, payload: memoryview) -> Geometry:
    width, height = _exactly(_TWO, payload)
    _check_geometry(width, height)
    return Geometry(at, width, height)


def _pixels(kind: type[Keyframe | Rectangle]) -> Callable[[int, memoryview], Event]:
    def read(at: int, payload: memoryview) -> Event:
        x, y, width, height = _FOUR.unpack_from(payload)
        pixels = payload[_FOUR.size :]
        _check_pixels(width, height, len(pixels))
        return kind(at, x, y, width, height, pixels)

    return read


def _copy(at: int, payload: memoryview) -> Copy:
    from_x, from_y, width, height, x, y = _exactly(_SIX, payload)
    _check_pixels(width, height, width * height * 4)
    return Copy(at, from_x, from_y, width, height, x, y)


def _frame_end(at: int, payload: memoryview) -> FrameEnd:
    return FrameEnd(at, *_exactly(_NUMBER, payload))


def _cursor_image(at: int, payload: memoryview) -> CursorImage:
    serial, hot_x, hot_y, width, height = _CURSOR.unpack_from(payload)
    pixels = payload[_CURSOR.size :]
    _check_cursor(serial, width, height, len(pixels))
    return CursorImage(at, serial, hot_x, hot_y, width, height, pixels)


def _cursor_at(at: int, payload: memoryview) -> CursorAt:
    return CursorAt(at, *_exactly(_POINTER, payload))


def _desktop_event(at: int, payload: memoryview) -> DesktopEvent:
    if len(payload) > MAX_DESKTOP_EVENT:
        raise MalformedRecording(f"a desktop event of {len(payload)} bytes")
    return DesktopEvent(at, check_desktop_event(decode_json(bytes(payload))))


_READERS: Final[dict[int, Callable[[int, memoryview], Event]]] = {
    Geometry.type: _geometry,
    Keyframe.type: _pixels(Keyframe),
    Rectangle.type: _pixels(Rectangle),
    Copy.type: _copy,
    FrameEnd.type: _frame_end,
    CursorImage.type: _cursor_image,
    CursorAt.type: _cursor_at,
    DesktopEvent.type: _desktop_event,
}


def _check_geometry(width: int, height: int) -> None:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_AREA):
        raise MalformedRecording(f"a picture of {width}x{height} pixels")


def _check_pixels(width: int, height: int, size: int) -> None:
    if width == 0 or height == 0 or size != width * height * 4:
        raise MalformedRecording(f"{size} bytes of pixels for a rectangle of {width}x{height}")


def _check_cursor(serial: int, width: int, height: int, size: int) -> None:
    if serial == 0 or width > MAX_CURSOR or height > MAX_CURSOR:
        raise MalformedRecording(f"a pointer image {serial} of {width}x{height} pixels")
    if size != width * height * 4:
        raise MalformedRecording(f"{size} bytes of pixels for a pointer of {width}x{height}")
