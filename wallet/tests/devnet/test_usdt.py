"""The devnet's USDT has the habits of the real one."""

from __future__ import annotations

import pytest
from devnet_chain import ALICE, BOB, CAROL, TRANSFER, Chain

from lucid_tron.devnet.accounts import SUN
from lucid_tron.devnet.blocks import Entry
from lucid_tron.devnet.evm.host import keccak256

TOPIC = keccak256(b"Transfer(address,address,uint256)")


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    for person in (ALICE, BOB):
        chain.give(person.address, trx=1_000 * SUN, usdt=10_000_000)
    return chain


def transfers(entry: Entry) -> list[tuple[bytes, bytes, int]]:
    return [
        (log.topics[1][12:], log.topics[2][12:], int.from_bytes(log.data, "big"))
        for log in entry.effect.logs
        if log.topics[0] == TOPIC
    ]


def test_a_successful_transfer_answers_false(chain: Chain) -> None:
    entry = chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 7)
    assert entry.effect.result == "SUCCESS"
    assert entry.effect.output == bytes(32)
    assert transfers(entry) == [(ALICE.address.evm, BOB.address.evm, 7)]
    assert chain.usdt_of(BOB.address) == 10_000_007


def test_approve_and_transfer_from_answer_true(chain: Chain) -> None:
    approve = chain.invoke(ALICE.key, chain.usdt, "approve(address,uint256)", BOB.address, 9)
    assert approve.effect.output[-1] == 1
    spent = chain.invoke(
        BOB.key, chain.usdt, "transferFrom(address,address,uint256)", ALICE.address, CAROL.address, 5
    )
    assert spent.effect.output[-1] == 1
    assert chain.ask(chain.usdt, "allowance(address,address)", ALICE.address, BOB.address) == 4
    assert chain.usdt_of(CAROL.address) == 5


def test_an_allowance_of_everything_is_never_used_up(chain: Chain) -> None:
    chain.invoke(ALICE.key, chain.usdt, "approve(address,uint256)", BOB.address, 2**256 - 1)
    chain.invoke(BOB.key, chain.usdt, "transferFrom(address,address,uint256)", ALICE.address, BOB.address, 5)
    assert chain.ask(chain.usdt, "allowance(address,address)", ALICE.address, BOB.address) == 2**256 - 1
    chain.invoke(ALICE.key, chain.usdt, "approve(address,uint256)", BOB.address, 10)
    chain.invoke(ALICE.key, chain.usdt, "increaseApproval(address,uint256)", BOB.address, 5)
    chain.invoke(ALICE.key, chain.usdt, "decreaseApproval(address,uint256)", BOB.address, 100)
    assert chain.ask(chain.usdt, "allowance(address,address)", ALICE.address, BOB.address) == 0


def test_with_a_fee_the_recipient_gets_less_and_a_second_log_says_where_it_went(chain: Chain) -> None:
    chain.invoke(chain.faucet, chain.usdt, "setParams(uint256,uint256)", 10, 1)
    entry = chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1_000_000)
    assert transfers(entry) == [
        (ALICE.address.evm, BOB.address.evm, 999_000),
        (ALICE.address.evm, chain.owner.evm, 1_000),
    ]
    capped = chain.invoke(ALICE.key, chain.usdt, "transfer(address,uint256)", BOB.address, 9_000_000)
    assert transfers(capped)[1][2] == 9_000


def test_the_fee_has_limits(chain: Chain) -> None:
    for points, most in ((20, 1), (1, 50)):
        entry = chain.invoke(chain.faucet, chain.usdt, "setParams(uint256,uint256)", points, most)
        assert entry.effect.result == "REVERT"


def test_a_blacklisted_sender_reverts_and_a_blacklisted_recipient_receives(chain: Chain) -> None:
    chain.invoke(chain.faucet, chain.usdt, "addBlackList(address)", ALICE.address)
    assert chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1).effect.result == "REVERT"
    assert chain.invoke(BOB.key, chain.usdt, TRANSFER, ALICE.address, 1).effect.result == "SUCCESS"
    chain.invoke(chain.faucet, chain.usdt, "destroyBlackFunds(address)", ALICE.address)
    assert chain.usdt_of(ALICE.address) == 0
    chain.invoke(chain.faucet, chain.usdt, "removeBlackList(address)", ALICE.address)
    assert not chain.ask(chain.usdt, "getBlackListStatus(address)", ALICE.address, returns="(bool)")


def test_a_paused_token_moves_nothing(chain: Chain) -> None:
    chain.invoke(chain.faucet, chain.usdt, "pause()")
    entry = chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1)
    assert (entry.effect.result, entry.effect.logs) == ("REVERT", ())
    assert entry.fee > 0
    chain.invoke(chain.faucet, chain.usdt, "unpause()")
    assert chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1).effect.result == "SUCCESS"


def test_a_deprecated_token_asks_its_successor(chain: Chain) -> None:
    chain.invoke(chain.faucet, chain.usdt, "deprecate(address)", BOB.address)
    assert chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 1).effect.result == "REVERT"
    assert chain.ask(chain.usdt, "oldBalanceOf(address)", ALICE.address) == 10_000_000


def test_only_the_owner_governs_the_token(chain: Chain) -> None:
    for order in ("pause()", "issue(uint256)", "addBlackList(address)", "deprecate(address)"):
        value = () if order == "pause()" else (1,) if "uint" in order else (BOB.address,)
        assert chain.invoke(ALICE.key, chain.usdt, order, *value).effect.result == "REVERT"


def test_issue_and_redeem_change_the_supply(chain: Chain) -> None:
    before = chain.ask(chain.usdt, "totalSupply()")
    chain.invoke(chain.faucet, chain.usdt, "issue(uint256)", 5)
    chain.invoke(chain.faucet, chain.usdt, "redeem(uint256)", 3)
    assert chain.ask(chain.usdt, "totalSupply()") == before + 2


def test_too_little_balance_reverts(chain: Chain) -> None:
    assert chain.invoke(ALICE.key, chain.usdt, TRANSFER, BOB.address, 10_000_001).effect.result == "REVERT"


def test_the_token_says_what_it_is(chain: Chain) -> None:
    assert chain.ask(chain.usdt, "name()", returns="(string)") == "Tether USD"
    assert chain.ask(chain.usdt, "symbol()", returns="(string)") == "USDT"
    assert chain.ask(chain.usdt, "decimals()") == 6
