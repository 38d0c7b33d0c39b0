"""Each payout is paid exactly once, or waits with a reason; whatever fails, lies or dies on the way."""

import asyncio
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from builders import ALICE, BOB, CAROL, USDT, a_transaction
from fake_tron import SOLID_LAG, FakeTron

from lucid_kit import fault
from lucid_kit.custody import KeyFile
from lucid_kit.documents import Documents, open_documents
from lucid_tron.client.client import TronClient
from lucid_tron.codec import transaction
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import (
    InvalidPayout,
    LedgerBroken,
    OverEpochCap,
    PayoutConflict,
    PayoutNotFound,
    PayoutsHalted,
    SecondPersonNeeded,
    WrongState,
)
from lucid_tron.payouts.models import Payout, PayoutPolicy
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.sending import transmitter
from lucid_tron.sending.attempt import Attempt, StoredBytesDiffer
from lucid_tron.usdt.errors import NotPaid, UnclearPayment
from lucid_tron.usdt.manager import UNIT, UsdtManager
from lucid_tron.wallets.models import Cap
from lucid_tron.wallets.service import Wallets

HOT, TO = ALICE.address, BOB.address
POLICY = PayoutPolicy(per_payout=50 * UNIT, per_epoch=500 * UNIT, two_person_above=20 * UNIT)
START = 1_000 * UNIT


@dataclass
class Plane:
    """A payout processor on a fake network, with what its tests look at."""

    tron: FakeTron
    documents: Documents
    processor: PayoutProcessor
    books: Reconciliation
    client: TronClient

    @property
    def book(self) -> Book:
        return self.processor.book

    async def approved(self, id_: str = "pay_1", amount: int = 5 * UNIT, to: str = str(TO)) -> Payout:
        await self.processor.submit(id_, 1, to, amount, "service")
        return await self.processor.approve(id_, "carla")

    async def state(self, id_: str = "pay_1") -> str:
        return (await self.book.get(id_)).state

    async def until(self, state: str, id_: str = "pay_1") -> Payout:
        for _ in range(200):
            if await self.state(id_) == state:
                return await self.book.get(id_)
            self.tron.mine()
            await self.processor.run_once()
        raise AssertionError(f"{id_} is {await self.book.get(id_)}")


async def a_plane(directory: Path, tron: FakeTron | None = None, name: str = "books") -> Plane:
    if tron is None:
        tron = FakeTron("a", "b")
        tron.trx = {HOT: 10**12}
        tron.usdt = {HOT: START}
    documents = await open_documents(f"sqlite:///{directory}/{name}.db")
    client = tron.client()
    usdt = UsdtManager(client, USDT)
    wallets = Wallets(documents, KeyFile(directory / "kek"), tron.clock)
    await wallets.prepare()
    await documents.ensure(*Book.collections)
    known = await wallets.list()
    hot = known[0] if known else await wallets.import_key("hot", ALICE, caps={str(USDT): Cap(10**12, 10**15)})
    book = Book(documents, tron.clock)
    processor = PayoutProcessor(book, wallets, hot.id, HOT, usdt, client, POLICY)
    books = Reconciliation(book, HOT, usdt, client)
    return Plane(tron, documents, processor, books, client)


@pytest.fixture
async def plane(tmp_path: Path) -> Any:
    made = await a_plane(tmp_path)
    await made.book.record("funded", {"txid": "00" * 32, "amount": START})
    yield made
    await made.documents.close()


# --- the way of a payout ---


async def test_a_payout_walks_from_intent_to_settled_and_is_paid_once(plane: Plane) -> None:
    await plane.processor.submit("pay_1", 1, str(TO), 5 * UNIT, "service")
    assert await plane.state() == "intent"
    assert await plane.processor.run_once() == {}
    await plane.processor.approve("pay_1", "carla")
    seen = []
    for _ in range(SOLID_LAG + 8):
        await plane.processor.run_once()
        if not seen or seen[-1] != await plane.state():
            seen.append(await plane.state())
        plane.tron.mine()
    assert seen == ["signed", "broadcast", "solid", "settled"]
    assert plane.tron.usdt[TO] == 5 * UNIT
    assert len(plane.tron.executed) == 1
    told = [entry["kind"] async for entry in ledger.entries(plane.documents)]
    assert told == ["funded", "intent", "approved", "signed", "broadcast", "solid", "settled"]
    assert (await ledger.verify(plane.documents)).count == 7
    assert (await plane.books.enforce()).missing == 0


