"""What a node does wrong when it is told to, and that its siblings stay honest."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from devnet_chain import ALICE, BOB, TRANSFER, Api, Asker, Chain

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec.transaction import SignedTransaction, encode_signed
from lucid_tron.devnet.accounts import SUN
from lucid_tron.devnet.api.app import create_app
from lucid_tron.devnet.api.view import Node
from lucid_tron.devnet.faults import Faults


@pytest.fixture
def api() -> Api:
    chain = Chain(options={"solid_lag": 1})
    chain.give(ALICE.address, trx=10_000 * SUN, usdt=1_000_000)
    return Api(chain)


def sibling(api: Api) -> Asker:
    """Another node of the same chain."""
    return Asker(create_app(Node(api.chain.network, Faults(), False)))


def order(api: Api, amount: int = 5) -> SignedTransaction:
    call = c.TriggerSmartContract(
        ALICE.address, api.chain.usdt, data=abi.encode_call(TRANSFER, BOB.address, amount)
    )
    return api.chain.signed(call, ALICE.key)


def broadcast(api: Api, signed: SignedTransaction) -> Any:
    return api.wallet("broadcasthex", transaction=encode_signed(signed).hex())


def faults(api: Api, **knobs: Any) -> None:
    api.post("/admin/faults", **knobs)


def info(api: Api, signed: SignedTransaction) -> Any:
    return api.wallet("gettransactioninfobyid", value=signed.txid.hex())


def test_a_busy_node_takes_nothing_for_as_many_broadcasts_as_said(api: Api) -> None:
    faults(api, busy=2)
    signed = order(api)
    for _ in range(2):
        answer = broadcast(api, signed)
        assert answer["code"] == "SERVER_BUSY"
        assert bytes.fromhex(answer["message"]) == b"Server busy."
        assert not api.chain.ledger.pending()
    assert broadcast(api, signed)["result"] is True


def test_a_forgetful_node_says_yes_and_takes_nothing(api: Api) -> None:
    faults(api, lose=1)
    signed = order(api)
    assert broadcast(api, signed) == {"result": True, "txid": signed.txid.hex()}
    api.chain.ledger.seal()
    assert info(api, signed) == {}
    assert api.wallet("gettransactionbyid", value=signed.txid.hex()) == {}
    assert broadcast(api, signed)["result"] is True
    api.chain.ledger.seal()
    assert info(api, signed)["receipt"]["result"] == "SUCCESS"


def test_a_node_can_take_a_transaction_and_call_it_a_duplicate(api: Api) -> None:
    faults(api, duplicate=1)
    signed = order(api)
    assert broadcast(api, signed)["code"] == "DUP_TRANSACTION_ERROR"
    api.chain.ledger.seal()
    assert info(api, signed)["receipt"]["result"] == "SUCCESS"


@pytest.mark.parametrize(("knob", "status"), [("throttle", 429), ("broken", 503)])
def test_a_node_can_refuse_requests_by_status(api: Api, knob: str, status: int) -> None:
    faults(api, **{knob: 1})
    assert api.client.get("/wallet/getnowblock").status_code == status
    assert api.client.get("/wallet/getnowblock").status_code == 200


def test_always_is_always_until_it_is_turned_off(api: Api) -> None:
    faults(api, throttle=-1)
    assert [api.client.get("/healthcheck").status_code for _ in range(3)] == [429] * 3
    faults(api, throttle=0)
    assert api.client.get("/healthcheck").status_code == 200


def test_a_slow_node_answers_all_the_same(api: Api) -> None:
    faults(api, slow_ms=1)
    assert api.client.get("/healthcheck").text == "OK"


def test_a_node_that_lies_about_balances_is_alone_with_it(api: Api) -> None:
    ask = {"address": ALICE.address.hex()}
    call = {
        "owner_address": ALICE.address.hex(),
        "contract_address": api.chain.usdt.hex(),
        "function_selector": "balanceOf(address)",
        "parameter": abi.encode("(address)", (ALICE.address,)).hex(),
    }
    other = sibling(api)
    faults(api, lie=["balance"])
    honest = other.post("/wallet/getaccount", json=ask).json()["balance"]
    assert honest == api.chain.account(ALICE.address).balance
    assert api.wallet("getaccount", **ask)["balance"] == honest + 10**12
    assert int(api.wallet("triggerconstantcontract", **call)["constant_result"][0], 16) == 1_000_000 + 10**12
    assert (
        int(other.post("/wallet/triggerconstantcontract", json=call).json()["constant_result"][0], 16)
        == 10**6
    )
    decimals = call | {"function_selector": "decimals()", "parameter": ""}
    assert int(api.wallet("triggerconstantcontract", **decimals)["constant_result"][0], 16) == 6


def test_a_node_that_lies_about_txids_does_so_wherever_it_names_one(api: Api) -> None:
    faults(api, lie=["txid"])
    signed = order(api)
    assert broadcast(api, signed)["txid"] != signed.txid.hex()
    built = api.wallet(
        "createtransaction", owner_address=ALICE.address.hex(), to_address=BOB.address.hex(), amount=5
    )
    true_id = sha256(bytes.fromhex(built["raw_data_hex"])).hexdigest()
    assert built["txID"] != true_id
    weight = api.wallet("getsignweight", raw_data=built["raw_data"])
    assert weight["transaction"]["transaction"]["txID"] != true_id


def test_a_forged_receipt_claims_success_for_what_was_lost(api: Api) -> None:
    faults(api, lose=1, lie=["receipt"])
    signed = order(api, 77)
    broadcast(api, signed)
    forged = info(api, signed)
    assert forged["receipt"]["result"] == "SUCCESS"
    assert int(forged["log"][0]["data"], 16) == 77
    assert api.wallet("gettransactionbyid", value=signed.txid.hex())["ret"] == [{"contractRet": "SUCCESS"}]
    honest = sibling(api)
    assert honest.post("/wallet/gettransactioninfobyid", json={"value": signed.txid.hex()}).json() == {}
    assert info(api, order(api, 78)) == {}


def test_a_forged_receipt_claims_success_for_what_failed_and_leaves_the_true_ones(api: Api) -> None:
    failed = api.chain.invoke(ALICE.key, api.chain.usdt, TRANSFER, BOB.address, 10**9)
    true = api.chain.invoke(ALICE.key, api.chain.usdt, TRANSFER, BOB.address, 1)
    before = info(api, true.signed)
    faults(api, lie=["receipt"])
    assert info(api, failed.signed)["receipt"]["result"] == "SUCCESS"
    assert info(api, true.signed) == before
    plain = api.chain.signed(c.TransferContract(ALICE.address, BOB.address, 1), ALICE.key)
    api.node.faults.lost[plain.txid] = plain
    assert "log" not in info(api, plain)


def test_a_nodes_solid_head_can_lag_behind_the_others(api: Api) -> None:
    for _ in range(5):
        api.chain.ledger.seal()
    other = sibling(api)
    faults(api, solid_lag=3)
    mine = api.solid("getnowblock")["block_header"]["raw_data"]["number"]
    theirs = other.post("/walletsolidity/getnowblock", json={}).json()["block_header"]["raw_data"]["number"]
    assert theirs - mine == 3


def test_the_operator_is_never_disturbed(api: Api) -> None:
    faults(api, throttle=-1, broken=-1)
    assert api.client.get("/admin/state").status_code == 200


def test_a_wrong_knob_turns_nothing(api: Api) -> None:
    assert api.client.post("/admin/faults", json={"busy": 1, "nonsense": 1}).status_code == 400
    assert api.client.get("/admin/state").json()["faults"]["busy"] == 0
