"""Prices of the contract machine, step by step, against java-tron's EnergyCost."""

from __future__ import annotations

import hashlib

import coincurve
import pytest
from devnet_chain import ALICE, BOB, TRANSFER, Chain
from devnet_machine import BLOCK, CALLER, HERE, THERE, sheet_with

from lucid_tron import abi
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import Account
from lucid_tron.devnet.evm import machine
from lucid_tron.devnet.evm.calls import created_address, salted_address
from lucid_tron.devnet.evm.host import keccak256
from lucid_tron.devnet.genesis import set_energy_factor
from lucid_tron.devnet.state import Sheet


def run(
    code: str,
    *,
    there: str = "",
    factor: int = 0,
    sheet: Sheet | None = None,
    energy: int = 10**7,
    data: bytes = b"",
) -> machine.Outcome:
    return machine.call(
        sheet or sheet_with(code, there=there, factor=factor),
        BLOCK,
        txid=b"\x07" * 32,
        caller=CALLER,
        address=HERE,
        data=data,
        value=0,
        energy=energy,
    )


PUSH = 3


@pytest.mark.parametrize(
    ("what", "code", "price"),
    [
        ("SLOAD costs 50 and never less", "6001 54 6001 54", 2 * (PUSH + 50)),
        ("a new row costs 20,000", "6001 6001 55", 2 * PUSH + 20_000),
        ("changing a row made before costs 5,000", "6001 6001 55 6002 6001 55", 4 * PUSH + 25_000),
        ("clearing a row costs 5,000 and gives nothing back", "6001 6001 55 6000 6001 55", 4 * PUSH + 25_000),
        (
            "a row cleared in this run is still there",
            "6001 6001 55 6000 6001 55 6001 6001 55",
            6 * PUSH + 30_000,
        ),
        ("writing zero where nothing is costs 5,000", "6000 6001 55", 2 * PUSH + 5_000),
        ("BALANCE costs 20", "6001 31", PUSH + 20),
        ("EXTCODESIZE costs 20", "6001 3b", PUSH + 20),
        ("EXTCODEHASH costs 400", "6001 3f", PUSH + 400),
        ("EXP costs 10 and 10 a byte of the exponent", "610100 6002 0a", 2 * PUSH + 10 + 20),
        ("MSTORE costs 1 and its memory", "6001 6000 52", 2 * PUSH + 1 + 3),
        ("SHA3 costs 30 and 6 a word", "6020 6000 20", 2 * PUSH + 30 + 6 + 3),
        ("LOG1 costs 375 twice and 8 a byte", "6001 6020 6000 a1", 3 * PUSH + 750 + 256 + 3),
        ("TLOAD and TSTORE cost 100", "6001 6001 5d 6001 5c", 3 * PUSH + 200),
        ("DIFFICULTY, GASLIMIT and GASPRICE cost 2", "44 45 3a", 6),
        ("JUMPDEST costs 1", "5b", 1),
        ("CALLDATACOPY costs its words alone", "6020 6000 6000 37", 3 * PUSH + 3 + 3),
        ("BLOBHASH and BLOBBASEFEE answer zero", "6001 49 4a", PUSH + 3 + 2),
    ],
)
def test_price(what: str, code: str, price: int) -> None:
    outcome = run(code)
    assert (outcome.result, outcome.energy) == ("SUCCESS", price), what


CALL_THERE = "6000 6000 6000 6000 6000 73" + "22" * 20 + "5a f1"


def test_a_call_costs_40_and_what_it_does() -> None:
    assert run(CALL_THERE, there="6001 54").energy == 6 * PUSH + 2 + 40 + PUSH + 50


def test_a_call_with_value_to_nobody_costs_9000_and_25000_and_creates_the_account() -> None:
    sheet = sheet_with("6000 6000 6000 6000 6001 73" + "44" * 20 + "5a f1")
    outcome = run("", sheet=sheet)
    assert outcome.energy == 6 * PUSH + 2 + 40 + 9_000 + 25_000 - 2_300
    assert sheet.get(("account", b"\x41" + b"\x44" * 20)).balance == 1


def test_a_call_may_use_all_energy_there_is() -> None:
    """No 63/64 rule: a callee that burns everything leaves its caller nothing."""
    outcome = run(CALL_THERE, there="fe", energy=50_000)
    assert (outcome.result, outcome.energy) == ("SUCCESS", 50_000)


def test_a_call_that_cannot_pay_its_value_gives_the_energy_back() -> None:
    rich = "6000 6000 6000 6000 620fffff 73" + "22" * 20 + "5a f1 6000 52 6020 6000 f3"
    outcome = run(rich, there="fe")
    assert outcome.output == bytes(32)
    assert outcome.energy < 10_000