async def test_the_payout_is_named_in_the_memo(plane: Plane) -> None:
    await plane.approved()
    await plane.processor.run_once()
    raw = transaction.decode((await plane.book.get("pay_1")).attempt.signed.raw)
    assert raw.data == b"pay_1"
    assert raw.expiration == (await plane.book.get("pay_1")).attempt.expiration_ms


async def test_what_is_in_the_books_holds_no_bytes_that_could_be_sent(plane: Plane) -> None:
    await plane.approved()
    settled = await plane.until("settled")
    assert settled.attempt.envelope == ""
    assert len(settled.attempt.txid) == 64


async def test_bytes_are_stored_before_they_are_sent(plane: Plane) -> None:
    await plane.approved()
    await plane.processor.run_once()
    assert await plane.state() == "signed"
    assert plane.tron.pending == {}


# --- asking twice, asking wrongly ---


async def test_asking_twice_is_asking_once(plane: Plane) -> None:
    first = await plane.processor.submit("pay_1", 1, str(TO), 5, "service")
    again = await plane.processor.submit("pay_1", 1, TO.hex(), 5, "service")
    assert again == first
    assert len(await plane.book.having(("intent",))) == 1


async def test_many_who_ask_at_once_make_one_payout(plane: Plane) -> None:
    asked = [plane.processor.submit("pay_1", 1, str(TO), 5, "service") for _ in range(8)]
    assert len(set(await asyncio.gather(*asked))) == 1
    assert (await ledger.verify(plane.documents)).count == 2


@pytest.mark.parametrize(("to", "amount", "epoch"), [(CAROL.address, 5, 1), (TO, 6, 1), (TO, 5, 2)])
async def test_one_id_never_stands_for_two_payments(plane: Plane, to: Any, amount: int, epoch: int) -> None:
    await plane.processor.submit("pay_1", 1, str(TO), 5, "service")
    with pytest.raises(PayoutConflict):
        await plane.processor.submit("pay_1", epoch, str(to), amount, "service")


@pytest.mark.parametrize(
    ("id_", "epoch", "to", "amount"),
    [
        ("", 1, str(TO), 5),
        ("pay 1", 1, str(TO), 5),
        ("x" * 65, 1, str(TO), 5),
        ("pay_1", 1, str(TO), 0),
        ("pay_1", 1, str(TO), -5),
        ("pay_1", 1, str(TO), 2**53),
        ("pay_1", 1, str(TO), True),
        ("pay_1", -1, str(TO), 5),
        ("pay_1", 1, str(TO)[:-1] + "x", 5),  # a wrong checksum
        ("pay_1", 1, str(HOT), 5),
        ("pay_1", 1, str(USDT), 5),
    ],
)
async def test_a_malformed_payout_is_not_taken(
    plane: Plane, id_: str, epoch: int, to: str, amount: int
) -> None:
    with pytest.raises(InvalidPayout):
        await plane.processor.submit(id_, epoch, to, amount, "service")


async def test_an_epoch_pays_no_more_than_its_cap(plane: Plane) -> None:
    asked = [plane.processor.submit(f"pay_{n}", 1, str(TO), 50 * UNIT, "service") for n in range(14)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, Payout) for answer in answers) == 10
    assert sum(isinstance(answer, OverEpochCap) for answer in answers) == 4
    await plane.processor.submit("next", 2, str(TO), 50 * UNIT, "service")
    with pytest.raises(OverEpochCap):
        await plane.processor.submit("large", 2, str(TO), 50 * UNIT + 1, "service")


async def test_an_unknown_payout_is_not_found(plane: Plane) -> None:
    with pytest.raises(PayoutNotFound):
        await plane.processor.approve("pay_9", "carla")


# --- approving, cancelling, retrying ---


async def test_a_large_payout_needs_two_people_who_did_not_submit_it(plane: Plane) -> None:
    await plane.processor.submit("pay_1", 1, str(TO), 20 * UNIT + 1, "sam")
    with pytest.raises(SecondPersonNeeded):
        await plane.processor.approve("pay_1", "sam")
    assert (await plane.processor.approve("pay_1", "carla")).state == "intent"
    with pytest.raises(SecondPersonNeeded):
        await plane.processor.approve("pay_1", "carla")
    assert (await plane.processor.approve("pay_1", "dora")).state == "approved"
    with pytest.raises(WrongState):
        await plane.processor.approve("pay_1", "erik")


