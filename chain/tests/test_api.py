"""The HTTP API over a chain whose blocks the test decides."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from lucid_blocks.app import build_app
from lucid_blocks.ledger import TLOG
from lucid_blocks.models import Entry
from lucid_proof import merkle
from lucid_proof.checkpoint import open_checkpoint
from lucid_proof.domains import leaf_hash
from lucid_proof.tlogproof import TlogProof
from lucid_proof.trust import TrustPolicy

from .builders import RECORDER, START_MS, STRANGER, DiskChain, public, session_id

SESSION = session_id(1)
NOWHERE = "00" * 32


@pytest.fixture
async def client(disk: DiskChain) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(disk.node), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://chain") as made:
        yield made


async def ok(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(client: httpx.AsyncClient, path: str, value: object, status: int = 200) -> Any:
    answer = await client.post(path, json=value)
    assert answer.status_code == status, answer.text
    return answer.json()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert body["advice"]
    return body


def recorded(disk: DiskChain) -> list[Entry]:
    """A session with three records in two blocks."""
    first = disk.write.begin(SESSION)
    disk.accept(first)
    disk.decide()
    rest = [
        disk.write.interim(SESSION, 1, 3, event="pause"),
        disk.write.close(SESSION, 2, 3, outcome="abandoned"),
    ]
    disk.accept(*rest)
    disk.decide()
    return [first, *rest]


# ---- transactions ----------------------------------------------------------------------------


async def test_a_transaction_is_pending_then_anchored(client: httpx.AsyncClient, disk: DiskChain) -> None:
    entry = disk.write.begin(SESSION)
    answer = await client.post(
        "/api/v1/transactions", content=entry.data, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 202
    pending = {"id": entry.id, "state": "pending", "height": None, "index": None}
    assert answer.json() == pending
    assert await ok(client, f"/transactions/{entry.id}") == {**pending, "leaf": entry.data.decode()}
    disk.decide()
    anchored = {"id": entry.id, "state": "anchored", "height": 1, "index": 1}
    assert await post(client, "/transactions", entry.tx.to_json(), 202) == anchored
    assert await ok(client, f"/transactions/{entry.id}") == {**anchored, "leaf": entry.data.decode()}


async def test_a_refusal_is_a_problem_that_names_the_rule(client: httpx.AsyncClient, disk: DiskChain) -> None:
    answer = await client.post("/transactions", json=disk.write.interim(SESSION, 1).tx.to_json())
    assert problem(answer, 409, "LUCID_ERR_4206")["facts"]["session"] == SESSION
    answer = await client.post("/transactions", json=disk.write.begin(SESSION, STRANGER).tx.to_json())
    problem(answer, 403, "LUCID_ERR_2200")


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"kind": "session.end"},
        {"key": "zz"},
        {"more": 1},
        {"body": {}},
        {"body": 1.5},
        {"sig": "00"},
        {"chain": ""},
    ],
)
async def test_a_malformed_transaction_is_the_senders_fault(
    client: httpx.AsyncClient, disk: DiskChain, change: dict[str, Any]
) -> None:
    answer = await client.post("/transactions", json={**disk.write.begin(SESSION).tx.to_json(), **change})
    assert answer.status_code == 422
    assert answer.json()["code"] in ("LUCID_ERR_1000", "LUCID_ERR_1203")


async def test_a_body_with_fractions_is_the_senders_fault(client: httpx.AsyncClient, disk: DiskChain) -> None:
    tx = disk.write.begin(SESSION).tx.to_json()
    assert isinstance(tx["body"], dict)
    answer = await client.post("/transactions", json={**tx, "body": {**tx["body"], "time": 1.5}})
    problem(answer, 422, "LUCID_ERR_1203")


async def test_a_batch_answers_each_for_itself(client: httpx.AsyncClient, disk: DiskChain) -> None:
    write = disk.write
    batch = [write.begin(SESSION), write.interim(SESSION, 1), write.interim(SESSION, 3), write.begin(SESSION)]
    answer = await post(
        client, "/transactions/batch", {"transactions": [each.tx.to_json() for each in batch]}, 202
    )
    assert [each["state"] for each in answer["results"]] == ["pending", "pending", "refused", "pending"]
    assert answer["results"][2]["problem"]["code"] == "LUCID_ERR_4208"
    pending = await ok(client, "/transactions/pending?limit=1")
    assert (pending["count"], len(pending["transactions"])) == (2, 1)
    assert pending["transactions"][0]["session"] == SESSION


async def test_transactions_that_arrive_together_are_all_answered(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    import asyncio

    entries = [disk.write.begin(session_id(number)) for number in range(40)]
    answers = await asyncio.gather(
        *(client.post("/transactions", json=each.tx.to_json()) for each in entries)
    )
    assert {answer.status_code for answer in answers} == {202}
    assert {entry.id for entry in disk.decide().entries} == {entry.id for entry in entries}


async def test_a_full_disk_is_said_to_every_sender(
    client: httpx.AsyncClient, disk: DiskChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUCID_FAULT_ERROR", "chain-transaction-store")
    answer = await client.post("/transactions", json=disk.write.begin(SESSION).tx.to_json())
    problem(answer, 503, "LUCID_ERR_5207")


async def test_an_unknown_transaction_is_not_found(client: httpx.AsyncClient) -> None:
    problem(await client.get(f"/transactions/{NOWHERE}"), 404, "LUCID_ERR_1205")


# ---- blocks, chain, consensus ----------------------------------------------------------------


async def test_a_block_has_header_hash_checkpoint_and_transactions(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    entries = recorded(disk)
    block = await ok(client, "/blocks/latest")
    assert block == await ok(client, "/blocks/height/2") == await ok(client, f"/blocks/{block['hash']}")
    assert block["transactions"] == [entry.id for entry in entries[1:]]
    assert block["header"]["time"] == START_MS + 20_000
    assert block["time"] == "2026-01-01T00:00:20.000Z"
    assert open_checkpoint(block["checkpoint"].encode(), disk.node.genesis.trust()).checkpoint.size == 6


async def test_blocks_are_listed_from_the_newest_down_page_by_page(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    for _ in range(4):
        disk.decide()
    seen, path = [], "/blocks?limit=2"
    while True:
        page = await ok(client, path)
        seen += [each["header"]["height"] for each in page["blocks"]]
        if page["next"] is None:
            break
        path = f"/blocks?limit=2&before={page['next']}"
    assert seen == [4, 3, 2, 1, 0]
    assert await ok(client, "/blocks?before=0") == {"blocks": [], "next": None}


@pytest.mark.parametrize("path", ["/blocks/height/9", f"/blocks/{NOWHERE}"])
async def test_an_unknown_block_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 404, "LUCID_ERR_1204")


async def test_a_block_can_be_judged(client: httpx.AsyncClient, disk: DiskChain) -> None:
    recorded(disk)
    known = await ok(client, "/blocks/latest")
    judged = await post(client, "/blocks/validate", {"header": known["header"]})
    assert judged["valid"]
    assert judged["known"]
    entry = disk.write.begin(session_id(7))
    block = disk.ledger.finalize_block([entry], disk.clock.now_ms() + 1).block
    proposal = {"header": block.header.to_json(), "transactions": [entry.tx.to_json()]}
    judged = await post(client, "/blocks/validate", proposal)
    assert (judged["valid"], judged["known"]) == (True, False)
    judged = await post(client, "/blocks/validate", {**proposal, "transactions": []})
    assert (judged["valid"], judged["rule"], judged["code"]) == (False, "WrongCount", "LUCID_ERR_4235")
    impossible = {**block.header.to_json(), "txs": 99}
    problem(await client.post("/blocks/validate", json={"header": impossible}), 422, "LUCID_ERR_1203")


async def test_the_chain_says_what_it_is_and_how_it_does(client: httpx.AsyncClient, disk: DiskChain) -> None:
    recorded(disk)
    info = await ok(client, "/chain/info")
    assert TrustPolicy.parse(str(info["trust"]).replace("'", '"')) == disk.node.genesis.trust()
    assert (info["height"], info["size"], info["engine"]) == (2, 6, "solo")
    assert public(RECORDER) in [each["key"] for each in info["recorders"]]
    assert info["validators"][0]["nonce"] == 0
    status = await ok(client, "/chain/status")
    assert (status["status"], status["open_sessions"], status["closed_sessions"]) == ("ok", 0, 1)
    assert (await ok(client, "/chain/height"))["height"] == 2
    assert await ok(client, "/chain/network") == {"engine": "solo", "peers": [], "validators": 1}


async def test_a_chain_whose_blocks_stopped_says_so(client: httpx.AsyncClient, disk: DiskChain) -> None:
    assert (await ok(client, "/ready"))["status"] == "ready"
    disk.clock.advance(45_000)
    assert (await ok(client, "/chain/status"))["status"] == "late"
    assert (await ok(client, "/anchoring/status"))["late_ms"] >= 30_000
    assert (await client.get("/ready")).status_code == 503


async def test_consensus_shows_who_signed_and_refuses_votes(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    disk.decide()
    status = await ok(client, "/consensus/status")
    assert (status["validators"], status["power"], status["quorum"]) == (1, 1, 1)
    history = (await ok(client, "/consensus/history"))["decisions"]
    assert [each["height"] for each in history] == [1, 0]
    assert [each["role"] for each in history[0]["signatures"]] == ["log", "witness"]
    assert history[0]["signatures"][1]["time"] == "2026-01-01T00:00:10.000Z"
    (participant,) = await ok(client, "/consensus/participants")
    assert participant["key"] == public(disk.validator)
    vote = {"height": 1, "hash": NOWHERE, "key": NOWHERE, "sig": NOWHERE * 2}
    problem(await client.post("/consensus/vote", json=vote), 409, "LUCID_ERR_4240")


# ---- sessions and proofs ---------------------------------------------------------------------


async def test_a_sessions_records_come_with_proofs_under_one_checkpoint(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    entries = recorded(disk)
    found = await ok(client, f"/anchoring/session/{SESSION}")
    assert found["state"] == "abandoned"
    opened = open_checkpoint(found["checkpoint"].encode(), disk.node.genesis.trust()).checkpoint
    assert [each["id"] for each in found["records"]] == [entry.id for entry in entries]
    for record in found["records"]:
        path = [bytes.fromhex(each) for each in record["proof"]["path"]]
        merkle.verify_inclusion(
            leaf_hash(record["leaf"].encode()), record["index"], opened.size, path, opened.root
        )
    page = await ok(client, f"/anchoring/session/{SESSION}?limit=2")
    assert page["next"] == 1
    rest = await ok(client, f"/anchoring/session/{SESSION}?after=1")
    assert [each["seq"] for each in rest["records"]] == [2]


async def test_a_sessions_state_follows_its_records(client: httpx.AsyncClient, disk: DiskChain) -> None:
    async def state() -> Any:
        disk.decide()
        return (await ok(client, f"/anchoring/session/{SESSION}"))["state"]

    disk.accept(disk.write.begin(SESSION))
    assert await state() == "recording"
    disk.accept(disk.write.interim(SESSION, 1, event="pause"))
    assert await state() == "paused"
    disk.accept(disk.write.interim(SESSION, 2))
    assert await state() == "paused"
    disk.accept(disk.write.interim(SESSION, 3, event="resume"))
    assert await state() == "recording"
    disk.accept(disk.write.close(SESSION, 4))
    assert await state() == "closed"


async def test_a_sessions_newest_record_has_a_tlog_proof(client: httpx.AsyncClient, disk: DiskChain) -> None:
    entries = recorded(disk)
    for query, entry in (("", entries[2]), ("?seq=0", entries[0])):
        answer = await client.get(f"/tlog/proof/{SESSION}{query}")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        proof = TlogProof.parse(answer.content)
        proof.verify(entry.hash, open_checkpoint(proof.checkpoint, disk.node.genesis.trust()).checkpoint)
        claim = {"leaf": entry.data.decode(), "proof": answer.text}
        assert (await post(client, "/anchoring/verify", claim))["valid"]
        changed = await post(
            client, "/anchoring/verify", {**claim, "leaf": claim["leaf"].replace("1", "2", 1)}
        )
        assert not changed["valid"]
        assert changed["reason"]
    problem(await client.get(f"/tlog/proof/{SESSION}?seq=9"), 404, "LUCID_ERR_1206")
    problem(await client.get(f"/tlog/proof/{session_id(5)}"), 404, "LUCID_ERR_1206")


async def test_signed_session_records_can_be_posted_as_such(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    write = disk.write
    records = [write.begin(SESSION).tx.to_json(), write.interim(SESSION, 1).tx.to_json()]
    answer = await post(client, "/anchoring/session", {"records": records}, 202)
    assert answer["session"] == SESSION
    assert [each["state"] for each in answer["records"]] == ["pending", "pending"]
    status = await ok(client, "/anchoring/status")
    disk.clock.advance(4_000)
    assert (status["pending"], (await ok(client, "/anchoring/status"))["oldest_pending_ms"]) == (2, 4_000)
    mixed = [write.begin(session_id(2)).tx.to_json(), write.begin(session_id(3)).tx.to_json()]
    problem(await client.post("/anchoring/session", json={"records": mixed}), 422, "LUCID_ERR_1208")
    admit = [write.admit(public(STRANGER), 0).tx.to_json()]
    problem(await client.post("/anchoring/session", json={"records": admit}), 422, "LUCID_ERR_1208")


async def test_roots_lead_to_what_commits_to_them(client: httpx.AsyncClient, disk: DiskChain) -> None:
    entries = recorded(disk)
    root = entries[1].tx.body["root"]
    found = (await ok(client, f"/merkle/{root}"))["commitments"]
    assert [(each["tree"], each["seq"], each["size"]) for each in found] == [
        ("session", 1, 3),
        ("session", 2, 3),
    ]
    log_root = (await ok(client, "/blocks/height/1"))["header"]["log_root"]
    (found,) = (await ok(client, f"/merkle/{log_root}"))["commitments"]
    assert (found["tree"], found["height"], found["size"]) == ("log", 1, 2)
    problem(await client.get(f"/merkle/{NOWHERE}"), 404, "LUCID_ERR_1209")


async def test_trees_are_built_and_checked(client: httpx.AsyncClient) -> None:
    tree = await post(client, "/merkle/build", {"leaves": ["a", "b", "c"], "prove": 1})
    leaves = [leaf_hash(each) for each in (b"a", b"b", b"c")]
    assert tree["root"] == merkle.root(leaves).hex()
    assert tree == await post(
        client, "/merkle/build", {"leaf_hashes": [each.hex() for each in leaves], "prove": 1}
    )
    proof = {
        "kind": "inclusion",
        "leaf_hash": leaves[1].hex(),
        "index": 1,
        "size": 3,
        "path": tree["path"],
        "root": tree["root"],
    }
    assert (await post(client, "/merkle/verify", proof))["valid"]
    assert not (await post(client, "/merkle/verify", {**proof, "index": 2}))["valid"]
    older = merkle.root(leaves[:2]).hex()
    consistency = {
        "kind": "consistency",
        "old": 2,
        "new": 3,
        "path": [each.hex() for each in merkle.consistency_path(leaves, 2)],
        "old_root": older,
        "new_root": tree["root"],
    }
    assert (await post(client, "/merkle/verify", consistency))["valid"]
    assert not (await post(client, "/merkle/verify", {**consistency, "old_root": NOWHERE}))["valid"]
    problem(await client.post("/merkle/build", json={"leaves": [], "prove": 0}), 422, "LUCID_ERR_1210")


async def test_a_session_is_validated_record_by_record(client: httpx.AsyncClient, disk: DiskChain) -> None:
    recorded(disk)
    found = await ok(client, f"/merkle/validation/{SESSION}")
    assert (found["valid"], found["records"], found["first_height"], found["last_height"]) == (True, 3, 1, 2)


async def test_a_session_whose_stored_leaf_was_changed_is_not_valid(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    import sqlite3

    entries = recorded(disk)
    changed = disk.write.interim(SESSION, 1, 3, event="pause", time=START_MS + 77)
    with sqlite3.connect(disk.directory / "chain.db") as db:
        db.execute("UPDATE leaves SET data = ? WHERE data = ?", (changed.data, entries[1].data))
    db.close()
    found = await ok(client, f"/merkle/validation/{SESSION}")
    assert not found["valid"]
    assert "record 1" in found["reason"]


# ---- tlog-tiles ------------------------------------------------------------------------------


async def test_http_serves_the_same_bytes_as_the_files(client: httpx.AsyncClient, disk: DiskChain) -> None:
    disk.accept(*(disk.write.begin(session_id(number)) for number in range(300)))
    disk.decide()
    disk.decide()
    root = disk.directory / TLOG
    names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    assert "tile/1/000.p/1" in names
    for name in names:
        answer = await client.get(f"/tlog/{name}")
        assert answer.content == (root / name).read_bytes(), name
        if name == "checkpoint":
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert answer.headers["cache-control"] == "public, max-age=1"
        else:
            assert answer.headers["content-type"] == "application/octet-stream"
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "0/000",  # not full yet
        "0/000.p/2",  # wider than the log
        "0/001.p/1",
        "1/000.p/1",
        "0/000.p/0",
        "0/000.p/01",
        "0/000.p/256",
        "0/x000/000.p/1",
        "0/0",
        "0/000.p/1/",
        "entries/000.p/2",
        "entries/..%2f..%2fkeys",
    ],
)
async def test_a_tile_that_the_log_does_not_have_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(f"/tlog/tile/{path}"), 404, "LUCID_ERR_1207")


async def test_a_tile_of_an_impossible_level_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/tlog/tile/64/000")).status_code == 422


async def test_the_figures_are_named_as_the_house_names_them(
    client: httpx.AsyncClient, disk: DiskChain
) -> None:
    disk.accept(disk.write.begin(SESSION))
    text = (await client.get("/metrics")).text
    assert "lucid_chain_pending_transactions 1.0" in text
    disk.decide()
    text = (await client.get("/metrics")).text
    assert "lucid_chain_height_blocks 1.0" in text
    assert "lucid_chain_open_sessions 1.0" in text
