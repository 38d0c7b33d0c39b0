"""The threads that talk to a SQLite database: one that writes, several that read.

SQLite has one writer at a time: a single thread waits in line in memory instead of on the file's lock.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lucid_kit._sqlite_file import connect, translated

T = TypeVar("T")
_READERS = 4
_BATCH = 256  # statements that share a commit


class Threads:
    """Threads with a connection each. Work is a function of a connection; its errors are the port's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = ThreadPoolExecutor(1, "documents-writer")
        self._readers = ThreadPoolExecutor(_READERS, "documents-reader")
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work on the writer's connection, after what was given before."""
        return await self._on(self._writer, work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work on a reader's connection."""
        return await self._on(self._readers, work)

    async def close(self) -> None:
        """Wait for what runs, then end the threads and their connections."""
        for pool in (self._writer, self._readers):
            await asyncio.to_thread(pool.shutdown)
        while self._open:
            self._open.pop().close()

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


class GroupCommit:
    """Commits statements; those that wait at the same time share one commit: one wait for the disk.

    Attributes
    ----------
    alone
        Held by a batch while it commits; a longer transaction holds it to have the writer for itself.
    """

    def __init__(self, path: Path, threads: Threads) -> None:
        self.alone = asyncio.Lock()
        self._path = path
        self._threads = threads
        self._waiting: list[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = []
        self._flush: asyncio.Task[None] | None = None

    async def write(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        """Run a statement; what it changed is on the disk when this returns. Its error undoes it alone."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((statement, done))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._flush_waiting(), name="documents commit")
        return await done

    async def close(self) -> None:
        """Wait until every statement has been committed."""
        if self._flush is not None:
            await asyncio.wait([self._flush])

    async def _flush_waiting(self) -> None:
        while self._waiting:
            async with self.alone:
                batch = [one for one in self._waiting[:_BATCH] if not one[1].cancelled()]
                del self._waiting[:_BATCH]
                statements = [statement for statement, _ in batch]
                outcomes: list[Any]
                try:
                    outcomes = await self._threads.write(partial(_together, self._path, statements))
                except BaseException as error:  # noqa: BLE001 - each caller gets it
                    outcomes = [error] * len(batch)
            for (_, done), outcome in zip(batch, outcomes, strict=True):
                if done.done():
                    continue
                if isinstance(outcome, BaseException):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)


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