async def test_two_approvals_at_once_by_one_person_count_once(plane: Plane) -> None:
    await plane.processor.submit("pay_1", 1, str(TO), 30 * UNIT, "sam")
    answers = await asyncio.gather(
        *(plane.processor.approve("pay_1", "carla") for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(answer, Payout) for answer in answers) == 1
    assert await plane.state() == "intent"


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_what_was_not_sent_can_be_cancelled_and_is_never_paid(plane: Plane, steps: int) -> None:
    await plane.processor.submit("pay_1", 1, str(TO), 5, "service")
    if steps:
        await plane.processor.approve("pay_1", "carla")
    if steps == 2:
        await plane.processor.run_once()
    assert (await plane.processor.cancel("pay_1", "carla")).state == "cancelled"
    for _ in range(30):
        await plane.processor.run_once()
        plane.tron.mine()
    assert plane.tron.executed == []


async def test_what_was_sent_cannot_be_cancelled(plane: Plane) -> None:
    await plane.approved()
    await plane.until("broadcast")
    with pytest.raises(WrongState):
        await plane.processor.cancel("pay_1", "carla")


async def test_a_cancellation_that_races_with_sending_wins_or_loses_but_never_both(plane: Plane) -> None:
    for n in range(6):
        await plane.approved(f"pay_{n}")
    await plane.processor.run_once()
    answers = await asyncio.gather(
        plane.processor.run_once(),
        *(plane.processor.cancel(f"pay_{n}", "carla") for n in range(6)),
        return_exceptions=True,
    )
    assert answers
    for _ in range(30):
        plane.tron.mine()
        await plane.processor.run_once()
    states = [await plane.state(f"pay_{n}") for n in range(6)]
    assert len(plane.tron.executed) == states.count("settled")
    assert set(states) <= {"settled", "cancelled"}


async def test_a_payment_that_failed_on_chain_waits_for_a_person(plane: Plane) -> None:
    await plane.approved()
    await plane.until("broadcast")
    plane.tron.frozen.add(HOT)
    failed = await plane.until("failed")
    assert failed.reason is not None
    assert "REVERT" in failed.reason
    plane.tron.frozen.clear()
    for _ in range(5):
        await plane.processor.run_once()
    assert await plane.state() == "failed"
    await plane.processor.retry("pay_1", "carla")
    with pytest.raises(WrongState):
        await plane.processor.retry("pay_1", "carla")
    settled = await plane.until("settled")
    assert plane.tron.usdt[TO] == 5 * UNIT
    assert len({attempt.txid for attempt in settled.attempts}) == 2


async def test_too_low_a_fee_limit_fails_and_does_not_pay_twice(plane: Plane) -> None:
    await plane.approved()
    await plane.until("broadcast")
    plane.tron.energy_price = 400
    failed = await plane.until("failed")
    assert failed.reason is not None
    assert "OUT_OF_ENERGY" in failed.reason
    assert TO not in plane.tron.usdt


# --- waiting with a reason ---


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lambda tron: setattr(tron, "paused", True), "paused"),
        (lambda tron: tron.usdt.update({HOT: 1}), "lacks"),
        (lambda tron: tron.trx.update({HOT: 1}), "sun for fees"),
        (lambda tron: tron.frozen.add(TO), "frozen"),
        (lambda tron: setattr(tron.nodes["b"], "down", True), "answer"),
        (lambda tron: setattr(tron, "energy_price", 10**6), "fee limit"),
    ],
)
async def test_a_payout_that_cannot_be_sent_waits_and_says_why(plane: Plane, trouble: Any, said: str) -> None:
    await plane.approved()
    before = dict(plane.tron.usdt), dict(plane.tron.trx), plane.tron.energy_price
    trouble(plane.tron)
    result = await plane.processor.run_once()
    waiting = await plane.book.get("pay_1")
    assert waiting.state == "approved"
    assert said in str(waiting.reason)
    assert said in result["pay_1"]
    plane.tron.usdt, plane.tron.trx, plane.tron.energy_price = before
    plane.tron.paused, plane.tron.nodes["b"].down = False, False
    plane.tron.frozen.clear()
    assert (await plane.until("settled")).reason is None
    assert len(plane.tron.executed) == 1


async def test_the_wallets_cap_holds_payouts_back(plane: Plane) -> None:
    (hot,) = await plane.processor._transmitter._signer.list()
    await plane.processor._transmitter._signer.set_caps(hot.id, {str(USDT): Cap(50 * UNIT, 7 * UNIT)})
    await plane.approved("pay_1")
    await plane.approved("pay_2")
    await plane.processor.run_once()
    assert sorted([await plane.state("pay_1"), await plane.state("pay_2")]) == ["approved", "signed"]
    assert "cap" in str(await plane.book.get("pay_2")) or "spent" in str(await plane.book.get("pay_2"))


