"""Pictures of a display: what changed since the last one, exactly, and all of one moment.

A shot is taken with the server grabbed: nothing is drawn between the question what was damaged and the last
pixel, so every frame was on the screen at one moment. What that costs: docs/adr/0071.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from lucid.recorder import diff
from lucid.recorder.diff import Area
from lucid.recorder.x11 import SYNC, Connection, XError

_GRAB, _UNGRAB, _GET_GEOMETRY, _QUERY_POINTER, _GET_IMAGE = 36, 37, 14, 38, 73
_SHM_DETACH, _SHM_GET_IMAGE, _SHM_ATTACH_FD = 2, 4, 6
_DAMAGE_CREATE, _DAMAGE_SUBTRACT, _NON_EMPTY = 1, 3, 3
_CREATE_REGION, _FETCH_REGION = 5, 19
_ALL_PLANES: Final = 0xFFFFFFFF
_Z_PIXMAP: Final = 2


class Shot(NamedTuple):
    """One picture: where it differs from the one before. Read the pixels before the next shot."""

    areas: list[Area]
    whole: bool
    pointer: tuple[int, int]


class Resized(Exception):
    """The screen has another size now: there is no picture, the next one must be whole."""


class Camera:
    """Takes pictures of a display's root window.

    Parameters
    ----------
    connection
        The display.
    shared
        Whether to try memory shared with the server (MIT-SHM 1.2); else pixels come through the socket.

    Attributes
    ----------
    width, height
        Of the screen, pixels.
    damage_event
        Type of the X event that says that something was drawn.
    """

    def __init__(self, connection: Connection, *, shared: bool = True) -> None:
        self._x = connection
        self._damage, self.damage_event = connection.extension("DAMAGE")
        self._fixes, _ = connection.extension("XFIXES")
        connection.call(self._fixes, 0, struct.pack("<II", 5, 0))
        connection.call(self._damage, 0, struct.pack("<II", 1, 1))
        self._memory: _Shared | None = None
        self._want_shared = shared
        self._watch = connection.new_id()
        self._region = connection.new_id()
        connection.send(
            self._damage, _DAMAGE_CREATE, struct.pack("<IIB3x", self._watch, connection.root, _NON_EMPTY)
        )
        connection.check(connection.send(self._fixes, _CREATE_REGION, struct.pack("<I", self._region)))
        self.width = self.height = 0
        self._before = bytearray()
        self.resize()

    @property
    def shared(self) -> bool:
        """Whether pixels come through shared memory."""
        return self._memory is not None

    def resize(self) -> None:
        """Take the screen's present size. The next shot must be whole."""
        reply = self._x.call(_GET_GEOMETRY, 0, struct.pack("<I", self._x.root))
        self.width, self.height = struct.unpack_from("<HH", reply, 16)
        self._before = bytearray(self.width * self.height * 4)
        if self._memory is not None:
            self._memory.close(self._x)
            self._memory = None
        if self._want_shared:
            try:
                self._memory = _Shared(self._x, self.width * self.height * 4)
            except XError:
                self._want_shared = False

    def shoot(self, *, whole: bool) -> Shot:
        """A picture of now.

        Raises
        ------
        Resized
            If the screen changed its size since the last `resize`.
        """
        x = self._x
        root = struct.pack("<I", x.root)
        x.send(_GRAB)
        geometry = x.send(_GET_GEOMETRY, 0, root, answer=True)
        pointer = x.send(_QUERY_POINTER, 0, root, answer=True)
        x.send(self._damage, _DAMAGE_SUBTRACT, struct.pack("<III", self._watch, 0, self._region))
        region = x.send(self._fixes, _FETCH_REGION, struct.pack("<I", self._region), answer=True)
        size = struct.unpack_from("<HH", x.reply(geometry), 16)
        place = struct.unpack_from("<hh", x.reply(pointer), 16)
        damage = _areas(x.reply(region))
        if size != (self.width, self.height):
            x.send(_UNGRAB)
            x.flush()
            raise Resized
        parts = diff.stretches([Area(0, 0, *size)] if whole else damage, *size)
        rows = diff.runs(parts)
        pixels = self._fetch(rows)
        x.send(_UNGRAB)
        x.flush()
        if whole:
            self._before[:] = pixels[: len(self._before)]
            return Shot([Area(0, 0, *size)], True, place)
        areas = list(diff.changes(pixels, self._before, self.width, parts))
        for area in areas:
            self._take(pixels, area)
        return Shot(areas, False, place)

    def pixels(self, area: Area) -> Iterator[bytes]:
        """The rows of a part of the last picture."""
        stride, row = self.width * 4, area.width * 4
        start = area.y * stride + area.x * 4
        if row == stride:
            yield bytes(memoryview(self._before)[start : start + row * area.height])
            return
        for at in range(start, start + area.height * stride, stride):
            yield bytes(self._before[at : at + row])

    def _take(self, pixels: mmap.mmap | bytes, area: Area) -> None:
        stride, row = self.width * 4, area.width * 4
        start = area.y * stride + area.x * 4
        for at in range(start, start + area.height * stride, stride):
            self._before[at : at + row] = pixels[at : at + row]

    def _fetch(self, rows: list[tuple[int, int]]) -> mmap.mmap | bytes:
        """Whole rows of the screen, each at its place in a picture of the screen."""
        x, stride = self._x, self.width * 4
        if self._memory is not None:
            asked = [
                x.send(
                    self._memory.major,
                    _SHM_GET_IMAGE,
                    struct.pack(
                        "<IhhHHIB3xII",
                        x.root,
                        0,
                        top,
                        self.width,
                        bottom - top,
                        _ALL_PLANES,
                        _Z_PIXMAP,
                        self._memory.segment,
                        top * stride,
                    ),
                    answer=True,
                )
                for top, bottom in rows
            ]
            for number in asked:
                x.reply(number)
            return self._memory.map
        picture = bytearray(self._before)
        for top, bottom in rows:
            body = struct.pack("<IhhHHI", x.root, 0, top, self.width, bottom - top, _ALL_PLANES)
            data = x.call(_GET_IMAGE, _Z_PIXMAP, body)
            picture[top * stride : bottom * stride] = memoryview(data)[32 : 32 + (bottom - top) * stride]
        return bytes(picture)


class _Shared:
    """Memory that the X server writes pictures into.

    A sealed memfd handed over the socket: it has no name that anyone else could open, needs no IPC namespace
    and no owner, and is gone with the process.
    """

    def __init__(self, x: Connection, size: int) -> None:
        self.major, _ = x.extension("MIT-SHM")
        major, minor = struct.unpack_from("<HH", x.call(self.major, 0), 8)
        if (major, minor) < (1, 2):
            raise XError(17, self.major, 0)
        fd = os.memfd_create("lucid-recorder", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, size)
            _seal(fd)
            self.segment = x.new_id()
            x.flush()
            attach = x.send(self.major, _SHM_ATTACH_FD, struct.pack("<IB3x", self.segment, 0))
            x.flush([fd])
            x.check(attach)
            self.map = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)

    def close(self, x: Connection) -> None:
        x.send(self.major, _SHM_DETACH, struct.pack("<I", self.segment))
        x.call(SYNC)
        self.map.close()


def _seal(fd: int) -> None:
    """No one can shrink the memory under the process that maps it."""
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)


def _areas(reply: bytes) -> list[Area]:
    return [Area(*box) for box in struct.iter_unpack("<hhHH", reply[32:])]
