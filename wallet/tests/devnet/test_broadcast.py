"""Which transactions are taken, and the code and words with which others are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from devnet_chain import ALICE, BOB, CAROL, FEE_LIMIT, TRANSFER, Chain

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import SignedTransaction
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import SUN
from lucid_tron.devnet.ledger import Refused


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.give(ALICE.address, trx=1_000 * SUN)
    return chain


def order(amount: int = 5, to: Address = BOB.address) -> c.TransferContract:
    return c.TransferContract(ALICE.address, to, amount)


def refusal(chain: Chain, signed: SignedTransaction) -> tuple[str, str]:
    before = dict(chain.ledger.amend().changes)
    with pytest.raises(Refused) as caught:
        chain.ledger.broadcast(signed)
    assert dict(chain.ledger.amend().changes) == before, "a refused transaction changed something"
    return caught.value.code, caught.value.message


def test_a_transfer_moves_trx_and_creates_its_recipient_for_1_1_trx(chain: Chain) -> None:
    entry = chain.send(order(), ALICE.key)
    assert chain.account(BOB.address).balance == 5
    assert entry.fee == 1_100_000
    assert entry.net_fee == 100_000
    assert chain.account(ALICE.address).balance == 1_000 * SUN - 5 - 1_100_000
    again = chain.send(order(6), ALICE.key)
    assert (again.fee, again.net_usage) == (0, len_with_result(again.signed))


def len_with_result(signed: SignedTransaction) -> int:
    from lucid_tron.codec.transaction import encode_signed

    return len(encode_signed(signed)) + 64


def test_a_block_that_is_not_ours_as_reference_is_a_tapos_error(chain: Chain) -> None:
    wrong_hash = chain.signed(order(), ALICE.key, ref_block_hash=b"\x00" * 8)
    not_there = chain.signed(order(), ALICE.key, ref_block_bytes=b"\xff\xff")
    for signed in (wrong_hash, not_there):
        assert refusal(chain, signed) == ("TAPOS_ERROR", "Tapos check error.")


def test_a_second_time_is_a_duplicate_before_and_after_it_is_sealed(chain: Chain) -> None:
    signed = chain.signed(order(), ALICE.key)
    chain.ledger.broadcast(signed)
    assert refusal(chain, signed)[0] == "DUP_TRANSACTION_ERROR"
    chain.ledger.seal()
    assert refusal(chain, signed) == ("DUP_TRANSACTION_ERROR", "Dup transaction.")
    assert chain.account(BOB.address).balance == 5


@pytest.mark.parametrize("after", [-1, 0, 86_400_001])
def test_expiration_is_after_the_head_and_within_a_day(chain: Chain, after: int) -> None:
    signed = chain.signed(order(), ALICE.key, expiration=chain.ledger.head.timestamp + after)
    assert refusal(chain, signed) == ("TRANSACTION_EXPIRATION_ERROR", "Transaction expired")


def test_signatures_must_be_there_and_the_owners(chain: Chain) -> None:
    signed = chain.signed(order(), ALICE.key)
    assert refusal(chain, replace(signed, signatures=()))[0] == "SIGERROR"
    code, words = refusal(chain, chain.signed(order(), BOB.key))
    assert code == "SIGERROR"
    assert "is not contained of permission" in words
    code, words = refusal(chain, chain.signed(order(), ALICE.key, ALICE.key))
    assert code == "SIGERROR"
    garbage = replace(signed, signatures=(b"\xff" * 64 + b"\x00",))
    assert refusal(chain, garbage)[0] == "SIGERROR"


@pytest.mark.parametrize(
    ("amount", "to", "words"),
    [
        (0, BOB.address, "Amount must be greater than 0."),
        (10**12, BOB.address, "balance is not sufficient"),
        (5, ALICE.address, "Cannot transfer TRX to yourself."),
    ],
)
def test_senseless_transfers_are_refused_in_java_trons_words(
    chain: Chain, amount: int, to: Address, words: str
) -> None:
    code, message = refusal(chain, chain.signed(order(amount, to), ALICE.key))
    assert code == "CONTRACT_VALIDATE_ERROR"
    assert words in message


def test_trx_cannot_be_sent_to_a_contract(chain: Chain) -> None:
    code, words = refusal(chain, chain.signed(order(5, chain.usdt), ALICE.key))
    assert (code, "Cannot transfer TRX to a smartContract." in words) == ("CONTRACT_VALIDATE_ERROR", True)


def test_an_account_that_is_not_there_cannot_act(chain: Chain) -> None:
    code, words = refusal(chain, chain.signed(c.TransferContract(CAROL.address, BOB.address, 1), CAROL.key))
    assert code == "CONTRACT_VALIDATE_ERROR"
    assert "does not exist" in words


def test_bandwidth_nobody_can_pay_is_a_bandwith_error(chain: Chain) -> None:
    chain.give(BOB.address, trx=10)
    chain.send(c.TransferContract(BOB.address, ALICE.address, 1), BOB.key)
    chain.send(c.TransferContract(BOB.address, ALICE.address, 2), BOB.key)
    poor = chain.signed(c.TransferContract(BOB.address, ALICE.address, 3), BOB.key)
    assert refusal(chain, poor) == ("BANDWITH_ERROR", "Account resource insufficient error.")


def test_a_transaction_above_500_kib_is_too_big(chain: Chain) -> None:
    big = chain.signed(order(), ALICE.key, data=b"\x00" * (500 * 1024))
    assert refusal(chain, big)[0] == "TOO_BIG_TRANSACTION_ERROR"


def test_bytes_that_are_no_transaction_are_refused(chain: Chain) -> None:
    assert refusal(chain, SignedTransaction(b"\x01\x02\x03", (b"\x00" * 65,)))[0] == "CONTRACT_VALIDATE_ERROR"


def test_a_memo_costs_a_trx(chain: Chain) -> None:
    chain.give(BOB.address, trx=1)
    plain = chain.send(order(), ALICE.key)
    noted = chain.send(order(), ALICE.key, data=b"invoice 7")
    assert noted.fee - plain.fee == SUN


def transfer_call(chain: Chain, **changes: Any) -> SignedTransaction:
    call = c.TriggerSmartContract(ALICE.address, chain.usdt, data=abi.encode_call(TRANSFER, BOB.address, 1))
    return chain.signed(call, ALICE.key, **changes)


def test_a_fee_limit_too_low_runs_out_of_energy_and_is_charged_in_full(chain: Chain) -> None:
    chain.give(ALICE.address, usdt=5)
    before = chain.account(ALICE.address).balance
    entry = chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1, fee_limit=3 * SUN)
    assert entry.effect.result == "OUT_OF_ENERGY"
    assert entry.effect.energy_fee == 3 * SUN
    assert entry.effect.energy_total == 30_000
    assert chain.account(ALICE.address).balance == before - entry.fee
    assert chain.usdt_of(ALICE.address) == 5


def test_fee_limit_caps_staked_energy_too(chain: Chain) -> None:
    chain.give(ALICE.address, trx=100_000_000 * SUN, usdt=5)
    chain.send(c.FreezeBalanceV2Contract(ALICE.address, 90_000_000 * SUN, c.ResourceCode.ENERGY), ALICE.key)
    short = chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1, fee_limit=3 * SUN)
    assert short.effect.result == "OUT_OF_ENERGY"
    assert (short.effect.energy_staked, short.effect.energy_fee) == (30_000, 0)
    full = chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1)
    assert full.effect.result == "SUCCESS"
    assert (full.effect.energy_staked, full.effect.energy_fee) == (full.effect.energy_total, 0)


@pytest.mark.parametrize("limit", [-1, 15_000_000_001])
def test_fee_limit_has_bounds(chain: Chain, limit: int) -> None:
    code, words = refusal(chain, transfer_call(chain, fee_limit=limit))
    assert code == "CONTRACT_VALIDATE_ERROR"
    assert "feeLimit must be >= 0 and <= 15000000000" in words


def test_calling_nobody_and_sending_tokens_along_is_refused(chain: Chain) -> None:
    for call, words in (
        (c.TriggerSmartContract(ALICE.address, BOB.address), "No contract or not a smart contract"),
        (c.TriggerSmartContract(ALICE.address, chain.usdt, call_value=10**12), "balance is not sufficient"),
        (c.TriggerSmartContract(ALICE.address, chain.usdt, call_value=-1), "callValue must be >= 0"),
        (c.TriggerSmartContract(ALICE.address, chain.usdt, token_id=1_000_001, call_token_value=1), "TRC-10"),
    ):
        code, message = refusal(chain, chain.signed(call, ALICE.key))
        assert code == "CONTRACT_VALIDATE_ERROR"
        assert words in message


def test_a_call_that_reverts_gives_its_value_back_and_keeps_the_fee(chain: Chain) -> None:
    order = c.TriggerSmartContract(
        ALICE.address, chain.usdt, call_value=7, data=abi.encode_call(TRANSFER, BOB.address, 1)
    )
    entry = chain.send(order, ALICE.key)
    assert entry.effect.result == "REVERT"
    assert chain.account(chain.usdt).balance == 0
    assert 0 < entry.fee < 20 * SUN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origin_address": BOB.address}, "OwnerAddress is not equals OriginAddress"),
        ({"name": "n" * 33}, "contractName's length"),
        ({"consume_user_resource_percent": 101}, "percent must be >= 0 and <= 100"),
        ({"origin_energy_limit": 0}, "The originEnergyLimit must be > 0"),
    ],
)
def test_senseless_deployments_are_refused(chain: Chain, changes: dict[str, Any], words: str) -> None:
    new = replace(c.SmartContract(ALICE.address, bytecode=b"\x00", origin_energy_limit=1), **changes)
    code, message = refusal(chain, chain.signed(c.CreateSmartContract(ALICE.address, new), ALICE.key))
    assert code == "CONTRACT_VALIDATE_ERROR"
    assert words in message


def test_a_contract_stands_where_the_txid_and_its_owner_say(chain: Chain) -> None:
    code = bytes.fromhex("6001600c60003960016000f3fe" + "00")
    address = chain.deploy(code, key=ALICE.key)
    block = chain.ledger.head
    assert address == Address.of_contract(block.entries[0].txid, ALICE.address)
    stored = accounts.contract(chain.ledger.state, address)
    assert stored is not None
    assert stored.origin == ALICE.address


def test_a_deployer_may_pay_a_share_of_its_callers_energy(chain: Chain) -> None:
    chain.give(ALICE.address, trx=2_000_000 * SUN)
    chain.give(BOB.address, trx=1_000 * SUN)
    chain.send(c.FreezeBalanceV2Contract(ALICE.address, 1_000_000 * SUN, c.ResourceCode.ENERGY), ALICE.key)
    store = "6001600055"  # 20,006 energy
    runtime = bytes.fromhex(store)
    creation = bytes.fromhex(f"60{len(runtime):02x}600c60003960{len(runtime):02x}6000f3") + runtime
    new = c.SmartContract(
        ALICE.address, bytecode=creation, consume_user_resource_percent=25, origin_energy_limit=10**7
    )
    deployed = chain.send(c.CreateSmartContract(ALICE.address, new), ALICE.key, fee_limit=FEE_LIMIT)
    assert deployed.effect.result == "SUCCESS"
    entry = chain.send(
        c.TriggerSmartContract(BOB.address, Address(deployed.effect.contract_address or b"")), BOB.key
    )
    assert entry.effect.energy_total == 20_006
    assert entry.effect.energy_origin == 20_006 * 75 // 100
    assert entry.effect.energy_fee == (20_006 - 20_006 * 75 // 100) * 100
