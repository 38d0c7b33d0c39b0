"""What only MongoDB is asked for: plans, and a failover without a lost write."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import errors as mongo

from lucid_kit._documents_mongo import MongoDocuments, _fault
from lucid_kit.documents import Collection, DuplicateKey, Index, TransactionConflict, open_documents
from lucid_kit.errors import StoreFull, StoreReadOnly, StoreUnavailable

from .mongo_server import replica_set
from .test_documents_contract import THINGS

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def three_members() -> Iterator[Any]:
    with replica_set(3) as servers:
        yield servers


def indexes_in(plan: dict[str, Any]) -> set[str]:
    found = {plan["indexName"]} if "indexName" in plan else set()
    for value in plan.values():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                found |= indexes_in(part)
    return found


async def test_indexes_serve_their_queries_and_a_dead_primary_loses_no_acknowledged_write(
    three_members: Any,
) -> None:
    documents = await MongoDocuments.open(three_members.url)
    await documents.ensure(THINGS)
    for where, index in (
        ({"kind": "x"}, "kind_made_ms"),
        ({"owner.name": "x"}, "owner__name"),
        ({"port": 5}, "port_unique"),
        ({"serial": "x", "version": 1}, "serial_version_unique"),
        ({"name": "x", "latest": True}, THINGS.indexes[3].name),
    ):
        assert indexes_in(await documents.explain("things", where)) == {index}
    plan = await documents.explain("things", {"kind": "x"}, sort=[("made_ms", -1)])
    assert "SORT" not in str(plan)

    acknowledged = []
    for n in range(40):
        if n == 10:
            three_members.kill_primary()
        identifier = f"{n}"
        while True:
            try:
                await documents.insert("things", {"id": identifier})
            except StoreUnavailable:
                await asyncio.sleep(0.05)
                continue
            except DuplicateKey:
                pass  # an attempt whose answer was lost had been stored
            break
        acknowledged.append(identifier)
    found = {thing["id"] for thing in await documents.find("things")}
    await documents.close()
    assert found == set(acknowledged)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (mongo.OperationFailure("full", 14031), StoreFull),
        (mongo.OperationFailure("not authorized", 13), StoreReadOnly),
        (mongo.NotPrimaryError("x"), StoreUnavailable),
        (mongo.ServerSelectionTimeoutError("x"), StoreUnavailable),
        (mongo.WTimeoutError("x"), StoreUnavailable),
        (
            mongo.OperationFailure("x", 112, {"errorLabels": ["TransientTransactionError"]}),
            TransactionConflict,
        ),
        (mongo.OperationFailure("x", 11602, {"errorLabels": ["RetryableWriteError"]}), StoreUnavailable),
        (mongo.OperationFailure("x", 9), mongo.OperationFailure),
    ],
)
def test_each_fault_of_mongodb_has_its_name(error: Any, kind: type[Exception]) -> None:
    assert type(_fault("things", error)) is kind


async def test_a_collection_made_by_two_at_once_is_made_once(three_members: Any) -> None:
    url = three_members.url.replace("/lucid?", f"/lucid_{uuid.uuid4().hex[:8]}?")
    both = await asyncio.gather(open_documents(url), open_documents(url))
    await asyncio.gather(*(documents.ensure(Collection("things", Index("x"))) for documents in both))
    for documents in both:
        await documents.close()
