"""The HTTP API, endpoint by endpoint, through the application without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from devnet_chain import ALICE, BOB, CAROL, TRANSFER, Api, Chain

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.json import signed_to_json
from lucid_tron.contracts import artefact
from lucid_tron.devnet.accounts import SUN

ENERGY = c.ResourceCode.ENERGY


@pytest.fixture
def api() -> Api:
    chain = Chain(options={"solid_lag": 2})
    chain.give(ALICE.address, trx=10_000 * SUN, usdt=1_000_000)
    chain.give(BOB.address, trx=10_000 * SUN)
    return Api(chain)


def test_health(api: Api) -> None:
    assert api.client.get("/healthcheck").text == "OK"


def test_blocks_are_found_by_number_id_range_and_count(api: Api) -> None:
    head = api.wallet("getnowblock")
    number, block_id = head["block_header"]["raw_data"]["number"], head["blockID"]
    assert api.wallet("getblockbynum", num=number) == head
    assert api.wallet("getblockbyid", value=block_id) == head
    assert api.wallet("getblock", id_or_num=str(number), detail=True) == head
    assert api.wallet("getblock", id_or_num=block_id)["blockID"] == block_id
    assert "transactions" not in api.wallet("getblock")
    assert api.wallet("getblockbylimitnext", startNum=number - 1, endNum=number + 1)["block"][1] == head
    assert api.wallet("getblockbylatestnum", num=2)["block"][-1] == head
    assert api.wallet("gettransactioncountbyblocknum", num=number) == {"count": len(head["transactions"])}
    infos = api.wallet("gettransactioninfobyblocknum", num=number)
    assert [each["id"] for each in infos] == [each["txID"] for each in head["transactions"]]


def test_what_is_not_there_is_an_empty_object(api: Api) -> None:
    for name, body in (
        ("getblockbynum", {"num": 10**6}),
        ("getblockbyid", {"value": "00" * 32}),
        ("getblock", {"id_or_num": "00" * 32}),
        ("getblockbylimitnext", {"startNum": 5, "endNum": 5}),
        ("getblockbylimitnext", {"startNum": 0, "endNum": 101}),
        ("getblockbylimitnext", {"startNum": 10**6, "endNum": 10**6 + 1}),
        ("getblockbylatestnum", {"num": 0}),
        ("gettransactionbyid", {"value": "00" * 32}),
        ("gettransactioninfobyid", {"value": "00" * 32}),
        ("gettransactionfrompending", {"value": "00" * 32}),
        ("getaccount", {"address": CAROL.address.hex()}),
        ("getaccountresource", {"address": CAROL.address.hex()}),
        ("getcontract", {"value": CAROL.address.hex()}),
        ("getcontractinfo", {"value": CAROL.address.hex()}),
        ("getcandelegatedmaxsize", {"owner_address": CAROL.address.hex(), "type": 1}),
        ("getavailableunfreezecount", {"owner_address": CAROL.address.hex()}),
        ("getdelegatedresourcev2", {"fromAddress": ALICE.address.hex(), "toAddress": BOB.address.hex()}),
    ):
        assert api.wallet(name, **body) == {}, name
    assert api.wallet("gettransactioncountbyblocknum", num=10**6) == {"count": -1}
    assert api.wallet("gettransactioninfobyblocknum", num=10**6) == []
    assert api.wallet("getaccountbalance", address=CAROL.address.hex()) == {"balance": 0}


def test_addresses_are_shown_as_asked(api: Api) -> None:
    plain = api.wallet("getaccount", address=ALICE.address.hex())
    visible = api.wallet("getaccount", address=ALICE.address.base58, visible=True)
    assert plain["address"] == ALICE.address.hex()
    assert visible["address"] == ALICE.address.base58
    assert plain["balance"] == visible["balance"]
    by_get = api.client.get(f"/wallet/getaccount?address={ALICE.address.base58}&visible=true").json()
    assert by_get == visible


def test_a_transaction_is_pending_then_mined_then_solid(api: Api) -> None:
    built = api.wallet(
        "createtransaction", owner_address=ALICE.address.hex(), to_address=CAROL.address.hex(), amount=5
    )
    answer = api.broadcast(built, ALICE)
    assert answer == {"result": True, "txid": built["txID"]}
    ask = {"value": built["txID"]}
    assert api.wallet("getpendingsize") == {"pendingTransactionSize": 1}
    assert api.wallet("gettransactionlistfrompending") == {"txId": [built["txID"]]}
    assert api.wallet("gettransactionfrompending", **ask)["txID"] == built["txID"]
    assert api.wallet("gettransactionbyid", **ask)["raw_data"] == built["raw_data"]
    assert api.wallet("gettransactioninfobyid", **ask) == {}
    assert api.wallet("getaccount", address=CAROL.address.hex())["balance"] == 5
    assert api.solid("getaccount", address=CAROL.address.hex()) == {}
    api.chain.ledger.seal()
    info = api.wallet("gettransactioninfobyid", **ask)
    assert info["fee"] == 1_100_000
    assert info["receipt"] == {"net_fee": 100_000}
    assert api.solid("gettransactioninfobyid", **ask) == {}
    api.chain.ledger.seal()
    api.chain.ledger.seal()
    assert api.solid("gettransactioninfobyid", **ask) == info
    assert api.solid("gettransactionbyid", **ask)["ret"] == [{"contractRet": "SUCCESS"}]
    assert api.solid("getaccount", address=CAROL.address.hex())["balance"] == 5


def test_instant_nodes_seal_every_transaction() -> None:
    api = Api(Chain(), instant=True)
    sent = api.post("/admin/faucet", address=ALICE.address.base58, trx=SUN, usdt=5)
    assert len(sent["transactions"]) == 2
    assert api.wallet("getpendingsize") == {"pendingTransactionSize": 0}


def test_refusals_carry_code_txid_and_words(api: Api) -> None:
    built = api.wallet(
        "createtransaction", owner_address=ALICE.address.hex(), to_address=CAROL.address.hex(), amount=5
    )
    answer = api.broadcast(built, BOB)
    assert (answer["code"], answer["txid"]) == ("SIGERROR", built["txID"])
    assert bytes.fromhex(answer["message"]).decode().startswith("Validate signature error: ")
    assert "result" not in answer
    shown = api.wallet("broadcasttransaction", **api.sign(built, ALICE) | {"signature": []})
    assert shown["code"] == "SIGERROR"


def test_transactions_can_come_as_hex(api: Api) -> None:
    signed = api.chain.signed(c.TransferContract(ALICE.address, CAROL.address, 5), ALICE.key)
    answer = api.wallet("broadcasthex", transaction=transaction.encode_signed(signed).hex())
    assert answer == {"result": True, "txid": signed.txid.hex()}


def test_nonsense_is_an_error_object_and_never_a_trace(api: Api) -> None:
    for name, body in (
        ("broadcasttransaction", {}),
        ("broadcasttransaction", {"raw_data": {"contract": []}}),
        ("broadcasthex", {"transaction": "zz"}),
        ("broadcasthex", {"transaction": "0102"}),
        ("getaccount", {}),
        ("getaccount", {"address": "Tnonsense"}),
        ("getblockbynum", {"num": "x"}),
        ("createtransaction", {"owner_address": ALICE.address.hex()}),
        ("triggersmartcontract", {"contract_address": api.chain.usdt.hex()}),
        ("deploycontract", {"owner_address": ALICE.address.hex()}),
        ("getassetissuelist", {}),
    ):
        answer = api.wallet(name, **body)
        assert set(answer) == {"Error"}, (name, answer)
        assert "Traceback" not in answer["Error"]
    for raw in (b"{", b"[1]", b"[" * 100_000, b"x" * (2 * 1024 * 1024 + 1)):
        assert "Error" in api.client.post("/wallet/getnowblock", content=raw).json()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("freezebalancev2", {"frozen_balance": 5 * SUN, "resource": "ENERGY"}),
        ("votewitnessaccount", None),
        ("delegateresource", {"receiver_address": BOB.address.hex(), "balance": SUN, "resource": "ENERGY"}),
        ("undelegateresource", {"receiver_address": BOB.address.hex(), "balance": SUN, "resource": "ENERGY"}),
        ("unfreezebalancev2", {"unfreeze_balance": SUN, "resource": "ENERGY"}),
        ("cancelallunfreezev2", {}),
    ],
)
def test_the_node_builds_every_stake_order(api: Api, name: str, fields: dict[str, Any] | None) -> None:
    prepare(api)
    if fields is None:
        witness = api.wallet("listwitnesses")["witnesses"][0]["address"]
        fields = {"votes": [{"vote_address": witness, "vote_count": 7}]}
    built = api.wallet(name, owner_address=ALICE.address.hex(), **fields)
    assert api.broadcast(built, ALICE)["result"] is True


def prepare(api: Api) -> None:
    """Alice has staked 100 TRX, lent 10 to Bob, and is taking 5 back."""
    chain = api.chain
    chain.send(c.FreezeBalanceV2Contract(ALICE.address, 100 * SUN, ENERGY), ALICE.key)
    chain.send(c.DelegateResourceContract(ALICE.address, BOB.address, 10 * SUN, ENERGY), ALICE.key)
    chain.send(c.DelegateResourceContract(ALICE.address, BOB.address, 3 * SUN, ENERGY, True, 100), ALICE.key)
    chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, 5 * SUN, ENERGY), ALICE.key)


def test_stakes_loans_and_power_can_be_read(api: Api) -> None:
    prepare(api)
    holder = api.wallet("getaccount", address=ALICE.address.hex())
    assert holder["frozenV2"] == [{}, {"type": "ENERGY", "amount": 82 * SUN}, {"type": "TRON_POWER"}]
    assert holder["unfrozenV2"][0]["unfreeze_amount"] == 5 * SUN
    assert holder["account_resource"]["delegated_frozenV2_balance_for_energy"] == 13 * SUN
    resource = api.wallet("getaccountresource", address=ALICE.address.hex())
    assert resource["tronPowerLimit"] == 95
    assert resource["EnergyLimit"] > 0
    net = api.wallet("getaccountnet", address=ALICE.address.hex())
    assert "freeNetLimit" in net
    assert not any("nergy" in key for key in net)
    free, locked = api.wallet(
        "getdelegatedresourcev2", fromAddress=ALICE.address.hex(), toAddress=BOB.address.hex()
    )["delegatedResource"]
    assert free["frozen_balance_for_energy"] == 10 * SUN
    assert locked["frozen_balance_for_energy"] == 3 * SUN
    assert locked["expire_time_for_energy"] > 0
    index = api.wallet("getdelegatedresourceaccountindexv2", value=ALICE.address.hex())
    assert index["toAccounts"] == [BOB.address.hex()]
    assert api.wallet("getdelegatedresourceaccountindexv2", value=BOB.address.hex())["fromAccounts"] == [
        ALICE.address.hex()
    ]
    most = api.wallet("getcandelegatedmaxsize", owner_address=ALICE.address.hex(), type=1)
    assert most == {"max_size": 82 * SUN}
    assert api.wallet("getavailableunfreezecount", owner_address=ALICE.address.hex()) == {"count": 31}
    later = holder["unfrozenV2"][0]["unfreeze_expire_time"]
    ask = {"owner_address": ALICE.address.hex()}
    assert api.wallet("getcanwithdrawunfreezeamount", **ask, timestamp=later) == {"amount": 5 * SUN}
    assert api.wallet("getcanwithdrawunfreezeamount", **ask) == {}
    assert api.wallet("getReward", address=ALICE.address.hex()) == {"reward": 0}
    assert api.wallet("getBrokerage", address=ALICE.address.hex()) == {"brokerage": 20}


def test_withdrawals_and_permissions_are_built_too(api: Api) -> None:
    prepare(api)
    witness = Address.parse(api.wallet("listwitnesses")["witnesses"][0]["address"])
    api.chain.send(c.VoteWitnessContract(ALICE.address, (c.Vote(witness, 80),)), ALICE.key)
    api.post("/admin/advance", seconds=15 * 86_400)
    for name in ("withdrawexpireunfreeze", "withdrawbalance"):
        built = api.wallet(name, owner_address=ALICE.address.hex())
        assert api.broadcast(built, ALICE)["result"] is True, name
    key = {"address": BOB.address.hex(), "weight": 1}
    built = api.wallet(
        "accountpermissionupdate",
        owner_address=ALICE.address.hex(),
        owner={"permission_name": "o", "threshold": 1, "keys": [key]},
        actives=[
            {"type": 2, "permission_name": "a", "threshold": 1, "operations": "7f" * 32, "keys": [key]},
        ],
    )
    assert api.broadcast(built, ALICE)["result"] is True
    assert api.wallet("getaccount", address=ALICE.address.hex())["owner_permission"]["keys"] == [key]


def test_sign_weight_names_permission_signers_and_what_is_missing(api: Api) -> None:
    built = api.wallet(
        "createtransaction", owner_address=ALICE.address.hex(), to_address=CAROL.address.hex(), amount=5
    )
    empty = api.wallet("getsignweight", **built)
    assert empty["result"] == {"code": "NOT_ENOUGH_PERMISSION"}
    assert empty["transaction"]["transaction"]["txID"] == built["txID"]
    assert empty["permission"]["keys"] == [{"address": ALICE.address.hex(), "weight": 1}]
    full = api.wallet("getsignweight", **api.sign(built, ALICE))
    assert (full["result"], full["current_weight"]) == ({}, 1)
    assert full["approved_list"] == [ALICE.address.hex()]
    assert api.wallet("getapprovedlist", **api.sign(built, ALICE))["approved_list"] == [ALICE.address.hex()]
    wrong = api.wallet("getsignweight", **api.sign(built, BOB))
    assert wrong["result"]["code"] == "PERMISSION_ERROR"
    assert api.wallet("getapprovedlist", **api.sign(built, BOB))["result"]["code"] == "PERMISSION_ERROR"
    stranger = api.wallet(
        "createtransaction", owner_address=CAROL.address.hex(), to_address=BOB.address.hex(), amount=5
    )
    assert api.wallet("getsignweight", **stranger)["result"]["message"] == "Account does not exist!"


def test_constant_calls_answer_and_change_nothing(api: Api) -> None:
    ask = {
        "owner_address": ALICE.address.hex(),
        "contract_address": api.chain.usdt.hex(),
        "function_selector": "balanceOf(address)",
        "parameter": abi.encode("(address)", (ALICE.address,)).hex(),
    }
    answer = api.wallet("triggerconstantcontract", **ask)
    assert int(answer["constant_result"][0], 16) == 1_000_000
    assert answer["result"] == {"result": True}
    assert answer["energy_used"] > answer["energy_penalty"] > 0
    transfer = ask | {
        "function_selector": TRANSFER,
        "parameter": abi.encode("(address,uint256)", (BOB.address, 5)).hex(),
    }
    moved = api.wallet("triggerconstantcontract", **transfer)
    assert len(moved["logs"]) == 1
    assert api.chain.usdt_of(BOB.address) == 0
    required = api.wallet("estimateenergy", **transfer)["energy_required"]
    assert required == moved["energy_used"]
    entry = api.chain.invoke(ALICE.key, api.chain.usdt, TRANSFER, BOB.address, 5, fee_limit=required * 100)
    assert (entry.effect.result, entry.effect.energy_total) == ("SUCCESS", required)


def test_a_constant_call_that_reverts_says_so(api: Api) -> None:
    ask = {
        "owner_address": CAROL.address.hex(),
        "contract_address": api.chain.usdt.hex(),
        "data": abi.encode_call(TRANSFER, BOB.address, 5).hex(),
    }
    answer = api.wallet("triggerconstantcontract", **ask)
    assert answer["transaction"]["ret"] == [{"ret": "FAILED"}]
    assert bytes.fromhex(answer["result"]["message"]) == b"REVERT opcode executed"
    assert (
        api.wallet("triggerconstantcontract", **ask, visible=True)["result"]["message"]
        == "REVERT opcode executed"
    )
    assert api.wallet("estimateenergy", **ask)["result"]["code"] == "CONTRACT_EXE_ERROR"
    nobody = ask | {"contract_address": CAROL.address.hex()}
    for name in ("triggerconstantcontract", "estimateenergy", "triggersmartcontract"):
        assert api.wallet(name, **nobody)["result"]["code"] == "CONTRACT_VALIDATE_ERROR"


def test_a_failing_run_other_than_a_revert_is_an_execution_error(api: Api) -> None:
    code = bytes.fromhex("5b600056")
    spins = api.chain.deploy(bytes.fromhex(f"60{len(code):02x}600c60003960{len(code):02x}6000f3") + code)
    small = {"owner_address": ALICE.address.hex(), "contract_address": spins.hex(), "call_value": 1}
    from lucid_tron.devnet.api import contracts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contracts, "MAX_CONSTANT_ENERGY", 10_000)
        answer = api.wallet("triggerconstantcontract", **small)
    assert answer["result"]["code"] == "CONTRACT_EXE_ERROR"


def test_a_call_is_built_signed_and_carried_out(api: Api) -> None:
    built = api.wallet(
        "triggersmartcontract",
        owner_address=ALICE.address.hex(),
        contract_address=api.chain.usdt.hex(),
        function_selector=TRANSFER,
        parameter=abi.encode("(address,uint256)", (BOB.address, 5)).hex(),
        fee_limit=100 * SUN,
        extra_data=b"for tea".hex(),
    )["transaction"]
    assert built["raw_data"]["data"] == b"for tea".hex()
    assert api.broadcast(built, ALICE)["result"] is True
    api.chain.ledger.seal()
    info = api.wallet("gettransactioninfobyid", value=built["txID"])
    assert info["receipt"]["result"] == "SUCCESS"
    assert info["log"][0]["address"] == api.chain.usdt.evm.hex()
    assert int(info["log"][0]["data"], 16) == 5
    assert info["contract_address"] == api.chain.usdt.hex()
    failed = api.chain.invoke(ALICE.key, api.chain.usdt, TRANSFER, BOB.address, 10**9)
    info = api.wallet("gettransactioninfobyid", value=failed.txid.hex())
    assert (info["result"], info["receipt"]["result"]) == ("FAILED", "REVERT")
    assert bytes.fromhex(info["resMessage"]) == b"REVERT opcode executed"


def test_a_contract_is_deployed_and_shown(api: Api) -> None:
    token = artefact("DevnetUSDT")
    built = api.wallet(
        "deploycontract",
        owner_address=ALICE.address.hex(),
        abi=json.dumps(token.abi),
        bytecode=token.bytecode.hex(),
        parameter=abi.encode("(uint256,string,string,uint8)", (5, "Coin", "C", 2)).hex(),
        name="Coin",
        fee_limit=1_000 * SUN,
    )
    assert api.broadcast(built, ALICE)["result"] is True
    address = Address.of_contract(bytes.fromhex(built["txID"]), ALICE.address)
    shown = api.wallet("getcontract", value=address.hex())
    assert shown["name"] == "Coin"
    assert shown["origin_address"] == ALICE.address.hex()
    assert any(each.get("name") == "transfer" for each in shown["abi"]["entrys"])
    info = api.wallet("getcontractinfo", value=api.chain.usdt.hex())
    assert info["contract_state"] == {"energy_factor": 34_000}
    assert len(info["runtimecode"]) == 2 * len(token.runtime)


def test_what_deploying_would_cost_can_be_asked(api: Api) -> None:
    answer = api.wallet(
        "triggerconstantcontract", owner_address=ALICE.address.hex(), data="6001600c60003960016000f300"
    )
    assert answer["energy_used"] > 200


def test_the_chain_says_what_it_charges(api: Api) -> None:
    listed = {each["key"]: each.get("value") for each in api.wallet("getchainparameters")["chainParameter"]}
    assert listed["getEnergyFee"] == 100
    assert listed["getAllowAdaptiveEnergy"] is None
    assert api.wallet("getenergyprices") == {"prices": "0:100"}
    assert api.wallet("getbandwidthprices") == {"prices": "0:1000"}
    assert api.wallet("getmemofee") == {"prices": "0:1000000"}
    assert api.wallet("getburntrx")["burnTrxAmount"] > 0
    assert api.wallet("getnextmaintenancetime")["num"] > api.chain.now
    assert api.wallet("listnodes") == {"nodes": []}
    info = api.wallet("getnodeinfo")
    assert info["block"].startswith("Num:")
    assert api.wallet("validateaddress", address=ALICE.address.base58)["result"] is True
    assert api.wallet("validateaddress", address=ALICE.address.hex())["result"] is True
    assert api.wallet("validateaddress", address="T" + "1" * 33)["result"] is False


# -- the operator's hand


def test_the_operator_mines_advances_and_sets(api: Api) -> None:
    head = api.client.get("/admin/state").json()["head"]
    assert api.post("/admin/mine", blocks=3)["head"] == head + 3
    before = api.wallet("getnowblock")["block_header"]["raw_data"]["timestamp"]
    api.post("/admin/advance", seconds=60)
    after = api.wallet("getnowblock")["block_header"]["raw_data"]["timestamp"]
    assert after - before >= 59_000
    api.post("/admin/parameters", getEnergyFee=210, solid_lag=0, unfreeze_delay_ms=5)
    assert api.wallet("getenergyprices") == {"prices": "0:210"}
    state = api.client.get("/admin/state").json()
    assert state["solid"] == state["head"]
    api.post("/admin/energy-factor", contract=api.chain.usdt.base58, factor=0)
    assert api.wallet("getcontractinfo", value=api.chain.usdt.hex())["contract_state"] == {}


def test_the_operator_forks_the_chain(api: Api) -> None:
    entry = api.chain.send(c.TransferContract(ALICE.address, CAROL.address, 5), ALICE.key)
    answer = api.post("/admin/reorg", blocks=1, transactions="lost")
    assert answer["transactions"] == [entry.txid.hex()]
    assert api.wallet("gettransactionbyid", value=entry.txid.hex()) == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("mine", {"blocks": 0}),
        ("mine", {"blocks": "x"}),
        ("advance", {"seconds": 0}),
        ("advance", {}),
        ("reorg", {"transactions": "eaten"}),
        ("faults", {"nonsense": 1}),
        ("faults", {"busy": "x"}),
        ("faults", {"busy": -2}),
        ("faults", {"lie": ["age"]}),
        ("parameters", {"getNonsense": 1}),
        ("parameters", {"getEnergyFee": "x"}),
        ("energy-factor", {"contract": ALICE.address.hex(), "factor": 1}),
        ("energy-factor", {"contract": ALICE.address.hex(), "factor": -1}),
        ("faucet", {"address": "T"}),
        ("faucet", {"address": ALICE.address.hex(), "trx": 10**18}),
    ],
)
def test_what_the_operator_cannot_do_is_said(api: Api, path: str, body: dict[str, Any]) -> None:
    answer = api.client.post(f"/admin/{path}", json=body)
    assert answer.status_code in (400, 409)
    assert answer.json()["error"]


def test_signed_json_of_our_codec_is_taken(api: Api) -> None:
    signed = api.chain.signed(c.TransferContract(ALICE.address, CAROL.address, 5), ALICE.key)
    assert api.wallet("broadcasttransaction", **signed_to_json(signed, visible=True))["result"] is True
