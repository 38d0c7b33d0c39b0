"""Everything the chain remembers, as one versioned mapping.

Keys are tuples that begin with their kind: ``("account", address)``, ``("storage", address, slot)``, ….
Values are immutable; a missing key reads as None. `World` holds sealed blocks and can go back block by block;
`Sheet` collects the changes of one block, one transaction or one dry run, and can go back to any mark.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

Key = tuple[Hashable, ...]


class Reader(Protocol):
    """Anything state can be read from."""

    def get(self, key: Key) -> Any:
        """Return the value under `key`, or None."""
        ...


class World:
    """The state after the newest sealed block, and what every block replaced."""

    def __init__(self) -> None:
        self._now: dict[Key, Any] = {}
        self._before: list[dict[Key, Any]] = []

    @property
    def height(self) -> int:
        """Number of the newest sealed block; the genesis block is 0, an empty world is at -1."""
        return len(self._before) - 1

    def get(self, key: Key) -> Any:
        return self._now.get(key)

    def seal(self, changes: dict[Key, Any]) -> None:
        """Make one block's changes part of the world."""
        self._before.append({key: self._now.get(key) for key in changes})
        self._write(changes)

    def unseal(self) -> None:
        """Forget the newest block: the world is as it was before it."""
        self._write(self._before.pop())

    def at(self, height: int) -> Reader:
        """Return the state after block `height`; it stays right only until the next seal or unseal."""
        return _Past(self._now, self._before[height + 1 :])

    def _write(self, changes: dict[Key, Any]) -> None:
        for key, value in changes.items():
            if value is None:
                self._now.pop(key, None)
            else:
                self._now[key] = value


class _Past:
    def __init__(self, now: dict[Key, Any], since: list[dict[Key, Any]]) -> None:
        self._now = now
        self._since = since

    def get(self, key: Key) -> Any:
        for before in self._since:
            if key in before:
                return before[key]
        return self._now.get(key)


class Sheet:
    """Changes laid over a reader. Nothing below is touched until somebody seals `changes`."""

    def __init__(self, below: Reader) -> None:
        self._below = below
        self._changes: dict[Key, Any] = {}
        self._undo: list[tuple[Key, Any, bool]] = []

    @property
    def changes(self) -> dict[Key, Any]:
        """What differs from below; None means removed."""
        return self._changes

    def get(self, key: Key) -> Any:
        if key in self._changes:
            return self._changes[key]
        return self._below.get(key)

    def put(self, key: Key, value: Any) -> None:
        known = key in self._changes
        self._undo.append((key, self._changes.get(key), known))
        self._changes[key] = value

    def mark(self) -> int:
        """Return a point that `back_to` can return to."""
        return len(self._undo)

    def back_to(self, mark: int) -> None:
        """Undo every change made since `mark`."""
        while len(self._undo) > mark:
            key, value, known = self._undo.pop()
            if known:
                self._changes[key] = value
            else:
                del self._changes[key]

    def touched_since(self, mark: int) -> set[Key]:
        """Keys changed since `mark`."""
        return {key for key, _, _ in self._undo[mark:]}
