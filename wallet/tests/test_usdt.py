"""The token's quirks: what is refused before it is signed, and what counts as paid."""

from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from builders import ALICE, BOB, CAROL, USDT, a_transaction, addresses
from eth_abi import encode as reference_encode
from fake_tron import FakeTron
from hypothesis import given
from hypothesis import strategies as st

from lucid_tron import abi
from lucid_tron.client.errors import CallReverted, MalformedAnswer, NodesDisagree, NoHealthyNode
from lucid_tron.client.models import ChainParameters, Log, Receipt, Resources
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.codec.transaction import encode_signed
from lucid_tron.usdt.errors import (
    FeeTooHigh,
    InsufficientFunds,
    NotPaid,
    RecipientFrozen,
    SenderFrozen,
    TokenPaused,
    UnclearPayment,
    UnfitRecipient,
)
from lucid_tron.usdt.fees import FeePolicy, bandwidth_of, fee_for
from lucid_tron.usdt.manager import UNIT, TokenState, UsdtManager
from lucid_tron.usdt.transfers import TRANSFER_TOPIC, paid_by, transfers_in

SENDER, TO = ALICE.address, BOB.address


@pytest.fixture
def tron() -> FakeTron:
    tron = FakeTron("a", "b")
    tron.trx = {SENDER: 1_000_000_000}
    tron.usdt = {SENDER: 100 * UNIT}
    return tron


# --- paying ---


async def pay(tron: FakeTron, amount: int = 5 * UNIT) -> tuple[UsdtManager, bytes]:
    client = tron.client()
    manager = UsdtManager(client, USDT)
    prepared = await manager.prepare_transfer(SENDER, TO, amount, memo=b"pay_1")
    signed = ALICE.sign(prepared.raw)
    await client.broadcast(signed)
    return manager, signed.txid


async def test_a_transfer_that_returns_false_is_paid_when_it_is_solid_and_logged(tron: FakeTron) -> None:
    manager, txid = await pay(tron)
    assert await manager.paid(txid, SENDER, TO, 5 * UNIT) is None
    tron.mine()
    assert await manager.paid(txid, SENDER, TO, 5 * UNIT) is None
    tron.solidify()
    transfer = await manager.paid(txid, SENDER, TO, 5 * UNIT)
    assert transfer is not None
    assert (transfer.amount, transfer.sender, transfer.recipient) == (5 * UNIT, SENDER, TO)
    assert await manager.balance(TO) == 5 * UNIT == tron.usdt[TO]


async def test_with_a_fee_switched_on_what_is_logged_is_credited(tron: FakeTron) -> None:
    tron.rate, tron.maximum_fee = 10, 40
    manager, txid = await pay(tron)
    tron.solidify()
    transfer = await manager.paid(txid, SENDER, TO, 5 * UNIT)
    assert transfer is not None
    assert transfer.amount == 5 * UNIT - 40 == tron.usdt[TO]
    assert (await manager.state()).arrives(5 * UNIT) == transfer.amount


@pytest.mark.parametrize("accident", ["paused", "frozen", "emptied", "dearer"])
async def test_a_transfer_that_fails_on_chain_is_not_paid(tron: FakeTron, accident: str) -> None:
    manager, txid = await pay(tron)
    match accident:
        case "paused":
            tron.paused = True
        case "frozen":
            tron.frozen.add(SENDER)
        case "emptied":
            tron.usdt[SENDER] = 1
        case "dearer":
            tron.energy_price = 1000
    tron.solidify()
    with pytest.raises(NotPaid) as caught:
        await manager.paid(txid, SENDER, TO, 5 * UNIT)
    assert caught.value.facts["txid"] == txid.hex()
    assert tron.usdt.get(TO, 0) == 0


async def test_history_lists_what_went_in_and_out(tron: FakeTron) -> None:
    first = len(tron.blocks)
    manager, txid = await pay(tron)
    tron.mine()
    last = len(tron.blocks) - 1
    assert [(t.txid, t.amount) for t in await manager.history(TO, first, last)] == [(txid, 5 * UNIT)]
    assert len(await manager.history(SENDER, first, last)) == 1
    assert await manager.history(CAROL.address, first, last) == []


