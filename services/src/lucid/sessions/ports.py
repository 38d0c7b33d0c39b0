"""What sessions need from other clusters, in their own words. `clients` has the adapters over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lucid_proof.records import Header


@dataclass(frozen=True, slots=True)
class Desktop:
    """A desktop that waits for its client behind a shut gate."""

    id: str
    session: str
    host: str
    port: int
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DesktopStatus:
    """How a desktop is. `revision` grows with each change; `display` is for the recorder, as the server gave
    it.
    """

    id: str
    session: str
    revision: int
    state: str
    reason: str = ""
    display: Mapping[str, Any] | None = None
    admitted: bool = False
    client_connected: bool = False
    pids: Sequence[int] = ()


class Desktops(Protocol):
    """Desktops, each on a port of its own."""

    async def create(self, session: str, width: int, height: int) -> Desktop:
        """A new desktop whose port answers a TLS handshake; its gate is shut."""
        ...

    async def status(self, id: str, after: int, wait_ms: int) -> DesktopStatus | None:  # noqa: A002
        """Its status once its revision is above `after`, or as it is after `wait_ms`. None: there is no such
        desktop.
        """
        ...

    async def admit(self, id: str) -> None:  # noqa: A002
        """Open the gate: the desktop starts, the client sees it."""
        ...

    async def dismiss(self, session: str) -> None:
        """Send the session's clients away; its desktop stays."""
        ...

    async def remove(self, id: str) -> None:  # noqa: A002
        """Tear it down; nothing is left. Doing it twice is no error."""
        ...

    async def all(self) -> Sequence[DesktopStatus]:
        """Every desktop there is."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its header, and the signed note over the log up to and including that header."""

    header: Header
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a transaction is. `height` and `index` (its leaf in the log) are known once it is anchored."""

    tx: str
    anchored: bool
    height: int | None = None
    index: int | None = None


PAGE = 100


class Chain(Protocol):
    """The chain, over its published API."""

    async def latest(self) -> Block: ...

    async def block(self, height: int) -> Block: ...

    async def blocks(self, first: int) -> Sequence[Block]:
        """The blocks from height `first` on, up to `PAGE` of them."""
        ...

    async def submit(self, tx: str, data: bytes) -> Placement:
        """Hand in a transaction; the same bytes again give the same answer. Raises RemoteProblem if a rule
        refuses it.
        """
        ...

    async def placement(self, tx: str) -> Placement | None:
        """Where it is, or None if the chain does not know it (a restart emptied its mempool)."""
        ...
