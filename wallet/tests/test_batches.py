"""Batches through the router: paid wholly or not at all, nobody twice, and who spoils one stands alone."""

import asyncio
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from builders import ALICE, USDT
from fake_router import EACH, ROUTER, FakeRouterTron

from lucid_kit import fault
from lucid_kit.custody import KeyFile
from lucid_kit.documents import Documents, open_documents
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.payouts import guard as guard_module
from lucid_tron.payouts import ledger
from lucid_tron.payouts.batch import Batch, router_id
from lucid_tron.payouts.batchbook import BatchBook
from lucid_tron.payouts.batching import groups
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import InvalidPayout, OverEpochCap, PayoutNotFound, PayoutsHalted, WrongState
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import OPEN, Payout, PayoutPolicy
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.payouts.router import RouterClient
from lucid_tron.sending import transmitter
from lucid_tron.sending.attempt import Attempt
from lucid_tron.usdt.manager import UNIT, UsdtManager
from lucid_tron.wallets.models import Cap
from lucid_tron.wallets.service import Wallets

POLICY = PayoutPolicy(per_payout=50 * UNIT, per_epoch=10_000 * UNIT, two_person_above=20 * UNIT)
START = 5_000 * UNIT


def person(number: int) -> Address:
    return Address.from_evm(number.to_bytes(20, "big"))


@dataclass
class Plane:
    """A processor that pays through a router on a fake network."""

    tron: FakeRouterTron
    documents: Documents
    processor: PayoutProcessor
    books: Reconciliation
    client: TronClient
    wallets: Wallets
    wallet_id: str

    @property
    def book(self) -> Book:
        return self.processor.book

    async def approved(self, count: int, first: int = 0) -> dict[str, int]:
        asked = {f"pay_{n:04}": 1000 + n for n in range(first, first + count)}
        await self.processor.submit_all(
            [(id_, 1, str(person(1000 + amount)), amount) for id_, amount in asked.items()], "service"
        )
        await self.processor.approve_all(list(asked), "carla")
        return asked

    async def state(self, id_: str) -> str:
        return (await self.book.get(id_)).state

    async def finish(self, rounds: int = 60) -> None:
        for _ in range(rounds):
            if not await self.book.having(OPEN):
                return
            await self.processor.run_once()
            self.tron.mine(3)
        raise AssertionError([(p.id, p.state, p.reason) for p in await self.book.having(OPEN)])

    async def all_paid_once(self, asked: dict[str, int]) -> None:
        for id_, amount in asked.items():
            assert await self.state(id_) == "settled"
            assert self.tron.usdt[person(1000 + amount)] == amount
        assert set(self.tron.paid_times.values()) <= {1}
        assert {router_id(id_) for id_ in asked} <= set(self.tron.spent)
        self.tron.solidify()
        balance = await self.books.enforce(strict=True)
        assert (balance.missing, balance.surplus) == (0, 0)
        await self.book.require_running()


async def a_plane(
    directory: Path, tron: FakeRouterTron | None = None, guard: Guard | None = None, **options: Any
) -> Plane:
    if tron is None:
        tron = FakeRouterTron("a", "b")
        tron.trx = {ALICE.address: 10**13}
        tron.usdt = {ROUTER: START}
    documents = await open_documents(f"sqlite:///{directory}/books.db")
    client = tron.client()
    usdt = UsdtManager(client, USDT)
    wallets = Wallets(documents, KeyFile(directory / "kek"), tron.clock)
    await wallets.prepare()
    await documents.ensure(*Book.collections)
    known = await wallets.list()
    caps = {str(ROUTER): Cap(10**12, 10**15)}
    hot = known[0] if known else await wallets.import_key("hot", ALICE, caps=caps)
    await wallets.set_fee_cap(hot.id, 2_000_000_000)
    book = Book(documents, tron.clock)
    router = RouterClient(client, usdt, ROUTER)
    processor = PayoutProcessor(
        book, wallets, hot.id, ALICE.address, usdt, client, POLICY, router=router, guard=guard, **options
    )
    books = Reconciliation(book, ROUTER, usdt, client)
    if not known:
        await book.record("funded", {"txid": "00" * 32, "amount": START})
    return Plane(tron, documents, processor, books, client, wallets, hot.id)


