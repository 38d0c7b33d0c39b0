"""The payout router: each payout once, each batch whole, within its caps, whatever the token does."""

from __future__ import annotations

from typing import Any

import pytest
from devnet_chain import ALICE, BOB, CAROL, Chain, Person
from router_chain import (
    EPOCH_S,
    OPERATOR,
    OWNER,
    PAUSER,
    PAY,
    Router,
    hostile_token,
    payout_id,
    rich_people,
    router_on,
)

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.devnet.accounts import SUN
from lucid_tron.devnet.evm.host import keccak256

PAID = keccak256(b"Paid(bytes32,bytes32,address,uint256)")
BATCH_PAID = keccak256(b"BatchPaid(bytes32,uint256,uint256)")


@pytest.fixture
def router() -> Router:
    chain = Chain()
    rich_people(chain, ALICE)
    return router_on(chain)


def to(who: Person, name: object, amount: int = 100) -> tuple[bytes, Address, int]:
    return (payout_id(name), who.address, amount)


def test_a_batch_pays_everyone_their_amount_and_says_so(router: Router) -> None:
    payouts = (to(ALICE, 1, 100), to(BOB, 2, 250), to(ALICE, 3, 7))
    entry = router.chain.invoke(OPERATOR.key, router.address, PAY, payout_id("batch"), payouts)
    assert entry.effect.result == "SUCCESS"
    assert (router.balance(ALICE.address), router.balance(BOB.address)) == (107, 250)
    assert router.balance() == 10_000 - 357
    paid = [log for log in entry.effect.logs if log.topics[0] == PAID]
    assert [log.topics[1] for log in paid] == [payout_id(1), payout_id(2), payout_id(3)]
    assert all(log.topics[2] == payout_id("batch") for log in paid)
    (whole,) = [log for log in entry.effect.logs if log.topics[0] == BATCH_PAID]
    assert abi.decode(["uint256", "uint256"], whole.data) == (3, 357)
    assert all(router.is_paid(name) for name in (1, 2, 3))
    assert not router.is_paid(4)


def test_no_id_is_paid_twice_in_another_batch_or_in_the_same(router: Router) -> None:
    assert router.pay(to(ALICE, 1)) == "SUCCESS"
    assert router.pay(to(ALICE, 1), batch="another") == "AlreadyPaid"
    assert router.pay(to(BOB, 2), to(BOB, 2)) == "AlreadyPaid"
    assert router.pay(to(BOB, 1, 5)) == "AlreadyPaid"
    assert (router.balance(ALICE.address), router.balance(BOB.address)) == (100, 0)
    assert not router.is_paid(2)


def test_one_bad_payout_undoes_the_whole_batch(router: Router) -> None:
    router.chain.invoke(router.chain.faucet, router.token, "addBlackList(address)", router.address)
    assert router.pay(to(ALICE, 1)) == "TransferFailed"
    router.chain.invoke(router.chain.faucet, router.token, "removeBlackList(address)", router.address)
    assert router.pay(to(ALICE, 1), to(BOB, 2, 0)) == "ZeroAmount"
    assert (router.balance(ALICE.address), router.is_paid(1)) == (0, False)
    assert router.pay(to(ALICE, 1)) == "SUCCESS"


def test_nobody_is_paid_whom_the_issuer_froze(router: Router) -> None:
    router.chain.invoke(router.chain.faucet, router.token, "addBlackList(address)", BOB.address)
    assert router.pay(to(ALICE, 1), to(BOB, 2)) == "RecipientFrozen"
    assert (router.balance(ALICE.address), router.is_paid(1)) == (0, False)
    assert router.pay(to(ALICE, 1)) == "SUCCESS"
    router.chain.invoke(router.chain.faucet, router.token, "removeBlackList(address)", BOB.address)
    assert router.pay(to(BOB, 2)) == "SUCCESS"


@pytest.mark.parametrize(
    ("payout", "error"),
    [
        ((payout_id(1), Address(b"\x41" + bytes(20)), 5), "BadRecipient"),
        ((payout_id(1), ALICE.address, 0), "ZeroAmount"),
        ((payout_id(1), ALICE.address, 1_001), "OverPayoutCap"),
        ((payout_id(1), ALICE.address, 2**255), "OverPayoutCap"),
    ],
)
def test_senseless_payouts_are_refused(router: Router, payout: Any, error: str) -> None:
    assert router.pay(payout) == error


def test_neither_router_nor_token_is_ever_paid(router: Router) -> None:
    for there in (router.address, router.token):
        assert router.pay((payout_id(1), there, 5)) == "BadRecipient"


def test_a_batch_has_one_to_thirty_payouts(router: Router) -> None:
    assert router.pay() == "BatchSize"
    assert router.pay(*(to(ALICE, i, 1) for i in range(31))) == "BatchSize"
    assert router.pay(*(to(ALICE, i, 1) for i in range(30))) == "SUCCESS"


