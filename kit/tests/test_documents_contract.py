"""What every documents adapter promises: the same tests over SQLite and over a real MongoDB replica set."""

import asyncio
import gc
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid_kit.documents import (
    Collection,
    Documents,
    DuplicateKey,
    Index,
    TransactionConflict,
    open_documents,
    page_cursor,
)
from lucid_kit.errors import StoreUnavailable, ValidationFailed
from lucid_kit.settings import SettingsInvalid

from .mongo_server import replica_set

THINGS = Collection(
    "things",
    Index("kind", "made_ms"),
    Index("owner.name"),
    Index("port", unique=True),
    Index("name", unique=True, where={"latest": True}),
    Index("serial", "version", unique=True),
)


@pytest.fixture(scope="session")
def mongo_url() -> Iterator[str]:
    with replica_set(1) as servers:
        yield servers.url


@pytest.fixture(params=["sqlite", pytest.param("mongodb", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/things.db"
    base: str = request.getfixturevalue("mongo_url")
    return base.replace("/lucid?", f"/lucid_{uuid.uuid4().hex[:12]}?")


@pytest.fixture
async def documents(url: str) -> AsyncIterator[Documents]:
    documents = await open_documents(url)
    await documents.ensure(THINGS)
    yield documents
    await documents.close()


async def put(documents: Documents, *things: dict[str, Any]) -> None:
    for thing in things:
        await documents.insert("things", thing)


async def ids(documents: Documents, where: dict[str, Any], **options: Any) -> list[str]:
    return [thing["id"] for thing in await documents.find("things", where, **options)]


FULL = {
    "id": "a",
    "text": "naïve \U0001f600 'quoted\" \\u0000 \x01\x02\x000",
    "int": -(2**63),
    "big": 2**63 - 1,
    "float": 0.1,
    "whole": 2.0,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [1, [2, {"x": None}], "\x00"],
    "object": {"deep": {"er": [True]}, "empty": {}},
    "empty": "",
}


async def test_a_document_is_read_back_as_it_was_stored(documents: Documents) -> None:
    await put(documents, FULL)
    found = await documents.get("things", "a")
    assert found == FULL
    assert [type(value) for value in found.values()] == [type(value) for value in FULL.values()]
    assert await documents.get("things", "b") is None


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.text(st.characters(exclude_characters="$.\0", codec="utf-8"), min_size=1)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(value=JSON_VALUES)
async def test_any_json_value_is_read_back_the_same(documents: Documents, value: Any) -> None:
    identifier = uuid.uuid4().hex
    await put(documents, {"id": identifier, "value": value})
    found = await documents.get("things", identifier)
    assert found == {"id": identifier, "value": value}


TEXTS = st.sampled_from(["", "a", "a\0", "a\x01", "b", "[1]", "null", "true", "1", "{}"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([-1.5, 0.0, 1.0, 2.5]) | TEXTS
STORED = SCALARS | st.sampled_from([[1], [], ["a"], {}, {"a": 1}])


def kind_of(value: Any) -> str:
    return (
        "bool"
        if isinstance(value, bool)
        else "number"
        if isinstance(value, int | float)
        else type(value).__name__
    )


def matches(stored: Any, wanted: Any) -> bool:
    """The promise of `where`, in Python."""
    if isinstance(wanted, dict):
        ((operator, value),) = wanted.items()
        if operator == "$in":
            return any(matches(stored, item) for item in value)
        if kind_of(stored) != kind_of(value):
            return False
        return {
            "$gt": stored > value,
            "$gte": stored >= value,
            "$lt": stored < value,
            "$lte": stored <= value,
        }[operator]  # type: ignore[no-any-return]
    if wanted is None:
        return stored is None
    return kind_of(stored) == kind_of(wanted) and bool(stored == wanted)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    stored=st.lists(STORED, max_size=12),
    wanted=st.one_of(
        SCALARS,
        st.builds(lambda values: {"$in": values}, st.lists(SCALARS, max_size=4)),
        st.builds(
            lambda operator, value: {operator: value},
            st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
            SCALARS.filter(lambda value: value is not None and not isinstance(value, bool)),
        ),
    ),
    path=st.sampled_from(["value", "owner.value"]),
)
async def test_a_query_finds_what_its_promise_says(
    documents: Documents, stored: list[Any], wanted: Any, path: str
) -> None:
    run = uuid.uuid4().hex
    fields = [{"value": value} if path == "value" else {"owner": {"value": value}} for value in stored]
    things = [{"id": f"{run}{n:02}", "run": run} | field for n, field in enumerate(fields)]
    await put(documents, *things)
    right = [thing["id"] for thing, value in zip(things, stored, strict=True) if matches(value, wanted)]
    assert await ids(documents, {"run": run, path: wanted}) == right
    assert await documents.count("things", {"run": run, path: wanted}) == len(right)


async def test_a_missing_field_counts_as_none(documents: Documents) -> None:
    await put(documents, {"id": "a"}, {"id": "b", "x": None}, {"id": "c", "x": 0}, {"id": "d", "x": []})
    assert await ids(documents, {"x": None}) == ["a", "b"]
    assert await ids(documents, {"x": {"$in": [None, 0]}}) == ["a", "b", "c"]


async def test_several_conditions_on_one_field_all_hold(documents: Documents) -> None:
    await put(documents, *({"id": str(n), "n": n} for n in range(9)))
    assert await ids(documents, {"n": {"$gte": 3, "$lt": 6}, "id": {"$in": ["4", "5", "6"]}}) == ["4", "5"]
    assert await ids(documents, {"id": {"$gt": "6"}}) == ["7", "8"]


async def test_order_is_total_and_limits_hold(documents: Documents) -> None:
    await put(documents, *({"id": f"{n}", "made_ms": n % 3, "kind": "x"} for n in range(9)))
    assert await ids(documents, {}, sort=[("made_ms", 1)]) == ["0", "3", "6", "1", "4", "7", "2", "5", "8"]
    assert await ids(documents, {}, sort=[("made_ms", -1)], limit=4) == ["8", "5", "2", "7"]
    assert await ids(documents, {}, sort=[("id", -1)], limit=2) == ["8", "7"]
    assert await ids(documents, {}, limit=0) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    values=st.lists(
        st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from(["a", "b\0"])), max_size=15
    ),
    ways=st.lists(st.sampled_from([1, -1]), max_size=2),
    size=st.integers(1, 6),
)
async def test_pages_put_together_are_the_whole_list(
    documents: Documents, values: list[tuple[Any, Any]], ways: list[Any], size: int
) -> None:
    run = uuid.uuid4().hex
    await put(
        documents, *({"id": f"{run}{n:02}", "run": run, "x": x, "y": y} for n, (x, y) in enumerate(values))
    )
    sort = list(zip(("x", "y"), ways, strict=False))
    whole = await ids(documents, {"run": run}, sort=sort)
    pages: list[str] = []
    after = None
    while page := await documents.find("things", {"run": run}, sort=sort, limit=size, after=after):
        pages += [thing["id"] for thing in page]
        after = page_cursor(page[-1], sort)
    assert pages == whole
    assert len(whole) == len(values)


@pytest.mark.parametrize(
    "after", ["", "x", "W10", "WzFd", "é", "eyJhIjoxfQ", "WyJhIiwgImIiLCAiYyJd", "WzFlOTk5LCJhIl0"]
)
async def test_a_cursor_from_outside_that_is_none_is_refused(documents: Documents, after: str) -> None:
    with pytest.raises(ValidationFailed, match="cursor"):
        await documents.find("things", sort=[("made_ms", 1)], after=after)


async def test_the_same_id_twice_is_refused(documents: Documents) -> None:
    await put(documents, {"id": "a", "x": 1})
    with pytest.raises(DuplicateKey) as caught:
        await put(documents, {"id": "a", "x": 2})
    assert caught.value.index == "id"
    assert await documents.get("things", "a") == {"id": "a", "x": 1}


async def test_a_unique_value_twice_is_refused_by_every_way_of_writing(documents: Documents) -> None:
    await put(documents, {"id": "a", "port": 1}, {"id": "b", "port": 2})
    for write in (
        documents.insert("things", {"id": "c", "port": 1}),
        documents.replace("things", {"id": "b", "port": 1}),
        documents.update("things", "b", {"port": 1}),
    ):
        with pytest.raises(DuplicateKey) as caught:
            await write
        assert caught.value.index == "port_unique"
    assert [thing["port"] for thing in await documents.find("things")] == [1, 2]


async def test_a_unique_index_leaves_out_documents_without_the_field(documents: Documents) -> None:
    await put(
        documents,
        {"id": "a"},
        {"id": "b"},
        {"id": "c", "port": None},
        {"id": "d", "port": "1"},
        {"id": "e", "port": 1},
    )
    with pytest.raises(DuplicateKey):
        await put(documents, {"id": "f", "port": None})


async def test_a_partial_index_is_unique_only_among_the_documents_it_names(documents: Documents) -> None:
    old = {"name": "n", "latest": False}
    await put(documents, {"id": "a", **old}, {"id": "b", **old}, {"id": "c", "name": "n", "latest": True})
    with pytest.raises(DuplicateKey) as caught:
        await documents.update("things", "a", {"latest": True})
    assert caught.value.index.startswith("name_where_")
    assert await ids(documents, {"name": "n", "latest": True}) == ["c"]


async def test_a_compound_unique_index_compares_all_its_fields(documents: Documents) -> None:
    await put(documents, *({"id": f"{s}{v}", "serial": s, "version": v} for s in "ab" for v in (1, 2)))
    with pytest.raises(DuplicateKey):
        await put(documents, {"id": "x", "serial": "a", "version": 2})
    assert await ids(documents, {"serial": "a"}, sort=[("version", -1)], limit=1) == ["a2"]


async def test_replace_happens_only_when_what_was_expected_holds(documents: Documents) -> None:
    await put(documents, {"id": "a", "state": "new", "v": 1})
    assert not await documents.replace("things", {"id": "a", "v": 2}, expect={"v": 0})
    assert not await documents.replace("things", {"id": "b", "v": 2})
    assert await documents.replace(
        "things", {"id": "a", "v": 2}, expect={"v": 1, "state": "new", "gone": None}
    )
    assert await documents.get("things", "a") == {"id": "a", "v": 2}


async def test_several_are_replaced_in_a_transaction_or_none(documents: Documents) -> None:
    await put(documents, *({"id": id_, "v": 1} for id_ in "abc"))

    async def swap_all(ids: str, old: int, new: int) -> None:
        async with documents.transaction() as inside:
            swaps = [({"id": id_, "v": new}, {"v": old}) for id_ in ids]
            if await inside.replace_each("things", swaps) != len(swaps):
                raise KeyError(ids)

    await swap_all("", 1, 2)
    await swap_all("ab", 1, 2)
    with pytest.raises(KeyError):
        await swap_all("abc", 2, 3)
    assert [each["v"] for each in await documents.find("things", sort=[("id", 1)])] == [2, 2, 1]
    assert await documents.replace_each("things", [({"id": "c", "v": 4}, {"v": 1}), ({"id": "d"}, {})]) == 1


async def test_update_sets_fields_by_path_and_gives_the_new_document(documents: Documents) -> None:
    await put(documents, {"id": "a", "o": {"x": 1, "keep": True}, "v": 1})
    changed = await documents.update(
        "things", "a", {"o.x": 2, "new.deep.er": [1], "v": None}, expect={"v": 1}
    )
    assert changed == {"id": "a", "o": {"x": 2, "keep": True}, "v": None, "new": {"deep": {"er": [1]}}}
    assert await documents.get("things", "a") == changed
    assert await documents.update("things", "a", {"v": 5}, expect={"v": 1}) is None
    assert await documents.update("things", "b", {"v": 5}) is None
    assert await documents.update("things", "a", {}) == changed
    with pytest.raises(ValidationFailed, match="not an object"):
        await documents.update("things", "a", {"new.deep.er.x": 1, "v.x": 2})
    with pytest.raises(ValueError, match="never changes"):
        await documents.update("things", "a", {"id": "b"})


async def test_delete_happens_once_and_only_when_expected(documents: Documents) -> None:
    await put(documents, {"id": "a", "v": 1})
    assert not await documents.delete("things", "a", expect={"v": 2})
    assert await documents.delete("things", "a", expect={"v": 1})
    assert not await documents.delete("things", "a")


async def test_of_many_that_swap_at_once_exactly_one_wins_each_round(documents: Documents) -> None:
    await put(documents, {"id": "a", "v": 0})
    for v in range(3):
        won = await asyncio.gather(
            *(
                documents.replace("things", {"id": "a", "v": v + 1, "by": n}, expect={"v": v})
                for n in range(8)
            )
        )
        assert sum(won) == 1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": ""},
        {"id": 5},
        {"id": "a\0"},
        {"id": "x" * 1001},
        {"id": "a", "x": 2**63},
        {"id": "a", "x": float("nan")},
        {"id": "a", "x": float("inf")},
        {"id": "a", "x": "\ud800"},
        {"id": "a", "\udfff": 1},
        {"id": "a", "x.y": 1},
        {"id": "a", "$x": 1},
        {"id": "a", "x": {"": 1}},
        {"id": "a", "x": [{"\0": 1}]},
        {"id": "a", "x": b"bytes"},
        {"id": "a", "x": {1: 2}},
        {"id": "a", "x": "x" * 16_000_001},
    ],
)
async def test_what_not_every_engine_can_hold_is_refused(
    documents: Documents, document: dict[str, Any]
) -> None:
    with pytest.raises(ValidationFailed):
        await put(documents, document)
    assert await documents.count("things") == 0


