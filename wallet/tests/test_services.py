"""Who signs is asked over HTTP: what an evil wallets service can do, and what a service starts with."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from builders import ALICE, BOB, USDT
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from lucid_kit import fault, tokens
from lucid_kit.clock import ManualClock, SystemClock
from lucid_kit.custody import KeyFile
from lucid_kit.documents import open_documents
from lucid_kit.http import Client
from lucid_kit.ids import new_id
from lucid_proof.testing import TestLog
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import DEVNET
from lucid_tron.codec import transaction
from lucid_tron.codec.contracts import TransferContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.keys.signing import signers
from lucid_tron.payouts import app as payouts_app
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.desk import PayoutDesk
from lucid_tron.payouts.errors import NotRecovered, StatementWaits, WrongState
from lucid_tron.payouts.evidence import WalletPayments
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.payouts.recovery import Recovery
from lucid_tron.payouts.schedule import Schedule, Schedules
from lucid_tron.payouts.settings import PayoutsSettings
from lucid_tron.plane import PlaneUnusable
from lucid_tron.settlement.errors import StatementReplayed
from lucid_tron.settlement.service import Settlements
from lucid_tron.settlement.testing import AUTHORITY, a_binding, a_policy, a_statement
from lucid_tron.up.directory import SCOPES, SERVICES, Directory, OtherNetwork
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets import app as wallets_app
from lucid_tron.wallets.errors import WrongPassphrase
from lucid_tron.wallets.keystore import Keystore
from lucid_tron.wallets.remote import RemoteWallets, SignatureRefused, SignatureUnusable, WalletsFailed
from lucid_tron.wallets.settings import WalletsSettings

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW_MS = SystemClock().now_ms()


def raw(amount: int = 5) -> RawTransaction:
    contract = TransferContract(ALICE.address, BOB.address, amount)
    return RawTransaction(bytes(2), bytes(8), NOW_MS + 60_000, NOW_MS, (contract,))


def token(*scopes: str) -> str:
    return tokens.mint(KEY, "payouts", scopes, 3600, "lucid", "lucid", SystemClock())


@contextlib.asynccontextmanager
async def serving(app: FastAPI, *scopes: str) -> AsyncIterator[Client]:
    async with app.router.lifespan_context(app):
        client = Client("http://wallets", token=token(*scopes), transport=httpx.ASGITransport(app=app))
        async with client:
            yield client


@pytest.fixture
def wallets(tmp_path: Path) -> FastAPI:
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps(tokens.jwks([KEY.public_key()])))
    return wallets_app.build(WalletsSettings(data=tmp_path / "wallets", jwks=str(jwks)))


async def alice(client: Client, most: int = 100) -> str:
    caps = {"TRX": {"per_payment": most, "per_day": 3 * most}}
    body = {"name": "alice", "kind": "key", "private_key": ALICE.reveal().hex(), "caps": caps}
    return str((await client.post("/wallets", json=body)).json()["id"])


async def test_a_service_without_keys_has_its_transactions_signed(wallets: FastAPI) -> None:
    async with serving(wallets, "tron:sign", "tron:read", "tron:admin") as client:
        remote, id_ = RemoteWallets(client), await alice(client)
        assert (await remote.get(id_)).address == ALICE.address
        signed = await remote.sign(id_, raw(), now_ms=NOW_MS)
        assert signed.raw == transaction.encode(raw())
        assert signers(signed) == (ALICE.address,)
        assert await remote.sign(id_, raw(), now_ms=NOW_MS) == signed


async def test_caps_hold_over_http_and_the_refusal_keeps_its_code(wallets: FastAPI) -> None:
    async with serving(wallets, "tron:sign", "tron:read", "tron:admin") as client:
        remote, id_ = RemoteWallets(client), await alice(client)
        with pytest.raises(SignatureRefused) as refused:
            await remote.sign(id_, raw(101), now_ms=NOW_MS)
        assert refused.value.facts["remote_code"] == "LUCID_ERR_3750"
        for amount in (98, 99, 100):
            await remote.sign(id_, raw(amount), now_ms=NOW_MS)
        with pytest.raises(SignatureRefused):
            await remote.sign(id_, raw(4), now_ms=NOW_MS)
        with pytest.raises(SignatureRefused) as unknown:
            await remote.get(new_id("wal"))
        assert unknown.value.facts["remote_code"] == "LUCID_ERR_1750"


async def test_without_the_scope_nothing_is_signed(wallets: FastAPI) -> None:
    async with serving(wallets, "tron:read", "tron:write", "tron:approve", "tron:admin") as client:
        with pytest.raises(SignatureRefused) as refused:
            await RemoteWallets(client).sign(await alice(client), raw(), now_ms=NOW_MS)
        assert refused.value.facts["remote_code"] == "LUCID_ERR_2403"


async def test_bytes_that_are_not_canonical_are_not_signed(wallets: FastAPI) -> None:
    async with serving(wallets, "tron:sign", "tron:admin") as client:
        id_ = await alice(client)
        for bad in ("00", transaction.encode(raw()).hex() + "0a00", "0a" * 100):
            with pytest.raises(Exception, match="signatures"):
                await client.post(f"/wallets/{id_}/signatures", json={"raw": bad})


@pytest.mark.parametrize("caps", [{"TRX": {"per_payment": -1, "per_day": 1}}, {"T123": {}}, {"x": 1}])
async def test_caps_that_make_no_sense_are_refused(wallets: FastAPI, caps: dict[str, Any]) -> None:
    async with serving(wallets, "tron:admin") as client:
        with pytest.raises(Exception, match="/wallets") as refused:
            await client.post("/wallets", json={"name": "n", "caps": caps})
        assert getattr(refused.value, "remote_status", 0) == 422


async def test_balances_without_the_services_that_know_them_are_unavailable(wallets: FastAPI) -> None:
    async with serving(wallets, "tron:read", "tron:write", "tron:admin") as client:
        id_ = await alice(client)
        for ask in (
            client.get(f"/wallets/{id_}/balance"),
            client.get(f"/wallets/{id_}/transactions"),
            client.post(
                f"/wallets/{id_}/transactions",
                json={"operation_id": "a", "asset": "TRX", "to": str(BOB.address), "amount": 1},
            ),
        ):
            with pytest.raises(Exception, match="not configured"):
                await ask


class Evil(httpx.AsyncBaseTransport):
    """Whatever answers at the address of the wallets service."""

    def __init__(self, status: int, body: Any) -> None:
        self._answer = status, body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, body = self._answer
        return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"envelope": "zz"},
        {"envelope": None},
        {"envelope": ""},
        {"envelope": "0a00"},
        {"envelope": transaction.encode_signed(ALICE.sign(raw(6))).hex()},
        {
            "envelope": transaction.encode_signed(
                transaction.SignedTransaction(transaction.encode(raw()))
            ).hex()
        },
    ],
)
async def test_what_was_not_asked_for_is_never_taken_for_signed(body: dict[str, Any]) -> None:
    async with Client("http://wallets", token="t", transport=Evil(200, body)) as client:
        with pytest.raises(SignatureUnusable):
            await RemoteWallets(client).sign("wal_1", raw())


async def test_a_wallets_service_that_fails_is_waited_for() -> None:
    async with Client("http://wallets", token="t", transport=Evil(500, {"detail": "broken"})) as client:
        with pytest.raises(WalletsFailed, match="broken"):
            await RemoteWallets(client).sign("wal_1", raw())


# --- what services start with ---


def settings_in(directory: Path, **more: Any) -> WalletsSettings:
    directory.mkdir(exist_ok=True)
    return WalletsSettings(data=directory, jwks="jwks", **more)


def test_a_passphrase_opens_the_keystore_and_no_other_does(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse\n")
    file.chmod(0o600)
    made = wallets_app.custody(settings_in(tmp_path / "w", passphrase_file=file))
    assert isinstance(made, Keystore)
    assert isinstance(wallets_app.custody(settings_in(tmp_path / "w", passphrase_file=file)), Keystore)
    with pytest.raises(PlaneUnusable, match="needs its passphrase"):
        wallets_app.custody(settings_in(tmp_path / "w"))
    file.write_text("wrong horse\n")
    with pytest.raises(WrongPassphrase):
        wallets_app.custody(settings_in(tmp_path / "w", passphrase_file=file))


def test_a_passphrase_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse\n")
    file.chmod(0o640)
    with pytest.raises(PlaneUnusable, match="chmod 600"):
        wallets_app.custody(settings_in(tmp_path / "w", passphrase_file=file))


def test_a_key_file_is_not_silently_replaced_by_a_keystore(tmp_path: Path) -> None:
    assert isinstance(wallets_app.custody(settings_in(tmp_path / "w")), KeyFile)
    file = tmp_path / "passphrase"
    file.touch(0o600)
    with pytest.raises(PlaneUnusable, match="move the wallets"):
        wallets_app.custody(settings_in(tmp_path / "w", passphrase_file=file))


def payouts(**more: Any) -> PayoutsSettings:
    given = {"data": "d", "jwks": "j", "wallets_url": "http://w", "token_file": "t", "wallet": "wal_1"}
    return PayoutsSettings(**{**given, **more})  # type: ignore[arg-type]


def test_the_payout_service_does_not_start_with_limits_that_contradict_each_other() -> None:
    with pytest.raises(PlaneUnusable, match="two people"):
        payouts_app.policy_of(payouts(auto_approve=11, two_person_above=10))
    assert payouts_app.policy_of(payouts(auto_approve=10, two_person_above=10)).two_person_above == 10


def test_trust_and_rate_authorities_must_be_what_they_are_called(tmp_path: Path) -> None:
    for bad in ("zz", "00", "00" * 33):
        with pytest.raises(PlaneUnusable, match="rate_authorities"):
            payouts_app.rate_authorities(payouts(rate_authorities=(bad,)))
    file = tmp_path / "trust.json"
    file.write_text("{}")
    for path in (file, tmp_path / "missing.json"):
        with pytest.raises(PlaneUnusable, match="trust"):
            payouts_app.chains(payouts(trust=(path,)))
    file.write_text(json.dumps(TestLog("example.org/log").policy().to_json()))
    assert [each.origin for each in payouts_app.chains(payouts(trust=(file,)))] == ["example.org/log"]


# --- the directory of a plane ---


def test_a_devnet_that_is_gone_leaves_its_books_aside_and_they_are_not_continued(tmp_path: Path) -> None:
    directory, clock = Directory(tmp_path / "plane"), ManualClock()
    directory.prepare("devnet", clock)
    (directory.service("payouts") / "payouts.db").write_text("books of a chain that is gone")
    directory.prepare("devnet", clock)
    assert not (directory.service("payouts") / "payouts.db").exists()
    assert len(list((directory.data / "past").rglob("payouts.db"))) == 1
    with pytest.raises(OtherNetwork):
        directory.prepare("nile", clock)


def test_books_of_a_real_network_are_continued(tmp_path: Path) -> None:
    directory, clock = Directory(tmp_path / "plane"), ManualClock()
    for _ in range(2):
        directory.prepare("nile", clock)
        (directory.service("payouts") / "payouts.db").touch()
    assert not (directory.data / "past").exists()


async def test_tokens_grant_each_service_no_more_than_it_needs(tmp_path: Path) -> None:
    directory, clock = Directory(tmp_path / "plane"), SystemClock()
    directory.mint(clock)
    verifier = tokens.JwksVerifier(directory.jwks, issuer="lucid-wallet", audience="lucid-wallet")
    for subject in SCOPES:
        file = directory.token(subject)
        assert file.stat().st_mode & 0o777 == 0o600
        who = await verifier.verify(file.read_text().strip())
        assert who.subject == subject
        assert not who.may("*")
        assert who.may("tron:sign") == (subject in ("client", "usdt", "payouts"))
        assert who.may("tron:sign-own") == (subject in ("gateway", "staking"))
        assert who.may("tron:halt") == (subject == "gateway-halt")
    assert SCOPES["gateway-halt"] == ("tron:halt",)
    strangers = tokens.JwksVerifier(directory.jwks, issuer="lucid", audience="lucid")
    with pytest.raises(Exception, match="another issuer"):
        await strangers.verify(directory.token("operator").read_text().strip())


def test_ports_are_kept_where_they_are_free(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    first = directory.ports()
    assert set(first) == {"devnet", *SERVICES}
    assert len(set(first.values())) == len(first)
    assert directory.ports() == first


def test_a_router_is_put_aside_with_the_devnet_that_it_stood_on(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.prepare("devnet", SystemClock())
    directory.router.write_text("{}")
    directory.prepare("devnet", SystemClock())
    assert not directory.router.exists()
    assert [path.read_text() for path in tmp_path.glob("past/*/router.json")] == ["{}"]


# --- a statement at the payout service ---


async def a_desk(directory: Path, log: TestLog, per_epoch: int = 10_000_000) -> PayoutDesk:
    """A desk whose network is never asked; statements up to 500,000 units a payout approve themselves."""
    clock = ManualClock(log.headers[0].time_ms)
    documents = await open_documents(f"sqlite:///{directory}/payouts.db")
    await documents.ensure(*Book.collections)
    client = TronClient.open(DEVNET.at("http://nowhere", usdt=USDT))
    usdt, book = UsdtManager(client, USDT), Book(documents, clock)
    policy = PayoutPolicy(per_epoch, per_epoch, 500_000)
    processor = PayoutProcessor(
        book, RemoteWallets(Client("http://w")), "wal", ALICE.address, usdt, client, policy
    )
    own = frozenset({ALICE.address, USDT})
    settlements = Settlements(documents, clock, [log.policy()], frozenset([AUTHORITY]), own)
    await settlements.prepare()
    books = Reconciliation(book, ALICE.address, usdt, client)
    recovery = Recovery(book, client, WalletPayments(client, USDT, ALICE.address), 120_000)
    schedules = Schedules(documents, clock)
    await documents.ensure(*Recovery.collections, *Schedules.collections)
    return PayoutDesk(processor, books, settlements, recovery, schedules, clock, 86_400_000, 500_000)


async def with_rates(desk: PayoutDesk, log: TestLog, *names: str) -> None:
    await desk.settlements.publish(a_policy(log, units=1000))
    for name in names:
        await desk.settlements.bind(a_binding(log, name, desk.clock.now_ms()))


async def states(desk: PayoutDesk) -> dict[int, str]:
    return {payout.amount: payout.state for payout in await desk.book.having(("intent", "approved"))}


async def test_a_statement_approves_what_is_small_and_leaves_the_rest_to_people(tmp_path: Path) -> None:
    log = TestLog("lucid.local/desk")
    desk = await a_desk(tmp_path, log)
    await with_rates(desk, log, "ann", "bob")
    settlement, approved = await desk.accept(a_statement(log, 1, {"ann": 500, "bob": 501, "cy": 9}))
    assert (len(settlement.intents), approved, sum(settlement.held.values())) == (2, 1, 9_000)
    assert await states(desk) == {500_000: "approved", 501_000: "intent"}


@pytest.mark.parametrize(
    ("point", "asked"),
    [
        ("statement-stored", {}),
        ("settlement-accepted", {}),
        ("statement-asked", {100_000: "intent", 200_000: "intent"}),
    ],
)
async def test_a_service_killed_after_it_stored_a_statement_asks_for_its_payouts_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, asked: dict[int, str]
) -> None:
    log = TestLog("lucid.local/desk")
    desk = await a_desk(tmp_path, log)
    await with_rates(desk, log, "ann", "bob")
    statement = a_statement(log, 1, {"ann": 100, "bob": 200})

    def die(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(KeyboardInterrupt):
        await desk.accept(statement)
    monkeypatch.undo()
    assert await states(desk) == asked
    with pytest.raises(StatementReplayed):
        await desk.accept(statement)
    assert await desk.resubmit(log.origin, 1) == (2, 2)
    assert await states(desk) == {100_000: "approved", 200_000: "approved"}
    assert await desk.resubmit(log.origin, 1) == (2, 0)


async def test_a_statement_becomes_payouts_in_one_transaction_and_is_approved_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, names = TestLog("lucid.local/desk"), [f"op{n}" for n in range(40)]
    desk = await a_desk(tmp_path, log, per_epoch=10**9)
    await with_rates(desk, log, *names)
    begun = 0
    transaction = desk.book.documents.transaction

    def counted() -> Any:
        nonlocal begun
        begun += 1
        return transaction()

    monkeypatch.setattr(desk.book.documents, "transaction", counted)
    _, approved = await desk.accept(a_statement(log, 1, dict.fromkeys(names, 7)))
    assert (approved, begun) == (40, 3)  # the statement, its payouts, their approval


async def test_a_schedule_that_was_set_by_a_service_that_died_holds_and_is_told_when_set_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await a_desk(tmp_path, TestLog("lucid.local/desk"))

    def die(name: str) -> None:
        if name == "schedule-set":
            raise KeyboardInterrupt

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(KeyboardInterrupt):
        await desk.set_schedule(Schedule("day", 60), "ann")
    monkeypatch.undo()
    assert await desk.waits() is not None
    await desk.set_schedule(Schedule("day", 60), "ann")
    assert await desk.pay() == {}
    assert await desk.remove_schedule("ann")
    assert not await desk.remove_schedule("ann")
    assert await desk.waits() is None
    told = [entry["kind"] async for entry in ledger.entries(desk.book.documents)]
    assert told == ["schedule-set", "schedule-removed"]


async def test_books_that_no_recovery_vouches_for_are_not_accepted(tmp_path: Path) -> None:
    desk = await a_desk(tmp_path, TestLog("lucid.local/desk"))
    with pytest.raises(WrongState, match="No head"):
        await desk.accept_books("ann", "never mind")
    Guard.create(tmp_path)
    with Guard(tmp_path) as guard:
        desk._guard = desk.recovery._guard = guard
        with pytest.raises(NotRecovered):
            await desk.accept_books("ann", "never mind")


@pytest.mark.parametrize(
    "wrong",
    [{"router": "T"}, {"router_kind": "kyc"}, {"issuers": {"T": 1}}],
)
def test_a_router_or_issuer_that_is_no_address_is_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    settings = PayoutsSettings(
        data=tmp_path,
        jwks="keys",
        usdt=str(USDT),
        nodes=("http://nowhere",),
        wallets_url="http://w",
        token_file=tmp_path / "t",
        wallet="wal",
        **wrong,
    )
    with pytest.raises(PlaneUnusable, match=r"router|issuers"):
        payouts_app.build(settings)


async def test_a_statement_above_the_epochs_cap_waits_for_the_cap_and_is_not_lost(tmp_path: Path) -> None:
    log = TestLog("lucid.local/desk")
    desk = await a_desk(tmp_path, log, per_epoch=250_000)
    await with_rates(desk, log, "ann", "bob")
    with pytest.raises(
        StatementWaits, match=r"epoch 1 of 'lucid.local/desk' is accepted.*250000 are allowed"
    ):
        await desk.accept(a_statement(log, 1, {"ann": 100, "bob": 200}))
    assert await states(desk) == {}
    raised = await a_desk(tmp_path, log, per_epoch=300_000)
    assert (await raised.resubmit(log.origin, 1))[0] == 2
    assert set(await states(raised)) == {100_000, 200_000}
