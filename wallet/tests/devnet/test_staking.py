"""Stake 2.0: what goes in comes out, after the delay, and only once."""

from __future__ import annotations

import pytest
from devnet_chain import ALICE, BOB, Chain
from hypothesis import given
from hypothesis import strategies as st

from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.devnet.accounts import SUN, WINDOW_SLOTS, Resource, Usage
from lucid_tron.devnet.actuators import staking
from lucid_tron.devnet.ledger import Refused
from lucid_tron.devnet.params import Parameters
from lucid_tron.devnet.resources import energy_left, limit, merge, use, used

ENERGY, BANDWIDTH, POWER = c.ResourceCode.ENERGY, c.ResourceCode.BANDWIDTH, c.ResourceCode.TRON_POWER
DAY_MS = 86_400_000


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.give(ALICE.address, trx=1_000_000 * SUN)
    chain.give(BOB.address, trx=1_000 * SUN)
    return chain


def refused(chain: Chain, order: c.Contract) -> str:
    with pytest.raises(Refused) as caught:
        chain.send(order, ALICE.key)
    assert caught.value.code == "CONTRACT_VALIDATE_ERROR"
    return caught.value.message.removeprefix("Contract validate error : ")


def freeze(chain: Chain, trx: int = 1_000, resource: c.ResourceCode = ENERGY) -> None:
    chain.send(c.FreezeBalanceV2Contract(ALICE.address, trx * SUN, resource), ALICE.key)


def test_a_stake_leaves_the_balance_and_yields_energy(chain: Chain) -> None:
    before = chain.account(ALICE.address).balance
    freeze(chain, 19_000)
    holder = chain.account(ALICE.address)
    assert before - holder.balance == 19_000 * SUN
    assert holder.tron_power() == 19_000
    energy = limit(chain.ledger.state, chain.ledger.parameters, holder, Resource.ENERGY)
    assert 179_000 < energy <= 180_000  # 180 billion a day among 19 billion TRX


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "frozenBalance must be positive"),
        (SUN - 1, "frozenBalance must be greater than or equal to 1 TRX"),
        (10**15, "frozenBalance must be less than or equal to accountBalance"),
    ],
)
def test_senseless_stakes_are_refused(chain: Chain, amount: int, words: str) -> None:
    assert refused(chain, c.FreezeBalanceV2Contract(ALICE.address, amount, ENERGY)) == words


def test_an_unfrozen_stake_can_be_withdrawn_after_14_days_and_once(chain: Chain) -> None:
    freeze(chain)
    entry = chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, 400 * SUN, ENERGY), ALICE.key)
    assert entry.effect.extra == {"unfreeze_amount": 400 * SUN}
    withdraw = c.WithdrawExpireUnfreezeContract(ALICE.address)
    assert refused(chain, withdraw) == "no unFreeze balance to withdraw "
    chain.ledger.advance(14 * DAY_MS - 10_000)
    assert refused(chain, withdraw) == "no unFreeze balance to withdraw "
    chain.ledger.advance(20_000)
    before = chain.account(ALICE.address).balance
    done = chain.send(withdraw, ALICE.key)
    assert done.effect.extra == {"withdraw_expire_amount": 400 * SUN}
    assert chain.account(ALICE.address).balance == before + 400 * SUN
    assert refused(chain, withdraw) == "no unFreeze balance to withdraw "


def test_the_delay_can_be_shortened() -> None:
    chain = Chain(options={"parameters": Parameters(unfreeze_delay_ms=5_000)})
    chain.give(ALICE.address, trx=10_000 * SUN)
    freeze(chain)
    chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, 1_000 * SUN, ENERGY), ALICE.key)
    chain.ledger.advance(6_000)
    assert chain.send(c.WithdrawExpireUnfreezeContract(ALICE.address), ALICE.key).effect.extra


def test_at_most_32_unfreezings_wait_at_once(chain: Chain) -> None:
    freeze(chain)
    for _ in range(32):
        chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, SUN, ENERGY), ALICE.key)
    one_more = c.UnfreezeBalanceV2Contract(ALICE.address, SUN, ENERGY)
    assert refused(chain, one_more) == "Invalid unfreeze operation, unfreezing times is over limit"
    chain.ledger.advance(15 * DAY_MS)
    swept = chain.send(one_more, ALICE.key)  # what has finished is withdrawn on the way
    assert swept.effect.extra["withdraw_expire_amount"] == 32 * SUN


