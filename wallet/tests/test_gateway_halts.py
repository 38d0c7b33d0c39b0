"""Books of the gateway that do not balance stop the payout service, whoever is down when it happens."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from builders import BOB
from gateway_room import Room
from plane_processes import KEYS, Processes

from lucid_kit import fault
from lucid_kit.http import Client
from lucid_tron.gateway.errors import HaltOwed
from lucid_tron.gateway.halting import Halting
from lucid_tron.gateway.models import PAYMENTS
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import PayoutsHalted
from lucid_tron.payouts.gate import Gate, GatewayNotAsked
from lucid_tron.usdt.manager import UNIT

pytestmark = pytest.mark.real
PEOPLE = ("tron:read", "tron:write", "tron:approve", "tron:admin")


# --- in one process ---


class PayoutService(httpx.AsyncBaseTransport):
    """Takes halts, if it is up."""

    def __init__(self) -> None:
        self.up, self.halted = True, list[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.up:
            raise httpx.ConnectError("nobody listens")
        if request.headers["authorization"] != "Bearer halts":
            return httpx.Response(403, json={"code": "LUCID_ERR_2403"})
        self.halted.append(json.loads(await request.aread())["why"])
        return httpx.Response(200, json={"state": "halted"})


@pytest.fixture
async def room(tmp_path: Path) -> Any:
    made = await Room().open(tmp_path)
    payment = await made.payment()
    made.pay(payment.address, 10 * UNIT)
    await made.solid()
    made.payouts = PayoutService()
    made.halting = telling(made, "halts")
    made.payment_id = payment.id
    yield made
    await made.close()


def telling(room: Any, token: str) -> Halting:
    client = Client("http://payouts", token=token, transport=room.payouts)
    return Halting(room.documents, room.gateway.book, client)


async def embezzle(room: Any, units: int = 1) -> None:
    await room.documents.update(PAYMENTS.name, room.payment_id, {"received": 10 * UNIT + units})


async def test_books_that_balance_stop_nobody(room: Any) -> None:
    await room.gateway.reconciliation.enforce()
    await room.halting.tell()
    await room.halting.require_told()
    assert (room.payouts.halted, await room.halting.standing()) == ([], None)


async def test_a_halt_is_owed_until_it_is_taken_through_restarts_and_refusals(room: Any) -> None:
    await embezzle(room)
    await room.gateway.reconciliation.enforce()
    room.payouts.up = False
    for halting in (room.halting, room.halting, telling(room, "halts"), telling(room, "stolen and expired")):
        with pytest.raises(HaltOwed, match="does not balance"):
            await halting.tell()
        with pytest.raises(HaltOwed):
            await halting.require_told()
        room.payouts.up = halting is not room.halting
    assert room.payouts.halted == []
    await room.halting.tell()
    await room.halting.require_told()
    assert (await room.halting.standing()).owed is None
    assert ["is credited" in why for why in room.payouts.halted] == [True]


async def test_payouts_that_somebody_resumes_first_are_stopped_again(room: Any) -> None:
    await embezzle(room)
    await room.gateway.reconciliation.enforce()
    for _ in range(3):
        await room.halting.tell()
    assert len(room.payouts.halted) == 3


async def test_without_a_payout_service_only_the_gateway_stops(room: Any) -> None:
    await embezzle(room)
    await room.gateway.reconciliation.enforce()
    await room.gateway.halting.tell()
    await room.gateway.halting.require_told()
    with pytest.raises(PayoutsHalted):
        await room.gateway.book.require_running()


async def test_a_person_accepts_the_differences_as_they_are_and_no_other(room: Any) -> None:
    await embezzle(room)
    report = await room.gateway.reconciliation.enforce()
    await room.gateway.halting.accept(list(report.findings), "carla", "a unit was found under the sofa")
    for _ in range(2):  # accepted once is accepted at every later reconciliation
        assert not (await room.gateway.reconciliation.enforce()).balances
        await room.gateway.book.require_running()
    await embezzle(room, 2)
    await room.gateway.reconciliation.enforce()
    with pytest.raises(PayoutsHalted, match="is credited"):
        await room.gateway.book.require_running()


class Died(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("point", ["halt-told", "findings-accepted"])
async def test_dying_while_halts_are_told_or_lifted_leaves_them_in_force(
    room: Any, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    await embezzle(room)
    report = await room.gateway.reconciliation.enforce()

    def die(name: str) -> None:
        if name == point:
            raise Died

    monkeypatch.setattr(fault, "point", die)
    if point == "findings-accepted":
        await room.halting.tell()
        ends = room.halting.accept(list(report.findings), "carla", "found")
    else:
        ends = room.halting.tell()
    with pytest.raises(Died):
        await ends
    monkeypatch.undo()
    again = telling(room, "halts")
    with pytest.raises(PayoutsHalted):
        await room.gateway.book.require_running()
    await again.tell()
    await again.require_told()
    await again.accept(list(report.findings), "carla", "found")
    assert await again.standing() is None


@pytest.mark.parametrize("answer", [503, 401])
async def test_the_gate_stays_shut_while_the_gateway_says_nothing_of_its_books(
    room: Any, answer: int
) -> None:
    said = [httpx.Response(answer, json={}), httpx.Response(200, json={"halted": None, "report": None})]
    transport = httpx.MockTransport(lambda _request: said.pop(0))
    gate, paid = Gate(Client("http://gateway", transport=transport), room.gateway.book), []

    async def pay() -> None:
        paid.append(1)

    with pytest.raises(GatewayNotAsked):
        await gate.before(pay)()
    with pytest.raises(GatewayNotAsked):
        await gate.require_open()
    assert paid == []
    for _ in range(2):  # it is asked once
        await gate.before(pay)()
    assert (paid, said) == ([1, 1], [])
    said.append(httpx.Response(200, json={"halted": {"reason": "a unit lacks"}}))
    gate.shut()  # somebody has resumed payouts
    await gate.before(pay)()
    assert await room.gateway.book.halted() == "Payment gateway: a unit lacks"


async def test_a_gate_without_a_gateway_is_open(room: Any) -> None:
    gate = Gate(None, Book(room.documents, room.clock))
    await gate.ask()
    await gate.require_open()


# --- as processes ---


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.end_all()


def start_gateway(plane: Processes) -> None:
    more = {"PAYOUTS_URL": plane.urls["payouts"], "HALT_TOKEN_FILE": str(plane.token_file("gateway-halt"))}
    plane.service("gateway", **more)


def start_payouts(plane: Processes) -> None:
    plane.service("payouts", GATEWAY_URL=plane.urls["gateway"])


def take_a_payment(plane: Processes) -> None:
    with plane.person("gateway", "shop", *PEOPLE) as shop:
        payment = shop.post("/payments/process", json={"amount": 10 * UNIT}).json()
        plane.admin("faucet", address=payment["address"], usdt=10 * UNIT)
        plane.until(shop, f"/payments/{payment['payment_id']}", "state", "paid")


def fund(plane: Processes) -> None:
    made = plane.admin("faucet", address=str(KEYS["hot"].address), usdt=100 * UNIT)
    plane.admin("mine", blocks=5)
    with plane.person("payouts", "carla", *PEOPLE) as carla:
        answer = carla.post("/payouts/deposits", json={"txid": made["transactions"][-1]})
        assert answer.status_code == 201, answer.text


def embezzle_in(plane: Processes) -> None:
    """Alter the books of a gateway that does not run."""
    with sqlite3.connect(plane.directory / "gateway" / "gateway.db") as books:
        tables = [name for (name,) in books.execute("select name from sqlite_master where type = 'table'")]
        (table,) = [name for name in tables if name.endswith("payments")]
        column = next(name for _, name, *_ in books.execute(f"pragma table_info({table})") if name != "id")
        ((id_, body),) = books.execute(f"select id, {column} from {table}").fetchall()  # noqa: S608
        altered = json.dumps(json.loads(body) | {"received": 11 * UNIT})
        books.execute(f"update {table} set {column} = ? where id = ?", (altered, id_))  # noqa: S608
    books.close()


def ask_for_a_payout(plane: Processes, id_: str) -> None:
    with plane.person("payouts", "ann", *PEOPLE) as ann, plane.person("payouts", "bea", *PEOPLE) as bea:
        body = {"payout_id": id_, "epoch": 1, "recipient": str(BOB.address), "amount": UNIT}
        asked = ann.post("/payouts/initiate", json=body)
        assert asked.is_success, asked.text
        assert bea.post(f"/payouts/{id_}/approve").is_success


def nothing_is_paid(plane: Processes, id_: str) -> None:
    with plane.person("payouts", "ann", *PEOPLE) as ann:
        for _ in range(20):
            plane.admin("mine", blocks=1)
            found = ann.get(f"/payouts/{id_}").json()
            assert (found["state"], found["txids"]) == ("approved", []), found
    assert plane.usdt_of(BOB.address) == 0


def test_payouts_stop_while_the_gateways_books_do_not_balance_and_go_on_when_people_say_so(
    plane: Processes,
) -> None:
    plane.service("payouts")
    start_gateway(plane)
    fund(plane)
    take_a_payment(plane)
    plane.end("gateway")
    embezzle_in(plane)
    start_gateway(plane)
    plane.end("payouts")
    start_payouts(plane)
    with (
        plane.person("payouts", "carla", *PEOPLE) as payouts,
        plane.person("gateway", "carla", *PEOPLE) as books,
    ):
        stopped = "Payment gateway: The payment gateway does not balance"
        plane.until(books, "/ready", "status", "ready")
        ask_for_a_payout(plane, "p1")
        for _ in range(3):
            assert payouts.get("/payouts/reconciliation").json()["halted"].startswith(stopped)
            nothing_is_paid(plane, "p1")
            payouts.post("/payouts/resume", json={"why": "the gateway is no business of mine"})
            nothing_is_paid(plane, "p1")
        shown = books.get("/payments/reconciliation").json()["halted"]
        assert shown["owed"] is None
        assert "is credited" in shown["reason"]
        resumed = books.post("/payments/resume", json={"why": "a unit was found under the sofa"})
        assert resumed.json()["state"] == "running", resumed.text
        assert payouts.post("/payouts/resume", json={"why": "the gateway's books are settled"}).is_success
        plane.until(payouts, "/payouts/p1", "state", "settled")
    assert plane.usdt_of(BOB.address) == UNIT


def test_a_payout_service_that_was_down_pays_nothing_before_it_has_asked(plane: Processes) -> None:
    plane.service("payouts")
    start_gateway(plane)
    fund(plane)
    take_a_payment(plane)
    plane.end("gateway")
    plane.end("payouts", signal.SIGKILL)
    embezzle_in(plane)
    # The gateway finds out while payouts are down: it owes them a halt, and says so.
    start_gateway(plane)
    ready = httpx.get(f"{plane.urls['gateway']}/ready")
    assert (ready.status_code, "HaltOwed" in ready.text) == (503, True)
    with plane.person("gateway", "carla", *PEOPLE) as books:
        assert "cannot be reached" in books.get("/payments/reconciliation").json()["halted"]["owed"]
    # It dies before it could tell; payouts come back, and have nobody to ask.
    plane.end("gateway", signal.SIGKILL)
    start_payouts(plane)
    ready = httpx.get(f"{plane.urls['payouts']}/ready")
    assert (ready.status_code, "GatewayNotAsked" in ready.text) == (503, True)
    ask_for_a_payout(plane, "p1")
    nothing_is_paid(plane, "p1")
    # Also without being told: this gateway knows no payout service.
    plane.service("gateway")
    with plane.person("payouts", "carla", *PEOPLE) as payouts:
        plane.until(payouts, "/ready", "status", "ready")
        assert "does not balance" in payouts.get("/payouts/reconciliation").json()["halted"]
    nothing_is_paid(plane, "p1")


def test_the_token_for_halts_is_good_for_nothing_else(plane: Processes) -> None:
    plane.service("payouts")
    with plane.person("payouts", "gateway-halt", "tron:halt") as thief:
        assert thief.post("/payouts/halt", json={"why": "because I can"}).status_code == 200
        for method, path in (
            ("POST", "/payouts/resume"),
            ("POST", "/payouts/initiate"),
            ("POST", "/payouts/cancel"),
            ("POST", "/payouts/deposits"),
            ("GET", "/payouts/history"),
            ("GET", "/payouts/reconciliation"),
            ("POST", "/payouts/reconciliation"),
        ):
            answer = thief.request(method, path, json={"why": "because I can"} if method == "POST" else None)
            assert answer.status_code == 403, path
            assert answer.json()["code"].endswith("2403"), path
    with plane.person("payouts", "gateway", "tron:read", "tron:sign-own") as thief:
        assert thief.post("/payouts/halt", json={"why": "because I can"}).status_code == 403
    with plane.person("wallets", "gateway-halt", "tron:halt") as thief:
        path = f"/wallets/{plane.wallets['treasury']}"
        assert thief.post(f"{path}/signatures", json={"raw": "0a00"}).status_code == 403
        assert thief.get(path).status_code == 403
