"""Payments on a chain: each unit is credited once, for the right payment, when it cannot go away any more."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import coincurve
import httpx
import pytest
from devnet_chain import BOB, CAROL
from gateway_room import HOUR_MS, POLICY, SECRET, URL, Room
from hypothesis import given
from hypothesis import strategies as st

from lucid_kit import fault
from lucid_tron import abi
from lucid_tron.client.errors import NodesDisagree
from lucid_tron.codec.address import Address
from lucid_tron.contracts import artefact
from lucid_tron.gateway.addresses import ADDRESSES
from lucid_tron.gateway.errors import (
    CannotReconcile,
    ChainRewritten,
    InvalidPayment,
    InvalidWebhookUrl,
    NothingToDeliver,
    PaymentConflict,
    PaymentNotFound,
    RefundConflict,
    RefundTooLarge,
    WebhookForged,
    WebhookReplayed,
)
from lucid_tron.gateway.events import EVENTS
from lucid_tron.gateway.models import PAYMENTS, Payment, check_url
from lucid_tron.gateway.movements import MOVEMENTS
from lucid_tron.gateway.scanner import CURSOR, CursorMoved
from lucid_tron.gateway.signature import secret_from, sign, verify
from lucid_tron.gateway.webhooks import MOST_ATTEMPTS
from lucid_tron.payouts.errors import PayoutsHalted
from lucid_tron.payouts.ledger import LEDGER
from lucid_tron.usdt.manager import UNIT


@pytest.fixture
async def room(tmp_path: Path) -> Any:
    made = await Room().open(tmp_path)
    yield made
    await made.close()


# --- what is credited, and when ---


async def test_a_payment_is_detected_first_and_credited_when_solid(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.gateway.scan()
    assert await room.gateway.detection.seen(payment.id) == 10 * UNIT
    assert await room.state(payment) == ("open", 0)
    await room.solid()
    assert await room.state(payment) == ("paid", 10 * UNIT)
    assert await room.gateway.detection.seen(payment.id) == 0
    assert room.merchant.kinds == ["payment.detected", "payment.paid"]


async def test_payments_under_over_and_doubled_say_so(room: Room) -> None:
    under, over, twice = [await room.payment(reference=name) for name in ("under", "over", "twice")]
    room.pay(under.address, 4 * UNIT)
    room.pay(over.address, 11 * UNIT)
    room.pay(twice.address, 10 * UNIT)
    room.pay(twice.address, 10 * UNIT)
    await room.solid()
    assert await room.state(under) == ("partial", 4 * UNIT)
    assert await room.state(over) == ("overpaid", 11 * UNIT)
    assert await room.state(twice) == ("overpaid", 20 * UNIT)
    room.pay(under.address, 6 * UNIT)
    await room.solid()
    assert await room.state(under) == ("paid", 10 * UNIT)


async def test_time_is_the_chains_and_what_comes_late_is_late(room: Room) -> None:
    none, some, late = [await room.payment(reference=name) for name in ("none", "some", "late")]
    room.pay(some.address, UNIT)
    room.network.pass_ms(2 * HOUR_MS)
    await room.solid()
    assert await room.state(none) == ("expired", 0)
    assert await room.state(some) == ("underpaid", UNIT)
    room.pay(late.address, 10 * UNIT)
    await room.solid()
    assert await room.state(late) == ("late", 10 * UNIT)
    assert (await room.gateway.get(late.id)).received == 0


async def test_money_of_another_token_is_no_money(room: Room) -> None:
    payment = await room.payment()
    arguments = abi.encode("(uint256,string,string,uint8)", (10**15, "Tether USD", "USDT", 6))
    fake = room.chain.deploy(artefact("DevnetUSDT").bytecode + arguments, key=CAROL.key)
    room.pay(payment.address, 10 * UNIT, token=fake)
    await room.solid()
    assert await room.state(payment) == ("open", 0)
    assert room.merchant.kinds == []


async def test_what_the_token_keeps_as_its_fee_is_not_credited(room: Room) -> None:
    payment = await room.payment()
    room.chain.invoke(room.chain.faucet, room.chain.usdt, "setParams(uint256,uint256)", 10, 5)
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    assert await room.state(payment) == ("partial", 10 * UNIT - 10_000)
    assert (await room.gateway.reconciliation.enforce()).findings == ()


# --- a chain that changes its mind, and nodes that lie ---


@pytest.mark.parametrize(("depth", "memory"), [(3, 8), (10, 2)], ids=["within", "deeper than"])
async def test_a_reorganisation_before_solidity_takes_back_what_was_only_seen(
    tmp_path: Path, depth: int, memory: int
) -> None:
    room = await Room().open(tmp_path, policy=replace(POLICY, memory=memory))
    payment = await room.payment()
    room.network.seal(depth - 2)
    room.pay(payment.address, 10 * UNIT)
    room.network.seal()
    await room.gateway.scan()
    assert await room.gateway.detection.seen(payment.id) == 10 * UNIT
    room.chain.ledger.reorganise(depth, lose=True)
    await room.gateway.scan()
    assert await room.gateway.detection.seen(payment.id) == 0
    await room.solid()
    assert await room.state(payment) == ("open", 0)
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    assert await room.state(payment) == ("paid", 10 * UNIT)
    await room.close()


async def test_a_payment_that_moves_to_another_block_is_credited_once(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.gateway.scan()
    room.chain.ledger.reorganise(1)
    await room.gateway.scan()
    assert await room.gateway.detection.seen(payment.id) == 10 * UNIT
    await room.solid()
    assert await room.state(payment) == ("paid", 10 * UNIT)


async def test_a_solid_block_that_changes_stops_payouts(room: Room) -> None:
    await room.documents.update(CURSOR.name, "solid", {"hash": "00" * 32})
    with pytest.raises(ChainRewritten):
        await room.gateway.scanner.run_once()
    with pytest.raises(PayoutsHalted, match="Solid block"):
        await room.gateway.book.require_running()


class LyingTransport(httpx.AsyncBaseTransport):
    """A node that adds a transfer to the receipts of every block."""

    def __init__(self, honest: httpx.AsyncBaseTransport, forged: list[dict[str, Any]]) -> None:
        self._honest, self._forged = honest, forged

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._honest.handle_async_request(request)
        if not request.url.path.endswith("infobyblocknum"):
            return answer
        said = json.loads(await answer.aread())
        return httpx.Response(200, json=said + self._forged)


async def test_a_transfer_that_one_node_invents_is_never_credited(room: Room) -> None:
    payment = await room.payment()
    txid = room.pay(payment.address, 5 * UNIT)
    room.network.solidify()
    receipt = await room.client.pool.any("/wallet/gettransactioninfobyid", {"value": txid})
    forged = receipt | {"id": "ab" * 32}
    room.network.mounts["http://node1"] = LyingTransport(room.network.mounts["http://node1"], [forged])  # type: ignore[assignment]
    lied_to = await _through(room)
    with pytest.raises(NodesDisagree):
        await lied_to.gateway.scanner.run_once()
    assert await room.state(payment) == ("open", 0)
    await room.gateway.scan()
    assert await room.state(payment) == ("partial", 5 * UNIT)


async def _through(room: Room) -> Room:
    """The same room, its client connected anew."""
    room.network.client = room.network.connect()
    made = await Room().open(room.directory, room.network)
    room.network.client = room.client
    return made


async def test_two_scanners_count_a_block_once(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    room.network.solidify()
    before = await room.documents.get(CURSOR.name, "solid")
    await room.gateway.scanner.run_once()
    header = await room.gateway.scanner._blocks.solid_header(before["number"] + 1)
    with pytest.raises(CursorMoved):
        await room.gateway.scanner._count(before, header, [])
    assert await room.state(payment) == ("paid", 10 * UNIT)


async def test_a_movement_is_booked_once_whatever_the_cursor_says(room: Room) -> None:
    before = await room.documents.get(CURSOR.name, "solid")
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    await room.documents.replace(CURSOR.name, before)
    await room.gateway.scanner.run_once()
    assert await room.state(payment) == ("paid", 10 * UNIT)


# --- addresses ---


async def test_the_same_reference_is_the_same_payment_for_ever(room: Room) -> None:
    first = await room.payment(reference="order-7")
    assert await room.payment(reference="order-7") == first
    with pytest.raises(PaymentConflict):
        await room.payment(11 * UNIT, reference="order-7")


async def test_an_address_is_kept_until_nobody_can_be_expected_to_pay(room: Room) -> None:
    first = await room.payment()
    assert (await room.payment()).address != first.address
    room.pay(first.address, UNIT)
    await room.solid()
    room.network.pass_ms(3 * HOUR_MS)
    await room.solid()
    assert await room.gateway.release() == 1  # the second one's; the first is not empty
    third = await room.payment()
    assert third.address != first.address
    room.pay(first.address, 9 * UNIT)
    await room.solid()
    await room.work()
    assert await room.gateway.release() == 1
    assert (await room.payment()).address == first.address


@pytest.mark.parametrize("point", ["address-wanted", "address-reserved", "payment-stored"])
async def test_dying_while_a_payment_is_made_loses_no_address(
    room: Room, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(fault, "point", _die_at(point))
    with pytest.raises(Died):
        await room.payment(reference="a")
    monkeypatch.undo()
    again = await room.again()
    made = await again.payment(reference="a")
    assert made.address == Address.parse((await again.documents.find(ADDRESSES.name))[0]["id"])
    assert await again.documents.count(ADDRESSES.name) == 1
    room.documents = again.documents


class Died(BaseException):
    """Stands for the end of the process."""


def _die_at(point: str) -> Any:
    def die(name: str) -> None:
        if name == point:
            raise Died

    return die


# --- sweeps and refunds ---


async def test_deposits_are_swept_once_with_exactly_the_fee_they_lack(room: Room) -> None:
    payment = await room.payment()
    small = await room.payment(reference="small")
    room.pay(payment.address, 10 * UNIT)
    room.pay(small.address, UNIT)
    await room.solid()
    await room.work()
    assert room.chain.usdt_of(room.treasury.address) == 10 * UNIT
    assert room.chain.usdt_of(small.address) == UNIT  # less than it costs to fetch
    orders = await room.gateway.orders.about(str(payment.address))
    assert sorted((order.kind, order.state, len(order.attempts)) for order in orders) == [
        ("fund", "settled", 1),
        ("sweep", "settled", 1),
    ]
    report = await room.gateway.reconciliation.enforce()
    assert (report.credited, report.swept, report.held_treasury, report.held_deposits, report.findings) == (
        11 * UNIT,
        10 * UNIT,
        10 * UNIT,
        UNIT,
        (),
    )


async def test_a_paused_token_makes_sweeps_wait_and_costs_nothing(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    room.chain.invoke(room.chain.faucet, room.chain.usdt, "pause()")
    room.network.solidify()
    said = await room.gateway.sweeps.run_once()
    assert ["paused" in text for text in said.values()] == [True]
    assert (await room.gateway.orders.having())[0].attempts == ()
    room.chain.invoke(room.chain.faucet, room.chain.usdt, "unpause()")
    room.network.solidify()
    await room.work()
    assert room.chain.usdt_of(room.treasury.address) == 10 * UNIT


async def test_an_empty_treasury_makes_sweeps_wait_with_the_reason(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    await room.gateway.sweeps.run_once()
    room.chain.ledger.parameters.change("getEnergyFee", 700)
    said = await room.gateway.sweeps.run_once()
    assert any("fee limit" in text or "lacks" in text for text in said.values())


async def test_a_refund_is_paid_once_however_often_it_is_asked_for(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 12 * UNIT)
    await room.solid()
    for _ in range(3):
        await room.gateway.refunds.ask(payment.id, "r1", str(BOB.address), 2 * UNIT, "shop")
    await room.work(24)
    await room.deliver()
    assert room.chain.usdt_of(BOB.address) == 2 * UNIT
    now = await room.gateway.get(payment.id)
    assert (now.refundable, now.refunding, now.refunds[0].done) == (10 * UNIT, False, True)
    assert room.merchant.kinds[-1] == "payment.refunded"
    report = await room.gateway.reconciliation.enforce()
    assert report.balances
    assert report.credited + report.funded - report.paid_out == report.held_deposits + report.held_treasury
    with pytest.raises(RefundTooLarge):
        await room.gateway.refunds.ask(payment.id, "r2", str(BOB.address), 11 * UNIT, "shop")
    with pytest.raises(RefundConflict):
        await room.gateway.refunds.ask(payment.id, "r1", str(CAROL.address), 2 * UNIT, "shop")
    with pytest.raises(InvalidPayment):
        await room.gateway.refunds.ask(payment.id, "r3", "nobody", UNIT, "shop")
    with pytest.raises(InvalidPayment):
        await room.gateway.refunds.ask(payment.id, "r3", str(BOB.address), 0, "shop")
    with pytest.raises(PaymentNotFound):
        await room.gateway.refunds.ask("pay_0", "r3", str(BOB.address), 1, "shop")


async def test_a_large_refund_needs_two_others_to_ask_for_the_same(room: Room) -> None:
    payment = await room.payment(200 * UNIT)
    room.pay(payment.address, 200 * UNIT)
    await room.solid()
    for who, state in (("ann", "intent"), ("ann", "intent"), ("bea", "intent"), ("cleo", "approved")):
        made = await room.gateway.refunds.ask(payment.id, "r1", str(BOB.address), 150 * UNIT, who)
        assert (await room.gateway.book.get(made.refunds[0].payout)).state == state, who


# --- webhooks ---


async def test_a_webhook_is_sent_again_until_it_is_taken_under_one_id(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    room.network.solidify()
    await room.gateway.scanner.run_once()
    room.merchant.answers = [500, 302]
    for _ in range(4):
        await room.deliver()
    assert len(room.merchant.got) == 3
    assert len(set(room.merchant.got)) == 1
    assert await room.gateway.webhooks.again(payment.id) == 1
    await room.deliver()
    assert len(set(room.merchant.got)) == 1


async def test_a_merchant_who_never_answers_is_given_up_and_can_ask_again(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.gateway.scan()
    room.merchant.answers = [500] * MOST_ATTEMPTS
    for _ in range(MOST_ATTEMPTS + 3):
        await room.deliver()
    assert len(room.merchant.got) == MOST_ATTEMPTS
    (event,) = await room.documents.find(EVENTS.name)
    assert (event["state"], event["said"]) == ("dead", "answered 500")
    await room.gateway.webhooks.again(payment.id)
    await room.deliver()
    assert (await room.documents.find(EVENTS.name))[0]["state"] == "delivered"
    silent = await room.payment(webhook_url=None)
    with pytest.raises(NothingToDeliver):
        await room.gateway.webhooks.again(silent.id)


def test_a_webhook_that_is_replayed_or_altered_is_refused() -> None:
    headers = sign(SECRET, "evt_1", 1_000, b"{}")
    assert verify(SECRET, headers, b"{}", 1_200) == "evt_1"
    for at in (1_301, 699):
        with pytest.raises(WebhookReplayed):
            verify(SECRET, headers, b"{}", at)
    for broken in ({"webhook-id": "evt_2"}, {"webhook-timestamp": "1001"}, {"webhook-timestamp": "x"}):
        with pytest.raises(WebhookForged):
            verify(SECRET, headers | broken, b"{}", 1_000)
    for key, body in ((b"t" * 32, b"{}"), (SECRET, b"[]")):
        with pytest.raises(WebhookForged):
            verify(key, headers, body, 1_000)


def test_webhooks_are_signed_as_standard_webhooks_says() -> None:
    # The example of https://github.com/standard-webhooks/standard-webhooks, libraries' own test vectors.
    secret = secret_from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["whsec_!", "whsec_c2hvcnQ="])
def test_a_secret_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        secret_from(text)


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/x", "http://[::1]/", "http://localhost/"])
def test_webhooks_go_to_https_or_loopback(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://merchant.example/",
        "https://user:pass@merchant.example/",
        "ftp://localhost/",
        "https://",
        "http://127.0.0.1.evil.example/",
        "https://[::1/",
        "https://merchant.example/#x",
        "https://merchant.example:99999/",
    ],
)
def test_and_nowhere_else(url: str) -> None:
    with pytest.raises(InvalidWebhookUrl):
        check_url(url)


# --- the books ---


async def _steal(room: Room, payment: Payment) -> None:
    (mine,) = [each for each in await room.gateway.pool.deposits() if each.address == payment.address]
    wallets = room.signing.wallets
    key = await wallets._store.secret(await wallets.get(mine.wallet), "key")
    room.chain.give(payment.address, trx=100_000_000)
    thief = coincurve.PrivateKey(key)
    room.chain.invoke(thief, room.chain.usdt, "transfer(address,uint256)", BOB.address, 3 * UNIT)


async def test_units_that_left_without_our_signature_stop_everything_with_the_reason(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    await _steal(room, payment)
    await room.solid()
    report = await room.gateway.reconciliation.enforce()
    assert ["did not sign" in finding for finding in report.findings] == [True]
    for work in (room.gateway.sweeps.run_once, room.gateway.refunds.run_once):
        with pytest.raises(PayoutsHalted, match="did not sign"):
            await work()


BREAKS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("holds", MOVEMENTS.name, "movement", {"amount": 9 * UNIT}),
    ("is credited", PAYMENTS.name, "payment", {"received": 11 * UNIT}),
    ("does not follow", LEDGER.name, f"{1:015d}", {"kind": "x"}),
]


@pytest.mark.parametrize(("why", "where", "which", "change"), BREAKS, ids=[each[0] for each in BREAKS])
async def test_books_that_do_not_balance_stop_payouts_and_say_why(
    room: Room, why: str, where: str, which: str, change: dict[str, Any]
) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    assert (await room.gateway.reconciliation.enforce()).balances
    (movement,) = await room.documents.find(MOVEMENTS.name)
    ids = {"movement": movement["id"], "payment": payment.id}
    await room.documents.update(where, ids.get(which, which), change)
    report = await room.gateway.reconciliation.enforce(full=True)
    assert why in report.findings[0]
    with pytest.raises(PayoutsHalted, match=why):
        await room.gateway.book.require_running()
    assert (await room.gateway.reconciliation.latest())["findings"] == list(report.findings)


async def test_yesterdays_database_is_found_out_before_anything_is_paid_again(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    await room.gateway.refunds.ask(payment.id, "r1", str(BOB.address), 2 * UNIT, "shop")
    backup = room.directory / "backup"
    backup.mkdir()
    await room.documents.close()
    for file in room.directory.glob("*"):
        if file.is_file():
            shutil.copy(file, backup)
    now = await Room().open(room.directory, room.network)
    await now.work(24)
    assert room.chain.usdt_of(BOB.address) == 2 * UNIT
    old = await Room().open(backup, room.network)
    report = await old.gateway.reconciliation.enforce()
    assert "did not sign" in report.findings[0]
    with pytest.raises(PayoutsHalted):
        await old.gateway.refunds.run_once()
    await now.close()
    room.documents = old.documents


async def test_nodes_at_odds_over_what_is_solid_decide_nothing(room: Room) -> None:
    room.network.nodes[1].faults.solid_lag = 5
    room.network.solidify()
    with pytest.raises(CannotReconcile):
        await room.gateway.reconciliation.check()
    await room.gateway.book.require_running()


async def test_the_chain_is_asked_about_what_moved_and_once_a_day_about_everything(room: Room) -> None:
    paid, waiting, quiet = [await room.payment(reference=name) for name in ("paid", "waiting", "quiet")]
    room.pay(quiet.address, UNIT)
    room.network.pass_ms(2 * HOUR_MS)
    await room.solid()
    await room.gateway.create(UNIT, HOUR_MS, "shop", reference="open")
    assert await _compared(room) == (5, 5)  # the first: all, with the treasury
    assert await _compared(room) is None  # none is due
    room.clock.advance(HOUR_MS)
    room.pay(paid.address, 10 * UNIT)
    await room.solid()
    assert await _compared(room) == (3, 5)  # the treasury, what was paid, and what is open
    report = await room.gateway.reconciliation.latest() or {}
    assert (report["held_deposits"], report["findings"], report["full"]) == (11 * UNIT, [], False)
    assert str(waiting.address) not in str(report)
    room.clock.advance(25 * HOUR_MS)
    assert await _compared(room) == (5, 5)


async def _compared(room: Room) -> tuple[int, int] | None:
    before = await room.gateway.reconciliation.latest()
    await room.gateway.reconcile_if_due()
    report = await room.gateway.reconciliation.latest()
    return None if report is None or report == before else (report["compared"], report["addresses"])


async def test_after_a_finding_everything_is_compared_until_there_is_none(room: Room) -> None:
    payment = await room.payment()
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    await room.gateway.reconciliation.enforce()
    (movement,) = await room.documents.find(MOVEMENTS.name)
    await room.documents.update(MOVEMENTS.name, movement["id"], {"amount": 9 * UNIT})
    assert len((await room.gateway.reconciliation.enforce()).findings) == 1  # in the books themselves
    room.clock.advance(1)
    report = await room.gateway.reconciliation.enforce()
    assert ["holds" in finding for finding in report.findings] == [True, False]
    room.clock.advance(1)
    await room.documents.update(MOVEMENTS.name, movement["id"], {"amount": 10 * UNIT})
    reports = []
    for _ in range(2):
        reports.append(await room.gateway.reconciliation.enforce())
        room.clock.advance(1)
    assert [(report.balances, report.full) for report in reports] == [(True, True), (True, False)]


async def test_many_addresses_are_compared_some_at_a_time(room: Room) -> None:
    for number in range(45):
        await room.payment(reference=str(number))
    report = await room.gateway.reconciliation.enforce()
    assert (report.compared, report.addresses, report.findings) == (46, 46, ())


# --- payments as such ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"expires_in_ms": 1},
        {"reference": "with space"},
        {"metadata": {"a": "x" * 5_000}},
    ],
)
async def test_a_malformed_payment_is_refused(room: Room, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayment):
        await room.payment(**{"amount": UNIT} | wrong)


@given(
    st.integers(1, 10**9),
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 200)), max_size=6),
    st.integers(0, 200),
)
def test_a_state_says_exactly_what_came_and_when(
    amount: int, credits_: list[tuple[int, int]], now: int
) -> None:
    payment = Payment("pay_1", "r", BOB.address, amount, 0, 100, "shop")
    for units, at in credits_:
        payment = payment.credit(units, at)
    payment = payment.at(now)
    in_time = sum(units for units, at in credits_ if at <= 100)
    assert payment.credited == sum(units for units, _ in credits_)
    assert (payment.state in ("paid", "overpaid")) == (in_time >= amount)
    assert (payment.state == "overpaid") == (in_time >= amount and payment.credited > amount)
    assert (payment.state in ("open", "partial")) == (in_time < amount and now <= 100)
    assert Payment.from_document(payment.to_document()) == payment