@pytest.fixture
async def plane(tmp_path: Path) -> Any:
    made = await a_plane(tmp_path)
    yield made
    await made.client.close()
    await made.documents.close()


# --- the way of a batch ---


async def test_seventy_payouts_take_three_transactions_and_are_paid_once_each(plane: Plane) -> None:
    asked = await plane.approved(70)
    await plane.finish()
    assert len(plane.tron.executed) == 3
    await plane.all_paid_once(asked)
    told = [entry["kind"] async for entry in ledger.entries(plane.documents) if entry["payout"] is None]
    assert sorted(told) == sorted(["funded", *["signed", "broadcast", "solid", "settled"] * 3])
    settled = await plane.book.having(("settled",))
    assert all(each.credited == each.amount and each.block_number for each in settled)
    batches = await BatchBook(plane.book).having(("settled",))
    assert [batch.attempt.envelope for batch in batches] == ["", "", ""]


async def test_one_payout_is_a_batch_of_one(plane: Plane) -> None:
    asked = await plane.approved(1)
    await plane.finish()
    assert len(plane.tron.executed) == 1
    await plane.all_paid_once(asked)


async def test_bytes_are_stored_before_they_are_sent_and_payouts_of_a_batch_move_together(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plane.approved(5)

    def die(name: str) -> None:
        if name == "transaction-stored":
            raise Died

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Died):
        await plane.processor.run_once()
    monkeypatch.undo()
    (batch,) = await BatchBook(plane.book).having()
    assert batch.state == "signed"
    assert batch.attempt.signed.txid.hex() == batch.id
    assert plane.tron.pending == {}
    assert {payout.state for payout in await plane.book.having()} == {"signed"}
    with pytest.raises(WrongState):
        await plane.processor.step(await plane.book.get("pay_0000"))


async def test_asking_for_many_is_all_checked_before_any_is_stored(plane: Plane) -> None:
    good = ("pay_1", 1, str(person(7)), 5)
    for bad in (("pay_2", 1, str(ROUTER), 5), ("pay_2", 1, str(person(7)), 0)):
        with pytest.raises(InvalidPayout):
            await plane.processor.submit_all([good, bad], "service")
    with pytest.raises(OverEpochCap):
        await plane.processor.submit_all([good, ("pay_2", 1, str(person(7)), 51 * UNIT)], "service")
    with pytest.raises(PayoutNotFound):
        await plane.processor.approve_all(["pay_1"], "carla")
    assert await plane.processor.submit_all([good, good], "service") == 2


def test_batches_never_exceed_the_limit_of_any_payout_in_them() -> None:
    payout = Payout.read("x", 1, str(person(1)), 1, "service")
    many = [
        replace(payout, id=f"{n}", batch_limit=random.Random(n).choice((30, 15, 8, 1))) for n in range(99)
    ]
    found = groups(many)
    assert sorted(each.id for group in found for each in group) == sorted(each.id for each in many)
    assert all(len(group) <= min(each.batch_limit for each in group) for group in found)


async def test_nothing_that_is_merely_approved_starts_outside_of_a_run(plane: Plane) -> None:
    asked = await plane.approved(3)
    assert await plane.processor.run_once(start=False) == {}
    assert await plane.state("pay_0000") == "approved"
    await plane.processor.run_once()
    for _ in range(40):
        await plane.processor.run_once(start=False)
        plane.tron.mine(3)
    await plane.all_paid_once(asked)


# --- cancelling ---


async def test_a_payout_cancelled_before_the_bytes_leave_voids_its_batch_and_the_others_are_paid(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await plane.approved(4)

    def die(name: str) -> None:
        if name == "transaction-stored":
            raise Died

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Died):
        await plane.processor.run_once()
    monkeypatch.undo()
    await plane.processor.cancel("pay_0002", "carla")
    await plane.finish()
    assert await plane.state("pay_0002") == "cancelled"
    assert router_id("pay_0002") not in plane.tron.spent
    del asked["pay_0002"]
    await plane.all_paid_once(asked)
    assert len(plane.tron.executed) == 1