# --- nodes that lose, lie, lag ---


async def test_a_lost_transaction_is_sent_again_as_the_same_bytes(plane: Plane) -> None:
    for node in plane.tron.nodes.values():
        node.loses = True
    await plane.approved()
    await plane.until("broadcast")
    assert plane.tron.pending == {}
    for node in plane.tron.nodes.values():
        node.loses = False
    settled = await plane.until("settled")
    assert len(settled.attempts) == 1


async def test_new_bytes_are_signed_only_when_the_old_ones_are_dead(plane: Plane) -> None:
    for node in plane.tron.nodes.values():
        node.loses = True
    await plane.approved()
    sent = await plane.until("broadcast")
    dies = sent.attempt.expiration_ms
    while plane.tron.blocks[len(plane.tron.blocks) - 1 - SOLID_LAG]["time"] <= dies:
        await plane.processor.run_once()
        assert len((await plane.book.get("pay_1")).attempts) == 1
        plane.tron.mine()
    await plane.processor.run_once()
    assert (await plane.book.get("pay_1")).state == "approved"
    assert (await plane.book.get("pay_1")).attempts[0].envelope == ""
    for node in plane.tron.nodes.values():
        node.loses = False
    settled = await plane.until("settled")
    assert len(settled.attempts) == 2
    assert plane.tron.usdt[TO] == 5 * UNIT


async def test_a_node_that_denies_a_mined_payment_cannot_cause_a_second(plane: Plane) -> None:
    await plane.approved()
    await plane.until("broadcast")
    plane.tron.mine()
    plane.tron.nodes["a"].lie = lambda path, _b, answer: {} if "gettransaction" in path else answer
    for _ in range(80):
        plane.tron.mine()
        await plane.processor.run_once()
    assert await plane.state() == "broadcast"
    assert "disagree" in str((await plane.book.get("pay_1")).reason)
    plane.tron.nodes["a"].lie = None
    await plane.until("settled")
    assert len(plane.tron.executed) == 1


async def test_a_node_that_rushes_its_clock_ahead_cannot_cause_a_second(plane: Plane) -> None:
    late = {
        "blockID": plane.tron.blocks[1]["id"].hex(),
        "block_header": {"raw_data": {"number": 1, "timestamp": 2**52}},
    }
    for node in plane.tron.nodes.values():
        node.loses = True
    await plane.approved()
    txid = bytes.fromhex((await plane.until("broadcast")).attempt.txid)
    plane.tron.nodes["a"].lie = lambda path, _b, answer: late if path.endswith("getnowblock") else answer
    for _ in range(3):
        await plane.processor.run_once()
    assert await plane.state() == "broadcast"
    assert not await plane.client.gone(txid, (await plane.book.get("pay_1")).attempt.expiration_ms)


async def test_silence_is_not_an_answer(plane: Plane) -> None:
    for node in plane.tron.nodes.values():
        node.loses = True
    await plane.approved()
    sent = (await plane.until("broadcast")).attempt
    plane.tron.mine(100)
    plane.tron.nodes["b"].down = True
    assert not await plane.client.gone(bytes.fromhex(sent.txid), sent.expiration_ms)
    plane.tron.nodes["b"].down = False
    assert await plane.client.gone(bytes.fromhex(sent.txid), sent.expiration_ms)


async def test_a_success_that_moved_nothing_stops_everything(plane: Plane) -> None:
    await plane.approved("pay_1")
    await plane.until("broadcast")
    await plane.approved("pay_2")

    def without_log(path: str, _body: dict, answer: Any) -> Any:
        return (
            {name: item for name, item in answer.items() if name != "log"} if "infobyid" in path else answer
        )

    for node in plane.tron.nodes.values():
        node.lie = without_log
    plane.tron.solidify()
    with pytest.raises(UnclearPayment):
        await plane.processor.step(await plane.book.get("pay_1"))
    with pytest.raises(PayoutsHalted, match="pay_1"):
        await plane.processor.run_once()
    with pytest.raises(PayoutsHalted):
        await plane.processor.step(await plane.book.get("pay_2"))
    with pytest.raises(WrongState):
        await plane.processor.retry("pay_1", "carla")
    for node in plane.tron.nodes.values():
        node.lie = None
    await plane.book.resume("carla", "both nodes were replaced")
    await plane.until("settled", "pay_2")
    assert len(plane.tron.executed) == 2


