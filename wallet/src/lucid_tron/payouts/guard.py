"""The ledger's head, kept outside of the database, so that an older copy of it is found out before it pays.

A database restored from yesterday's backup is consistent in itself. What it lacks is what was paid since; the
head file knows. The file is advanced before any bytes leave, by compare-and-swap under a lock that one
process holds; a database whose ledger does not contain the file's head sends nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Final, Self

from lucid_kit import fault
from lucid_kit.files import AlreadyRunning, DirectoryLock, sweep_temporaries, write_atomic
from lucid_proof import fields
from lucid_proof.canonical import MAX_INTEGER, decode, encode
from lucid_proof.errors import ProofError
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import BooksNotNewest, GuardMissing, LedgerBroken, ProcessorRunning
from lucid_tron.payouts.ledger import GENESIS, Head

FORMAT: Final = "lucid-payout-head/1"
_FILE: Final = "head.json"


class Guard:
    """The head file in a directory that no backup of the database contains. One process at a time has it.

        with Guard(directory) as guard:
            await guard.check(book)
            processor = PayoutProcessor(…, guard=guard)

    Raises
    ------
    ProcessorRunning
        From `open`, if another process has it.
    GuardMissing
        From `open`, if it was not made or cannot be read: a wrong path must not start a second history.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._lock = DirectoryLock(directory, "a payout processor")
        self._head = Head(0, GENESIS)
        self._turn = asyncio.Lock()

    @staticmethod
    def create(directory: Path) -> None:
        """Make the head file for a ledger without entries, in a directory that exists. Done once, by hand."""
        path = directory / _FILE
        if not path.exists():
            write_atomic(path, _encode(Head(0, GENESIS)))

    @staticmethod
    def renew(directory: Path) -> bool:
        """Make the head file anew after it was lost, as one that no ledger contains; False if it is there.

        So nothing is sent until the books were recovered from the chain and accepted: which of them were the
        newest nobody knows any more.
        """
        path = directory / _FILE
        if path.exists():
            return False
        write_atomic(path, _encode(Head(MAX_INTEGER, secrets.token_hex(32))))
        return True

    def open(self) -> Self:
        try:
            self._lock.acquire()
        except AlreadyRunning as error:
            raise ProcessorRunning(error.detail, **error.facts) from error
        except OSError as error:
            raise GuardMissing(f"{self._path.parent}: {error.strerror}") from error
        try:
            sweep_temporaries(self._path.parent)
            self._head = self._read()
        except BaseException:
            self._lock.release()
            raise
        return self

    def close(self) -> None:
        self._lock.release()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def head(self) -> Head:
        """The newest head that was kept."""
        return self._head

    async def check(self, book: Book) -> Head:
        """Verify the whole ledger and that it contains the head that was kept; a processor starts with this.

        Raises
        ------
        BooksNotNewest
            If it does not: then payouts are stopped, too.
        LedgerBroken
            If the ledger was altered.
        """
        found = await ledger.verify(book.documents)
        await self.require(book)
        return found

    async def require(self, book: Book) -> None:
        """Check that the ledger contains the head that was kept: one look-up, made in every run.

        Raises
        ------
        BooksNotNewest
            If it does not, or somebody else wrote the file: then payouts are stopped, too.
        """
        try:
            if self._read() != self._head:
                raise BooksNotNewest(f"Somebody else has written {self._path}")
            await self._require_ours(book)
        except BooksNotNewest as error:
            await book.halt(error.detail, error.facts)
            raise

    async def advance(self, book: Book) -> None:
        """Keep the ledger's newest head, durably, before bytes leave.

        Raises
        ------
        BooksNotNewest
            If the ledger lacks the head that was kept before, or somebody else wrote the file.
        """
        async with self._turn:
            await self.require(book)
            newest = await ledger.newest(book.documents)
            if newest != self._head:
                write_atomic(self._path, _encode(newest))
                self._head = newest
            fault.point("guard-advanced")
            # Ends here: the file knows of bytes that were not sent yet; the next run sends them.

    async def accept(self, book: Book, who: str, why: str) -> Head:
        """Take the books as they are, on a person's word, after they were reconciled with the chain."""
        await ledger.verify(book.documents)
        facts = {"by": who, "why": why, "kept": [self._head.count, self._head.hash]}
        await book.record("books-accepted", facts)
        async with self._turn:
            self._head = await ledger.newest(book.documents)
            write_atomic(self._path, _encode(self._head))
        return self._head

    async def _require_ours(self, book: Book) -> None:
        kept = self._head
        try:
            there = await ledger.head_at(book.documents, kept.count)
        except LedgerBroken as error:
            raise BooksNotNewest(
                f"The ledger has not the {kept.count} entries it had when something was last sent",
                kept=kept.count,
            ) from error
        if there != kept:
            raise BooksNotNewest(f"Entry {kept.count} of the ledger is another than it was", kept=kept.count)

    def _read(self) -> Head:
        try:
            found = fields.members(decode(self._path.read_bytes()), ("count", "format", "hash"), "head")
            fields.one_of(found["format"], (FORMAT,), "format")
            return Head(fields.integer(found["count"], "count"), fields.binary(found["hash"], "hash").hex())
        except FileNotFoundError as error:
            raise GuardMissing(f"There is no {self._path}") from error
        except (OSError, ProofError) as error:
            raise GuardMissing(f"{self._path} cannot be read: {error}") from error


def _encode(head: Head) -> bytes:
    return encode({"count": head.count, "format": FORMAT, "hash": head.hash})
