"""What only SQLite promises: plans, durability against kill -9, its own faults."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lucid_kit._documents_sqlite import SqliteDocuments
from lucid_kit._sqlite_file import connect, make_file, translated
from lucid_kit._sqlite_query import select
from lucid_kit.documents import Collection, DuplicateKey, Index, StoreDamaged, open_documents, page_cursor
from lucid_kit.errors import StoreFull, StoreReadOnly, StoreUnavailable

from .test_documents_contract import THINGS


@pytest.mark.parametrize(
    ("where", "sort", "plan"),
    [
        ({"id": "a"}, (), "USING INDEX sqlite_autoindex_things_1 (id=?)"),
        ({"kind": "x"}, [("made_ms", 1)], "USING INDEX things__kind_made_ms (<expr>=?)"),
        ({"kind": "x"}, [("made_ms", -1)], "USING INDEX things__kind_made_ms (<expr>=?)"),
    ({"kind": "x", "made_ms": {"$gt": 1, "$lt": 5}}, [("made_ms", 1)], "<expr>=? AND <expr>>? AND <expr><?"),
        ({"kind": {"$in": ["x", "y"]}}, (), "things__kind_made_ms (<expr>=?)"),
        ({"owner.name": "x"}, (), "USING INDEX things__owner__name (<expr>=?)"),
        ({"port": 5}, (), "USING INDEX things__port_unique (<expr>=?)"),
        ({"name": "x", "latest": True}, (), "USING INDEX things__name_where_"),
        ({"serial": "x", "version": 1}, (), "things__serial_version_unique (<expr>=? AND <expr>=?)"),
    ],
)  # fmt: skip
async def test_a_declared_index_serves_its_query(tmp_path: Path, where: Any, sort: Any, plan: str) -> None:
    documents = await SqliteDocuments.open(tmp_path / "x.db")
    await documents.ensure(THINGS)
    lines = await documents.explain("things", where, sort=sort, limit=5)
    await documents.close()
    assert any(plan in line for line in lines), lines
    if sort:
        assert not any("TEMP B-TREE" in line for line in lines), lines


async def test_a_query_without_an_index_is_seen_in_the_plan(tmp_path: Path) -> None:
    documents = await SqliteDocuments.open(tmp_path / "x.db")
    await documents.ensure(THINGS)
    lines = await documents.explain("things", {"colour": "red"})
    await documents.close()
    assert any("SCAN things" in line for line in lines)


async def test_the_next_page_begins_inside_the_index(tmp_path: Path) -> None:
    documents = await SqliteDocuments.open(tmp_path / "x.db")
    await documents.ensure(Collection("things", Index("made_ms")))
    sort: Any = [("made_ms", 1)]
    after = page_cursor({"id": "a", "made_ms": 5}, sort)
    sql, values = select(documents._known("things"), None, sort, 10, after)
    plan = await documents._threads.read(
        lambda db: db.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    )
    await documents.close()
    assert "SEARCH things USING INDEX things__made_ms (<expr>>?)" in str(plan)


async def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    documents = await SqliteDocuments.open(tmp_path / "x.db")
    assert await documents._threads.write(lambda db: db.execute("PRAGMA synchronous").fetchone()) == (2,)
    assert await documents._threads.write(lambda db: db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    await documents.close()
    assert (tmp_path / "x.db").stat().st_mode & 0o777 == 0o600


PROGRAM = """
import asyncio, sys
from lucid_kit.documents import *
async def main():
    documents = await open_documents("sqlite://" + sys.argv[1])
    await documents.ensure(Collection("things", Index("n", unique=True)))
    n = 0
    while True:
        async with documents.transaction() as inside:
            await inside.insert("things", {"id": f"{n}a", "n": 2 * n})
            await inside.insert("things", {"id": f"{n}b", "n": 2 * n + 1})
        print(n, flush=True)
        n += 1