async def test_a_document_nested_too_deep_is_refused_and_a_deep_one_kept(documents: Documents) -> None:
    deep: Any = 1
    for _ in range(85):
        deep = [deep]
    await put(documents, {"id": "a", "x": deep})
    assert await documents.get("things", "a") == {"id": "a", "x": deep}
    with pytest.raises(ValidationFailed, match="nested"):
        await put(documents, {"id": "b", "x": [[[[[[deep]]]]]]})


@pytest.mark.parametrize("text", ["\0", "a\0b", "x" * 5000, "'; DROP TABLE things; --", "$.id"])
async def test_odd_text_from_outside_finds_nothing_and_breaks_nothing(
    documents: Documents, text: str
) -> None:
    await put(documents, {"id": "a"})
    assert await documents.get("things", text) is None
    assert await documents.find("things", {"name": text}) == []
    assert await documents.count("things") == 1


async def test_half_a_character_from_outside_is_a_validation_failure(documents: Documents) -> None:
    with pytest.raises(ValidationFailed, match="Unicode"):
        await documents.get("things", "\ud800")
    with pytest.raises(ValidationFailed, match="Unicode"):
        await documents.find("things", {"name": {"$in": ["\ud800"]}})


@pytest.mark.parametrize(
    "where",
    [{"a b": 1}, {"x": {"$ne": 1}}, {"x": {"$gt": None}}, {"x": {"$gt": True}}, {"x": [1]},
     {"x": {"$eq": {}}},
     {"x": {"$in": 5}}, {"x": {"$in": [[1]]}}, {"$where": "1"}, {"x": 2**63}, {"x": float("nan")}, {"x'": 1}],
)  # fmt: skip
async def test_a_query_that_is_a_mistake_in_a_program_is_a_value_error(
    documents: Documents, where: Any
) -> None:
    with pytest.raises(ValueError, match=r"where|path"):
        await documents.find("things", where)


