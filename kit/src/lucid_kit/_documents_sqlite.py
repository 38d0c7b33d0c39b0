"""Documents in one SQLite file: JSON text, expression indexes, WAL, synchronous=FULL, one writer thread.

Each collection is a table of (id, body). `_sqlite_query` says how fields are compared, `_sqlite_text` how
documents are written, `_sqlite_statements` what each call does with a connection, `_sqlite_threads` on whose
connection it runs and when it is committed, `_sqlite_file` what happens to the file.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lucid_kit._documents_port import Collection, Document, Documents, Sort, Where
from lucid_kit._sqlite_file import make_file, translated
from lucid_kit._sqlite_statements import (
    Count,
    Delete,
    Find,
    Get,
    Insert,
    Replace,
    ReplaceEach,
    Update,
    create,
)
from lucid_kit._sqlite_threads import GroupCommit, Threads

T = TypeVar("T")
_in_transaction: ContextVar[frozenset[int]] = ContextVar("lucid_sqlite_transaction", default=frozenset())


class _Calls(Protocol):
    """The port's calls on documents, wherever they run: each for itself, or all in one transaction."""

    def _known(self, name: str) -> Collection: ...

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    async def insert(self, collection: str, document: Document) -> None:
        await self._write(Insert(self._known(collection), document))

    async def get(self, collection: str, id: str) -> Document | None:  # noqa: A002
        return await self._read(Get(self._known(collection), id))

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        sort: Sort = (),
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Document]:
        return await self._read(Find(self._known(collection), where, sort, limit, after))

    async def count(self, collection: str, where: Where | None = None) -> int:
        return await self._read(Count(self._known(collection), where))

    async def replace(self, collection: str, document: Document, *, expect: Where | None = None) -> bool:
        return await self._write(Replace(self._known(collection), document, expect))

    async def replace_each(self, collection: str, swaps: Sequence[tuple[Document, Where]]) -> int:
        return await self._write(ReplaceEach(self._known(collection), swaps))

    async def update(
        self,
        collection: str,
        id: str,  # noqa: A002
        set: Mapping[str, Any],  # noqa: A002
        *,
        expect: Where | None = None,
    ) -> Document | None:
        return await self._write(Update(self._known(collection), id, set, expect))

    async def delete(self, collection: str, id: str, *, expect: Where | None = None) -> bool:  # noqa: A002
        return await self._write(Delete(self._known(collection), id, expect))


class SqliteDocuments(_Calls):
    """The adapter. `open` makes one; see `lucid_kit.documents.Documents` for what it promises."""

    def __init__(self, path: Path) -> None:
        self._threads = Threads(path)
        self._commits = GroupCommit(path, self._threads)
        self._collections: dict[str, Collection] = {}

    @classmethod
    async def open(cls, path: Path) -> "SqliteDocuments":
        """Open the file, making it (mode 0600) in a directory that exists.

        Raises
        ------
        StoreUnavailable
            If it cannot be opened. StoreDamaged if it is not a SQLite database.
        """
        with translated(path):
            make_file(path)
        documents = cls(path)
        try:
            await documents._threads.write(lambda db: db.execute("PRAGMA user_version").fetchone())
        except BaseException:
            await documents.close()
            raise
        return documents

    async def ensure(self, *collections: Collection) -> None:
        await self._write(lambda db: create(db, collections))
        self._collections.update({collection.name: collection for collection in collections})

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Documents]:
        self._refuse_inside()
        async with self._commits.alone:
            token = _in_transaction.set(_in_transaction.get() | {id(self)})
            inside = _Transaction(self)
            try:
                # Also a cancelled BEGIN may have begun: what follows from here on is rolled back.
                await self._threads.write(lambda db: db.execute("BEGIN IMMEDIATE"))
                yield inside
                inside.over = True
                await self._threads.write(lambda db: db.execute("COMMIT"))
            finally:
                inside.over = True
                try:
                    await self._threads.write(lambda db: db.in_transaction and db.execute("ROLLBACK"))
                finally:
                    _in_transaction.reset(token)

    async def ping(self) -> None:
        await self._read(lambda db: db.execute("SELECT 1").fetchone())

    async def close(self) -> None:
        await self._commits.close()
        await self._threads.close()

    async def explain(
        self, collection: str, where: Where | None = None, *, sort: Sort = (), limit: int | None = None
    ) -> list[str]:
        """SQLite's plan for a `find`, for tests that declared indexes are used."""
        return await self._read(Find(self._known(collection), where, sort, limit, None).plan)

    def _known(self, name: str) -> Collection:
        if name not in self._collections:
            raise ValueError(f"collection {name!r} was not ensured")
        return self._collections[name]

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._threads.read(work)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._refuse_inside()
        return await self._commits.write(work)

    def _refuse_inside(self) -> None:
        if id(self) in _in_transaction.get():
            raise RuntimeError("inside a transaction, write through what transaction() gave")


class _Transaction(_Calls):
    """The documents inside a transaction: everything on the writer's connection, nothing commits."""

    def __init__(self, outer: SqliteDocuments) -> None:
        self._outer = outer
        self.over = False

    async def ensure(self, *_collections: Collection) -> None:
        raise RuntimeError("collections are made outside of transactions")

    def transaction(self) -> contextlib.AbstractAsyncContextManager[Documents]:
        raise RuntimeError("transactions do not nest")

    async def ping(self) -> None:
        await self._outer.ping()

    async def close(self) -> None:
        raise RuntimeError("a transaction is closed by leaving its block")

    def _known(self, name: str) -> Collection:
        return self._outer._known(name)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._write(work)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.over:
            raise RuntimeError("the transaction is over")
        return await self._outer._threads.write(work)