async def test_a_cancellation_that_races_with_sending_wins_or_loses_but_never_both(plane: Plane) -> None:
    await plane.approved(12)
    outcomes = await asyncio.gather(
        plane.processor.run_once(),
        *(plane.processor.cancel(f"pay_{n:04}", "carla") for n in range(0, 12, 5)),
        return_exceptions=True,
    )
    assert outcomes
    await plane.finish()
    for n in range(12):
        state = await plane.state(f"pay_{n:04}")
        assert (state == "settled") == (router_id(f"pay_{n:04}") in plane.tron.spent), state


# --- whoever spoils a batch ---


@pytest.mark.parametrize("silent", [True, False])
async def test_a_recipient_who_makes_it_revert_is_found_in_rehearsal_and_waits_alone(
    plane: Plane, silent: bool
) -> None:
    asked = await plane.approved(30)
    plane.tron.poisoned, plane.tron.silent = {person(2000 + 17)}, silent
    for _ in range(12):
        await plane.processor.run_once()
        plane.tron.mine(3)
    waiting = await plane.book.get("pay_0017")
    assert waiting.state == "approved"
    assert "TransferFailed" in str(waiting.reason) or "reverts" in str(waiting.reason)
    assert all(plane.tron.receipts[txid]["receipt"]["result"] == "SUCCESS" for txid in plane.tron.executed)
    plane.tron.poisoned.clear()
    await plane.finish()
    await plane.all_paid_once(asked)


async def test_a_batch_that_reverts_on_chain_is_halved_until_the_one_at_fault_stands_alone(
    tmp_path: Path,
) -> None:
    plane = await a_plane(tmp_path, rehearse="first")
    asked = await plane.approved(60)
    spoilt = False

    def spoil_when_pending() -> None:
        nonlocal spoilt
        if not spoilt and plane.tron.pending:
            plane.tron.poisoned, spoilt = {person(2000 + 40)}, True

    for _ in range(25):
        await plane.processor.run_once()
        spoil_when_pending()
        plane.tron.mine(3)
    await plane.processor.run_once()
    waiting = await plane.book.get("pay_0040")
    assert waiting.state == "approved"
    assert waiting.batch_limit == 15
    failed = [t for t in plane.tron.executed if plane.tron.receipts[t]["receipt"]["result"] == "REVERT"]
    assert len(failed) == 1
    others = {id_: amount for id_, amount in asked.items() if id_ != "pay_0040"}
    for id_ in others:
        assert await plane.state(id_) == "settled"
    plane.tron.poisoned.clear()
    await plane.finish()
    await plane.all_paid_once(asked)
    await plane.documents.close()


async def test_halving_ends_with_a_single_failed_payout_when_rehearsals_lie(plane: Plane) -> None:
    asked = await plane.approved(8)
    plane.tron.poisoned = {person(2000 + 5)}
    real = plane.processor._router
    assert real is not None

    async def careless(_operator: Any, payouts: Any) -> int:
        return 110_000 * len(payouts)

    object.__setattr__(real, "rehearse", careless)
    for _ in range(90):
        await plane.processor.run_once()
        plane.tron.mine(3)
        if not await plane.book.having(OPEN):
            break
    failed = await plane.book.get("pay_0005")
    assert failed.state == "failed"
    assert "REVERT" in str(failed.reason)
    plane.tron.poisoned.clear()
    await plane.processor.retry("pay_0005", "carla")
    await plane.finish()
    await plane.all_paid_once(asked)


# --- waiting with a reason ---


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lambda tron: setattr(tron, "paused", True), "paused"),
        (lambda tron: tron.usdt.update({ROUTER: 1}), "lacks"),
        (lambda tron: tron.trx.update({ALICE.address: 1}), "sun for fees"),
        (lambda tron: setattr(tron.nodes["b"], "down", True), "answer"),
        (lambda tron: setattr(tron, "energy_price", 10**6), "fee limit"),
    ],
)
async def test_payouts_that_cannot_be_sent_wait_and_say_why(plane: Plane, trouble: Any, said: str) -> None:
    asked = await plane.approved(3)
    before = dict(plane.tron.usdt), dict(plane.tron.trx), plane.tron.energy_price
    trouble(plane.tron)
    result = await plane.processor.run_once()
    for id_ in asked:
        assert said in result[id_]
        assert said in str((await plane.book.get(id_)).reason)
    plane.tron.usdt, plane.tron.trx, plane.tron.energy_price = before
    plane.tron.paused, plane.tron.nodes["b"].down = False, False
    await plane.finish()
    await plane.all_paid_once(asked)