async def test_a_collection_must_be_declared(documents: Documents) -> None:
    with pytest.raises(ValueError, match="not ensured"):
        await documents.get("other", "a")
    await documents.ensure(Collection("other"), THINGS)
    assert await documents.get("other", "a") is None


async def test_a_transaction_stores_all_at_its_end(documents: Documents) -> None:
    await put(documents, {"id": "a", "v": 1})
    async with documents.transaction() as inside:
        await inside.insert("things", {"id": "b", "v": 2})
        await inside.update("things", "a", {"v": 3})
        assert await inside.get("things", "b") == {"id": "b", "v": 2}
        assert [thing["v"] for thing in await inside.find("things")] == [3, 2]
        assert await inside.count("things", {"v": 3}) == 1
        assert await documents.get("things", "b") is None
        assert await documents.count("things", {"v": 1}) == 1
        assert await inside.replace("things", {"id": "b", "v": 4}, expect={"v": 2})
    assert [thing["v"] for thing in await documents.find("things")] == [3, 4]


async def test_a_transaction_that_fails_stores_nothing(documents: Documents) -> None:
    await put(documents, {"id": "a", "port": 1})

    async def collide() -> None:
        async with documents.transaction() as inside:
            assert await inside.delete("things", "a")
            await inside.insert("things", {"id": "b", "port": 2})
            await inside.insert("things", {"id": "c", "port": 2})

    async def give_up() -> None:
        async with documents.transaction() as inside:
            await inside.insert("things", {"id": "d"})
            raise RuntimeError("on purpose")

    with pytest.raises(DuplicateKey):
        await collide()
    with pytest.raises(RuntimeError, match="on purpose"):
        await give_up()
    assert await ids(documents, {}) == ["a"]


