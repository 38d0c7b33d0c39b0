"""Nodes fail, lag and lie; what is decided is what a quorum says, or nothing."""

import asyncio
import random

import httpx
import pytest
from builders import ALICE, BOB, USDT, a_transfer
from fake_tron import FakeTron
from hypothesis import given
from hypothesis import strategies as st

from lucid_kit.clock import ManualClock
from lucid_tron.client.client import TronClient
from lucid_tron.client.errors import (
    CallReverted,
    MalformedAnswer,
    MissingChainParameter,
    NodeRefused,
    NodesDisagree,
    NoHealthyNode,
    TooFewNodes,
)
from lucid_tron.client.models import BlockRef, ChainParameters, Receipt, Resources
from lucid_tron.client.node import Node
from lucid_tron.client.pace import Backoff, TokenBucket
from lucid_tron.client.profiles import DEVNET, MAINNET, NILE, PROFILES, SHASTA


@pytest.fixture
def tron() -> FakeTron:
    tron = FakeTron("a", "b", "c")
    tron.trx = {ALICE.address: 100_000_000, BOB.address: 0}
    tron.usdt = {ALICE.address: 50_000_000}
    return tron


def a_lie(path: str, **changes: object):
    return lambda asked, _body, answer: answer | changes if asked == path else answer


# --- any node ---


async def test_a_dead_node_is_passed_over(tron: FakeTron) -> None:
    tron.nodes["a"].down = tron.nodes["b"].down = True
    async with tron.client() as client:
        assert (await client.head()).number == len(tron.blocks) - 1


@pytest.mark.parametrize("status", [403, 429, 500, 502, 503])
async def test_a_busy_node_rests_and_is_asked_last(tron: FakeTron, status: int) -> None:
    tron.nodes["a"].status = status
    tron.nodes["a"].headers = {"retry-after": "20"}
    async with tron.client(attempts=2) as client:
        for _ in range(60):  # the first to be asked is drawn by chance
            await client.head()
        (health,) = [h for h in client.pool.health if h.node == "a.example"]
    assert health.failures >= 1
    assert len(tron.nodes["a"].calls) <= 4
    assert health.last_error is not None
    assert str(status) in health.last_error
    assert status == 500 or status == 502 or health.resting_ms > 15_000


async def test_server_busy_in_an_answer_counts_as_busy(tron: FakeTron) -> None:
    for node in tron.nodes.values():
        node.lie = lambda *_: {"Error": "class java.lang.Exception : lack of computing resources"}
    async with tron.client(attempts=3) as client:
        with pytest.raises(NoHealthyNode) as caught:
            await client.head()
    assert set(caught.value.facts["nodes"]) == {"a.example", "b.example", "c.example"}  # type: ignore[arg-type]


async def test_a_refused_request_is_not_repeated_elsewhere(tron: FakeTron) -> None:
    for node in tron.nodes.values():
        node.lie = lambda _p, body, answer: answer if body.get("num") == 0 else {"Error": "class X : bad num"}
    async with tron.client() as client:
        with pytest.raises(NodeRefused):
            await client.block(5)
        with pytest.raises(NodeRefused):
            await client.block_id_agreed(5)


@pytest.mark.parametrize(
    "content",
    [b"<html>", b"7", b'{"blockID": 5}', b'{"block_header": []}', b'{"block_header": {"raw_data": 1}}'],
)
async def test_nonsense_is_an_answer_of_no_node(tron: FakeTron, content: bytes) -> None:
    for node in tron.nodes.values():
        node.lie = lambda _p, body, answer: answer if body else httpx.Response(200, content=content)
    async with tron.client() as client:
        with pytest.raises(NoHealthyNode):
            await client.head()