def test_cancelling_stakes_again_what_waits_and_pays_what_is_done(chain: Chain) -> None:
    freeze(chain)
    freeze(chain, 500, BANDWIDTH)
    chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, 100 * SUN, ENERGY), ALICE.key)
    chain.ledger.advance(15 * DAY_MS)
    chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, 7 * SUN, BANDWIDTH), ALICE.key)
    chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, 50 * SUN, ENERGY), ALICE.key)
    entry = chain.send(c.CancelAllUnfreezeV2Contract(ALICE.address), ALICE.key)
    amounts = {row["key"]: row["value"] for row in entry.effect.extra["cancel_unfreezeV2_amount"]}  # type: ignore[attr-defined]
    assert amounts == {"BANDWIDTH": 7 * SUN, "ENERGY": 50 * SUN, "TRON_POWER": 0}
    assert chain.account(ALICE.address).staked == (500 * SUN, 900 * SUN, 0)
    assert refused(chain, c.CancelAllUnfreezeV2Contract(ALICE.address)) == "No unfreezeV2 list to cancel"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (c.UnfreezeBalanceV2Contract(ALICE.address, SUN, BANDWIDTH), "no frozenBalance(BANDWIDTH)"),
        (c.UnfreezeBalanceV2Contract(ALICE.address, SUN, POWER), "no frozenBalance(TronPower)"),
        (c.UnfreezeBalanceV2Contract(ALICE.address, 1_001 * SUN, ENERGY), "Invalid unfreeze_balance"),
        (c.UnfreezeBalanceV2Contract(ALICE.address, 0, ENERGY), "Invalid unfreeze_balance"),
        (c.VoteWitnessContract(ALICE.address), "VoteNumber must more than 0"),
        (c.WithdrawBalanceContract(ALICE.address), "witnessAccount does not have any reward"),
    ],
)
def test_senseless_orders_are_refused(chain: Chain, order: c.Contract, words: str) -> None:
    freeze(chain)
    assert refused(chain, order).startswith(words)


# -- loans


def lend(chain: Chain, trx: int, *, lock: bool = False, period: int = 0) -> None:
    chain.send(
        c.DelegateResourceContract(ALICE.address, BOB.address, trx * SUN, ENERGY, lock, period), ALICE.key
    )


def take_back(trx: int) -> c.UnDelegateResourceContract:
    return c.UnDelegateResourceContract(ALICE.address, BOB.address, trx * SUN, ENERGY)


def energy_of(chain: Chain, person: Address) -> int:
    return energy_left(chain.ledger.state, chain.ledger.parameters, chain.account(person), chain.ledger.slot)


def test_a_loan_moves_the_yield_and_not_the_stake(chain: Chain) -> None:
    freeze(chain, 10_000)
    whole = energy_of(chain, ALICE.address)
    lend(chain, 4_000)
    assert abs(energy_of(chain, BOB.address) - whole * 4 // 10) <= 1
    assert abs(energy_of(chain, ALICE.address) - whole * 6 // 10) <= 1
    assert chain.account(ALICE.address).tron_power() == 10_000
    chain.send(take_back(4_000), ALICE.key)
    assert energy_of(chain, ALICE.address) == whole
    assert energy_of(chain, BOB.address) == 0
    assert refused(chain, take_back(1)) == "delegated Resource does not exist"


def test_a_locked_loan_comes_back_only_after_its_time(chain: Chain) -> None:
    freeze(chain, 10_000)
    lend(chain, 1_000, lock=True, period=1_000)
    assert "insufficient delegateFrozenBalance(Energy)" in refused(chain, take_back(1_000))
    shorter = c.DelegateResourceContract(ALICE.address, BOB.address, SUN, ENERGY, True, 10)
    assert "cannot be less than the remaining" in refused(chain, shorter)
    chain.ledger.advance(1_000 * 3_000 + 1)
    assert chain.send(take_back(1_000), ALICE.key).effect.result == "SUCCESS"


def test_what_the_borrower_used_comes_back_to_the_lender_as_used(chain: Chain) -> None:
    freeze(chain, 100_000)
    lend(chain, 50_000)
    chain.give(BOB.address, usdt=5)
    entry = chain.invoke(BOB.key, chain.usdt, "transfer(address,uint256)", ALICE.address, 1)
    assert entry.effect.energy_staked == entry.effect.energy_total
    chain.send(take_back(50_000), ALICE.key)
    holder = chain.account(ALICE.address)
    assert used(holder.energy, chain.ledger.slot) == pytest.approx(entry.effect.energy_total, rel=0.01)


def test_used_energy_cannot_be_lent(chain: Chain) -> None:
    freeze(chain, 10_000)
    chain.give(ALICE.address, usdt=5)
    chain.invoke(ALICE.key, chain.usdt, "transfer(address,uint256)", BOB.address, 1)
    everything = c.DelegateResourceContract(ALICE.address, BOB.address, 10_000 * SUN, ENERGY)
    words = refused(chain, everything)
    assert words == "delegateBalance must be less than or equal to available FreezeEnergyV2 balance"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (
            c.DelegateResourceContract(ALICE.address, BOB.address, SUN - 1, ENERGY),
            "delegateBalance must be greater",
        ),
        (
            c.DelegateResourceContract(ALICE.address, ALICE.address, SUN, ENERGY),
            "receiverAddress must not be",
        ),
        (c.DelegateResourceContract(ALICE.address, BOB.address, SUN, POWER), "ResourceCode error"),
        (
            c.DelegateResourceContract(ALICE.address, BOB.address, SUN, BANDWIDTH),
            "delegateBalance must be less",
        ),
        (
            c.DelegateResourceContract(ALICE.address, BOB.address, SUN, ENERGY, True, 864_001),
            "The lock period of delegate resource",
        ),
        (
            c.DelegateResourceContract(ALICE.address, Address(b"\x41" + b"\x09" * 20), SUN, ENERGY),
            "Account[41" + "09" * 20,
        ),
        (
            c.UnDelegateResourceContract(ALICE.address, ALICE.address, SUN, ENERGY),
            "receiverAddress must not be",
        ),
    ],
)
def test_senseless_loans_are_refused(chain: Chain, order: c.Contract, words: str) -> None:
    freeze(chain)
    assert refused(chain, order).startswith(words)