@pytest.mark.parametrize("rehearse", ["all", "first"])
async def test_a_recipient_whom_the_issuer_froze_waits_and_the_others_are_paid(
    tmp_path: Path, rehearse: str
) -> None:
    plane = await a_plane(tmp_path, rehearse=rehearse)
    asked = await plane.approved(70)
    frozen = person(1000 + asked["pay_0040"])
    plane.tron.frozen.add(frozen)
    for _ in range(30):
        await plane.processor.run_once()
        plane.tron.mine(3)
    assert "RecipientFrozen" in str((await plane.book.get("pay_0040")).reason)
    assert {await plane.state(id_) for id_ in asked if id_ != "pay_0040"} == {"settled"}
    assert plane.tron.usdt.get(frozen, 0) == 0
    plane.tron.frozen.clear()
    await plane.finish()
    await plane.all_paid_once(asked)
    await plane.client.close()
    await plane.documents.close()


async def test_no_more_is_sent_than_the_router_holds(plane: Plane) -> None:
    await plane.approved(60)
    plane.tron.usdt[ROUTER] = 35_000  # enough for the first thirty only
    await plane.processor.run_once()
    await plane.processor.run_once()
    states = [payout.state for payout in await plane.book.having()]
    assert (states.count("broadcast"), states.count("approved")) == (30, 30)


async def test_two_batches_of_one_round_do_not_count_on_the_same_trx(plane: Plane) -> None:
    await plane.approved(60)
    one = EACH * 30 * plane.tron.energy_price
    plane.tron.trx[ALICE.address] = one + one // 2
    said = await plane.processor.run_once()
    assert "sun for fees" in min(said.values())
    states = [payout.state for payout in await plane.book.having()]
    assert (states.count("broadcast"), states.count("approved")) == (30, 30)


async def test_a_batch_is_not_stored_if_one_of_its_payouts_is_not_as_it_was(plane: Plane) -> None:
    asked = await plane.approved(3)
    batches = BatchBook(plane.book)
    await plane.processor.cancel("pay_0001", "carla")
    attempt = Attempt("ab" * 32, "00", 1)
    with pytest.raises(WrongState, match="pay_0001"):
        await batches.move(Batch(tuple(asked)), "signed", {}, attempts=(attempt,))
    assert await batches.having() == []
    assert [await plane.state(id_) for id_ in asked] == ["approved", "cancelled", "approved"]


async def test_a_wrong_operator_waits_and_blames_nobody(plane: Plane) -> None:
    asked = await plane.approved(3)
    router = plane.processor._router
    plane.processor._batching._payments.payer = person(5)  # type: ignore[union-attr]
    result = await plane.processor.run_once()
    assert router is not None
    assert all("NotOperator" in result[id_] for id_ in asked)


# --- what the chain says ---


async def test_a_batch_that_was_lost_is_sent_again_as_the_same_bytes(plane: Plane) -> None:
    for node in plane.tron.nodes.values():
        node.loses = True
    asked = await plane.approved(3)
    await plane.processor.run_once()
    for node in plane.tron.nodes.values():
        node.loses = False
    await plane.finish()
    assert len(await BatchBook(plane.book).having(("settled", "expired"))) == 1
    await plane.all_paid_once(asked)


async def test_a_batch_is_signed_anew_only_when_the_old_bytes_are_dead(plane: Plane) -> None:
    for node in plane.tron.nodes.values():
        node.loses = True
    asked = await plane.approved(3)
    await plane.processor.run_once()
    (first,) = await BatchBook(plane.book).having()
    while not await BatchBook(plane.book).having(("expired",)):
        plane.tron.mine(5)
        await plane.processor.run_once()
        assert plane.tron.blocks[-25]["time"] <= first.attempt.expiration_ms + 60_000
    for node in plane.tron.nodes.values():
        node.loses = False
    await plane.finish(200)
    assert len((await plane.book.get("pay_0000")).attempts) == 2
    await plane.all_paid_once(asked)


