"""Unmodified tronpy drives the devnet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from devnet_chain import ALICE, BOB, CAROL, Person
from tronpy import Tron
from tronpy.contract import Contract
from tronpy.exceptions import (
    BadSignature,
    TaposError,
    TransactionError,
    TvmError,
    UnknownError,
    ValidationError,
)
from tronpy.keys import PrivateKey
from tronpy.providers import HTTPProvider

from lucid_tron.contracts import artefact
from lucid_tron.devnet.accounts import SUN

pytestmark = pytest.mark.real


class Tronpy:
    """tronpy at a devnet, with the faucet's key."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.tron = Tron(HTTPProvider(facts["url"]), conf={"fee_limit": 1_000 * SUN})
        self.key = PrivateKey(bytes.fromhex(facts["faucet"]["private_key"]))
        self.address: str = facts["faucet"]["address"]
        self.usdt = self.tron.get_contract(facts["usdt"])

    def fund(self, person: Person, trx: int = 20_000 * SUN, usdt: int = 0) -> None:
        self.admin("faucet", address=str(person.address), trx=trx, usdt=usdt)

    def admin(self, path: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.facts['url']}/admin/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, builder: Any, *keys: PrivateKey) -> dict[str, Any]:
        transaction = builder.build()
        for key in keys or (self.key,):
            transaction = transaction.sign(key)
        info: dict[str, Any] = transaction.broadcast().wait(timeout=10, interval=0.01, solid=True)
        return info


def key_of(person: Person) -> PrivateKey:
    return PrivateKey(person.key.secret)


@pytest.fixture(scope="module")
def net(devnet: dict[str, Any]) -> Iterator[Tronpy]:
    net = Tronpy(devnet)
    net.fund(ALICE, usdt=1_000_000)
    yield net
    net.tron.provider.sess.close()


def test_balances_blocks_and_parameters(net: Tronpy) -> None:
    assert net.tron.get_account_balance(str(ALICE.address)) == 20_000
    assert net.tron.get_latest_block_number() == net.tron.get_latest_solid_block_number()
    assert net.tron.get_block(1)["block_header"]["raw_data"]["number"] == 1
    assert {"key": "getEnergyFee", "value": 100} in net.tron.get_chain_parameters()
    assert len(net.tron.list_witnesses()) == 27


def test_trx_is_sent_with_a_memo(net: Tronpy) -> None:
    before = net.tron.get_account_balance(str(ALICE.address))
    info = net.send(net.tron.trx.transfer(net.address, str(ALICE.address), 5 * SUN).memo("for tea"))
    assert "result" not in info
    assert net.tron.get_account_balance(str(ALICE.address)) == before + 5
    shown = net.tron.get_transaction(info["id"])
    assert bytes.fromhex(shown["raw_data"]["data"]) == b"for tea"


def test_usdt_is_transferred_approved_and_spent(net: Tronpy) -> None:
    alice, address = key_of(ALICE), str(ALICE.address)
    net.fund(BOB)
    info = net.send(net.usdt.functions.transfer(str(BOB.address), 300).with_owner(address), alice)
    assert info["receipt"]["result"] == "SUCCESS"
    assert info["contractResult"] == ["00" * 32]
    assert net.usdt.functions.balanceOf(str(BOB.address)) == 300
    net.send(net.usdt.functions.approve(str(BOB.address), 50).with_owner(address), alice)
    assert net.usdt.functions.allowance(address, str(BOB.address)) == 50
    spend = net.usdt.functions.transferFrom(address, str(CAROL.address), 50).with_owner(str(BOB.address))
    net.send(spend, key_of(BOB))
    assert net.usdt.functions.balanceOf(str(CAROL.address)) == 50


def test_the_default_fee_limit_of_tronpy_is_too_low_for_a_new_holder(net: Tronpy) -> None:
    new = Person("somebody new")
    transaction = (
        net.usdt.functions.transfer(str(new.address), 1).with_owner(str(ALICE.address)).fee_limit(10 * SUN)
    )
    sent = transaction.build().sign(key_of(ALICE)).broadcast()
    info = sent.wait(interval=0.01)
    assert (info["result"], info["receipt"]["result"]) == ("FAILED", "OUT_OF_ENERGY")
    assert info["receipt"]["energy_fee"] == 10 * SUN
    with pytest.raises(TvmError):
        sent.result(interval=0.01)


def test_a_revert_is_told(net: Tronpy) -> None:
    transaction = net.usdt.functions.transfer(str(BOB.address), 10**15).with_owner(str(ALICE.address))
    info = transaction.build().sign(key_of(ALICE)).broadcast().wait(interval=0.01)
    assert (info["receipt"]["result"], info["resMessage"]) == ("REVERT", "REVERT opcode executed")