def test_calls_end_at_depth_64() -> None:
    count = "600054 6001 01 6000 55 6000 6000 6000 6000 6000 30 5a f1"
    sheet = sheet_with(count)
    assert run("", sheet=sheet).succeeded
    assert sheet.get(("storage", bytes(HERE), 0)) == 65


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("6000 6000 fd", "REVERT"),
        ("fe", "ILLEGAL_OPERATION"),
        ("d0", "ILLEGAL_OPERATION"),
        ("01", "STACK_TOO_SMALL"),
        ("6001 56", "BAD_JUMP_DESTINATION"),
        ("5b 6001 6000 56", "STACK_TOO_LARGE"),
        ("6001 62400000 52", "OUT_OF_MEMORY"),
        ("5b 6000 56", "OUT_OF_ENERGY"),
        ("6001 6000 6000 3e", "UNKNOWN"),
    ],
)
def test_failures_have_java_trons_names(code: str, result: str) -> None:
    outcome = run(code, energy=100_000)
    assert outcome.result == result
    assert outcome.reason
    assert (outcome.energy == 100_000) == (result != "REVERT")


def test_a_failed_run_leaves_no_trace() -> None:
    sheet = sheet_with("6001 6001 55 fe")
    before = dict(sheet.changes)
    run("", sheet=sheet)
    assert sheet.changes == before


def test_a_static_call_cannot_write() -> None:
    static = "6000 6000 6000 6000 73" + "22" * 20 + "6186a0 fa 6000 52 6020 6000 f3"
    for writing in ("6001 6001 55", "6001 6001 5d", "6000 6000 a0", "6000 6000 6000 f0", "6000 ff"):
        assert run(static, there=writing).output == bytes(32)


def test_the_surcharge_is_rounded_down_step_by_step() -> None:
    """4.4 times: 3 becomes 13, 50 becomes 220."""
    outcome = run("6001 54", factor=34_000)
    assert (outcome.energy, outcome.penalty) == (13 + 220, 10 + 170)


def test_energy_lent_to_a_call_carries_no_surcharge_of_the_caller() -> None:
    plain = run(CALL_THERE, there="6001 54")
    dear = run(CALL_THERE, there="6001 54", factor=34_000)
    assert plain.energy * 4.4 - 10 < dear.energy <= plain.energy * 4.4


def test_what_the_machine_says_of_its_block() -> None:
    for code, value in (
        ("42", 1_763_800_001),
        ("43", 7),
        ("46", 0x2B6653DC),
        ("48", 100),
        ("44", 0),
        ("45", 0),
        ("3a", 0),
        ("41", int.from_bytes(CALLER.evm, "big")),
        ("6003 40", int.from_bytes(b"\x03" * 32, "big")),
        ("6007 40", 0),
        ("47", 1_000),
        ("73" + "11" * 20 + "d4", 1),
        ("73" + "55" * 20 + "d4", 0),
    ):
        outcome = run(code + "6000 52 6020 6000 f3")
        assert int.from_bytes(outcome.output, "big") == value, code


RETURN_FE = "60fe 6000 53 6001 6000 f3"  # creation code that leaves the code 0xfe


def test_create_takes_its_address_from_the_transaction_and_create2_from_the_prefix_41() -> None:
    code = bytes.fromhex(RETURN_FE.replace(" ", ""))
    store = "68" + code.hex() if len(code) == 9 else f"{0x5F + len(code):02x}" + code.hex()
    put = f"{store} 6000 52"
    size, at = len(code), 32 - len(code)
    create = f"{put} 60{size:02x} 60{at:02x} 6000 f0 6000 52 6020 6000 f3"
    create2 = f"{put} 6009 60{size:02x} 60{at:02x} 6000 f5 6000 52 6020 6000 f3"
    sheet = sheet_with(create)
    made = run("", sheet=sheet).output[12:]
    assert made == created_address(b"\x07" * 32, 0)
    assert sheet.get(("code", b"\x41" + made)) == b"\xfe"
    assert sheet.get(("contract", b"\x41" + made)).origin == HERE
    made2 = run(create2).output[12:]
    assert made2 == salted_address(HERE.evm, 9, code)
    assert made2 == keccak256(b"\x41" + HERE.evm + (9).to_bytes(32, "big") + keccak256(code))[12:]


def test_creating_twice_at_one_address_fails_the_second_time() -> None:
    code = bytes.fromhex(RETURN_FE.replace(" ", ""))
    one = f"{0x5F + len(code):02x}{code.hex()} 6000 52 6009 60{len(code):02x} 60{32 - len(code):02x} 6000 f5"
    outcome = run(f"{one} 50 {one} 6000 52 6020 6000 f3", energy=200_000)
    assert outcome.result == "OUT_OF_ENERGY"  # as java-tron: what was lent to the second is not given back