@pytest.mark.parametrize("lie", ["no logs", "another amount", "another router"])
async def test_a_success_that_paid_something_else_stops_everything(plane: Plane, lie: str) -> None:
    await plane.approved(3)
    await plane.processor.run_once()

    def forged(path: str, _body: dict, answer: Any) -> Any:
        if "infobyid" not in path or not answer:
            return answer
        logs = [dict(log) for log in answer["log"]]
        if lie == "no logs":
            logs = []
        elif lie == "another amount":
            logs[1]["data"] = (1).to_bytes(32, "big").hex()
        else:
            logs[1]["address"] = person(9).evm.hex()
        return answer | {"log": logs}

    for node in plane.tron.nodes.values():
        node.lie = forged
    plane.tron.solidify()
    await plane.processor.run_once()
    with pytest.raises(PayoutsHalted):
        await plane.processor.run_once()


async def test_what_the_router_has_paid_and_the_books_have_not_stops_everything(plane: Plane) -> None:
    await plane.approved(3)
    plane.tron.spent[router_id("pay_0001")] = 1
    with pytest.raises(PayoutsHalted, match="pay_0001"):
        await plane.processor.run_once()
    with pytest.raises(PayoutsHalted):
        await plane.processor.run_once()
    assert plane.tron.executed == []


async def test_two_processors_at_once_pay_every_batch_once(tmp_path: Path) -> None:
    one = await a_plane(tmp_path)
    two = await a_plane(tmp_path, one.tron)
    asked = await one.approved(100)
    for _ in range(40):
        await asyncio.gather(one.processor.run_once(), two.processor.run_once())
        one.tron.mine(3)
        if not await one.book.having(OPEN):
            break
    await one.all_paid_once(asked)
    for plane in (one, two):
        await plane.documents.close()


# --- dying ---


class Died(BaseException):
    """Stands for the end of the process."""


POINTS = [
    *(f"transaction-{done}" for done in ("signed", "stored", "released", "sent", "solid")),
    "guard-advanced",
]


def test_the_fault_points_are_those_tested_here() -> None:
    known = fault.names(Path(transmitter.__file__).parent, Path(guard_module.__file__).parent)
    assert sorted(name for name in known if name.startswith(("transaction-", "guard-"))) == sorted(POINTS)


@pytest.mark.parametrize("point", POINTS)
async def test_a_processor_that_dies_anywhere_pays_once_when_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    Guard.create(tmp_path)
    guard = Guard(tmp_path).open()
    plane = await a_plane(tmp_path, guard=guard)
    asked = await plane.approved(40)

    def die(name: str) -> None:
        if name == point:
            raise Died

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Died):
        await plane.finish()
    monkeypatch.undo()
    guard.close()
    await plane.documents.close()
    with Guard(tmp_path) as again:
        back = await a_plane(tmp_path, plane.tron, again)
        await again.check(back.book)
        assert (await back.books.enforce()).missing == 0
        await back.finish()
        await back.all_paid_once(asked)
        await back.documents.close()


@pytest.mark.parametrize("seed", range(4))
async def test_under_random_faults_every_payout_is_paid_once_or_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    plane = await a_plane(tmp_path, rehearse=chance.choice(("all", "first")))
    asked = await plane.approved(75)
    monkeypatch.setattr(fault, "point", lambda _name: chance.random() < 0.05 and (_ for _ in ()).throw(Died))
    for _ in range(40):
        for node in plane.tron.nodes.values():
            node.down = chance.random() < 0.1
            node.loses = chance.random() < 0.3
            node.code = "SERVER_BUSY" if chance.random() < 0.2 else None
            node.behind = chance.choice((0, 0, 0, 1, 3))
        plane.tron.poisoned = {person(2000 + n) for n in range(75) if chance.random() < 0.02}
        plane.tron.paused = chance.random() < 0.1
        try:
            await plane.processor.run_once()
        except Died:
            await plane.documents.close()
            plane = await a_plane(tmp_path, plane.tron, rehearse=chance.choice(("all", "first")))
        plane.tron.mine(chance.choice((1, 1, 3, 20)))
    monkeypatch.undo()
    for node in plane.tron.nodes.values():
        node.down = node.loses = False
        node.code, node.behind = None, 0
    plane.tron.paused, plane.tron.poisoned = False, set()
    for _ in range(100):
        await plane.processor.run_once()
        for failed in await plane.book.having(("failed",)):
            await plane.processor.retry(failed.id, "carla")
        plane.tron.mine(3)
        if not await plane.book.having(OPEN):
            break
    await plane.all_paid_once(asked)
    await plane.documents.close()