async def test_an_endless_answer_is_cut_off(tron: FakeTron, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid_tron.client.node.MAX_ANSWER_BYTES", 10_000)
    for node in tron.nodes.values():
        node.lie = lambda _p, body, answer: answer if body else {"blockID": "00" * 10_000}
    async with tron.client() as client:
        with pytest.raises(NoHealthyNode, match="answers"):
            await client.head()


async def test_a_node_of_another_network_is_never_used(tron: FakeTron) -> None:
    tron.nodes["a"].lie = lambda _p, body, answer: (
        {"blockID": MAINNET.genesis.hex()} if body == {"num": 0} else answer  # type: ignore[union-attr]
    )
    async with tron.client() as client:
        await client.solid_head_agreed()
        await client.broadcast(ALICE.sign(await client.prepare(a_transfer())))
    assert set(tron.nodes["a"].calls) == {"/wallet/getblockbynum"}
    assert "/wallet/broadcasthex" in tron.nodes["b"].calls


async def test_an_api_key_is_sent_and_never_shown(tron: FakeTron) -> None:
    seen = []
    http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda request: seen.append(request.headers) or httpx.Response(500))
    )
    node = Node("http://user:pass@a.example/sec/", DEVNET, http, tron.clock, api_key="topsecret")
    with pytest.raises(Exception, match=r"a\.example answers 500") as caught:
        await node.call("/wallet/getnowblock", {})
    assert seen[0]["tron-pro-api-key"] == "topsecret"
    for shown in (str(caught.value), repr(caught.value.facts), repr(node.health), repr(node)):  # type: ignore[attr-defined]
        assert "topsecret" not in shown
        assert "pass" not in shown


# --- a quorum ---


async def test_two_nodes_that_agree_outvote_one_that_lies(tron: FakeTron) -> None:
    tron.nodes["b"].lie = a_lie("/walletsolidity/getaccount", balance=10**15)
    async with tron.client() as client:
        assert await client.balance_agreed(ALICE.address) == 100_000_000
        assert [health.dissents for health in client.pool.health] == [0, 1, 0]


async def test_when_two_nodes_contradict_each_other_nothing_is_decided(tron: FakeTron) -> None:
    tron.nodes["b"].lie = a_lie("/walletsolidity/getaccount", balance=10**15)
    tron.nodes["c"].down = True
    async with tron.client(attempts=3) as client:
        with pytest.raises(NodesDisagree) as caught:
            await client.balance_agreed(ALICE.address)
    assert len(set(caught.value.facts["answers"].values())) == 2  # type: ignore[union-attr]


async def test_one_node_alone_decides_nothing(tron: FakeTron) -> None:
    tron.nodes["b"].down = tron.nodes["c"].down = True
    async with tron.client(attempts=2) as client:
        with pytest.raises(TooFewNodes):
            await client.balance_agreed(ALICE.address)
        assert (await client.head()).number


def test_a_profile_with_too_few_nodes_is_refused_at_start() -> None:
    with pytest.raises(TooFewNodes):
        TronClient.open(MAINNET)
    with pytest.raises(TooFewNodes):
        TronClient.open(NILE.at("http://a.example", "http://a.example"))


async def test_a_node_that_is_behind_catches_up_while_we_wait() -> None:
    tron = FakeTron("a", "b")
    tron.trx = {ALICE.address: 100, BOB.address: 0}

    class Waiting:
        def now_ms(self) -> int:
            return tron.clock.now_ms()

        monotonic_ms = now_ms

        async def sleep(self, _seconds: float) -> None:
            tron.nodes["b"].behind = 0

    async with tron.client(attempts=3, clock=Waiting()) as client:
        signed = ALICE.sign(await client.prepare(a_transfer(amount=5)))
        await client.broadcast(signed)
        tron.solidify()
        tron.nodes["b"].behind = 1
        receipt = await client.receipt_agreed(signed.txid)
    assert receipt is not None
    assert receipt.succeeded


async def test_the_solid_head_is_the_lowest_that_any_node_states(tron: FakeTron) -> None:
    tron.nodes["b"].behind = 4
    async with tron.client() as client:
        assert (await client.solid_head_agreed()).number == len(tron.blocks) - 1 - 19 - 4
        assert await client.block_id_agreed(3) == tron.blocks[3]["id"]


async def test_a_node_that_shows_another_blocks_id_is_not_believed(tron: FakeTron) -> None:
    tron.nodes["a"].lie = lambda _p, body, answer: (
        answer if body else answer | {"blockID": tron.blocks[1]["id"].hex()}
    )
    async with tron.client() as client:
        with pytest.raises(MalformedAnswer):
            await client.solid_head_agreed()