def test_nothing_is_lent_to_contracts_and_no_less_than_nothing_is_taken_back(chain: Chain) -> None:
    freeze(chain)
    to_contract = c.DelegateResourceContract(ALICE.address, chain.usdt, SUN, ENERGY)
    assert refused(chain, to_contract) == "Do not allow delegate resources to contract addresses"
    lend(chain, 5)
    assert refused(chain, take_back(0)) == "unDelegateBalance must be more than 0 TRX"


# -- votes


def representative(chain: Chain, index: int = 0) -> Address:
    return Address(chain.ledger.state.get(("witnesses",))[index])


def test_votes_earn_by_the_slot_and_are_claimed_once_a_day(chain: Chain) -> None:
    freeze(chain, 900_000)
    chain.send(c.VoteWitnessContract(ALICE.address, (c.Vote(representative(chain), 900_000),)), ALICE.key)
    chain.ledger.advance(DAY_MS)
    expected = staking.earned(chain.account(ALICE.address), chain.ledger.slot)
    assert expected > 0
    before = chain.account(ALICE.address).balance
    entry = chain.send(c.WithdrawBalanceContract(ALICE.address), ALICE.key)
    assert entry.effect.extra == {"withdraw_amount": expected}
    assert chain.account(ALICE.address).balance == before + expected
    assert "less than 24 hours" in refused(chain, c.WithdrawBalanceContract(ALICE.address))


def test_votes_need_power_and_a_representative(chain: Chain) -> None:
    freeze(chain, 10)
    too_many = c.VoteWitnessContract(ALICE.address, (c.Vote(representative(chain), 11),))
    assert "is greater than the tronPower[10000000]" in refused(chain, too_many)
    stranger = c.VoteWitnessContract(ALICE.address, (c.Vote(BOB.address, 1),))
    assert "not exists" in refused(chain, stranger)
    nothing = c.VoteWitnessContract(ALICE.address, (c.Vote(representative(chain), 0),))
    assert refused(chain, nothing) == "vote count must be greater than 0"
    many = c.VoteWitnessContract(ALICE.address, (c.Vote(representative(chain), 1),) * 31)
    assert "more than maxVoteNumber 30" in refused(chain, many)


def test_unfreezing_shrinks_votes_to_the_power_that_is_left(chain: Chain) -> None:
    freeze(chain, 1_000)
    votes = (c.Vote(representative(chain, 0), 600), c.Vote(representative(chain, 1), 400))
    before = chain.ledger.state.get(("witness", bytes(representative(chain, 0)))).votes
    chain.send(c.VoteWitnessContract(ALICE.address, votes), ALICE.key)
    chain.send(c.UnfreezeBalanceV2Contract(ALICE.address, 500 * SUN, ENERGY), ALICE.key)
    assert [count for _, count in chain.account(ALICE.address).votes] == [300, 200]
    assert chain.ledger.state.get(("witness", bytes(representative(chain, 0)))).votes == before + 300


# -- how resources come back

AMOUNTS = st.integers(1, 10**9)


@given(AMOUNTS, st.integers(0, WINDOW_SLOTS))
def test_a_use_comes_back_linearly_over_a_day(amount: int, slots: int) -> None:
    usage = use(Usage(), amount, 100)
    expected = amount * (WINDOW_SLOTS - slots) / WINDOW_SLOTS
    assert used(usage, 100 + slots) == pytest.approx(expected, rel=1e-3, abs=2)
    assert used(usage, 100 + WINDOW_SLOTS) == 0


@given(st.lists(st.tuples(AMOUNTS, st.integers(0, 5_000)), min_size=1, max_size=8))
def test_uses_add_up_and_never_last_longer_than_a_day(uses: list[tuple[int, int]]) -> None:
    usage, slot = Usage(), 1
    for amount, pause in uses:
        slot += pause
        before = used(usage, slot)
        usage = use(usage, amount, slot)
        assert used(usage, slot) == pytest.approx(before + amount, rel=1e-3, abs=3)
    assert usage.window <= WINDOW_SLOTS * 1000
    assert used(usage, slot + WINDOW_SLOTS) == 0


@given(AMOUNTS, AMOUNTS)
def test_a_returned_loan_keeps_its_use(mine: int, theirs: int) -> None:
    joined = merge(use(Usage(), mine, 5), use(Usage(), theirs, 5), theirs, 5)
    assert joined.used == pytest.approx(mine + theirs, rel=1e-3, abs=3)
    assert merge(Usage(), Usage(), 0, 9) == Usage(0, 9)
