"""What the chain paid and older books do not know is found by a quorum's word, and entered once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from devnet_chain import Person
from plane_chain import Network, key_of, open_store, wallets_in
from router_chain import OPERATOR, rich_people

from lucid_kit import fault
from lucid_kit.clock import ManualClock
from lucid_kit.documents import Documents
from lucid_tron.client.errors import NodesDisagree, NoHealthyNode
from lucid_tron.codec.address import Address
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import NothingToBeginWith, NotStopped, RecoveryNotFound
from lucid_tron.payouts.evidence import WalletPayments
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import OPEN, PayoutPolicy
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.payouts.recovery import Recovery
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.models import Cap

LIFETIME_MS = 60_000
FUNDS = 10_000
MALLORY = Person("mallory")


def payee(number: int) -> Address:
    return Address.from_evm((10**9 + number).to_bytes(20, "big"))


def under(directory: Path, name: str) -> Path:
    (directory / name).mkdir()
    return directory / name


@dataclass
class Books:
    """A payout processor without a router on a database, and its recovery."""

    network: Network
    documents: Documents
    processor: PayoutProcessor
    reconciliation: Reconciliation
    recovery: Recovery

    @property
    def book(self) -> Book:
        return self.processor.book

    async def approve(self, *numbers: int) -> None:
        asked = [(f"pay_{number}", 1, str(payee(number)), 10 + number) for number in numbers]
        await self.processor.submit_all(asked, "service")
        await self.processor.approve_all([id_ for id_, *_ in asked], "carla")

    async def pay(self, *numbers: int) -> None:
        await self.approve(*numbers)
        for _ in range(20):
            if not await self.book.having(OPEN):
                return
            await self.processor.run_once()
            self.network.seal(10)
        raise AssertionError([(each.id, each.reason) for each in await self.book.having(OPEN)])

    async def stopped(self) -> None:
        await self.book.halt("restored", {})

    async def recovered(self) -> Any:
        """Begin a recovery, let time pass, and take it to its end."""
        await self.recovery.begin("carla")
        self.network.pass_ms(2 * LIFETIME_MS)
        self.network.solidify()
        while not (progress := await self.recovery.run_once()).finished:  # type: ignore[union-attr]
            pass
        return progress


async def books_in(directory: Path, network: Network, guard: Guard | None = None) -> Books:
    documents = await open_store(directory)
    wallets = wallets_in(documents, directory)
    await wallets.prepare()
    await documents.ensure(*Book.collections, *Recovery.collections)
    caps = {str(network.chain.usdt): Cap(10**9, 10**9)}
    hot = await wallets.import_key("hot", key_of(OPERATOR), caps=caps)
    book = Book(documents, ManualClock(network.chain.now))
    client, usdt = network.client, UsdtManager(network.client, network.chain.usdt)
    policy = PayoutPolicy(10**6, 10**9, 10**6, LIFETIME_MS)
    processor = PayoutProcessor(book, wallets, hot.id, hot.address, usdt, client, policy, guard=guard)
    payments = WalletPayments(client, usdt.token, hot.address)
    return Books(
        network,
        documents,
        processor,
        Reconciliation(book, hot.address, usdt, client),
        Recovery(book, client, payments, LIFETIME_MS, guard),
    )


@pytest.fixture
async def network() -> Network:
    made = Network(2)
    rich_people(made.chain, MALLORY)
    return made


@pytest.fixture
async def lost(network: Network, tmp_path: Path) -> AsyncIterator[Books]:
    """Books that paid 1, 2 and 3 and are gone."""
    made = await books_in(under(tmp_path, "lost"), network)
    await funded(made)
    await made.pay(1, 2, 3)
    network.solidify()
    yield made
    await made.documents.close()


@pytest.fixture
async def old(lost: Books, tmp_path: Path) -> AsyncIterator[Books]:
    """Books that know of the funds and of no payment."""
    made = await books_in(under(tmp_path, "old"), lost.network)
    async for entry in ledger.entries(lost.documents):
        if entry["kind"] == "funded":
            await made.book.record("funded", entry["facts"])
    await made.stopped()
    yield made
    await made.documents.close()


async def funded(books: Books) -> None:
    chain = books.network.chain
    sent = chain.invoke(chain.faucet, chain.usdt, "transfer(address,uint256)", OPERATOR.address, FUNDS)
    books.network.solidify()
    assert await books.reconciliation.fund(sent.txid) == FUNDS


async def test_payments_of_the_hot_wallet_are_found_by_their_memos(old: Books) -> None:
    await old.approve(1, 2, 3, 4)
    progress = await old.recovered()
    assert (progress.entered, progress.found.unknown) == (3, ())
    for number in (1, 2, 3):
        found = await old.book.get(f"pay_{number}")
        assert (found.state, found.credited, len(found.attempts)) == ("settled", 10 + number, 1)
    balance = await old.reconciliation.enforce(strict=True)
    assert (balance.missing, balance.surplus, balance.settled) == (0, 0, 36)
    await old.book.resume("carla", "recovered")
    await old.pay(5)
    assert (await old.book.get("pay_4")).state == "settled"
    assert await old.network.usdt.balance(payee(1)) == 11


class Liar(httpx.AsyncBaseTransport):
    """A node that answers one question with something of its own."""

    def __init__(self, honest: httpx.AsyncBaseTransport, path: str, answer: Any) -> None:
        self.honest, self.path, self.answer = honest, path, answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(self.path):
            return httpx.Response(200, json=self.answer)
        return await self.honest.handle_async_request(request)


def among_liars(books: Books, path: str, answer: Any, *liars: int) -> Recovery:
    """A recovery whose nodes of these numbers lie."""
    network = books.network
    for number in liars:
        url = network.urls[number]
        network.mounts[url] = Liar(network.mounts[url], path, answer)  # type: ignore[assignment]
    client = network.connect()
    payments = WalletPayments(client, network.chain.usdt, OPERATOR.address)
    return Recovery(books.book, client, payments, LIFETIME_MS)


async def test_one_node_that_leaves_a_payment_out_does_not_have_it_made_twice(old: Books) -> None:
    await old.approve(1)
    recovery = among_liars(old, "gettransactioninfobyblocknum", [], 1)
    await recovery.begin("carla")
    with pytest.raises(NodesDisagree):
        await recovery.run_once()
    progress = await recovery.progress()
    assert (progress.next, progress.finished) == (progress.first, False)
    assert (await old.book.get("pay_1")).state == "approved"


async def test_a_node_that_gives_another_transaction_is_not_believed(old: Books) -> None:
    """Else it could have another payout taken for paid."""
    await old.approve(1)
    other = {"raw_data_hex": "0a02"}
    recovery = among_liars(old, "gettransactionbyid", other, 0)
    await recovery.begin("carla")
    assert await recovery.run_once() is not None
    assert (await old.book.get("pay_1")).state == "settled"
    recovery = among_liars(old, "gettransactionbyid", other, 1)
    await recovery.begin("carla")
    with pytest.raises(NoHealthyNode):
        await recovery.run_once()


async def test_receipts_out_of_form_are_no_empty_block(old: Books) -> None:
    recovery = among_liars(old, "gettransactioninfobyblocknum", {"items": "none"}, 0, 1)
    await recovery.begin("carla")
    with pytest.raises(NodesDisagree):
        await recovery.run_once()


async def test_a_recovery_that_died_goes_on_and_enters_nothing_twice(
    old: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.approve(1, 2, 3)
    await old.recovery.begin("carla")

    def die(name: str) -> None:
        if name == "recovery-looked":
            raise KeyboardInterrupt

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(KeyboardInterrupt):
        await old.recovery.run_once()
    monkeypatch.undo()
    progress = await old.recovery.run_once()
    assert progress is not None
    assert (progress.found.again, progress.found.contradictions) == ((), ())
    told = [entry["payout"] async for entry in ledger.entries(old.documents) if entry["kind"] == "settled"]
    assert sorted(told) == ["pay_1", "pay_2", "pay_3"]


async def test_a_recovery_waits_for_all_that_could_still_be_mined(old: Books) -> None:
    """Bytes that left before the crash may be mined afterwards: what no block holds yet is not unpaid."""
    begun = await old.recovery.begin("carla")
    old.network.solidify()
    progress = await old.recovery.run_once()
    assert progress is not None
    assert not progress.finished
    old.network.pass_ms(2 * LIFETIME_MS)
    old.network.solidify()
    progress = await old.recovery.run_once()
    assert progress is not None
    assert progress.finished
    assert progress.until_ms == begun.until_ms
    assert await old.recovery.run_once() is None


async def test_what_was_signed_anew_since_is_not_signed_a_third_time(lost: Books, tmp_path: Path) -> None:
    """Older books hold bytes that expired; others were signed since, and paid."""
    network = lost.network
    stale = await books_in(under(tmp_path, "stale"), network)
    async for entry in ledger.entries(lost.documents):
        if entry["kind"] == "funded":
            await stale.book.record("funded", entry["facts"])
    await stale.approve(1)
    for node in network.nodes:
        node.faults.lose = -1
    while (await stale.book.get("pay_1")).state != "broadcast":
        await stale.processor.run_once()
    for node in network.nodes:
        node.faults.lose = 0
    await stale.stopped()
    await stale.approve(2, 3)
    progress = await stale.recovered()
    assert (progress.entered, progress.found.again) == (3, ())
    assert (await stale.book.get("pay_1")).state == "settled"
    await stale.book.resume("carla", "recovered")
    await stale.pay()
    assert await network.usdt.balance(payee(1)) == 11
    await stale.documents.close()


async def test_a_memo_that_somebody_else_wrote_says_nothing(old: Books) -> None:
    """Whoever may move the wallet's tokens could else have payouts taken for paid."""
    chain = old.network.chain
    chain.invoke(OPERATOR.key, chain.usdt, "approve(address,uint256)", MALLORY.address, 1_000)
    arguments = (OPERATOR.address, payee(7), 17)
    chain.invoke(MALLORY.key, chain.usdt, "transferFrom(address,address,uint256)", *arguments, data=b"pay_7")
    await old.approve(1, 2, 3, 7)
    progress = await old.recovered()
    assert (progress.entered, progress.found.unknown) == (3, ())
    assert (await old.book.get("pay_7")).state == "approved"
    assert (await old.reconciliation.check()).missing == 17