def test_an_epochs_sum_is_capped_and_begins_anew(router: Router) -> None:
    for number in range(3):
        assert router.pay(to(ALICE, number, 1_000)) == "SUCCESS"
    assert router.pay(to(ALICE, 9, 1)) == "OverEpochCap"
    router.chain.ledger.advance(EPOCH_S * 1000)
    assert router.pay(to(ALICE, 9, 1)) == "SUCCESS"


def test_only_the_operator_pays_and_only_while_not_paused(router: Router) -> None:
    for who in (OWNER, PAUSER, ALICE):
        assert router.pay(to(ALICE, 1), who=who) == "NotOperator"
    assert router.call(PAUSER, "pause()") == "SUCCESS"
    assert router.pay(to(ALICE, 1)) == "IsPaused"
    assert router.call(PAUSER, "unpause()") == "NotOwner"
    assert router.call(OWNER, "unpause()") == "SUCCESS"
    assert router.pay(to(ALICE, 1)) == "SUCCESS"
    assert router.call(ALICE, "pause()") == "NotPauser"
    assert router.call(OWNER, "pause()") == "SUCCESS"


@pytest.mark.parametrize(
    ("order", "values"),
    [
        ("setCaps(uint256,uint256)", (1, 1)),
        ("setOperator(address)", (ALICE.address,)),
        ("setPauser(address)", (ALICE.address,)),
        ("offerOwnership(address)", (ALICE.address,)),
        ("unpause()", ()),
        ("rescue(address,address,uint256)", (ALICE.address, ALICE.address, 1)),
    ],
)
def test_only_the_owner_governs(router: Router, order: str, values: tuple[Any, ...]) -> None:
    for who in (OPERATOR, PAUSER, ALICE):
        assert router.call(who, order, *values) == "NotOwner"


def test_ownership_is_handed_over_in_two_steps(router: Router) -> None:
    assert router.call(OWNER, "offerOwnership(address)", ALICE.address) == "SUCCESS"
    assert router.call(PAUSER, "takeOwnership()") == "NotPendingOwner"
    assert router.call(OWNER, "setCaps(uint256,uint256)", 5, 5) == "SUCCESS"
    assert router.call(ALICE, "takeOwnership()") == "SUCCESS"
    assert router.call(OWNER, "setCaps(uint256,uint256)", 5, 5) == "NotOwner"
    assert router.call(ALICE, "takeOwnership()") == "NotPendingOwner"
    assert router.call(ALICE, "setOperator(address)", ALICE.address) == "SUCCESS"
    assert router.pay(to(ALICE, 1, 5), who=ALICE) == "SUCCESS"


def test_the_payout_token_is_rescued_only_while_paused(router: Router) -> None:
    rescue = ("rescue(address,address,uint256)", router.token, CAROL.address, 4_000)
    assert router.call(OWNER, *rescue) == "NotPaused"
    router.call(OWNER, "pause()")
    assert router.call(OWNER, *rescue) == "SUCCESS"
    assert router.balance(CAROL.address) == 4_000
    assert router.call(OWNER, rescue[0], router.token, Address(b"\x41" + bytes(20)), 1) == "ZeroAddress"
    assert router.call(OWNER, rescue[0], router.token, CAROL.address, 10**9) == "RescueFailed"


def test_another_token_is_rescued_at_any_time(router: Router) -> None:
    other = hostile_token(router.chain)
    router.chain.invoke(router.chain.faucet, other, "transfer(address,uint256)", router.address, 5)
    assert router.call(OWNER, "rescue(address,address,uint256)", other, CAROL.address, 5) == "SUCCESS"
    assert router.chain.ask(other, "balanceOf(address)", CAROL.address) == 5


def test_a_router_needs_token_owner_and_epoch() -> None:
    chain = Chain()
    from lucid_tron.contracts import artefact
    from lucid_tron.contracts.deployment import encode_arguments

    values: dict[str, object] = {
        "token": chain.usdt,
        "owner": OWNER.address,
        "operator": OPERATOR.address,
        "pauser": PAUSER.address,
        "maxPayout": 1,
        "maxEpoch": 1,
        "epochSeconds": 1,
    }
    compiled = artefact("PayoutRouter")
    nobody = Address(b"\x41" + bytes(20))
    for change in ({"token": nobody}, {"owner": nobody}, {"epochSeconds": 0}):
        code = compiled.bytecode + encode_arguments(compiled, values | change)
        new = c.SmartContract(chain.owner, bytecode=code, origin_energy_limit=1)
        entry = chain.send(c.CreateSmartContract(chain.owner, new), chain.faucet, fee_limit=1_000 * SUN)
        assert entry.effect.result == "REVERT"


