"""A display filmed into chunks: pictures, pointer, windows and clipboard sizes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lucid.recorder.camera import Camera, Resized
from lucid.recorder.clipboard import SELECTION_NOTIFY, Clipboard
from lucid.recorder.diff import Area
from lucid.recorder.errors import DisplayRefused
from lucid.recorder.pointer import Pointer
from lucid.recorder.windows import PROPERTY_NOTIFY, Windows
from lucid.recording.events import (
    HEADER,
    CursorAt,
    CursorImage,
    DesktopEvent,
    FrameEnd,
    Geometry,
    Keyframe,
    Rectangle,
    encode,
)

if TYPE_CHECKING:
    from lucid.recorder.chunker import Chunker
    from lucid.recorder.x11 import Connection
    from lucid_proof.canonical import JSON

PART: Final = 256 * 1024
"""Bytes of pixels in one event at most: what is copied at once, and what a chunk wastes at its end."""
_RETRIES: Final = 20


class Film:
    """What the recorder sees of one display, written into a chunker.

    Times are ms since 1970 on the recorder's clock.

    Attributes
    ----------
    frames
        Complete pictures so far.
    damaged
        Something was drawn that no picture shows yet.
    torn
        A picture was begun and is not written to its end.
    entered_at
        When the last whole picture began.
    """

    def __init__(self, connection: Connection, chunker: Chunker, *, shared: bool = True) -> None:
        self._x = connection
        self._chunker = chunker
        self._camera = Camera(connection, shared=shared)
        self._pointer = Pointer(connection)
        self._windows = Windows(connection)
        self._clipboard = Clipboard(connection)
        randr, self._resize_event = connection.extension("RANDR")
        connection.call(randr, 0, struct.pack("<II", 1, 2))
        connection.send(randr, 4, struct.pack("<IH2x", connection.root, 1))
        connection.flush()
        self._resized = False
        self._now = 0
        self.frames = 0
        self.damaged = False
        self.torn = False
        self.entered_at = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the screen, pixels."""
        return self._camera.width, self._camera.height

    @property
    def waiting(self) -> bool:
        """Whether events have arrived that `listen` has not taken."""
        return self._x.waiting

    @property
    def stale(self) -> bool:
        """Whether something besides pixels waits for the next `frame`."""
        return self._resized or self._windows.stale or self._clipboard.stale

    def listen(self) -> bool:
        """Take the events that have arrived; whether there was anything worth a frame."""
        clipboard, damage = self._clipboard.event, self._camera.damage_event
        for event in self._x.events():
            kind = event[0]
            if kind == damage:
                self.damaged = True
            elif kind == PROPERTY_NOTIFY:
                self._windows.changed(event)
            elif kind == self._pointer.event:
                self._pointer.changed()
            elif kind == clipboard:
                self._clipboard.changed(event)
            elif kind == SELECTION_NOTIFY and self._chunker.open:
                self._clipboard.answered(event, self._happened)
            elif kind == self._resize_event:
                self._resized = True
        return self.damaged or self.stale

    def enter(self, now: int) -> None:
        """Begin a chunk with everything that a player needs to start there: size, whole picture, pointer.

        The chunk before it must be sealed.
        """
        for _ in range(_RETRIES):
            self._camera.resize()
            self._resized = self.damaged = False
            try:
                shot = self._camera.shoot(whole=True)
            except Resized:
                continue
            break
        else:
            raise DisplayRefused("the screen changes its size faster than it can be recorded")
        self.torn = True
        self._now = self.entered_at = now
        self._chunker.begin(now)
        self._put(Geometry(0, *self.size))
        for area in shot.areas:
            self._pixels(Keyframe.type, area)
        self._pointer.forget()
        self._end_frame(shot.pointer)

    def frame(self, now: int, tick: int) -> bool:
        """Record what has changed, all of one moment; whether the screen has another size, so `enter` is due.

        `tick`: ms of a monotonic clock.
        """
        self._now = now
        if self._windows.stale:
            self._windows.update(self._happened)
        if self._clipboard.stale:
            self._clipboard.update(tick)
        if self._resized:
            return True
        self.damaged = False
        try:
            shot = self._camera.shoot(whole=False)
        except Resized:
            return True
        self.torn = bool(shot.areas)
        for area in shot.areas:
            self._pixels(Rectangle.type, area)
        if shot.areas:
            self._end_frame(shot.pointer)
        else:
            self._pointer.tell(shot.pointer, self._put)
        return False

    def resized(self, now: int) -> None:
        """Tell the new size; `enter` follows."""
        self._now = now
        self._camera.resize()
        width, height = self.size
        self._happened({"event": "resize", "height": height, "width": width})

    def point(self, now: int) -> bool:
        """Record the pointer; whether it had moved or changed."""
        self._now = now
        return self._pointer.tell(self._pointer.ask(), self._put)

    def happen(self, now: int, body: dict[str, JSON]) -> None:
        """Record something that another part of Lucid observed. Raises `MalformedRecording`."""
        self._now = now
        self._happened(body)

    def close(self) -> None:
        """Leave the display."""
        self._x.close()

    def _end_frame(self, pointer: tuple[int, int]) -> None:
        self._pointer.tell(pointer, self._put)
        self._put(FrameEnd(0, self.frames))
        self.frames += 1
        self.torn = False

    def _happened(self, body: dict[str, JSON]) -> None:
        self._put(DesktopEvent(0, body))

    def _put(self, event: Geometry | CursorImage | CursorAt | FrameEnd | DesktopEvent) -> None:
        payload = encode(event)[HEADER.size :]
        self._chunker.put(self._now, event.type, (payload,), len(payload))

    def _pixels(self, type_: int, area: Area) -> None:
        """A rectangle of the picture, in as many events as its size asks for."""
        row = area.width * 4
        rows = max(1, PART // row)
        for top in range(area.y, area.y + area.height, rows):
            part = Area(area.x, top, area.width, min(rows, area.y + area.height - top))
            place = struct.pack("<HHHH", *part)
            length = len(place) + row * part.height
            self._chunker.put(self._now, type_, (place, *self._camera.pixels(part)), length)