# --- dying at every step ---


class Died(BaseException):
    """Stands for the end of the process."""


POINTS = sorted(
    name for name in fault.names(Path(transmitter.__file__).parent) if name.startswith("transaction-")
)


def test_the_fault_points_are_those_tested_here() -> None:
    assert POINTS == [
        "transaction-released",
        "transaction-sent",
        "transaction-signed",
        "transaction-solid",
        "transaction-stored",
    ]


@pytest.mark.parametrize("point", POINTS)
async def test_a_processor_that_dies_anywhere_pays_once_when_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    plane = await a_plane(tmp_path)
    await plane.book.record("funded", {"txid": "00" * 32, "amount": START})
    await plane.approved()

    def die(name: str) -> None:
        if name == point:
            raise Died

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Died):
        await plane.until("settled")
    monkeypatch.undo()
    await plane.documents.close()
    again = await a_plane(tmp_path, plane.tron)
    assert (await again.books.enforce()).missing == 0
    await again.until("settled")
    assert len(again.tron.executed) == 1
    assert again.tron.usdt[TO] == 5 * UNIT
    assert (await again.books.enforce()).missing == 0
    await again.documents.close()


async def test_two_processors_at_once_pay_once(tmp_path: Path) -> None:
    one = await a_plane(tmp_path)
    two = await a_plane(tmp_path, one.tron)
    for n in range(5):
        await one.approved(f"pay_{n}")
    for _ in range(30):
        await asyncio.gather(one.processor.run_once(), two.processor.run_once())
        one.tron.mine()
    assert len(one.tron.executed) == 5
    assert one.tron.usdt[TO] == 25 * UNIT
    assert {await one.state(f"pay_{n}") for n in range(5)} == {"settled"}
    await ledger.verify(one.documents)
    await one.documents.close()
    await two.documents.close()


@pytest.mark.parametrize("seed", range(6))
async def test_under_random_faults_every_payout_is_paid_once_or_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    plane = await a_plane(tmp_path)
    await plane.book.record("funded", {"txid": "00" * 32, "amount": START})
    asked = {f"pay_{n}": chance.randint(1, 20 * UNIT) for n in range(8)}
    for id_, amount in asked.items():
        await plane.approved(id_, amount)
    monkeypatch.setattr(fault, "point", lambda _name: chance.random() < 0.05 and (_ for _ in ()).throw(Died))

    for _ in range(60):
        for node in plane.tron.nodes.values():
            node.down = chance.random() < 0.1
            node.status = 429 if chance.random() < 0.1 else 200
            node.loses = chance.random() < 0.3
            node.code = "SERVER_BUSY" if chance.random() < 0.2 else None
            node.behind = chance.choice((0, 0, 0, 1, 3))
        plane.tron.paused = chance.random() < 0.1
        try:
            await plane.processor.run_once()
        except Died:
            await plane.documents.close()
            plane = await a_plane(tmp_path, plane.tron)
        plane.tron.mine(chance.choice((1, 1, 3, 20)))

    monkeypatch.undo()
    for node in plane.tron.nodes.values():
        node.down = node.loses = False
        node.status, node.code, node.behind = 200, None, 0
    plane.tron.paused = False
    for _ in range(100):
        plane.tron.mine(2)
        await plane.processor.run_once()
        for failed in await plane.book.having(("failed",)):
            await plane.processor.retry(failed.id, "carla")
    states = {id_: await plane.state(id_) for id_ in asked}
    assert set(states.values()) == {"settled"}
    assert plane.tron.usdt[TO] == sum(asked.values())
    assert plane.tron.usdt[HOT] == START - sum(asked.values())
    balance = await plane.books.enforce(strict=True)
    assert (balance.missing, balance.surplus, balance.settled) == (0, 0, sum(asked.values()))
    await plane.book.require_running()
    await plane.documents.close()


# --- the books ---


