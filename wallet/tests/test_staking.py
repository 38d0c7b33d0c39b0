"""Staking on a chain: what is asked for happens once; what cannot happen is refused before it is signed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from devnet_chain import ALICE, BOB
from hypothesis import given
from hypothesis import strategies as st
from plane_chain import Network, key_of, open_store, wallets_in

from lucid_kit import fault
from lucid_kit.clock import ManualClock
from lucid_tron.client.models import ChainParameters
from lucid_tron.codec.contracts import ResourceCode
from lucid_tron.devnet.accounts import SUN
from lucid_tron.payouts import ledger
from lucid_tron.sending.orders import (
    InvalidOrder,
    OrderBook,
    OrderConflict,
    OrderMoved,
    OrderNotFound,
    SameTransaction,
)
from lucid_tron.staking.errors import (
    CannotVote,
    InvalidOperation,
    NotEnoughTrx,
    NothingToWithdraw,
    PlanImpossible,
    StakeTooSmall,
    UnfreezeQueueFull,
)
from lucid_tron.staking.plan import Need, Yield, plan
from lucid_tron.staking.service import Staking

DAY_MS = 86_400_000
START = 10_000 * SUN


class Room:
    """A staking service on a chain of its own."""

    async def open(self, directory: Path, network: Network | None = None) -> "Room":
        self.directory = directory
        self.network = network or Network()
        if network is None:
            self.network.chain.give(ALICE.address, trx=START)
            self.network.chain.give(BOB.address, trx=SUN)
            self.network.solidify()
        self.documents = await open_store(directory)
        wallets = wallets_in(self.documents, directory)
        await wallets.prepare()
        await self.documents.ensure(*OrderBook.collections)
        known = await wallets.list()
        self.wallet = (known[0] if known else await wallets.import_key("stake", key_of(ALICE))).id
        self.book = OrderBook(self.documents, ManualClock())
        self.staking = Staking(self.book, wallets, self.network.client, self.network.chain.usdt)
        return self

    async def ask(self, kind: str, id_: str = "", **terms: Any) -> str:
        order = await self.staking.ask(id_ or f"{kind}-1", kind, self.wallet, terms, "carla")
        return order.id

    async def finish(self) -> None:
        for _ in range(8):
            await self.staking.orders.run_once()
            self.network.seal(10)
        assert await self.book.having() == []

    async def do(self, kind: str, id_: str = "", **terms: Any) -> dict[str, Any]:
        name = await self.ask(kind, id_, **terms)
        await self.finish()
        order = await self.book.get(name)
        assert order.state == "settled"
        return dict(order.result)

    async def status(self) -> Any:
        self.network.solidify()
        return (await self.staking.position(ALICE.address)).status


@pytest.fixture
async def room(tmp_path: Path) -> Any:
    made = await Room().open(tmp_path)
    yield made
    await made.documents.close()


async def test_a_stake_goes_its_whole_way_and_comes_back(room: Room) -> None:
    await room.do("stake", amount=5_000 * SUN)
    assert (await room.status()).staked[ResourceCode.ENERGY] == 5_000 * SUN
    await room.do("delegate", amount=1_000 * SUN, receiver=str(BOB.address), lock_blocks=0)
    assert (await room.status()).lent[ResourceCode.ENERGY] == 1_000 * SUN
    assert (await room.network.client.resources(BOB.address)).energy > 0
    await room.do("undelegate", amount=1_000 * SUN, receiver=str(BOB.address))
    await room.do("unstake", amount=2_000 * SUN)
    (waiting,) = (await room.status()).unfreezing
    assert waiting.amount == 2_000 * SUN
    room.network.pass_ms(15 * DAY_MS)
    before = (await room.status()).balance
    await room.do("withdraw")
    assert (await room.status()).balance == before + 2_000 * SUN
    await ledger.verify(room.documents)


async def test_votes_earn_what_can_be_claimed_once_a_day(room: Room) -> None:
    witness = (await room.network.client.pool.any("/wallet/listwitnesses", {}))["witnesses"][0]["address"]
    await room.do("stake", amount=9_000 * SUN)
    await room.do("vote", votes={witness: 9_000})
    room.network.pass_ms(30 * DAY_MS)
    room.network.solidify()
    earned = await room.staking.rewards(ALICE.address)
    assert earned > 0
    await room.do("claim")
    await room.status()
    with pytest.raises(NothingToWithdraw, match="claimed again"):
        await room.ask("claim", "claim-2")


async def test_cancelling_stakes_again_what_was_on_its_way_back(room: Room) -> None:
    await room.do("stake", amount=5_000 * SUN)
    await room.do("unstake", amount=2_000 * SUN)
    await room.do("cancel")
    status = await room.status()
    assert (status.staked[ResourceCode.ENERGY], status.unfreezing) == (5_000 * SUN, ())


async def test_the_thirty_third_unstake_is_refused_here_with_the_date_of_the_next_place(room: Room) -> None:
    await room.do("stake", amount=5_000 * SUN)
    await room.status()
    for number in range(31):
        await room.ask("unstake", f"un-{number:02}", amount=SUN)
    await room.finish()
    await room.status()
    await room.ask("unstake", "un-31", amount=SUN)
    await room.staking.orders.run_once()  # signed, and not on the chain yet: it counts
    with pytest.raises(UnfreezeQueueFull) as refused:
        await room.ask("unstake", "un-32", amount=SUN)
    assert refused.value.facts["waiting"] == 31
    assert str(refused.value.facts["next_place_at"]).endswith("Z")
    await room.finish()
    assert (await room.staking.position(ALICE.address)).queue_left == 0
    room.network.pass_ms(15 * DAY_MS)
    room.network.solidify()
    await room.ask("unstake", "un-32", amount=SUN)


REFUSED: list[tuple[str, dict[str, Any], type[Exception]]] = [
    ("stake", {"amount": 20_000 * SUN}, NotEnoughTrx),
    ("unstake", {"amount": SUN}, StakeTooSmall),
    ("undelegate", {"amount": SUN, "receiver": str(BOB.address)}, StakeTooSmall),
    ("delegate", {"amount": SUN, "receiver": str(BOB.address)}, StakeTooSmall),
    ("withdraw", {}, NothingToWithdraw),
    ("cancel", {}, NothingToWithdraw),
    ("vote", {"votes": {str(BOB.address): 1}}, CannotVote),
    ("stake", {"amount": 5}, InvalidOperation),
    ("stake", {"amount": SUN, "resource": "TRON_POWER"}, InvalidOperation),
    ("delegate", {"amount": SUN, "receiver": str(ALICE.address)}, InvalidOperation),
    ("delegate", {"amount": SUN, "receiver": "nobody"}, InvalidOperation),
    ("delegate", {"amount": SUN, "receiver": str(BOB.address), "lock_blocks": -1}, InvalidOperation),
    ("vote", {"votes": {}}, InvalidOperation),
    ("vote", {"votes": {str(BOB.address): 0}}, InvalidOperation),
    ("burn", {}, InvalidOperation),
]


async def test_what_cannot_succeed_is_refused_and_nothing_is_stored(room: Room) -> None:
    for kind, terms, why in REFUSED:
        with pytest.raises(why):
            await room.ask(kind, "op", **terms)
        with pytest.raises(OrderNotFound):
            await room.book.get("op")


async def test_nobody_votes_for_a_stranger(room: Room) -> None:
    await room.do("stake", amount=10 * SUN)
    await room.status()
    with pytest.raises(CannotVote, match="no representative"):
        await room.ask("vote", votes={str(BOB.address): 1})


async def test_an_operation_id_stands_for_one_operation_for_ever(room: Room) -> None:
    await room.do("stake", "op", amount=100 * SUN)
    await room.ask("stake", "op", amount=100 * SUN)  # the same again: nothing happens twice
    await room.finish()
    assert (await room.status()).staked[ResourceCode.ENERGY] == 100 * SUN
    with pytest.raises(OrderConflict):
        await room.ask("stake", "op", amount=200 * SUN)
    with pytest.raises(InvalidOrder):
        await room.ask("stake", "op/", amount=100 * SUN)


async def test_equal_operations_of_one_moment_are_two_transactions(room: Room) -> None:
    await room.ask("stake", "a", amount=100 * SUN)
    await room.ask("stake", "b", amount=100 * SUN)
    await room.finish()
    assert (await room.status()).staked[ResourceCode.ENERGY] == 200 * SUN


async def test_one_transaction_is_never_stored_for_two_orders(room: Room) -> None:
    await room.ask("stake", "a", amount=100 * SUN)
    await room.staking.orders.run_once()
    signed = await room.book.get("a")
    await room.book.add(replace(signed, id="b", state="approved", attempts=(), version=0))
    with pytest.raises(SameTransaction):
        await room.book.move(await room.book.get("b"), "signed", {}, attempts=signed.attempts)
    assert (await room.book.get("b")).state == "approved"


async def test_what_was_not_sent_can_be_cancelled_and_what_was_cannot(room: Room) -> None:
    await room.ask("stake", "a", amount=SUN)
    await room.staking.orders.run_once()
    assert (await room.book.cancel("a", "carla")).attempt.envelope == ""
    await room.ask("stake", "b", amount=SUN)
    await room.staking.orders.run_once()
    await room.staking.orders.run_once()
    with pytest.raises(OrderMoved):
        await room.book.cancel("b", "carla")
    await room.finish()


async def test_an_operation_nobody_takes_is_signed_anew_and_given_up_after_five_times(room: Room) -> None:
    for node in room.network.nodes:
        node.faults.lose = -1
    await room.ask("stake", "a", amount=SUN)
    for _ in range(40):
        await room.staking.orders.run_once()
        room.network.seal(25)
    order = await room.book.get("a")
    assert (order.state, len(order.attempts)) == ("failed", 5)
    assert len({attempt.txid for attempt in order.attempts}) == 5


async def test_while_the_nodes_disagree_nothing_is_signed(room: Room) -> None:
    await room.ask("stake", "a", amount=SUN)
    room.network.nodes[1].faults.lie = frozenset(("balance",))
    said = await room.staking.orders.run_once()
    assert "disagree" in said["a"]
    assert (await room.book.get("a")).attempts == ()
    assert "disagree" in str((await room.book.get("a")).reason)


class Died(BaseException):
    """Stands for the end of the process."""


POINTS = [f"transaction-{name}" for name in ("signed", "stored", "released", "sent", "solid")]


@pytest.mark.parametrize("point", POINTS)
async def test_a_service_that_dies_anywhere_stakes_once_when_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    room = await Room().open(tmp_path)
    await room.ask("stake", "a", amount=100 * SUN)

    def die(name: str) -> None:
        if name == point:
            raise Died

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Died):
        await room.finish()
    monkeypatch.undo()
    await room.documents.close()
    again = await Room().open(tmp_path, room.network)
    await again.finish()
    assert (await again.status()).staked[ResourceCode.ENERGY] == 100 * SUN
    await ledger.verify(again.documents)
    await again.documents.close()


# --- the energy plan ---


async def test_a_stake_as_planned_covers_the_days_payouts(room: Room) -> None:
    room.network.chain.give(ALICE.address, usdt=10**9)
    room.network.chain.give(BOB.address, usdt=1)
    room.network.chain.give(ALICE.address, trx=2_000_000 * SUN)
    room.network.solidify()
    made = await room.staking.plan(ALICE.address, 10, BOB.address)
    need = await room.staking.measure(ALICE.address, BOB.address)
    assert made.energy_per_day == 10 * need.energy
    await room.do("stake", amount=made.missing_energy)
    await room.status()
    assert (await room.staking.position(ALICE.address)).energy_left >= made.energy_per_day
    again = await room.staking.plan(ALICE.address, 10, BOB.address)
    assert again.missing_energy <= SUN  # its own stake dilutes it by less than a TRX


async def test_a_plan_follows_the_chains_prices_and_the_recipient(room: Room) -> None:
    room.network.chain.give(ALICE.address, usdt=10**9)
    room.network.chain.give(BOB.address, usdt=1)
    room.network.solidify()
    before = await room.staking.plan(ALICE.address, 10, BOB.address)
    to_new = await room.staking.plan(ALICE.address, 10)
    assert to_new.energy_per_day > before.energy_per_day
    room.network.chain.ledger.parameters.change("getEnergyFee", 420)
    dearer = await room.staking.plan(ALICE.address, 10, BOB.address)
    assert dearer.burn_per_day - before.burn_per_day == 320 * before.energy_per_day
    assert dearer.stake_energy == before.stake_energy


@given(st.integers(1, 10**10), st.integers(1, 10**12), st.integers(0, 10**10 - 1))
def test_a_planned_stake_yields_enough_and_a_trx_less_does_not(total: int, weight: int, wanted: int) -> None:
    share = Yield(total, weight)
    if wanted >= total:
        with pytest.raises(PlanImpossible):
            share.stake_for(wanted)
        return
    stake = share.stake_for(wanted)
    assert stake * total >= wanted * (weight + stake)
    if stake:
        assert (stake - 1) * total < wanted * (weight + stake - 1)


def test_memos_are_paid_whatever_is_staked() -> None:
    listed = [{"key": k, "value": v} for k, v in (("getEnergyFee", 100), ("getTransactionFee", 1000))]
    listed += [{"key": "getMaxFeeLimit", "value": 10**10}, {"key": "getMemoFee", "value": 10**6}]
    parameters = ChainParameters.read({"chainParameter": listed})
    made = plan(7, Need(0, 0), parameters, Yield(10, 10), Yield(10, 10))
    assert (made.burn_per_day, made.fees_per_day, made.pays_back_days) == (7 * 10**6, 7 * 10**6, None)