async def test_a_payout_that_was_paid_twice_is_named(lost: Books) -> None:
    chain = lost.network.chain
    chain.invoke(OPERATOR.key, chain.usdt, "transfer(address,uint256)", payee(1), 11, data=b"pay_1")
    await lost.stopped()
    await lost.recovery.begin("carla", 1)
    lost.network.pass_ms(2 * LIFETIME_MS)
    lost.network.solidify()
    progress = await lost.recovery.run_once()
    assert progress is not None
    assert progress.found.again == ("pay_1",)


async def test_what_the_books_lack_is_named_and_such_books_are_not_vouched_for(
    old: Books, tmp_path: Path
) -> None:
    Guard.create(tmp_path)
    with Guard(tmp_path) as guard:
        old.recovery._guard = guard
        await old.approve(2)
        assert (await old.recovered()).found.unknown == ("pay_1", "pay_3")
        assert not await old.recovery.vouches()
        await old.approve(1, 3)
        progress = await old.recovered()
        assert (progress.entered, progress.found.unknown) == (2, ())
        assert await old.recovery.vouches()
        # Something was sent since: a copy of these books that tells of that recovery vouches for nothing.
        await old.book.resume("carla", "recovered")
        await guard.accept(old.book, "carla", "recovered")
        await guard.advance(old.book)
        assert not await old.recovery.vouches()


async def test_books_are_recovered_only_while_payouts_are_stopped(lost: Books) -> None:
    with pytest.raises(NotStopped):
        await lost.recovery.begin("carla")
    with pytest.raises(RecoveryNotFound):
        await lost.recovery.progress()
    assert await lost.recovery.run_once() is None


async def test_books_that_know_of_nothing_must_be_told_where_to_begin(
    network: Network, tmp_path: Path
) -> None:
    empty = await books_in(under(tmp_path, "empty"), network)
    await empty.stopped()
    with pytest.raises(NothingToBeginWith):
        await empty.recovery.begin("carla")
    assert (await empty.recovery.begin("carla", 3)).next == 3
    await empty.documents.close()


async def test_books_that_know_of_a_payment_begin_after_it(lost: Books) -> None:
    await lost.stopped()
    newest = max(each.block_number or 0 for each in await lost.book.having(("settled",)))
    assert (await lost.recovery.begin("carla")).first == newest + 1
