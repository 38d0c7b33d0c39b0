"""Documents in one SQLite file: JSON text, expression indexes, WAL, synchronous=FULL, one writer thread.

Each collection is a table of (id, body). A field is read by two expressions: `body ->> '$.path'` gives its
value, for order and ranges, and `body -> '$.path'` its JSON, which tells true from 1, "[1]" from [1], and
null from missing. Plain indexes hold the first, unique ones the second; an equality states both, so either
index serves it.
"""

import asyncio
import contextlib
import errno
import json
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lucid_kit._documents_port import (
    Collection,
    Condition,
    Document,
    Documents,
    DuplicateKey,
    Index,
    Scalar,
    Sort,
    Where,
    apply_set,
    check_document,
    conditions,
    full_sort,
    read_cursor,
)
from lucid_kit.errors import StoreFull, StoreReadOnly, StoreUnavailable, SystemFault, ValidationFailed

T = TypeVar("T")
_READERS = 4
_BUSY_MS = 10_000
_BATCH = 256  # statements that share a commit
_in_transaction: ContextVar[frozenset[int]] = ContextVar("lucid_sqlite_transaction", default=frozenset())


class SqliteDocuments:
    """The adapter. `open` makes one; see `lucid_kit.documents.Documents` for what it promises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = ThreadPoolExecutor(1, "documents-writer")
        self._readers = ThreadPoolExecutor(_READERS, "documents-reader")
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._write_lock = asyncio.Lock()
        self._collections: dict[str, Collection] = {}
        self._waiting: list[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = []
        self._flush: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path) -> "SqliteDocuments":
        """Open the file, making it (mode 0600) in a directory that exists.

        Raises
        ------
        StoreUnavailable
            If it cannot be opened, or is not a SQLite database.
        """
        documents = cls(path)
        try:
            with translated(path):
                make_file(path)
            await documents._on_writer(lambda db: db.execute("PRAGMA user_version").fetchone())
        except BaseException:
            await documents.close()
            raise
        return documents

    async def ensure(self, *collections: Collection) -> None:
        def make(db: sqlite3.Connection) -> None:
            for collection in collections:
                db.execute(
                    f'CREATE TABLE IF NOT EXISTS "{collection.name}"'
                    " (id TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL)"
                )
                for index in collection.indexes:
                    db.execute(_create_index(collection.name, index))

        await self._write(make)
        self._collections.update({collection.name: collection for collection in collections})

    async def insert(self, collection: str, document: Document) -> None:
        await self._write(_Insert(self._known(collection), document))

    async def get(self, collection: str, id: str) -> Document | None:  # noqa: A002
        table = self._known(collection).name
        return await self._on_reader(lambda db: _get(db, table, id))

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        sort: Sort = (),
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Document]:
        sql, values = select(self._known(collection), where, sort, limit, after)
        return await self._on_reader(lambda db: [_load(row[0]) for row in db.execute(sql, values)])

    async def count(self, collection: str, where: Where | None = None) -> int:
        known = self._known(collection)
        clause, values = _where(known, conditions(where))
        sql = f'SELECT count(*) FROM "{known.name}" WHERE {clause}'  # noqa: S608
        return await self._on_reader(lambda db: int(db.execute(sql, values).fetchone()[0]))

    async def replace(self, collection: str, document: Document, *, expect: Where | None = None) -> bool:
        return await self._write(_Replace(self._known(collection), document, expect))

    async def update(
        self,
        collection: str,
        id: str,  # noqa: A002
        set: Mapping[str, Any],  # noqa: A002
        *,
        expect: Where | None = None,
    ) -> Document | None:
        return await self._write(_Update(self._known(collection), id, set, expect))

    async def delete(self, collection: str, id: str, *, expect: Where | None = None) -> bool:  # noqa: A002
        return await self._write(_Delete(self._known(collection), id, expect))

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Documents]:
        self._refuse_inside()
        async with self._write_lock:
            token = _in_transaction.set(_in_transaction.get() | {id(self)})
            inside = _Transaction(self)
            try:
                # Also a cancelled BEGIN may have begun: what follows from here on is rolled back.
                await self._on_writer(lambda db: db.execute("BEGIN IMMEDIATE"))
                yield inside
                inside.over = True
                await self._on_writer(lambda db: db.execute("COMMIT"))
            finally:
                inside.over = True
                try:
                    await self._on_writer(lambda db: db.in_transaction and db.execute("ROLLBACK"))
                finally:
                    _in_transaction.reset(token)

    async def ping(self) -> None:
        await self._on_reader(lambda db: db.execute("SELECT 1").fetchone())

    async def close(self) -> None:
        if self._flush is not None:
            await asyncio.wait([self._flush])
        for pool in (self._writer, self._readers):
            await asyncio.to_thread(pool.shutdown)
        while self._open:
            self._open.pop().close()

    async def explain(
        self, collection: str, where: Where | None = None, *, sort: Sort = (), limit: int | None = None
    ) -> list[str]:
        """SQLite's plan for a `find` (EXPLAIN QUERY PLAN), for tests that declared indexes are used."""
        sql, values = select(self._known(collection), where, sort, limit, None)
        return await self._on_reader(
            lambda db: [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        )

    def _known(self, name: str) -> Collection:
        if name not in self._collections:
            raise ValueError(f"collection {name!r} was not ensured")
        return self._collections[name]

    def _refuse_inside(self) -> None:
        if id(self) in _in_transaction.get():
            raise RuntimeError("inside a transaction, write through what transaction() gave")

    async def _write(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        """Commit a statement; those that wait at the same time share one commit: one wait for the disk."""
        self._refuse_inside()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((statement, done))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._flush_waiting(), name="documents commit")
        return await done

    async def _flush_waiting(self) -> None:
        while self._waiting:
            async with self._write_lock:
                batch = [one for one in self._waiting[:_BATCH] if not one[1].cancelled()]
                del self._waiting[:_BATCH]
                statements = [statement for statement, _ in batch]
                outcomes: list[Any]
                try:
                    outcomes = await self._on_writer(partial(_together, self._path, statements))
                except BaseException as error:  # noqa: BLE001 - each caller gets it
                    outcomes = [error] * len(batch)
            for (_, done), outcome in zip(batch, outcomes, strict=True):
                if done.done():
                    continue
                if isinstance(outcome, BaseException):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)

    async def _on_writer(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._on(self._writer, work)

    async def _on_reader(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._on(self._readers, work)

    async def _on(self, pool: ThreadPoolExecutor, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with translated(self._path):
                return work(self._connection())

        future = asyncio.get_running_loop().run_in_executor(pool, run)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The thread cannot be stopped: whoever holds the lock keeps it until the statement has ended.
            await asyncio.wait([future])
            with contextlib.suppress(Exception):
                future.result()
            raise

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = connect(self._path)
            self._open.append(db)
        return db


class _Transaction:
    """The documents inside a transaction: everything on the writer's connection, nothing commits."""

    def __init__(self, outer: SqliteDocuments) -> None:
        self._outer = outer
        self.over = False

    async def ensure(self, *_collections: Collection) -> None:
        raise RuntimeError("collections are made outside of transactions")

    async def insert(self, collection: str, document: Document) -> None:
        await self._run(_Insert(self._outer._known(collection), document))

    async def get(self, collection: str, id: str) -> Document | None:  # noqa: A002
        table = self._outer._known(collection).name
        return await self._run(lambda db: _get(db, table, id))

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        sort: Sort = (),
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Document]:
        sql, values = select(self._outer._known(collection), where, sort, limit, after)
        return await self._run(lambda db: [_load(row[0]) for row in db.execute(sql, values)])

    async def count(self, collection: str, where: Where | None = None) -> int:
        return len(await self.find(collection, where))

    async def replace(self, collection: str, document: Document, *, expect: Where | None = None) -> bool:
        return await self._run(_Replace(self._outer._known(collection), document, expect))

    async def update(
        self,
        collection: str,
        id: str,  # noqa: A002
        set: Mapping[str, Any],  # noqa: A002
        *,
        expect: Where | None = None,
    ) -> Document | None:
        return await self._run(_Update(self._outer._known(collection), id, set, expect))

    async def delete(self, collection: str, id: str, *, expect: Where | None = None) -> bool:  # noqa: A002
        return await self._run(_Delete(self._outer._known(collection), id, expect))

    def transaction(self) -> contextlib.AbstractAsyncContextManager[Documents]:
        raise RuntimeError("transactions do not nest")

    async def ping(self) -> None:
        await self._outer.ping()

    async def close(self) -> None:
        raise RuntimeError("a transaction is closed by leaving its block")

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.over:
            raise RuntimeError("the transaction is over")
        return await self._outer._on_writer(work)


class _Insert:
    def __init__(self, collection: Collection, document: Document) -> None:
        self._table, self._id = collection.name, document.get("id")
        self._body = _dump(document)

    def __call__(self, db: sqlite3.Connection) -> None:
        sql = f'INSERT INTO "{self._table}" (id, body) VALUES (?, ?)'  # noqa: S608
        with _unique(self._table):
            db.execute(sql, (self._id, self._body))


class _Replace:
    def __init__(self, collection: Collection, document: Document, expect: Where | None) -> None:
        self._table = collection.name
        self._body = _dump(document)
        self._clause, self._values = _where(
            collection, [Condition("id", "$eq", document["id"]), *conditions(expect)]
        )

    def __call__(self, db: sqlite3.Connection) -> bool:
        sql = f'UPDATE "{self._table}" SET body = ? WHERE {self._clause}'  # noqa: S608
        with _unique(self._table):
            return db.execute(sql, (self._body, *self._values)).rowcount == 1


class _Update:
    def __init__(
        self, collection: Collection, identifier: str, changes: Mapping[str, Any], expect: Where | None
    ) -> None:
        self._collection, self._id, self._changes = collection, identifier, changes
        self._where = _where(collection, [Condition("id", "$eq", identifier), *conditions(expect)])

    def __call__(self, db: sqlite3.Connection) -> Document | None:
        clause, values = self._where
        sql = f'SELECT body FROM "{self._collection.name}" WHERE {clause}'  # noqa: S608
        row = db.execute(sql, values).fetchone()
        if row is None:
            return None
        document = apply_set(_load(row[0]), self._changes)
        _Replace(self._collection, document, None)(db)
        return document


class _Delete:
    def __init__(self, collection: Collection, identifier: str, expect: Where | None) -> None:
        clause, self._values = _where(collection, [Condition("id", "$eq", identifier), *conditions(expect)])
        self._sql = f'DELETE FROM "{collection.name}" WHERE {clause}'  # noqa: S608

    def __call__(self, db: sqlite3.Connection) -> bool:
        return db.execute(self._sql, self._values).rowcount == 1


def make_file(path: Path) -> None:
    """Make an empty database that only its owner can read, if there is none; the directory must exist.

    Never by a descriptor: when a process closes any descriptor of a file, its record locks on that file are
    gone (fcntl(2)), also those of SQLite's connections to it. The next process that looked in and left
    would take itself for the last one and remove the write-ahead log under them
    (https://sqlite.org/howtocorrupt.html, 2.2). mknod(2) needs no descriptor.

    Raises
    ------
    OSError
        If it cannot be made, or is there and may not be written.
    """
    # SQLite follows links, mknod does not.
    place = path.resolve()
    with contextlib.suppress(FileExistsError):
        os.mknod(place, stat.S_IFREG | 0o600)
    if not os.access(place, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def connect(path: Path) -> sqlite3.Connection:
    """A connection, with the settings durability needs, to a database that `make_file` has made."""
    # rw: a database that someone removed must not come back empty.
    address = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(
        address, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        db.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit is on the disk when it returns. NORMAL in WAL would lose the last ones with the
        # power.
        db.execute("PRAGMA synchronous = FULL")
    except BaseException:
        db.close()
        raise
    return db


def select(
    collection: Collection, where: Where | None, sort: Sort, limit: int | None, after: str | None
) -> tuple[str, list[Scalar]]:
    """The statement of a `find` and its bound values."""
    order = full_sort(sort)
    clause, values = _where(collection, conditions(where))
    if after is not None:
        more, bound = _beyond(order, read_cursor(after, sort))
        clause, values = f"({clause}) AND {more}", values + bound
    by = ", ".join(f"{_value(path)} {'ASC' if way > 0 else 'DESC'}" for path, way in order)
    sql = f'SELECT body FROM "{collection.name}" WHERE {clause} ORDER BY {by}'  # noqa: S608
    if limit is not None:
        sql, values = f"{sql} LIMIT ?", [*values, max(0, limit)]
    return sql, values


def _create_index(table: str, index: Index) -> str:
    columns = [_json(path) if index.unique else _value(path) for path in index.fields]
    if not index.unique and "id" not in index.fields:
        columns.append("id")  # the end of every sort
    unique = "UNIQUE " if index.unique else ""
    sql = f'CREATE {unique}INDEX IF NOT EXISTS "{table}__{index.name}" ON "{table}" ({", ".join(columns)})'
    if index.where:
        sql += " WHERE " + " AND ".join(_literal(path, value) for path, value in index.where)
    return sql


def _value(path: str) -> str:
    return "id" if path == "id" else f"body ->> '{_json_path(path)}'"


def _json(path: str) -> str:
    return "id" if path == "id" else f"body -> '{_json_path(path)}'"


def _json_path(path: str) -> str:
    return "$." + ".".join(f'"{step}"' for step in path.split("."))


def _literal(path: str, value: Scalar) -> str:
    """An index's own condition, word for word: SQLite takes a partial index only if the query repeats it."""
    if value is None:
        return f"{_value(path)} IS NULL"
    return f"{_json(path)} = '" + _text(value).replace("'", "''") + "'"


def _where(collection: Collection, wanted: list[Condition]) -> tuple[str, list[Scalar]]:
    clauses, values = ["1"], list[Scalar]()
    partial = {condition for index in collection.indexes for condition in index.where}
    for condition in wanted:
        clause, bound = _compare(condition)
        clauses.append(clause)
        values += bound
        if condition.operator == "$eq" and (condition.path, condition.value) in partial:
            clauses.append(_literal(condition.path, condition.value))
    return " AND ".join(clauses), values


def _compare(condition: Condition) -> tuple[str, list[Scalar]]:
    path, operator, wanted = condition.path, condition.operator, condition.value
    if operator in ("$eq", "$in"):
        return _among(path, [wanted] if operator == "$eq" else wanted)
    sign = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}[operator]
    if path == "id":
        return f"id {sign} ?", [_escape(wanted)]
    kinds = "'text'" if isinstance(wanted, str) else "'integer', 'real'"
    clause = f"({_value(path)} {sign} ? AND json_type(body, '{_json_path(path)}') IN ({kinds}))"
    return clause, [_escape(wanted)]


def _among(path: str, wanted: list[Scalar]) -> tuple[str, list[Scalar]]:
    present = [value for value in wanted if value is not None]
    clauses: list[str] = []
    bound: list[Scalar] = []
    if present and path == "id":
        clauses.append(f"id {_in(present)}")
        bound += [_escape(value) for value in present]
    elif present:
        texts = [text for value in present for text in _texts(value)]
        clauses.append(f"({_value(path)} {_in(present)} AND {_json(path)} {_in(texts)})")
        bound += [*(_escape(value) for value in present), *texts]
    if len(present) < len(wanted):
        clauses.append(f"{_value(path)} IS NULL")
    return f"({' OR '.join(clauses)})" if clauses else "0", bound


def _in(values: list[Any]) -> str:
    return "= ?" if len(values) == 1 else f"IN ({', '.join('?' * len(values))})"


def _texts(value: Scalar) -> list[str]:
    """How JSON may write a value: 1 and 1.0 are the same number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return [_text(value), _text(int(value))]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53:
        return [_text(value), _text(float(value))]
    return [_text(value)]


def _beyond(order: list[tuple[str, int]], last: list[Scalar]) -> tuple[str, list[Scalar]]:
    """Rows after `last`: a missing value comes first going up, last going down, as SQLite sorts."""
    clauses: list[str] = []
    bound: list[Scalar] = []
    same: list[str] = []
    same_bound: list[Scalar] = []
    for (path, way), raw in zip(order, last, strict=True):
        field, value = _value(path), _escape(raw)
        if value is None:
            later = f"{field} IS NOT NULL" if way > 0 else "0"
        else:
            later = f"{field} > ?" if way > 0 else f"({field} < ? OR {field} IS NULL)"
        values = [] if value is None else [value]
        clauses.append(" AND ".join([*same, later]))
        bound += [*same_bound, *values]
        same.append(f"{field} IS ?")
        same_bound.append(value)
    beyond = f"({' OR '.join(clauses)})"
    if order[0][1] > 0 and last[0] is not None:
        # Says nothing new, but lets SQLite begin in the middle of the index.
        return f"{_value(order[0][0])} >= ? AND {beyond}", [_escape(last[0]), *bound]
    return beyond, bound


def _get(db: sqlite3.Connection, table: str, identifier: str) -> Document | None:
    sql = f'SELECT body FROM "{table}" WHERE id = ?'  # noqa: S608
    row = db.execute(sql, (_escape(identifier),)).fetchone()
    return None if row is None else _load(row[0])


def _together(
    path: Path, statements: list[Callable[[sqlite3.Connection], Any]], db: sqlite3.Connection
) -> list[Any]:
    """Run statements in one transaction; one that fails is undone alone. Gives each one's result or error."""
    outcomes: list[Any] = []
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            db.execute("SAVEPOINT one")
            try:
                with translated(path):
                    outcomes.append(statement(db))
            except Exception as error:
                if not db.in_transaction:  # a full disk undoes everything: then all have failed
                    raise
                db.execute("ROLLBACK TO one")
                outcomes.append(error)
            db.execute("RELEASE one")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return outcomes


# SQLite's text functions end a string at U+0000, JSON's do not. So U+0000 is stored as U+0001 "0" and
# U+0001 as U+0001 "1": every string has one form, and they sort as before.
def _escape(value: Scalar) -> Scalar:
    if isinstance(value, str):
        _check_text(value)
        return value.replace("\x01", "\x011").replace("\x00", "\x010")
    return value


def _unescape(text: str) -> str:
    return text.replace("\x010", "\x00").replace("\x011", "\x01")


def _text(value: Scalar) -> str:
    return json.dumps(_escape(value), ensure_ascii=False)


def _dump(document: Document) -> str:
    text = check_document(document)
    if "\\u0000" in text or "\\u0001" in text:
        text = json.dumps(_deep(document, _escape), ensure_ascii=False, separators=(",", ":"))
    return text


def _load(text: str) -> Document:
    document: Document = json.loads(text)
    return _deep(document, _unescape) if "\\u0001" in text else document


def _deep(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {change(key): _deep(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_deep(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValidationFailed("Text must be Unicode; half a surrogate pair is not") from None


@contextlib.contextmanager
def _unique(table: str) -> Any:
    try:
        yield
    except sqlite3.IntegrityError as error:
        named = str(error).partition("UNIQUE constraint failed: ")[2]
        index = named.removeprefix("index '").removesuffix("'").removeprefix(f"{table}__")
        index = "id" if index == f"{table}.id" else index
        raise DuplicateKey(f"{table} has a document with the same {index} already", index=index) from error


@contextlib.contextmanager
def translated(path: Path) -> Any:
    """SQLite's errors, and the file system's, as the port's."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreFull(f"The disk of {path} is full", store=path) from error
        if code == sqlite3.SQLITE_READONLY:
            raise StoreReadOnly(f"{path} cannot be written", store=path) from error
        if code in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
        ):
            raise StoreUnavailable(f"{path}: {error}", store=path) from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise StoreDamaged(f"{path}: {error}", store=path) from error
        raise
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be opened: {error.strerror}", store=path) from error


class StoreDamaged(SystemFault):
    """A store's file is damaged or is not one."""

    code = "LUCID_ERR_5013"
    advice = "Restore the file that is named from a backup; keep the damaged one until it has been looked at."
