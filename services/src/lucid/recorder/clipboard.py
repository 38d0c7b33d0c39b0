"""How much is copied: the size of a selection when its owner changes. Its content is never read.

The owner is asked to convert the selection into a property of a window of ours (ICCCM 2.4); the property's
length is asked with a read of 0 bytes. The window is destroyed afterwards: that ends an incremental transfer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lucid.recorder.x11 import Connection, XError

if TYPE_CHECKING:
    from lucid_proof.canonical import JSON

SELECTION_NOTIFY: Final = 31
_CREATE_WINDOW, _DESTROY_WINDOW, _GET_PROPERTY, _CONVERT = 1, 4, 20, 24
_INPUT_ONLY, _OWNER_CHANGED, _PRIMARY = 2, 1, 1
_SELECT_SELECTION_INPUT = 2


class Clipboard:
    """Tells the size of what was copied, once for each change of owner and at most once a second.

    Attributes
    ----------
    event
        Type of the XFIXES event that says that a selection has a new owner.
    """

    def __init__(self, connection: Connection) -> None:
        self._x = connection
        fixes, self.event = connection.extension("XFIXES")
        self._target = connection.atom("UTF8_STRING")
        self._incremental = connection.atom("INCR")
        self._place = connection.atom("LUCID_SIZE")
        self._names = {connection.atom("CLIPBOARD"): "clipboard", _PRIMARY: "primary"}
        for selection in self._names:
            body = struct.pack("<III", connection.root, selection, _OWNER_CHANGED)
            connection.send(fixes, _SELECT_SELECTION_INPUT, body)
        self._changed: dict[int, int] = {}
        self._asked: dict[int, int] = {}
        self._not_before = 0

    @property
    def stale(self) -> bool:
        """Whether `update` has something to do."""
        return bool(self._changed)

    def changed(self, event: bytes) -> None:
        """Take an XFIXES SelectionNotify event."""
        _, owner, selection, time = struct.unpack_from("<IIII", event, 4)
        if owner and selection in self._names:
            self._changed[selection] = time

    def update(self, now: int) -> None:
        """Ask the new owners; `now` in ms of a monotonic clock."""
        if now < self._not_before:
            return
        self._not_before = now + 1000
        for selection, time in self._changed.items():
            self._forget(selection)
            window = self._x.new_id()
            body = struct.pack("<IIhhHHHHII", window, self._x.root, -1, -1, 1, 1, 0, _INPUT_ONLY, 0, 0)
            self._x.send(_CREATE_WINDOW, 0, body)
            self._x.send(
                _CONVERT, 0, struct.pack("<IIIII", window, selection, self._target, self._place, time)
            )
            self._asked[selection] = window
        self._changed.clear()
        self._x.flush()

    def answered(self, event: bytes, put: Callable[[dict[str, JSON]], None]) -> None:
        """Take a core SelectionNotify event: the owner has answered."""
        window, selection, _, place = struct.unpack_from("<IIII", event, 8)
        if self._asked.get(selection) != window:
            return
        size = self._size(window) if place else 0
        self._forget(selection)
        put({"bytes": size, "event": "clipboard", "selection": self._names[selection]})

    def _size(self, window: int) -> int:
        try:
            kind, size, _ = self._read(window, 0)
            if kind == self._incremental:
                # The transfer is announced with its least size, as the property's one integer.
                _, _, value = self._read(window, 1)
                size = int.from_bytes(value[:4], "little")
        except XError:
            return 0
        return size

    def _read(self, window: int, words: int) -> tuple[int, int, bytes]:
        reply = self._x.call(_GET_PROPERTY, 0, struct.pack("<IIIII", window, self._place, 0, 0, words))
        kind, rest = struct.unpack_from("<II", reply, 8)
        return kind, rest, reply[32:]

    def _forget(self, selection: int) -> None:
        if window := self._asked.pop(selection, 0):
            self._x.send(_DESTROY_WINDOW, 0, struct.pack("<I", window))