def test_stake_lend_take_back_and_withdraw(net: Tronpy) -> None:
    trx, alice, address, bob = net.tron.trx, key_of(ALICE), str(ALICE.address), str(BOB.address)
    net.send(trx.freeze_balance(address, 1_000 * SUN, "ENERGY"), alice)
    net.send(trx.delegate_resource(address, bob, 400 * SUN, "ENERGY"), alice)
    (loan,) = net.tron.get_delegated_resource_v2(address, bob)["delegatedResource"]
    assert loan["frozen_balance_for_energy"] == 400 * SUN
    assert net.tron.get_account_resource(bob)["EnergyLimit"] > 0
    net.send(trx.undelegate_resource(address, bob, 400 * SUN, "ENERGY"), alice)
    witness = net.tron.list_witnesses()[0]["address"]
    net.send(trx.vote_witness(address, (witness, 900)), alice)
    net.send(trx.unfreeze_balance(address, "ENERGY", unfreeze_balance=100 * SUN), alice)
    net.admin("advance", seconds=31)
    info = net.send(trx.withdraw_stake_balance(address), alice)
    assert info["withdraw_expire_amount"] == 100 * SUN


def test_rewards_are_withdrawn(net: Tronpy) -> None:
    dave = Person("dave the voter")
    net.fund(dave, trx=2_000_000 * SUN)
    trx, address = net.tron.trx, str(dave.address)
    net.send(trx.freeze_balance(address, 1_000_000 * SUN, "BANDWIDTH"), key_of(dave))
    net.send(trx.vote_witness(address, (net.tron.list_witnesses()[0]["address"], 1_000_000)), key_of(dave))
    net.admin("advance", seconds=15)
    info = net.send(trx.withdraw_rewards(address), key_of(dave))
    assert info["withdraw_amount"] > 0


def test_a_contract_is_deployed_and_called(net: Tronpy) -> None:
    token = artefact("DevnetUSDT")
    arguments = bytes.fromhex("05".zfill(64)) + bytes.fromhex("80".zfill(64)) + bytes.fromhex("c0".zfill(64))
    arguments += bytes.fromhex("02".zfill(64))
    for word in (b"Coin", b"C"):
        arguments += len(word).to_bytes(32, "big") + word.ljust(32, b"\x00")
    new = Contract(
        name="Coin", bytecode=(token.bytecode + arguments).hex(), abi=token.abi, owner_address=net.address
    )
    info = net.send(net.tron.trx.deploy_contract(net.address, new))
    coin = net.tron.get_contract(info["contract_address"])
    assert (coin.name, coin.functions.symbol(), coin.functions.totalSupply()) == ("Coin", "C", 5)


def test_two_signers_of_an_active_permission(net: Tronpy) -> None:
    owner = Person("shared account")
    net.fund(owner)
    permission = net.tron.get_account_permission(str(owner.address))
    permission["actives"][0]["keys"] = [
        {"address": str(BOB.address), "weight": 1},
        {"address": str(CAROL.address), "weight": 1},
    ]
    permission["actives"][0]["threshold"] = 2
    net.send(net.tron.trx.account_permission_update(str(owner.address), permission), key_of(owner))
    transfer = net.tron.trx.transfer(str(owner.address), str(ALICE.address), 1).permission_id(2)
    half = transfer.build().sign(key_of(BOB))
    assert net.tron.get_sign_weight(half)["current_weight"] == 1
    with pytest.raises(BadSignature):
        half.broadcast()
    info = net.send(transfer, key_of(BOB), key_of(CAROL))
    assert info["receipt"]


def test_refusals_reach_tronpy_as_its_own_errors(net: Tronpy) -> None:
    def transfer(amount: int = 1) -> Any:
        return net.tron.trx.transfer(net.address, str(ALICE.address), amount).build()

    done = transfer().sign(net.key)
    done.broadcast()
    with pytest.raises(UnknownError, match="DUP_TRANSACTION_ERROR"):
        done.broadcast()
    with pytest.raises(ValidationError, match="balance is not sufficient"):
        transfer(10**18).sign(net.key).broadcast()
    stranger = transfer(2)
    stranger._raw_data["ref_block_hash"] = "00" * 8
    stranger.txid = net.tron.get_sign_weight(stranger)["transaction"]["transaction"]["txID"]
    with pytest.raises(TaposError):
        stranger.sign(net.key).broadcast()
    late = net.tron.trx.transfer(net.address, str(ALICE.address), 3).expiration(500).build().sign(net.key)
    net.admin("advance", seconds=2)
    with pytest.raises(TransactionError):
        late.broadcast()
    wrong = transfer(4)
    wrong.set_signature([key_of(BOB).sign_msg_hash(bytes.fromhex(wrong.txid)).hex()])
    with pytest.raises(BadSignature):
        wrong.broadcast()
    net.admin("faults", busy=1)
    with pytest.raises(UnknownError, match="SERVER_BUSY"):
        transfer(5).sign(net.key).broadcast()


def test_energy_is_estimated(net: Tronpy) -> None:
    parameter = "0" * 24 + BOB.address.evm.hex() + "1".zfill(64)
    energy = net.tron.get_estimated_energy(
        str(ALICE.address), net.facts["usdt"], "transfer(address,uint256)", parameter
    )
    assert 64_285 <= energy <= 64_285 * 1.02