# -- USDT's habits


def test_a_token_with_a_fee_switched_on_pays_nobody(router: Router) -> None:
    router.chain.invoke(router.chain.faucet, router.token, "setParams(uint256,uint256)", 10, 40)
    assert router.pay(to(ALICE, 1, 1_000)) == "WrongDelta"
    assert (router.balance(ALICE.address), router.is_paid(1)) == (0, False)


def test_a_paused_token_pays_nobody(router: Router) -> None:
    router.chain.invoke(router.chain.faucet, router.token, "pause()")
    assert router.pay(to(ALICE, 1)) == "TransferFailed"


def test_an_empty_router_pays_nobody(router: Router) -> None:
    assert router.call(OWNER, "setCaps(uint256,uint256)", 10**9, 10**9) == "SUCCESS"
    assert router.pay(to(ALICE, 1, 10_000), to(BOB, 2, 1)) == "TransferFailed"
    assert router.balance() == 10_000


# -- tokens that mean harm

TRICKS = {
    "AnswerNothing": (1, "SUCCESS"),
    "AnswerTrueDoNothing": (2, "WrongDelta"),
    "TakeFee": (3, "WrongDelta"),
    "GiveMore": (4, "WrongDelta"),
    "MoveElsewhere": (5, "WrongDelta"),
    "Revert": (6, "TransferFailed"),
    "InflateBalance": (9, "WrongDelta"),
}
PLAY = "play(uint8,address,bytes)"


@pytest.mark.parametrize("trick", TRICKS)
def test_only_an_exact_movement_counts(trick: str) -> None:
    number, expected = TRICKS[trick]
    chain = Chain()
    rich_people(chain)
    token = hostile_token(chain)
    router = router_on(chain, token=token)
    chain.invoke(chain.faucet, token, PLAY, number, router.address, b"")
    assert router.pay(to(ALICE, 1), to(BOB, 2)) == expected
    assert router.is_paid(1) == (expected == "SUCCESS")
    if expected != "SUCCESS":
        assert router.balance() == 10_000


@pytest.mark.parametrize("same_id", [True, False])
def test_a_token_that_pays_again_from_inside_is_turned_away(same_id: bool) -> None:
    chain = Chain()
    rich_people(chain)
    token = hostile_token(chain)
    router = router_on(chain, token=token)
    assert router.call(OWNER, "setOperator(address)", token) == "SUCCESS"  # the worst case: it may pay
    again = abi.encode_call(PAY, payout_id("inner"), (to(BOB, 1 if same_id else 2, 50),))
    chain.invoke(chain.faucet, token, PLAY, 7, router.address, again)
    assert router.call(OWNER, "setOperator(address)", OPERATOR.address) == "SUCCESS"
    assert router.pay(to(ALICE, 1)) == "SUCCESS"
    assert (router.balance(ALICE.address), router.balance(BOB.address)) == (100, 0)
    assert not router.is_paid(2)


def test_a_token_cannot_pay_from_inside_even_as_operator() -> None:
    chain = Chain()
    rich_people(chain)
    token = hostile_token(chain)
    router = router_on(chain, token=token)
    inner = abi.encode_call(PAY, payout_id("inner"), (to(BOB, 2, 50),))
    chain.invoke(chain.faucet, token, PLAY, 7, router.address, inner)
    router.call(OWNER, "setOperator(address)", token)
    # The token itself is the operator now, and calls the router from outside any batch.
    entry = chain.invoke(chain.faucet, token, "transfer(address,uint256)", CAROL.address, 1)
    assert entry.effect.result == "SUCCESS"
    assert router.balance(BOB.address) in (0, 50)
    assert router.balance() == 10_000 - router.balance(BOB.address)


def test_a_token_cannot_rescue_from_inside() -> None:
    chain = Chain()
    rich_people(chain)
    token = hostile_token(chain)
    router = router_on(chain, token=token)
    chain.invoke(OWNER.key, router.address, "offerOwnership(address)", token)
    steal = abi.encode_call("rescue(address,address,uint256)", token, BOB.address, 1_000)
    chain.invoke(chain.faucet, token, PLAY, 8, router.address, steal)
    assert router.pay(to(ALICE, 1)) == "SUCCESS"
    assert router.balance(BOB.address) == 0


def test_what_a_batch_costs(router: Router) -> None:
    """Energy of a batch of thirty new USDT holders stays under what one transaction may take."""
    people = [Person(f"operator {number}") for number in range(30)]
    entry = router.chain.invoke(
        OPERATOR.key,
        router.address,
        PAY,
        payout_id("batch"),
        tuple(to(person, person.name, 1) for person in people),
        fee_limit=15_000 * SUN,
    )
    assert entry.effect.result == "SUCCESS"
    assert entry.effect.energy_total / 30 < 250_000
