"""An attestation reaches the router whatever dies on the way, and a payee hears why they are not paid."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from devnet_chain import Person
from plane_chain import Network, key_of, open_store, wallets_in
from router_chain import OPERATOR, OWNER, Router, rich_people, router_on

from lucid_kit import fault
from lucid_kit.clock import ManualClock
from lucid_kit.documents import Documents
from lucid_tron.codec.address import Address
from lucid_tron.kyc.attestation import Attestation
from lucid_tron.kyc.bringing import Bringing
from lucid_tron.kyc.desk import KycDesk
from lucid_tron.kyc.errors import AttestationNotFound, AttestationRefused
from lucid_tron.kyc.gate import AttestedRouterClient
from lucid_tron.kyc.router import KycRouter
from lucid_tron.kyc.service import Attestations, Issuer
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import BatchReverts
from lucid_tron.payouts.models import OPEN, PayoutPolicy
from lucid_tron.payouts.payer import RouterRefused, chain_id_of, require_same_digest
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.sending.orders import OrderBook
from lucid_tron.sending.trade import Orders
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.models import Cap
from lucid_tron.wallets.remote import RemoteWallet

ISSUER, REVOKER, PAYEE, OTHER = (Person(name) for name in ("issuer", "revoker", "payee", "other"))
DAY_S = 86_400
LEVEL_CAP = 500


class Away(BaseException):
    """Ends what runs, as SIGKILL would."""


@dataclass
class Room:
    """A KYC router on a chain, its desk, and a processor that pays through it."""

    network: Network
    router: Router
    clock: ManualClock
    documents: Documents
    book: Book
    orders: OrderBook
    desk: KycDesk
    processor: PayoutProcessor
    chain_id: int

    def attestation(self, subject: Person = PAYEE, **said: Any) -> bytes:
        values = {"level": 1, "expiry": self.clock.now_ms() // 1000 + DAY_S, "nonce": 1} | said
        made = Attestation(
            subject.address,
            values["level"],
            values["expiry"],
            values["nonce"],
            self.chain_id,
            self.router.address,
        )
        return made.sign(key_of(ISSUER)).encoded()

    async def rounds(self, count: int = 8) -> None:
        for _ in range(count):
            await self.desk.run_once()
            self.network.solidify()

    async def level(self, subject: Person = PAYEE) -> int | None:
        return await self.desk.router.level(subject.address)

    async def calls(self) -> list[str]:
        """What the ledger says was settled of orders."""
        found = [entry async for entry in ledger.entries(self.documents)]
        return [each["payout"] for each in found if each["kind"] == "order-settled"]

    async def pay(self, subject: Person, amount: int, id_: str = "pay_1") -> dict[str, str]:
        await self.processor.submit(id_, 1, str(subject.address), amount, "service")
        await self.processor.approve(id_, "carla")
        return await self.processor.run_once()


async def a_room(directory: Path, *, revoker: bool = True) -> Room:
    network = Network(2)
    chain = network.chain
    rich_people(chain, ISSUER, REVOKER)
    router = router_on(chain, name="KycPayoutRouter", max_payout=10**6, max_epoch=10**6)
    for signature, *values in (
        ("setIssuer(address,bool)", ISSUER.address, True),
        ("setIssuer(address,bool)", REVOKER.address, True),
        ("setLevelCap(uint8,uint256)", 1, LEVEL_CAP),
    ):
        assert router.call(OWNER, signature, *values) == "SUCCESS"
    network.solidify()
    clock = ManualClock(chain.now)
    documents = await open_store(directory)
    wallets = wallets_in(documents, directory)
    await wallets.prepare()
    await documents.ensure(*Book.collections, *OrderBook.collections)
    caps = {str(router.address): Cap(10**9, 10**9)}
    hot = await wallets.import_key("hot", key_of(OPERATOR), caps=caps)
    await wallets.set_fee_cap(hot.id, 2_000_000_000)
    revoking = await wallets.import_key("issuer", key_of(REVOKER))
    book, orders, client = Book(documents, clock), OrderBook(documents, clock), network.client
    chain_id = await chain_id_of(client)
    kyc = KycRouter(client, router.address)
    await require_same_digest(kyc, chain_id)
    issuers = (Issuer(ISSUER.address, 3), Issuer(REVOKER.address, -1))
    attestations = Attestations(documents, clock, router.address, chain_id, issuers)
    await attestations.prepare()

    async def keep_head() -> None:
        return

    trade = Bringing(orders, client, kyc, book.require_running, keep_head)
    sender, issuer = (
        RemoteWallet(each.id, each.name, each.kind, each.address, archived=False) for each in (hot, revoking)
    )
    desk = KycDesk(
        attestations, Orders(orders, trade, wallets, client), kyc, clock, sender, issuer if revoker else None
    )
    usdt = UsdtManager(client, chain.usdt)
    gate = AttestedRouterClient(client, usdt, router.address, desk)
    policy = PayoutPolicy(10**6, 10**9, 10**6, 60_000)
    processor = PayoutProcessor(book, wallets, hot.id, hot.address, usdt, client, policy, router=gate)
    return Room(network, router, clock, documents, book, orders, desk, processor, chain_id)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = await a_room(tmp_path)
    yield made
    await made.documents.close()


@pytest.mark.parametrize("point", ["attestation-taken", "attestation-ordered"])
async def test_an_attestation_is_brought_once_whatever_dies_after_it_was_handed_in(
    room: Room, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def die(name: str) -> None:
        if name == point:
            raise Away

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Away):
        await room.desk.take(room.attestation(), "ann")
    monkeypatch.undo()
    await room.rounds()
    assert await room.level() == 1
    await room.desk.take(room.attestation(), "ann")
    await room.rounds(2)
    assert await room.calls() == [f"kyc-attest:{PAYEE.address}:1"]


async def test_a_revocation_stops_payouts_at_once_and_reaches_the_router_whatever_dies(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.desk.take(room.attestation(), "ann")
    await room.rounds()

    def die(name: str) -> None:
        if name == "attestation-revoked":
            raise Away

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Away):
        await room.desk.revoke(PAYEE.address, None, "carla")
    monkeypatch.undo()
    assert await room.level() == 1  # the router does not know yet
    said = await room.pay(PAYEE, 100)
    assert "was revoked" in said["pay_1"]
    await room.rounds()
    assert await room.level() is None
    assert await room.calls() == [f"kyc-attest:{PAYEE.address}:1", f"kyc-revoke:{PAYEE.address}:1"]
    assert (await room.desk.status(PAYEE.address)).level is None


async def test_whoever_is_revoked_between_rehearsal_and_signature_is_not_signed_for(room: Room) -> None:
    await room.desk.take(room.attestation(), "ann")
    await room.rounds()
    await room.processor.submit("pay_1", 1, str(PAYEE.address), 10, "service")
    payouts = [await room.book.get("pay_1")]
    gate = AttestedRouterClient(
        room.network.client,
        UsdtManager(room.network.client, room.network.chain.usdt),
        room.router.address,
        room.desk,
    )
    energy = await gate.rehearse(OPERATOR.address, payouts)
    await room.desk.attestations.revoke(PAYEE.address, 1, ISSUER.address)
    with pytest.raises(BatchReverts, match="was revoked"):
        await gate.prepare(OPERATOR.address, payouts, energy, 60_000)


async def test_without_a_wallet_of_an_issuer_a_revocation_counts_here_and_the_issuer_tells_the_router(
    tmp_path: Path,
) -> None:
    room = await a_room(tmp_path, revoker=False)
    await room.desk.take(room.attestation(), "ann")
    await room.rounds()
    await room.desk.revoke(PAYEE.address, None, "carla")
    await room.rounds(2)
    assert await room.level() == 1
    assert (await room.desk.status(PAYEE.address)).order is None
    assert "was revoked" in (await room.pay(PAYEE, 100))["pay_1"]
    await room.documents.close()


async def test_each_reason_not_to_be_paid_is_named(room: Room) -> None:
    why = room.desk.why_not
    assert await why(PAYEE.address) == f"{PAYEE.address} is not attested"
    soon = room.clock.now_ms() // 1000 + 600
    await room.desk.take(room.attestation(expiry=soon), "ann")
    assert "on its way" in (await why(PAYEE.address) or "")
    await room.rounds()
    assert await why(PAYEE.address) is None
    room.network.pass_ms(700_000)
    room.network.solidify()
    room.clock.set_now_ms(room.network.chain.now)
    assert "expired at" in (await why(PAYEE.address) or "")
    await room.desk.take(room.attestation(OTHER), "ann")
    await room.rounds()
    assert room.router.call(OWNER, "setIssuer(address,bool)", ISSUER.address, False) == "SUCCESS"
    room.network.solidify()
    assert "no longer" in (await why(OTHER.address) or "")
    assert room.router.call(OWNER, "setIssuer(address,bool)", ISSUER.address, True) == "SUCCESS"
    assert room.router.call(OWNER, "revoke(address,uint64)", OTHER.address, 1) == "SUCCESS"
    room.network.solidify()
    assert "revoked on the router" in (await why(OTHER.address) or "")


async def test_who_would_get_more_than_the_level_allows_waits_with_the_figures(room: Room) -> None:
    for subject in (PAYEE, OTHER):
        await room.desk.take(room.attestation(subject), "ann")
    await room.rounds(12)
    await room.processor.submit("pay_0", 1, str(OTHER.address), 50, "service")
    await room.processor.approve("pay_0", "carla")
    said = await room.pay(PAYEE, LEVEL_CAP + 1)
    assert f"level 1, which gets {LEVEL_CAP} units" in said["pay_1"]
    for _ in range(6):
        await room.processor.run_once()
        room.network.solidify()
    assert (await room.book.get("pay_0")).state == "settled"
    waiting = await room.book.get("pay_1")
    assert (waiting.state, "are left, and the payout is 501" in str(waiting.reason)) == ("approved", True)


async def test_what_somebody_else_brought_is_not_brought_again(room: Room) -> None:
    data = room.attestation()
    await room.desk.take(data, "ann")
    (order,) = await room.orders.having(OPEN)
    signed = await room.desk.attestations.of(PAYEE.address)
    attest = "attest((address,uint8,uint64,uint64,uint256,address),uint8,bytes32,bytes32)"
    assert room.router.call(OWNER, attest, signed.attestation.values(), *signed.parts) == "SUCCESS"
    room.network.solidify()
    assert await room.desk.run_once() == {order.id: "cancelled"}
    assert await room.level() == 1


async def test_what_expired_on_the_way_is_given_up_and_what_failed_is_tried_anew(room: Room) -> None:
    data = room.attestation(expiry=room.clock.now_ms() // 1000 + 60)
    await room.desk.take(data, "ann")
    room.clock.advance(120_000)
    assert set((await room.desk.run_once()).values()) == {"cancelled"}
    with pytest.raises(AttestationRefused, match="expired"):
        await room.desk.take(data, "ann")
    data = room.attestation(nonce=2)
    await room.desk.take(data, "ann")
    (order,) = await room.orders.having(("approved",))
    await room.orders.cancel(order.id, "as if it had failed")
    await room.desk.take(data, "ann")
    await room.rounds()
    assert await room.calls() == [f"kyc-attest:{PAYEE.address}:2:1"]
    status = await room.desk.status(PAYEE.address)
    assert status.order is not None
    assert (status.order.state, status.why_not, status.allowance) == ("settled", None, LEVEL_CAP)


async def test_nothing_is_brought_while_payouts_are_stopped(room: Room) -> None:
    await room.book.halt("restored", {})
    await room.desk.take(room.attestation(), "ann")
    said = await room.desk.run_once()
    assert [text for text in said.values() if "restored" in text]
    assert await room.orders.having(("signed", "broadcast")) == []
    await room.book.resume("carla", "recovered")
    await room.rounds()
    assert await room.level() == 1


async def test_two_services_at_once_bring_it_once(room: Room) -> None:
    await asyncio.gather(*(room.desk.take(room.attestation(), "ann") for _ in range(3)))
    for _ in range(8):
        await asyncio.gather(*(room.desk.run_once() for _ in range(2)), return_exceptions=True)
        room.network.solidify()
    assert await room.level() == 1
    assert await room.calls() == [f"kyc-attest:{PAYEE.address}:1"]


async def test_who_was_never_attested_cannot_be_revoked(room: Room) -> None:
    with pytest.raises(AttestationNotFound):
        await room.desk.revoke(Address.from_evm(bytes(20)), None, "carla")


async def test_a_router_that_takes_other_signatures_is_refused(room: Room) -> None:
    with pytest.raises(RouterRefused, match="other attestations"):
        await require_same_digest(room.desk.router, room.chain_id + 1)
