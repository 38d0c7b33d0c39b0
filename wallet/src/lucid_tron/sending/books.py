"""Books: where what is sent is kept, the only way to change it, and the ledger that tells every change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Document, Documents
from lucid_kit.errors import DomainError
from lucid_tron.payouts import ledger
from lucid_tron.sending.atomic import atomically


class Kept(Protocol):
    """A frozen dataclass that is kept: `version` counts its changes, `reason` says why it waits."""

    @property
    def id(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def reason(self) -> str | None: ...

    def to_document(self) -> dict[str, Any]: ...


K = TypeVar("K", bound=Kept)
T = TypeVar("T")


class Books(Generic[K]):
    """Things of one kind with their ledger. A change and its entry are one transaction."""

    kept: ClassVar[Collection]
    moved: ClassVar[type[DomainError]]
    """What is raised when a thing changed since it was read."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self.documents = documents
        self.clock = clock

    async def atomically(self, change: Callable[[Documents], Awaitable[T]]) -> T:
        """Run a change in a transaction, again if another's came between."""
        return await atomically(self.documents, change)

    async def swap(self, inside: Documents, item: K, state: str, **changes: Any) -> K:
        """Store a changed thing inside a transaction, if it is still as it was read.

        Raises
        ------
        DomainError
            `moved`, if it changed meanwhile: then the transaction must end.
        """
        fields = {"state": state, "version": item.version + 1, "reason": None} | changes
        new = cast("K", replace(cast("Any", item), **fields))
        await self.swap_all(inside, [(item.to_document(), new.to_document())])
        return new

    async def swap_all(self, inside: Documents, swaps: Sequence[tuple[Document, Document]]) -> None:
        """`swap` for several, each given as it was read and as it shall be.

        Raises
        ------
        DomainError
            As `swap` does.
        """
        expected = [(new, {"version": old["version"], "state": old["state"]}) for old, new in swaps]
        if await inside.replace_each(self.kept.name, expected) != len(swaps):
            first = swaps[0][0]
            others = f", or one of {len(swaps) - 1} others" if len(swaps) > 1 else ""
            raise self.moved(f"{first['id']} is no longer {first['state']} ({first['version']}){others}")

    async def explain(self, item: K, reason: str) -> None:
        """Say why a thing waits. Not a change of it, so not in the ledger."""
        if item.reason != reason:
            expect = {"version": item.version}
            await self.documents.update(self.kept.name, item.id, {"reason": reason[:500]}, expect=expect)

    async def tell(self, inside: Documents, kind: str, about: str | None, facts: Mapping[str, Any]) -> None:
        """Add an entry to the ledger, in the transaction of the change it tells."""
        await ledger.append(inside, kind, about, facts, self.clock.now_ms())