asyncio.run(main())
"""


async def test_kill_9_loses_nothing_acknowledged_and_stores_no_half_transaction(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop
        [sys.executable, "-c", PROGRAM, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 25:
            break
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = 25 + len(process.stdout.read().split()) + 1
    process.wait()
    process.stdout.close()
    documents = await open_documents(f"sqlite://{path}")
    await documents.ensure(Collection("things", Index("n", unique=True)))
    found = [thing["n"] for thing in await documents.find("things", sort=[("n", 1)])]
    await documents.close()
    assert found == list(range(len(found)))
    assert len(found) % 2 == 0
    assert acknowledged * 2 <= len(found) <= acknowledged * 2 + 2


PASSER_BY = """
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(json.dumps([id for (id,) in db.execute("SELECT id FROM things ORDER BY id")]))
if sys.argv[2] == "checkpoint":
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
db.close()  # removes the write-ahead log if no one else has a lock on the database
"""


@pytest.mark.parametrize("does", ["read", "checkpoint"])
@pytest.mark.parametrize("opens", ["a connection", "a store"])
async def test_a_process_that_looks_in_and_leaves_sees_everything_and_takes_nothing_with_it(
    tmp_path: Path, opens: str, does: str
) -> None:
    path = tmp_path / "x.db"
    documents = await SqliteDocuments.open(path)
    await documents.ensure(THINGS)
    await documents.insert("things", {"id": "0"})
    if opens == "a connection":
        await asyncio.gather(*(documents.count("things") for _ in range(20)))
    else:
        await (await SqliteDocuments.open(path)).close()
    for number in range(1, 4):
        looks_in = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PASSER_BY, path, does, stdout=subprocess.PIPE
        )
        seen, _ = await looks_in.communicate()
        assert json.loads(seen) == [str(n) for n in range(number)]
        await documents.insert("things", {"id": str(number)})
        later = await SqliteDocuments.open(path)
        await later.ensure(THINGS)
        assert await later.count("things") == number + 1
        await later.close()
    assert await documents._threads.write(lambda db: db.execute("PRAGMA integrity_check").fetchall()) == [
        ("ok",)
    ]
    await documents.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM things").fetchone() == (4,)


async def test_a_database_that_was_removed_is_unavailable_and_no_empty_one_takes_its_place(
    tmp_path: Path,
) -> None:
    documents = await open_documents(f"sqlite://{tmp_path}/x.db")
    await documents.ensure(THINGS)
    (tmp_path / "x.db").unlink()
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await documents.count("things")
    assert not (tmp_path / "x.db").exists()
    await documents.close()


async def test_a_database_behind_a_link_that_leads_to_nothing_yet_is_made_for_its_owner_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.db").symlink_to(tmp_path / "elsewhere.db")
    await (await open_documents(f"sqlite://{tmp_path}/x.db")).close()
    assert (tmp_path / "elsewhere.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "x#1.db", "é.db"])
async def test_a_database_may_have_any_name(tmp_path: Path, name: str) -> None:
    documents = await SqliteDocuments.open(tmp_path / name)
    await documents.ping()
    await documents.close()
    assert (tmp_path / name).stat().st_size > 0


async def test_a_place_where_no_database_can_be_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        await SqliteDocuments.open(tmp_path / "missing" / "x.db")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await SqliteDocuments.open(tmp_path)


async def test_a_database_that_may_not_be_written_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await SqliteDocuments.open(tmp_path / "x.db")).close()
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write everything
    with pytest.raises(StoreUnavailable, match="Permission denied"):
        await SqliteDocuments.open(tmp_path / "x.db")


async def test_a_transaction_cancelled_while_it_begins_leaves_the_store_usable(tmp_path: Path) -> None:
    documents = await SqliteDocuments.open(tmp_path / "x.db")
    await documents.ensure(THINGS)
    begins, go_on = threading.Event(), threading.Event()
    held = asyncio.create_task(documents._threads.write(lambda _db: (begins.set(), go_on.wait())))
    await asyncio.to_thread(begins.wait)

    async def insert() -> None:
        async with documents.transaction() as inside:
            await inside.insert("things", {"id": "a"})

    cancelled = asyncio.create_task(insert())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(held, cancelled, return_exceptions=True)
    assert cancelled.cancelled()
    await insert()
    assert await documents.count("things") == 1
    await documents.close()


async def test_writing_past_a_transaction_inside_it_is_a_mistake_not_a_deadlock(tmp_path: Path) -> None:
    documents = await open_documents(f"sqlite://{tmp_path}/x.db")
    await documents.ensure(THINGS)
    async with documents.transaction() as inside:
        with pytest.raises(RuntimeError, match="what transaction"):
            await documents.insert("things", {"id": "a"})
        await inside.insert("things", {"id": "b"})
        await inside.ping()
        with pytest.raises(RuntimeError, match="leaving"):
            await inside.close()
    with pytest.raises(RuntimeError, match="over"):
        await inside.get("things", "b")
    assert await documents.count("things") == 1
    await documents.close()


async def test_a_write_cancelled_while_it_waits_leaves_the_store_usable(tmp_path: Path) -> None:
    documents = await open_documents(f"sqlite://{tmp_path}/x.db")
    await documents.ensure(THINGS)
    tasks = [asyncio.create_task(documents.insert("things", {"id": str(n)})) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    stored = {thing["id"] for thing in await documents.find("things")}
    await documents.close()
    assert {str(n) for n in range(1, 50, 2)} <= stored


async def test_of_writes_that_share_a_commit_only_the_wrong_ones_fail(tmp_path: Path) -> None:
    documents = await open_documents(f"sqlite://{tmp_path}/x.db")
    await documents.ensure(THINGS)
    outcomes = await asyncio.gather(
        *(documents.insert("things", {"id": f"{n}", "port": n // 2}) for n in range(600)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), DuplicateKey] * 300
    assert await documents.count("things") == 300
    await documents.close()


async def test_a_store_closed_while_writes_wait_ends_them_first(tmp_path: Path) -> None:
    documents = await open_documents(f"sqlite://{tmp_path}/x.db")
    await documents.ensure(THINGS)
    writes = [asyncio.create_task(documents.insert("things", {"id": f"{n}"})) for n in range(300)]
    await asyncio.sleep(0)
    await documents.close()
    await asyncio.gather(*writes)


async def test_a_full_disk_is_named_and_what_was_stored_stays(tmp_path: Path) -> None:
    documents = await SqliteDocuments.open(tmp_path / "x.db")
    await documents.ensure(THINGS)
    await documents.insert("things", {"id": "a"})
    pages = await documents._threads.write(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await documents._threads.write(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())
    with pytest.raises(StoreFull, match="full"):
        await documents.insert("things", {"id": "b", "x": "x" * 100_000})
    assert await documents.count("things") == 1
    await documents.close()


async def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreDamaged, match="not a database"):
        await open_documents(f"sqlite://{tmp_path}/x.db")


async def test_a_database_that_someone_else_holds_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lucid_kit._sqlite_file._BUSY_MS", 10)
    documents = await open_documents(f"sqlite://{tmp_path}/x.db")
    await documents.ensure(THINGS)
    other = connect(tmp_path / "x.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await documents.insert("things", {"id": "a"})
    other.close()
    await documents.insert("things", {"id": "a"})
    await documents.close()


def test_other_faults_of_sqlite_are_translated_or_passed_on(tmp_path: Path) -> None:
    make_file(tmp_path / "x.db")
    db = connect(tmp_path / "x.db")
    db.execute("CREATE TABLE t (x)")
    db.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreReadOnly), translated(tmp_path):
        db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="syntax"), translated(tmp_path):
        db.execute("nonsense")
    db.close()


@pytest.mark.parametrize(
    "make", [lambda: Index(), lambda: Index("a b"), lambda: Collection("Things"), lambda: Collection("a-b")]
)
def test_a_declaration_that_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"index|path|name"):
        make()


async def test_two_stores_in_one_process_do_not_disturb_each_other(tmp_path: Path) -> None:
    one, other = [await open_documents(f"sqlite://{tmp_path}/{name}.db") for name in "ab"]
    for documents in (one, other):
        await documents.ensure(THINGS)
    async with one.transaction() as inside:
        await inside.insert("things", {"id": "x"})
        await other.insert("things", {"id": "y"})
    await one.close()
    await other.close()
    shutil.rmtree(tmp_path)