def test_a_failing_or_poor_create_answers_zero() -> None:
    poor = run("6000 6000 620fffff f0 6000 52 6020 6000 f3", energy=500_000)
    assert (poor.result, poor.output) == ("SUCCESS", bytes(32))
    for creation in ("60006000fd", "60ef60005360016000f3"):  # it reverts; it returns code that begins with ef
        size = len(bytes.fromhex(creation))
        put = f"{0x5F + size:02x}{creation} 6000 52"
        outcome = run(f"{put} 60{size:02x} 60{32 - size:02x} 6000 f0 6000 55", energy=500_000)
        # Reverting gives the energy back; code that may not be kept burns what was lent.
        assert outcome.result == ("SUCCESS" if creation.endswith("fd") else "OUT_OF_ENERGY")


def test_selfdestruct_sends_the_balance_and_removes_the_code() -> None:
    sheet = sheet_with("73" + "22" * 20 + "ff", there="00")
    assert run("", sheet=sheet).energy == PUSH
    assert sheet.get(("account", bytes(THERE))).balance == 2_000
    assert sheet.get(("code", bytes(HERE))) is None
    sheet = sheet_with("73" + "55" * 20 + "ff")
    assert run("", sheet=sheet).energy == PUSH + 25_000


def precompile(number: int, data: bytes, sheet: Sheet | None = None) -> bytes:
    """Call a precompiled contract with `data` and return its 32-byte answer."""
    forward = f"36 6000 6000 37 6020 6000 36 6000 60{number:02x} 5a fa 6020 6000 f3"
    if sheet is not None:
        sheet.put(("code", bytes(HERE)), bytes.fromhex(forward.replace(" ", "")))
    return run(forward, data=data, sheet=sheet).output


def test_precompiles() -> None:
    assert precompile(2, b"abc") == hashlib.sha256(b"abc").digest()
    assert precompile(3, b"abc") == hashlib.sha256(hashlib.sha256(b"abc").digest()[:20]).digest()
    assert precompile(4, b"\x05" * 32) == b"\x05" * 32
    digest = keccak256(b"words")
    signature = ALICE.key.sign_recoverable(digest, hasher=None)
    data = digest + (27 + signature[64]).to_bytes(32, "big") + signature[:64]
    assert precompile(1, data)[12:] == ALICE.address.evm


def test_batchvalidatesign_names_each_good_signature() -> None:
    digest = keccak256(b"words")
    signatures = [each.key.sign_recoverable(digest, hasher=None) for each in (ALICE, BOB)]
    data = abi.encode("(bytes32,bytes[],address[])", (digest, signatures, [ALICE.address, ALICE.address]))
    assert precompile(9, data) == b"\x01" + bytes(31)
    assert precompile(9, b"\x01" * 32) == bytes(32)


def test_validatemultisign_asks_the_accounts_permission() -> None:
    sheet = sheet_with("00")
    accounts.put_account(sheet, Account(ALICE.address))
    words = keccak256(b"words")
    digest = hashlib.sha256(bytes(ALICE.address) + (2).to_bytes(4, "big") + words).digest()

    def answer(key: coincurve.PrivateKey, permission: int = 2) -> bytes:
        signature = key.sign_recoverable(digest, hasher=None)
        data = abi.encode(
            "(address,uint256,bytes32,bytes[])", (ALICE.address, permission, words, [signature])
        )
        return precompile(10, data, sheet)

    assert answer(ALICE.key) == bytes(31) + b"\x01"
    assert answer(BOB.key) == bytes(32)
    assert answer(ALICE.key, 9) == bytes(32)
    assert precompile(10, b"", sheet) == bytes(32)


MAINNET_EXISTING, MAINNET_NEW = 64_285, 130_285  # energy of a USDT transfer on mainnet, 2025


def test_a_usdt_transfer_costs_within_two_percent_of_mainnets() -> None:
    chain = Chain()
    chain.give(ALICE.address, trx=10**9)
    new = chain.invoke(chain.faucet, chain.usdt, TRANSFER, ALICE.address, 5).effect
    existing = chain.invoke(chain.faucet, chain.usdt, TRANSFER, ALICE.address, 5).effect
    assert MAINNET_EXISTING <= existing.energy_total <= MAINNET_EXISTING * 1.02
    assert MAINNET_NEW <= new.energy_total <= MAINNET_NEW * 1.02
    assert new.energy_total - existing.energy_total == 66_000
    set_energy_factor(chain.ledger, chain.usdt, 0)
    assert chain.invoke(chain.faucet, chain.usdt, TRANSFER, ALICE.address, 5).effect.energy_total == 14_886