async def test_the_energy_of_an_estimate_is_taken_with_a_margin_at_the_chains_price(tron: FakeTron) -> None:
    prepared = await UsdtManager(tron.client(), USDT).prepare_transfer(SENDER, TO, 1)
    assert prepared.fee.limit == prepared.raw.fee_limit == -(-64_285 * 13 // 10) * 100
    assert prepared.fee.burned == 64_285 * 100  # the bandwidth is free
    assert isinstance(prepared.raw.contract, TriggerSmartContract)
    assert prepared.raw.contract.data == abi.encode_call("transfer(address,uint256)", TO, 1)


# --- refused before it is signed ---


async def refused(
    tron: FakeTron, error: type[Exception], to: Address = TO, amount: int = UNIT, **policy: Any
) -> None:
    manager = UsdtManager(tron.client(), USDT, FeePolicy(**policy))
    with pytest.raises(error):
        await manager.prepare_transfer(SENDER, to, amount)


@pytest.mark.parametrize("to", [SENDER, USDT, Address.from_evm(bytes(20))])
async def test_money_is_not_sent_where_nobody_can_take_it_out(tron: FakeTron, to: Address) -> None:
    await refused(tron, UnfitRecipient, to=to)


@pytest.mark.parametrize("amount", [0, -1])
async def test_nothing_is_not_sent(tron: FakeTron, amount: int) -> None:
    await refused(tron, UnfitRecipient, amount=amount)


async def test_a_paused_token_is_not_signed_for(tron: FakeTron) -> None:
    tron.paused = True
    await refused(tron, TokenPaused)


async def test_a_frozen_sender_is_not_signed_for(tron: FakeTron) -> None:
    tron.frozen.add(SENDER)
    await refused(tron, SenderFrozen)


async def test_a_frozen_recipient_is_refused_although_the_token_would_pay(tron: FakeTron) -> None:
    tron.frozen.add(TO)
    await refused(tron, RecipientFrozen)


async def test_more_than_there_is_is_not_signed_for(tron: FakeTron) -> None:
    await refused(tron, InsufficientFunds, amount=100 * UNIT + 1)


async def test_a_wallet_without_trx_for_the_fee_is_told_how_much_is_missing(tron: FakeTron) -> None:
    tron.trx[SENDER] = 6_428_499
    manager = UsdtManager(tron.client(), USDT)
    with pytest.raises(InsufficientFunds) as caught:
        await manager.prepare_transfer(SENDER, TO, 1)
    assert caught.value.facts["missing_sun"] == 1
    tron.trx[SENDER] += 1
    await manager.prepare_transfer(SENDER, TO, 1)


async def test_a_fee_above_our_cap_is_refused(tron: FakeTron) -> None:
    await refused(tron, FeeTooHigh, cap=8_357_099)


async def test_a_lying_balance_moves_no_money(tron: FakeTron) -> None:
    rich = {"result": {"result": True}, "constant_result": [(10**15).to_bytes(32, "big").hex()]}
    tron.nodes["a"].lie = lambda path, body, answer: (
        rich if path.startswith("/walletsolidity") and "balanceOf" in str(body) else answer
    )
    await refused(tron, NodesDisagree, amount=200 * UNIT)


async def test_an_answer_that_is_no_number_is_not_read(tron: FakeTron) -> None:
    for node in tron.nodes.values():
        node.lie = lambda path, _b, answer: (
            answer | {"constant_result": ["00"]} if "constant" in path else answer
        )
    with pytest.raises(MalformedAnswer):
        await UsdtManager(tron.client(), USDT).balance(SENDER)


async def test_receipts_that_are_no_list_are_not_read(tron: FakeTron) -> None:
    for node in tron.nodes.values():
        node.lie = lambda path, _b, answer: [5] if "blocknum" in path else answer
    with pytest.raises(NoHealthyNode):
        await UsdtManager(tron.client(), USDT).history(SENDER, 3, 3)


async def test_an_approval_is_prepared_like_a_transfer(tron: FakeTron) -> None:
    manager = UsdtManager(tron.client(), USDT)
    prepared = await manager.prepare_approve(SENDER, CAROL.address, 5)
    assert isinstance(prepared.raw.contract, TriggerSmartContract)
    assert prepared.raw.contract.data[:4].hex() == "095ea7b3"
    assert await manager.allowance(SENDER, CAROL.address) == 7
    with pytest.raises(CallReverted):
        await manager.prepare_approve(SENDER, CAROL.address, 10**12)


# --- fees ---

PRICES = ChainParameters(100, 1000, 15_000_000_000, 1_000_000, {})


@given(st.integers(1, 100_000), st.integers(0, 200_000))
def test_the_limit_covers_the_whole_energy_even_when_stake_pays(energy: int, staked: int) -> None:
    fee = fee_for(energy, PRICES, Resources(staked, 0), FeePolicy(Fraction(6, 5)))
    assert fee.limit >= energy * 100 * 6 // 5
    assert fee.burned == max(0, energy - staked) * 100


def test_the_chains_own_limit_counts_too() -> None:
    with pytest.raises(FeeTooHigh):
        fee_for(60_000, ChainParameters(100, 1000, 7_000_000, 0, {}), Resources(0, 0), FeePolicy())


def test_the_bandwidth_of_a_transfer_is_that_of_its_envelope_and_result() -> None:
    raw = a_transaction(data=bytes(300))
    assert bandwidth_of(raw) == len(encode_signed(ALICE.sign(raw))) + 64
    assert bandwidth_of(a_transaction()) == len(encode_signed(ALICE.sign(a_transaction()))) + 64


# --- logs ---


def a_log(**changes: Any) -> Log:
    fields: dict[str, Any] = {
        "address": USDT,
        "topics": (TRANSFER_TOPIC, bytes(12) + SENDER.evm, bytes(12) + TO.evm),
        "data": (7).to_bytes(32, "big"),
    }
    return Log(**fields | changes)


def a_receipt(*logs: Log, succeeded: bool = True) -> Receipt:
    return Receipt(bytes(32), 5, 0, "SUCCESS", succeeded, 0, 0, logs, "")


def test_the_topic_is_that_of_every_explorer() -> None:
    assert TRANSFER_TOPIC.hex() == "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@pytest.mark.parametrize(
    "log",
    [
        a_log(address=CAROL.address),  # a look-alike token
        a_log(topics=()),
        a_log(topics=(TRANSFER_TOPIC, bytes(12) + SENDER.evm)),
        a_log(topics=(bytes(32), bytes(12) + SENDER.evm, bytes(12) + TO.evm)),
        a_log(topics=(TRANSFER_TOPIC, b"\x01" * 12 + SENDER.evm, bytes(12) + TO.evm)),
        a_log(data=b""),
        a_log(data=bytes(64)),
        a_log(data=bytes(32)),
        a_log(topics=(TRANSFER_TOPIC, bytes(12) + TO.evm, bytes(12) + SENDER.evm)),
        a_log(data=(8).to_bytes(32, "big")),  # more than was to be paid
    ],
)
def test_a_success_without_our_transfer_needs_a_person(log: Log) -> None:
    with pytest.raises(UnclearPayment):
        paid_by(a_receipt(log), USDT, SENDER, TO, 7)