# --- transactions ---


async def test_what_is_prepared_stands_on_a_solid_block_and_expires_by_the_chains_clock(
    tron: FakeTron,
) -> None:
    tron.clock.set_now_ms(tron.clock.now_ms() + 86_400_000)  # our clock is a day ahead of the chain
    async with tron.client() as client:
        raw = await client.prepare(a_transfer(), memo=b"pay_1", fee_limit=7, permission_id=2)
    solid = tron.blocks[len(tron.blocks) - 1 - 19]
    assert (raw.ref_block_bytes, raw.ref_block_hash) == (solid["id"][6:8], solid["id"][8:16])
    assert raw.expiration == tron.blocks[-1]["time"] + 60_000
    assert (raw.data, raw.fee_limit, raw.permission_id) == (b"pay_1", 7, 2)


async def test_a_node_cannot_stretch_a_transactions_life(tron: FakeTron) -> None:
    future = {"raw_data": {"number": 1, "timestamp": 2**50}}
    for node in tron.nodes.values():
        node.lie = lambda path, _b, answer: (
            {"blockID": tron.blocks[1]["id"].hex(), "block_header": future}
            if path == "/wallet/getnowblock"
            else answer
        )
    async with tron.client() as client:
        raw = await client.prepare(a_transfer())
    assert raw.expiration <= tron.clock.now_ms() + 60_000 + 10 * 60_000


async def broadcast(tron: FakeTron, *codes: str | None, twice: bool = False) -> str:
    for node, code in zip(tron.nodes.values(), codes, strict=False):
        node.code = code
    async with tron.client() as client:
        signed = ALICE.sign(await client.prepare(a_transfer()))
        if twice:
            await client.broadcast(signed)
        return (await client.broadcast(signed)).outcome


async def test_a_transaction_that_a_node_takes_is_accepted(tron: FakeTron) -> None:
    assert await broadcast(tron) == "accepted"
    assert len(tron.pending) == 1


async def test_sending_the_same_bytes_twice_counts_as_sent(tron: FakeTron) -> None:
    assert await broadcast(tron, twice=True) == "already_sent"
    tron.mine()
    assert len(tron.executed) == 1


async def test_one_acceptance_outweighs_all_refusals(tron: FakeTron) -> None:
    assert await broadcast(tron, "TAPOS_ERROR", "SIGERROR", None) == "accepted"


async def test_only_when_all_refuse_it_is_refused(tron: FakeTron) -> None:
    assert await broadcast(tron, "CONTRACT_VALIDATE_ERROR", "SIGERROR", "TAPOS_ERROR") == "refused"


@pytest.mark.parametrize("code", ["SERVER_BUSY", "NO_CONNECTION", "BLOCK_UNSOLIDIFIED", "OTHER_ERROR"])
async def test_a_node_that_does_not_judge_leaves_it_unknown(tron: FakeTron, code: str) -> None:
    assert await broadcast(tron, "SIGERROR", "SIGERROR", code) == "unknown"


async def test_a_broadcast_that_times_out_is_unknown(tron: FakeTron) -> None:
    async with tron.client() as client:
        signed = ALICE.sign(await client.prepare(a_transfer()))
        for node in tron.nodes.values():
            node.down = True
        assert (await client.broadcast(signed)).outcome == "unknown"


async def test_a_receipt_counts_only_when_it_is_solid(tron: FakeTron) -> None:
    async with tron.client() as client:
        signed = ALICE.sign(await client.prepare(a_transfer(amount=5)))
        assert not (await client.presence(signed.txid)).seen
        await client.broadcast(signed)
        assert (await client.presence(signed.txid)).seen
        tron.mine()
        assert await client.receipt_agreed(signed.txid) is None
        seen = await client.presence(signed.txid)
        assert (seen.seen, seen.solid) == (True, False)
        tron.solidify()
        receipt = await client.receipt_agreed(signed.txid)
        assert receipt is not None
        assert (receipt.txid, receipt.succeeded) == (signed.txid, True)
        assert (await client.presence(signed.txid)).solid


