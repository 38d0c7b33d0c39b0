"""The port's calls as functions of a connection; each is one statement of a transaction, or a few."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lucid_kit._documents_port import (
    Collection,
    Condition,
    Document,
    DuplicateKey,
    Sort,
    Where,
    apply_set,
    conditions,
)
from lucid_kit._sqlite_query import create_index, select, where_clause
from lucid_kit._sqlite_text import dump, escape, load


def create(db: sqlite3.Connection, collections: Iterable[Collection]) -> None:
    """Tables and indexes that do not exist yet."""
    for collection in collections:
        db.execute(
            f'CREATE TABLE IF NOT EXISTS "{collection.name}"'
            " (id TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL)"
        )
        for index in collection.indexes:
            db.execute(create_index(collection.name, index))


class Get:
    def __init__(self, collection: Collection, identifier: str) -> None:
        self._sql = f'SELECT body FROM "{collection.name}" WHERE id = ?'  # noqa: S608
        self._id = escape(identifier)

    def __call__(self, db: sqlite3.Connection) -> Document | None:
        row = db.execute(self._sql, (self._id,)).fetchone()
        return None if row is None else load(row[0])


class Find:
    def __init__(
        self, collection: Collection, where: Where | None, sort: Sort, limit: int | None, after: str | None
    ) -> None:
        self._sql, self._values = select(collection, where, sort, limit, after)

    def __call__(self, db: sqlite3.Connection) -> list[Document]:
        return [load(row[0]) for row in db.execute(self._sql, self._values)]

    def plan(self, db: sqlite3.Connection) -> list[str]:
        """How SQLite would find them (EXPLAIN QUERY PLAN)."""
        return [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {self._sql}", self._values)]


class Count:
    def __init__(self, collection: Collection, where: Where | None) -> None:
        clause, self._values = where_clause(collection, conditions(where))
        self._sql = f'SELECT count(*) FROM "{collection.name}" WHERE {clause}'  # noqa: S608

    def __call__(self, db: sqlite3.Connection) -> int:
        return int(db.execute(self._sql, self._values).fetchone()[0])


class Insert:
    def __init__(self, collection: Collection, document: Document) -> None:
        self._table, self._id = collection.name, document.get("id")
        self._body = dump(document)

    def __call__(self, db: sqlite3.Connection) -> None:
        sql = f'INSERT INTO "{self._table}" (id, body) VALUES (?, ?)'  # noqa: S608
        with _unique(self._table):
            db.execute(sql, (self._id, self._body))


class Replace:
    def __init__(self, collection: Collection, document: Document, expect: Where | None) -> None:
        self._table = collection.name
        self._body = dump(document)
        self._clause, self._values = where_clause(
            collection, [Condition("id", "$eq", document["id"]), *conditions(expect)]
        )

    def __call__(self, db: sqlite3.Connection) -> bool:
        sql = f'UPDATE "{self._table}" SET body = ? WHERE {self._clause}'  # noqa: S608
        with _unique(self._table):
            return db.execute(sql, (self._body, *self._values)).rowcount == 1


class ReplaceEach:
    def __init__(self, collection: Collection, swaps: Iterable[tuple[Document, Where]]) -> None:
        self._each = [Replace(collection, document, expect) for document, expect in swaps]

    def __call__(self, db: sqlite3.Connection) -> int:
        return sum(replace(db) for replace in self._each)


class Update:
    def __init__(
        self, collection: Collection, identifier: str, changes: Mapping[str, Any], expect: Where | None
    ) -> None:
        self._collection, self._changes = collection, changes
        self._where = where_clause(collection, [Condition("id", "$eq", identifier), *conditions(expect)])

    def __call__(self, db: sqlite3.Connection) -> Document | None:
        clause, values = self._where
        sql = f'SELECT body FROM "{self._collection.name}" WHERE {clause}'  # noqa: S608
        row = db.execute(sql, values).fetchone()
        if row is None:
            return None
        document = apply_set(load(row[0]), self._changes)
        Replace(self._collection, document, None)(db)
        return document


class Delete:
    def __init__(self, collection: Collection, identifier: str, expect: Where | None) -> None:
        clause, self._values = where_clause(
            collection, [Condition("id", "$eq", identifier), *conditions(expect)]
        )
        self._sql = f'DELETE FROM "{collection.name}" WHERE {clause}'  # noqa: S608

    def __call__(self, db: sqlite3.Connection) -> bool:
        return db.execute(self._sql, self._values).rowcount == 1


@contextlib.contextmanager
def _unique(table: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        named = str(error).partition("UNIQUE constraint failed: ")[2]
        index = named.removeprefix("index '").removesuffix("'").removeprefix(f"{table}__")
        index = "id" if index == f"{table}.id" else index
        raise DuplicateKey(f"{table} has a document with the same {index} already", index=index) from error