def test_two_transfers_in_one_transaction_need_a_person() -> None:
    with pytest.raises(UnclearPayment):
        paid_by(a_receipt(a_log(), a_log()), USDT, SENDER, TO, 7)
    assert [t.log_index for t in transfers_in(a_receipt(a_log(), a_log()), USDT)] == [0, 1]


def test_the_log_of_a_failed_transaction_pays_nobody() -> None:
    with pytest.raises(NotPaid):
        paid_by(a_receipt(a_log(), succeeded=False), USDT, SENDER, TO, 7)


def test_a_fee_never_exceeds_its_maximum() -> None:
    assert TokenState(False, 20, 50).arrives(1_000_000) == 999_950
    assert TokenState(False, 20, 50).arrives(10_000) == 9_980
    assert TokenState(False, 0, 0).arrives(7) == 7


# --- the ABI, beside eth-abi ---

PAYOUTS = "(bytes32,(bytes32,address,uint256)[],string,int64[2],bool,bytes)"
payouts = st.tuples(
    st.binary(min_size=32, max_size=32),
    st.lists(
        st.tuples(st.binary(min_size=32, max_size=32), addresses, st.integers(0, 2**256 - 1)), max_size=4
    ),
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)),
    st.booleans(),
    st.binary(max_size=70),
)


@given(payouts)
def test_calls_are_encoded_as_eth_abi_does(values: Any) -> None:
    def as_evm(value: Any) -> Any:
        if isinstance(value, Address):
            return value.evm
        return tuple(as_evm(item) for item in value) if isinstance(value, tuple | list) else value

    kinds = ["bytes32", "(bytes32,address,uint256)[]", "string", "int64[2]", "bool", "bytes"]
    assert abi.encode(PAYOUTS, values) == reference_encode(kinds, [as_evm(value) for value in values])


@given(
    addresses,
    st.integers(-(2**127), 2**127 - 1),
    st.booleans(),
    st.text(st.characters(codec="utf-8")),
    st.binary(),
)
def test_outputs_are_read_back(address: Address, number: int, flag: bool, text: str, blob: bytes) -> None:
    kinds = ("address", "int128", "bool", "string", "bytes", "bytes4")
    values = (address, number, flag, text, blob, b"abcd")
    assert abi.decode(kinds, abi.encode(f"({','.join(kinds)})", values)) == values


@given(
    st.lists(st.sampled_from(("address", "uint8", "bool", "bytes4", "string", "bytes"))),
    st.binary(max_size=300),
)
def test_no_output_makes_the_decoder_fail_otherwise_than_by_name(kinds: list[str], data: bytes) -> None:
    with suppress(abi.AbiMismatch):
        abi.decode(kinds, data)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("address", bytes(20)),
        ("uint8", 256),
        ("uint8", -1),
        ("uint256", True),
        ("bool", 1),
        ("bytes4", b"abc"),
        ("bytes", "x"),
        ("string", 5),
        ("uint8[]", 5),
        ("uint8[2]", [1]),
        ("(uint8,uint8)", (1,)),
        ("nonsense", 1),
    ],
)
def test_a_value_that_does_not_fit_is_not_encoded(kind: str, value: object) -> None:
    with pytest.raises(abi.AbiMismatch):
        abi.encode(kind, value)


def test_selectors_are_those_everybody_uses() -> None:
    assert abi.selector("transfer(address,uint256)").hex() == "a9059cbb"
    assert abi.selector("balanceOf(address)").hex() == "70a08231"