async def test_a_transaction_that_is_cancelled_stores_nothing_and_blocks_nobody(documents: Documents) -> None:
    began = asyncio.Event()

    async def hang() -> None:
        async with documents.transaction() as inside:
            await inside.insert("things", {"id": "a"})
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await put(documents, {"id": "b"})
    assert await ids(documents, {}) == ["b"]


async def test_transactions_do_not_nest(documents: Documents) -> None:
    with pytest.raises(RuntimeError, match=r"nest"):
        async with documents.transaction() as inside, inside.transaction():
            pass
    with pytest.raises(RuntimeError, match="outside"):
        async with documents.transaction() as inside:
            await inside.ensure(THINGS)


async def test_concurrent_transactions_lose_no_update(documents: Documents) -> None:
    await put(documents, {"id": "a", "v": 0})

    async def add() -> None:
        while True:
            try:
                async with documents.transaction() as inside:
                    found = await inside.get("things", "a")
                    assert found is not None
                    await inside.replace("things", {"id": "a", "v": found["v"] + 1})
                return
            except TransactionConflict:
                continue

    await asyncio.gather(*(add() for _ in range(6)))
    assert await documents.get("things", "a") == {"id": "a", "v": 6}


async def test_what_was_stored_is_there_when_opened_again(documents: Documents, url: str) -> None:
    await put(documents, {"id": "a", "port": 1})
    again = await open_documents(url)
    await again.ensure(THINGS)
    assert await again.get("things", "a") == {"id": "a", "port": 1}
    with pytest.raises(DuplicateKey):
        await again.insert("things", {"id": "b", "port": 1})
    await again.ping()
    await again.close()


@pytest.mark.parametrize(
    "address", ["", "sqlite:relative.db", "sqlite://host/x", "postgres://x/y", "mongodb://x"]
)
async def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(SettingsInvalid, match="documents address"):
        await open_documents(address)


# PyMongo leaves a refused connection's socket to the garbage collector: called here, not in another test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///nowhere/at/all.db",
        "mongodb://127.0.0.1:1/x?timeoutMS=100",
        "mongodb://a:b:c/x",
    ],
)
async def test_a_store_that_is_not_there_is_unavailable(address: str) -> None:
    with pytest.raises(StoreUnavailable):
        await open_documents(address)
    gc.collect()
