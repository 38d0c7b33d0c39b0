"""A change of several documents, all or nothing, however many change them at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from lucid_kit.documents import Documents, DuplicateKey, TransactionConflict

_ATTEMPTS = 50
T = TypeVar("T")


async def atomically(documents: Documents, change: Callable[[Documents], Awaitable[T]]) -> T:
    """Run a change in a transaction, again if another's came between."""
    for _ in range(_ATTEMPTS - 1):
        try:
            async with documents.transaction() as inside:
                return await change(inside)
        except (DuplicateKey, TransactionConflict):
            continue
    async with documents.transaction() as inside:
        return await change(inside)
