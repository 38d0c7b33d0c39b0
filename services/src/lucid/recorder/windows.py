"""Windows that open, close, get the focus or another title (EWMH 1.5: what the window manager publishes)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lucid.recorder.x11 import Connection, XError

if TYPE_CHECKING:
    from lucid_proof.canonical import JSON

PROPERTY_NOTIFY: Final = 28
MAX_TITLE: Final = 512
MAX_WINDOWS: Final = 512
_CHANGE_ATTRIBUTES, _GET_PROPERTY = 2, 20
_EVENT_MASK, _PROPERTY_CHANGE = 0x800, 0x400000

_Put = Callable[[dict[str, "JSON"]], None]


class Windows:
    """Follows the list of windows, the active one, and their titles. Titles never leave through a log."""

    def __init__(self, connection: Connection) -> None:
        self._x = connection
        self._list = connection.atom("_NET_CLIENT_LIST")
        self._active = connection.atom("_NET_ACTIVE_WINDOW")
        self._names = (connection.atom("_NET_WM_NAME"), connection.atom("WM_NAME"))
        self._titles: dict[int, str] = {}
        self._focus = 0
        self._stale: set[int] = {connection.root}
        self._select(connection.root)

    @property
    def stale(self) -> bool:
        """Whether `update` has something to do."""
        return bool(self._stale)

    def changed(self, event: bytes) -> None:
        """Take a PropertyNotify event."""
        window, atom = struct.unpack_from("<II", event, 4)
        if window == self._x.root:
            if atom in (self._list, self._active):
                self._stale.add(window)
        elif atom in self._names and window in self._titles:
            self._stale.add(window)

    def update(self, put: _Put) -> None:
        """Put what has changed since the last call."""
        stale, self._stale = self._stale, set()
        if self._x.root in stale:
            self._follow_list(put)
        for window in stale & self._titles.keys():
            title = self._title(window)
            if title != self._titles[window]:
                self._titles[window] = title
                put(_event("title", window, title))
        if self._x.root in stale:
            active = next(iter(self._numbers(self._x.root, self._active)), 0)
            if active != self._focus:
                self._focus = active
                if active in self._titles:
                    put(_event("focus", active, self._titles[active]))

    def _follow_list(self, put: _Put) -> None:
        present = self._numbers(self._x.root, self._list)[:MAX_WINDOWS]
        for window in self._titles.keys() - set(present):
            put(_event("close", window, self._titles.pop(window)))
        for window in present:
            if window not in self._titles:
                self._select(window)
                self._titles[window] = title = self._title(window)
                put(_event("open", window, title))

    def _select(self, window: int) -> None:
        # A window may be gone by now; then there is nothing to follow, and the error is nobody's.
        self._x.send(_CHANGE_ATTRIBUTES, 0, struct.pack("<III", window, _EVENT_MASK, _PROPERTY_CHANGE))

    def _title(self, window: int) -> str:
        utf8, latin = (self._property(window, name, MAX_TITLE * 4) for name in self._names)
        text = utf8.decode("utf-8", "replace") if utf8 else latin.decode("latin-1")
        return text.replace("\x00", "")[:MAX_TITLE]

    def _numbers(self, window: int, name: int) -> list[int]:
        data = self._property(window, name, MAX_WINDOWS * 4)
        return [number for (number,) in struct.iter_unpack("<I", data[: len(data) & ~3])]

    def _property(self, window: int, name: int, size: int) -> bytes:
        body = struct.pack("<IIIII", window, name, 0, 0, size // 4)
        try:
            reply = self._x.call(_GET_PROPERTY, 0, body)
        except XError:
            return b""
        (count,) = struct.unpack_from("<I", reply, 16)
        return reply[32 : 32 + count * (reply[1] // 8)]


def _event(action: str, window: int, title: str) -> dict[str, JSON]:
    return {"action": action, "event": "window", "title": title, "window": window}