async def test_a_forged_receipt_is_outvoted_or_stops_everything(tron: FakeTron) -> None:
    forged = {"id": "11" * 32, "blockNumber": 3, "receipt": {"result": "SUCCESS"}}
    tron.nodes["a"].lie = lambda path, _b, answer: forged if "infobyid" in path else answer
    async with tron.client() as client:
        assert await client.receipt_agreed(bytes.fromhex("11" * 32)) is None
        assert (await client.presence(bytes.fromhex("11" * 32))).seen  # one voice is enough to hold back
        tron.nodes["b"].down = True
        with pytest.raises(NodesDisagree):
            await client.receipt_agreed(bytes.fromhex("11" * 32))


async def test_the_receipt_of_another_transaction_is_not_taken(tron: FakeTron) -> None:
    other = {"id": "22" * 32, "blockNumber": 3, "receipt": {"result": "SUCCESS"}}
    for node in tron.nodes.values():
        node.lie = lambda path, _b, answer: other if "infobyid" in path else answer
    async with tron.client() as client:
        with pytest.raises(NodesDisagree):
            await client.receipt_agreed(bytes.fromhex("11" * 32))


# --- contracts and parameters ---


async def test_a_revert_is_raised_with_its_reason(tron: FakeTron) -> None:
    arguments = bytes(12) + BOB.address.evm + (10**9).to_bytes(32, "big")
    async with tron.client() as client:
        with pytest.raises(CallReverted, match="not enough money"):
            await client.call(ALICE.address, USDT, "transfer(address,uint256)", arguments)
        called = await client.call(
            ALICE.address, USDT, "transfer(address,uint256)", arguments[:32] + bytes(32)
        )
    assert called.energy == tron.energy


@pytest.mark.parametrize("answer", [{"result": 1}, {"result": {"result": True}, "constant_result": 1}])
async def test_a_malformed_call_answer_is_not_used(tron: FakeTron, answer: dict) -> None:
    for node in tron.nodes.values():
        node.lie = lambda path, _b, honest: answer if "constant" in path else honest
    async with tron.client() as client:
        with pytest.raises(NoHealthyNode):
            await client.call(ALICE.address, USDT, "paused()", b"")


@pytest.mark.parametrize(
    ("message", "said"), [(b"no such contract".hex(), "no such contract"), ("zz", "zz"), ("", "no reason")]
)
async def test_a_refused_call_says_why(tron: FakeTron, message: str, said: str) -> None:
    for node in tron.nodes.values():
        node.lie = lambda path, _b, honest: (
            {"result": {"code": "CONTRACT_VALIDATE_ERROR", "message": message}}
            if "constant" in path
            else honest
        )
    async with tron.client() as client:
        with pytest.raises(CallReverted, match=said):
            await client.call(ALICE.address, USDT, "paused()", b"")


async def test_prices_are_read_from_the_chain(tron: FakeTron) -> None:
    tron.energy_price = 210
    async with tron.client() as client:
        parameters = await client.parameters_agreed()
        assert (parameters.energy_price, parameters.bandwidth_price) == (210, 1000)
        assert (await client.resources(ALICE.address)).bandwidth == 600
        assert (await client.account(ALICE.address))["balance"] == 100_000_000


def test_a_price_that_is_not_stated_is_not_guessed() -> None:
    with pytest.raises(MissingChainParameter):
        ChainParameters.read({"chainParameter": [{"key": "getEnergyFee", "value": 100}]})


def test_resources_are_never_negative() -> None:
    spent = {
        "EnergyLimit": 5,
        "EnergyUsed": 9,
        "NetLimit": 1,
        "NetUsed": 3,
        "freeNetLimit": 600,
        "freeNetUsed": 100,
    }
    assert Resources.read(spent) == Resources(0, 500)
    with pytest.raises(MalformedAnswer):
        Resources.read({"EnergyLimit": "5"})


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "00", "blockNumber": 1},
        {"id": "zz" * 32, "blockNumber": 1},
        {"id": "00" * 32},
        {"id": "00" * 32, "blockNumber": 1, "receipt": []},
        {"id": "00" * 32, "blockNumber": 1, "log": [{"address": "00"}]},
        {"id": "00" * 32, "blockNumber": 1, "log": [{"address": "00" * 20, "topics": 5}]},
        {"id": "00" * 32, "blockNumber": 1, "log": [{"address": "00" * 20, "topics": ["00"]}]},
    ],
)
def test_a_malformed_receipt_is_not_read(answer: dict) -> None:
    with pytest.raises(MalformedAnswer):
        Receipt.read(answer)