async def test_a_database_restored_from_yesterday_pays_nothing_again(tmp_path: Path) -> None:
    plane = await a_plane(tmp_path)
    await plane.book.record("funded", {"txid": "00" * 32, "amount": START})
    await plane.approved()
    await plane.documents.close()
    backup = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("books")}  # noqa: ASYNC240
    plane = await a_plane(tmp_path, plane.tron)
    await plane.until("settled")
    await plane.documents.close()
    for path in list(tmp_path.iterdir()):  # noqa: ASYNC240
        if path.name.startswith("books"):
            path.unlink()
    for name, content in backup.items():
        (tmp_path / name).write_bytes(content)
    restored = await a_plane(tmp_path, plane.tron)
    assert await restored.state() == "approved"
    balance = await restored.books.enforce()
    assert balance.missing == 5 * UNIT
    with pytest.raises(PayoutsHalted, match="lacks 5000000 units"):
        await restored.processor.run_once()
    with pytest.raises(PayoutsHalted):
        await restored.processor.step(await restored.book.get("pay_1"))
    assert len(plane.tron.executed) == 1
    await restored.documents.close()


async def test_dust_from_a_stranger_stops_payouts_only_in_the_strict_reconciliation(plane: Plane) -> None:
    plane.tron.usdt[HOT] += 1
    assert (await plane.books.enforce()).surplus == 1
    await plane.book.require_running()
    await plane.books.enforce(strict=True)
    with pytest.raises(PayoutsHalted):
        await plane.book.require_running()


async def test_a_payment_in_flight_is_neither_missing_nor_surplus(plane: Plane) -> None:
    await plane.approved()
    for _ in range(40):
        balance = await plane.books.check()
        assert (balance.missing, balance.surplus) == (0, 0)
        await plane.processor.run_once()
        plane.tron.mine()
    assert balance.settled == 5 * UNIT


async def test_a_deposit_is_entered_once_and_only_when_it_is_solid(plane: Plane) -> None:
    tron = plane.tron
    tron.usdt[CAROL.address], tron.trx[CAROL.address] = 50 * UNIT, 10**9
    prepared = await UsdtManager(plane.client, USDT).prepare_transfer(CAROL.address, HOT, 30 * UNIT)
    signed = CAROL.sign(prepared.raw)
    await plane.client.broadcast(signed)
    with pytest.raises(NotPaid):
        await plane.books.fund(signed.txid)
    tron.solidify()
    assert await plane.books.fund(signed.txid) == 30 * UNIT
    assert await plane.books.fund(signed.txid) == 30 * UNIT
    balance = await plane.books.enforce(strict=True)
    assert balance.funded == START + 30 * UNIT
    assert balance.surplus == 0


async def test_a_halt_is_told_once_and_only_a_person_ends_it(plane: Plane) -> None:
    await plane.book.halt("first", {})
    await plane.book.halt("second", {})
    with pytest.raises(PayoutsHalted, match="first"):
        await plane.processor.run_once()
    await plane.book.resume("carla", "checked")
    await plane.book.resume("carla", "checked")
    assert await plane.processor.run_once() == {}
    told = [entry["kind"] async for entry in ledger.entries(plane.documents)]
    assert told == ["funded", "halted", "resumed"]


@pytest.mark.parametrize(
    "attack",
    [
        {"facts": {"txid": "00" * 32, "amount": START + 1}},
        {"at_ms": 1},
        {"kind": "settled"},
        {"payout": "pay_2"},
        {"prev": "00" * 32},
        {"n": 7},
        {"hash": "00" * 32},
    ],
)
async def test_an_altered_entry_breaks_the_ledger(plane: Plane, attack: dict) -> None:
    await plane.approved()
    head = await ledger.verify(plane.documents)
    assert head.count == 3
    await plane.documents.update(ledger.LEDGER.name, f"{1:015d}", attack)
    with pytest.raises(LedgerBroken):
        await ledger.verify(plane.documents)
    with pytest.raises(LedgerBroken):
        await plane.books.enforce()


async def test_a_removed_entry_breaks_the_ledger(plane: Plane) -> None:
    await plane.approved()
    head = await ledger.verify(plane.documents)
    assert await ledger.verify(plane.documents, expected=head) == head
    await plane.documents.delete(ledger.LEDGER.name, f"{3:015d}")
    assert (await ledger.verify(plane.documents)).count == 2  # a tail that was cut off is not seen …
    with pytest.raises(LedgerBroken):  # … except by who kept the head
        await ledger.verify(plane.documents, expected=head)
    await plane.documents.delete(ledger.LEDGER.name, f"{1:015d}")
    with pytest.raises(LedgerBroken):
        await ledger.verify(plane.documents)


def test_stored_bytes_are_those_of_their_txid() -> None:
    attempt = Attempt("00" * 32, Attempt.of(ALICE.sign(a_transaction()), 1).envelope, 1)
    with pytest.raises(StoredBytesDiffer):
        _ = attempt.signed
    assert replace(attempt, envelope="").envelope == ""
