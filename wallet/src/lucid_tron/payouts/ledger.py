"""The ledger: every change of every payout, each entry hashed with the one before it.

It is appended to in the same transaction as the change it tells, so neither is without the other. Whoever
keeps the newest hash elsewhere can prove that nothing before it was altered or left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from lucid_kit.documents import Collection, Documents, Index, page_cursor
from lucid_proof.canonical import encode
from lucid_proof.domains import digest
from lucid_tron.payouts.errors import LedgerBroken

LEDGER = Collection("payout_ledger", Index("payout"), Index("kind"))
_DOMAIN = b"lucid-tron payout ledger entry v1\n"
_PAGE = 5_000
GENESIS = digest(_DOMAIN).hex()
"""What the first entry follows."""


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries there are, and the hash of the newest."""

    count: int
    hash: str


def entry_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 of the domain and the entry's canonical JSON without `id` and `hash`."""
    content = {name: value for name, value in entry.items() if name not in ("id", "hash")}
    return digest(_DOMAIN + encode(content)).hex()


async def append(
    inside: Documents, kind: str, payout: str | None, facts: Mapping[str, Any], at_ms: int
) -> None:
    """Add an entry, inside the transaction of the change it tells.

    Two who append at once give their entries the same id, of which the store takes one: the other's whole
    transaction fails with DuplicateKey and is run again.
    """
    head = await newest(inside)
    number, before = head.count + 1, head.hash
    entry = {
        "n": number,
        "prev": before,
        "at_ms": at_ms,
        "kind": kind,
        "payout": payout,
        "facts": dict(facts),
    }
    await inside.insert(LEDGER.name, {"id": f"{number:015d}", **entry, "hash": entry_hash(entry)})


async def newest(documents: Documents) -> Head:
    """The head of the ledger, unverified."""
    found = await documents.find(LEDGER.name, sort=[("id", -1)], limit=1)
    return Head(found[0]["n"], found[0]["hash"]) if found else Head(0, GENESIS)


async def head_at(documents: Documents, count: int) -> Head:
    """The head that the ledger had when it had `count` entries, unverified.

    Raises
    ------
    LedgerBroken
        If it has not so many.
    """
    if count == 0:
        return Head(0, GENESIS)
    entry = await documents.get(LEDGER.name, f"{count:015d}")
    if entry is None:
        raise LedgerBroken(f"The ledger has no entry {count}", entry=count)
    return Head(count, entry["hash"])


async def entries(documents: Documents) -> AsyncIterator[dict[str, Any]]:
    """All entries in order."""
    cursor: str | None = None
    while True:
        page = await documents.find(LEDGER.name, sort=[("id", 1)], limit=_PAGE, after=cursor)
        for entry in page:
            yield entry
        if len(page) < _PAGE:
            return
        cursor = page_cursor(page[-1], [("id", 1)])


async def verify(documents: Documents, *, expected: Head | None = None) -> Head:
    """Check the chain from its first entry.

    Parameters
    ----------
    expected
        A head that was kept elsewhere; the ledger must contain it.

    Raises
    ------
    LedgerBroken
        If an entry is altered, missing or out of order, or the expected head is not in it.
    """
    count, last, seen = 0, GENESIS, expected is None or expected.count == 0
    async for entry in entries(documents):
        if entry["n"] != count + 1 or entry["prev"] != last or entry["hash"] != entry_hash(entry):
            raise LedgerBroken(f"Entry {entry['n']} does not follow entry {count}", entry=count + 1)
        count, last = count + 1, entry["hash"]
        seen = seen or (expected is not None and (count, last) == (expected.count, expected.hash))
    if not seen and expected is not None:
        raise LedgerBroken(
            f"The ledger has {count} entries and lacks the head it had at {expected.count}: an older copy?",
            entry=expected.count,
        )
    return Head(count, last)