@pytest.mark.parametrize(
    ("changes", "succeeded"),
    [
        ({}, True),
        ({"contract_address": USDT.hex()}, False),  # a call must say SUCCESS
        ({"contract_address": USDT.hex(), "receipt": {"result": "SUCCESS"}}, True),
        ({"contract_address": USDT.hex(), "receipt": {"result": "OUT_OF_ENERGY"}}, False),
        ({"result": "FAILED"}, False),
        ({"receipt": {"result": "SUCCESS"}, "result": "FAILED"}, False),
        ({"receipt": {"result": "OUT_OF_TIME"}}, False),
    ],
)
def test_success_is_only_what_the_chain_calls_so(changes: dict, succeeded: bool) -> None:
    assert Receipt.read({"id": "00" * 32, "blockNumber": 1} | changes).succeeded is succeeded


# --- pace ---


async def test_a_bucket_lets_a_burst_through_and_then_paces() -> None:
    clock = ManualClock()
    bucket = TokenBucket(10, 3, clock)
    for _ in range(3):
        await bucket.take()
    waiting = asyncio.gather(bucket.take(), bucket.take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert clock.sleepers == 2
    clock.advance(100)
    await asyncio.sleep(0)
    assert clock.sleepers == 1
    clock.advance(100)
    await waiting


@given(st.lists(st.integers(0, 500), min_size=1, max_size=60))
def test_a_bucket_never_gives_more_than_its_rate_and_burst(pauses: list[int]) -> None:
    clock, taken = ManualClock(), []

    class Sleeper:
        now_ms = monotonic_ms = clock.monotonic_ms

        async def sleep(self, seconds: float) -> None:
            clock.advance(round(seconds * 1000))

    async def run() -> None:
        bucket = TokenBucket(10, 4, Sleeper())
        for pause in pauses:
            clock.advance(pause)
            await bucket.take()
            taken.append(clock.monotonic_ms())

    asyncio.run(run())
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= 4 + (taken[last] - taken[first]) / 100 + 0.1


@given(st.integers(1, 500), st.integers(0, 2**32))
def test_a_backoff_is_jittered_below_its_bound_and_capped(failures: int, seed: int) -> None:
    backoff = Backoff(0.25, 30)
    assert 0 <= backoff.wait(failures, random.Random(seed)) <= backoff.bound(failures) <= 30
    assert backoff.bound(1) == 0.25
    assert backoff.bound(2) == 0.5


# --- networks ---


def test_networks_are_known_by_their_first_block() -> None:
    assert MAINNET.chain_id == 0x2B6653DC
    assert NILE.chain_id == 0xCD8690DC
    assert SHASTA.chain_id == 0x94A9059E
    assert DEVNET.chain_id is None
    assert set(PROFILES) == {"mainnet", "nile", "shasta", "devnet"}
    assert all(profile.quorum >= 2 for profile in PROFILES.values() if profile is not DEVNET)
    assert MAINNET.usdt == USDT
    assert DEVNET.at("http://127.0.0.1:1", usdt=USDT, quorum=1).usdt == USDT


def test_a_block_knows_its_tapos_reference() -> None:
    block = BlockRef(0x1_2345, (0x12345).to_bytes(8, "big") + bytes(range(24)), 0)
    assert block.tapos == (bytes.fromhex("2345"), bytes(range(8)))


async def test_every_node_down_is_said_node_by_node(tron: FakeTron) -> None:
    for node in tron.nodes.values():
        node.down = True
    async with tron.client(attempts=2) as client:
        with pytest.raises(NoHealthyNode) as caught:
            await client.head()
    assert caught.value.facts["nodes"]["a.example"] == "a.example does not answer (ConnectError)"  # type: ignore[index,call-overload]
