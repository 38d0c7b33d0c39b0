"""The pointer: its place, and what it looks like (XFIXES)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from lucid.recorder.x11 import Connection, XError
from lucid.recording.events import MAX_CURSOR, CursorAt, CursorImage

_SELECT_CURSOR_INPUT, _GET_CURSOR_IMAGE, _QUERY_POINTER = 3, 4, 38
_DISPLAY_CURSOR_NOTIFY: Final = 1
_KNOWN_LIMIT: Final = 256  # images named in one entry; an animated pointer has a few dozen

_Put = Callable[[CursorImage | CursorAt], None]


class Pointer:
    """Tells where the pointer is and how it looks, once for each change.

    Attributes
    ----------
    event
        Type of the X event after which `look` must be called.
    """

    def __init__(self, connection: Connection) -> None:
        self._x = connection
        self._fixes, first = connection.extension("XFIXES")
        self.event = first + 1
        connection.send(
            self._fixes, _SELECT_CURSOR_INPUT, struct.pack("<II", connection.root, _DISPLAY_CURSOR_NOTIFY)
        )
        self._told: tuple[int, int, int] | None = None
        self._serial = 0
        self._known: set[int] = set()
        self._stale = True

    def forget(self) -> None:
        """A new entry into the recording begins: everything has to be told again."""
        self._told = None
        self._known.clear()
        self._stale = True

    def changed(self) -> None:
        """The pointer looks different now."""
        self._stale = True

    def ask(self) -> tuple[int, int]:
        """Where it is."""
        reply = self._x.call(_QUERY_POINTER, 0, struct.pack("<I", self._x.root))
        x, y = struct.unpack_from("<hh", reply, 16)
        return x, y

    def tell(self, place: tuple[int, int], put: _Put) -> bool:
        """Put what is new, given where the pointer is; whether anything was."""
        if self._stale:
            self._stale = False
            self._look(put)
        told = (max(0, place[0]), max(0, place[1]), self._serial)
        if told != self._told:
            self._told = told
            put(CursorAt(0, *told))
            return True
        return False

    def _look(self, put: _Put) -> None:
        try:
            reply = self._x.call(self._fixes, _GET_CURSOR_IMAGE)
        except XError:
            # Before the first client has set a cursor there is none.
            self._serial = 0
            return
        width, height, hot_x, hot_y, serial = struct.unpack_from("<HHHHI", reply, 12)
        if not 0 < width <= MAX_CURSOR or not 0 < height <= MAX_CURSOR or not serial:
            self._serial = 0
            return
        self._serial = serial
        if serial not in self._known and len(self._known) < _KNOWN_LIMIT:
            self._known.add(serial)
            put(CursorImage(0, serial, hot_x, hot_y, width, height, reply[32 : 32 + width * height * 4]))
        elif serial not in self._known:
            self._serial = 0
