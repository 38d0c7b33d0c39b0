"""Wallets keep their secrets, sign only what is theirs, and never pass a cap."""

import asyncio
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import pytest
from builders import ALICE, BOB, CAROL, USDT, a_transaction, a_transfer
from hypothesis import given, settings
from hypothesis import strategies as st

from lucid_kit.clock import ManualClock
from lucid_kit.custody import CannotUnwrap, KeyFile, WrappedKey
from lucid_kit.documents import open_documents
from lucid_kit.errors import LucidError
from lucid_tron import abi
from lucid_tron.codec.contracts import (
    AccountPermissionUpdateContract,
    CreateSmartContract,
    FreezeBalanceV2Contract,
    SmartContract,
    TriggerSmartContract,
)
from lucid_tron.codec.errors import CodecError
from lucid_tron.codec.transaction import SignedTransaction
from lucid_tron.keys import mnemonic
from lucid_tron.keys.errors import InvalidMnemonic
from lucid_tron.keys.signing import PrivateKey, signers
from lucid_tron.wallets.errors import (
    AddressTaken,
    BackupShown,
    CannotSign,
    ClockWentBack,
    InvalidName,
    KeystoreDamaged,
    KeystoreExposed,
    NameTaken,
    OverCap,
    WalletArchived,
    WalletNotFound,
    WrongPassphrase,
)
from lucid_tron.wallets.keystore import Cost, Keystore, _Lock, open_keystore
from lucid_tron.wallets.models import TRX, Cap
from lucid_tron.wallets.reading import payouts_of, spends
from lucid_tron.wallets.service import Wallets

QUICK = Cost(n=1 << 4)
PHRASE = "all " * 11 + "all"
DAY = 86_400_000


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore.create(tmp_path / "keystore.json", "correct horse", QUICK)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000_000)


@pytest.fixture
async def wallets(tmp_path: Path, keystore: Keystore, clock: ManualClock) -> Any:
    documents = await open_documents(f"sqlite:///{tmp_path}/wallets.db")
    service = Wallets(documents, keystore, clock)
    await service.prepare()
    yield service
    await documents.close()


def caps(per_payment: int = 5_000_000, per_day: int = 10_000_000, asset: str = TRX) -> dict[str, Cap]:
    return {asset: Cap(per_payment, per_day)}


async def alices(wallets: Wallets, **changes: Any) -> str:
    return (await wallets.import_key("alice", ALICE, caps=caps(**changes))).id


def a_payment(amount: int, nonce: int = 0) -> Any:
    return a_transaction(a_transfer(amount=amount), timestamp=1_800_000_000_000 + nonce)


# --- the keystore ---


def test_a_keystore_opens_with_its_passphrase_and_no_other(keystore: Keystore) -> None:
    assert Keystore.open(keystore.path, "correct horse")._masters == keystore._masters
    with pytest.raises(WrongPassphrase):
        Keystore.open(keystore.path, "incorrect horse")


async def test_opening_does_not_stop_the_event_loop(keystore: Keystore) -> None:
    assert (await open_keystore(keystore.path, "correct horse"))._masters == keystore._masters


def test_the_file_is_ours_alone_and_shows_nothing(keystore: Keystore) -> None:
    assert stat.S_IMODE(keystore.path.stat().st_mode) == 0o600
    (master,) = keystore._masters.values()
    assert master.hex() not in keystore.path.read_text()
    assert "correct horse" not in keystore.path.read_text()
    for shown in (repr(keystore), repr(keystore._lock)):
        for secret in (master, keystore._lock.key):
            assert secret.hex() not in shown
            assert str(secret) not in shown


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_keystore_others_could_read_is_refused(keystore: Keystore, mode: int) -> None:
    keystore.path.chmod(mode)
    with pytest.raises(KeystoreExposed):
        Keystore.open(keystore.path, "correct horse")


def test_a_keystore_is_never_overwritten(keystore: Keystore) -> None:
    with pytest.raises(FileExistsError):
        Keystore.create(keystore.path, "another", QUICK)
    with pytest.raises(FileNotFoundError):
        Keystore.open(keystore.path.with_name("none"), "x")


def broken(keystore: Keystore, **changes: Any) -> None:
    stored = json.loads(keystore.path.read_text())
    for path, value in changes.items():
        *steps, last = path.split("__")
        place = stored
        for step in steps:
            place = place[step]
        place[last] = value
    keystore.path.write_text(json.dumps(stored))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"scrypt": 5},
        {"scrypt__n": 1 << 30},
        {"scrypt__n": 0},
        {"scrypt__n": 17},
        {"scrypt__r": 1 << 20},
        {"scrypt__p": 0},
        {"scrypt__salt": "zz"},
        {"masters": {"1": "zz"}},
        {"masters": {}},
        {"masters": None},
    ],
)
def test_a_damaged_keystore_is_called_that(keystore: Keystore, changes: dict[str, Any]) -> None:
    broken(keystore, **changes)
    with pytest.raises(KeystoreDamaged):
        Keystore.open(keystore.path, "correct horse")


def test_an_altered_master_key_does_not_open(keystore: Keystore) -> None:
    stored = json.loads(keystore.path.read_text())
    master = stored["masters"]["1"]
    broken(keystore, masters={"1": master[:-2] + ("00" if master[-2:] != "00" else "01")})
    with pytest.raises(WrongPassphrase):
        Keystore.open(keystore.path, "correct horse")


async def test_a_new_passphrase_opens_the_old_secrets(keystore: Keystore) -> None:
    wrapped = await keystore.wrap(b"secret", {"wallet": "w1"})
    keystore.change_passphrase("battery staple", QUICK)
    with pytest.raises(WrongPassphrase):
        Keystore.open(keystore.path, "correct horse")
    assert await Keystore.open(keystore.path, "battery staple").unwrap(wrapped, {"wallet": "w1"}) == b"secret"


def test_a_process_killed_while_changing_the_passphrase_leaves_the_old_one(keystore: Keystore) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from lucid_tron.wallets.keystore import Cost, Keystore\n"
        "k = Keystore.open(Path(sys.argv[1]), 'correct horse')\n"
        "k.change_passphrase('battery staple', Cost(n=16))\n"
    )
    environment = os.environ | {"LUCID_FAULT": "keystore-rewrapped"}
    ended = subprocess.run([sys.executable, "-c", program, str(keystore.path)], env=environment, check=False)
    assert ended.returncode == -9
    assert Keystore.open(keystore.path, "correct horse")._masters == keystore._masters


async def test_a_rotated_keystore_opens_what_was_wrapped_before(keystore: Keystore) -> None:
    before = await keystore.wrap(b"old", {})
    assert await keystore.rotate() == "2"
    after = await keystore.wrap(b"new", {})
    assert (before.key_id, after.key_id) == ("1", "2")
    again = Keystore.open(keystore.path, "correct horse")
    assert (await again.unwrap(before, {}), await again.unwrap(after, {})) == (b"old", b"new")
    with pytest.raises(CannotUnwrap):
        await again.unwrap(WrappedKey(before.bytes, "2"), {})


@pytest.mark.parametrize("context", [{}, {"wallet": "w2"}, {"wallet": "w1", "x": "y"}])
async def test_a_secret_moved_to_another_wallet_does_not_open(keystore: Keystore, context: dict) -> None:
    wrapped = await keystore.wrap(b"secret", {"wallet": "w1"})
    with pytest.raises(CannotUnwrap):
        await keystore.unwrap(wrapped, context)


@given(st.binary(max_size=60))
async def test_junk_is_no_secret(junk: bytes) -> None:
    with pytest.raises(CannotUnwrap):
        await in_memory().unwrap(WrappedKey(junk, "1"), {})


def in_memory() -> Keystore:
    """A keystore whose file nobody writes."""
    return Keystore(Path("none"), _Lock(bytes(32), bytes(32), QUICK), {"1": bytes(32)})


async def test_the_key_file_of_the_kit_serves_wallets_as_well(tmp_path: Path, clock: ManualClock) -> None:
    documents = await open_documents(f"sqlite:///{tmp_path}/wallets.db")
    wallets = Wallets(documents, KeyFile(tmp_path / "kek"), clock)
    await wallets.prepare()
    assert signers(await wallets.sign(await alices(wallets), a_payment(1))) == (ALICE.address,)
    await documents.close()


# --- making and keeping ---


async def test_a_created_wallet_comes_back_from_its_backup_phrase(
    wallets: Wallets, tmp_path: Path, clock: ManualClock
) -> None:
    wallet, backup = await wallets.create("main")
    phrase = backup.show_once()
    assert len(phrase.split()) == 24
    documents = await open_documents(f"sqlite:///{tmp_path}/elsewhere.db")
    elsewhere = Wallets(documents, Keystore.create(tmp_path / "other.json", "x", QUICK), clock)
    await elsewhere.prepare()
    assert (await elsewhere.import_phrase("again", phrase)).address == wallet.address
    await documents.close()


async def test_a_backup_phrase_is_shown_once_and_only_when_asked(wallets: Wallets) -> None:
    _, backup = await wallets.create("main", words=12)
    assert repr(backup) == str(backup) == "BackupPhrase(hidden)"
    backup.show_once()
    with pytest.raises(BackupShown):
        backup.show_once()
    with pytest.raises(TypeError):
        backup.__reduce_ex__(2)


async def test_derived_wallets_have_the_addresses_of_hardware_wallets(wallets: Wallets) -> None:
    parent = await wallets.import_phrase("trezor", PHRASE)
    second = await wallets.derive(parent.id, "second", 0, 1)
    third = await wallets.derive(parent.id, "third", 1)
    assert str(parent.address) == "TY72iA3SBtrds3QLYsS7LwYfkzXwAXCRWT"
    assert (str(second.address), second.path) == ("TFz2CJn9CJb8C4i1Gke3jmZX2fRMJxniH2", "m/44'/195'/0'/0/1")
    assert (str(third.address), third.parent) == ("TNPgkSKfz2xS39fcyfrouz7QPbkkJaDLYv", parent.id)
    with pytest.raises(CannotSign, match="no seed"):
        await wallets.derive(second.id, "grandchild", 0, 2)


async def test_names_and_addresses_are_given_once(wallets: Wallets) -> None:
    first = await wallets.import_key("alice", ALICE)
    with pytest.raises(AddressTaken):
        await wallets.watch("same account", ALICE.address)
    with pytest.raises(NameTaken):
        await wallets.watch(" alice ", BOB.address)
    second = await wallets.watch("bob", BOB.address)
    with pytest.raises(NameTaken):
        await wallets.rename(second.id, "alice")
    assert (await wallets.rename(first.id, "alice  the first")).name == "alice the first"
    assert [wallet.name for wallet in await wallets.list()] == ["alice the first", "bob"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
async def test_a_name_is_neither_empty_nor_endless(wallets: Wallets, name: str) -> None:
    with pytest.raises(InvalidName):
        await wallets.watch(name, BOB.address)


async def test_what_does_not_exist_is_not_found(wallets: Wallets) -> None:
    with pytest.raises(WalletNotFound):
        await wallets.get("wal_none")
    with pytest.raises(InvalidMnemonic):
        await wallets.import_phrase("x", "all " * 12 + "all")


async def test_an_archived_wallet_is_listed_on_request_and_signs_nothing(wallets: Wallets) -> None:
    id_ = await alices(wallets)
    await wallets.archive(id_)
    assert await wallets.list() == []
    assert [wallet.archived for wallet in await wallets.list(archived=True)] == [True]
    with pytest.raises(WalletArchived):
        await wallets.sign(id_, a_payment(1))
    await wallets.archive(id_, archived=False)
    assert (await wallets.sign(id_, a_payment(1))).signatures


# --- signing ---


async def test_a_wallet_signs_its_own_transactions(wallets: Wallets) -> None:
    signed = await wallets.sign(await alices(wallets), a_payment(1_000_000))
    assert signers(signed) == (ALICE.address,)
    assert signed == ALICE.sign(a_payment(1_000_000))


async def test_a_watched_wallet_signs_nothing(wallets: Wallets) -> None:
    wallet = await wallets.watch("cold", ALICE.address)
    await wallets.set_caps(wallet.id, caps())
    with pytest.raises(CannotSign, match="no key"):
        await wallets.sign(wallet.id, a_payment(1))


async def test_two_shares_make_a_multisignature_transaction(wallets: Wallets) -> None:
    account = CAROL.address
    ours = await wallets.share("ours", account, 2, ALICE, caps=caps())
    raw = a_transaction(a_transfer(owner_address=account), permission_id=2)
    signed = await wallets.sign(ours.id, raw)
    both = await wallets.cosign(ours.id, SignedTransaction(signed.raw, (BOB.sign_digest(signed.txid),)))
    assert signers(both) == (BOB.address, ALICE.address)
    assert await wallets.cosign(ours.id, both) == both
    assert await wallets.spent(ours.id, TRX) == 1_000_000
    with pytest.raises(CodecError):
        await wallets.cosign(ours.id, SignedTransaction(b"\x00"))


def a_call(data: bytes, **changes: Any) -> Any:
    return a_transaction(TriggerSmartContract(ALICE.address, USDT, data=data, **changes))


TRANSFER = abi.encode_call("transfer(address,uint256)", BOB.address, 1)
DEPLOYMENT = CreateSmartContract(ALICE.address, SmartContract(ALICE.address), call_token_value=1)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (a_transaction(a_transfer(owner_address=BOB.address)), "not"),
        (a_transaction(permission_id=2), "permission"),
        (a_transaction(fee_limit=200_000_001), "fee limit"),
        (a_transaction(AccountPermissionUpdateContract(ALICE.address)), "ceremony"),
        (a_call(b"\xde\xad\xbe\xef"), "cannot be read"),
        (a_call(b""), "cannot be read"),
        (a_call(TRANSFER[:4]), "bytes"),
        (a_call(TRANSFER + bytes(32)), "bytes"),
        (a_call(TRANSFER[:4] + b"\xff" * 64), "cannot be read"),
        (a_call(TRANSFER, call_token_value=1), "TRC-10"),
        (a_transaction(DEPLOYMENT), "TRC-10"),
    ],
)
async def test_what_is_not_a_wallets_own_is_not_signed(wallets: Wallets, raw: Any, why: str) -> None:
    with pytest.raises(CannotSign, match=why):
        await wallets.sign(await alices(wallets), raw)


async def test_a_database_with_swapped_keys_signs_nothing(wallets: Wallets) -> None:
    mine = await alices(wallets)
    other = (await wallets.import_key("bob", BOB, caps=caps())).id
    stolen = await wallets._documents.get("wallets", other)
    assert stolen is not None
    await wallets._documents.update("wallets", mine, {"secrets": stolen["secrets"]})
    with pytest.raises(CannotUnwrap):
        await wallets.sign(mine, a_payment(1))
    await wallets._documents.update("wallets", other, {"address": str(CAROL.address)})
    with pytest.raises(CannotSign, match="is not that of"):
        await wallets.sign(other, a_transaction(a_transfer(owner_address=CAROL.address, amount=1)))


def test_what_a_transaction_spends_is_read_from_its_bytes() -> None:
    approve = abi.encode_call("approve(address,uint256)", BOB.address, 7)
    take = abi.encode_call("transferFrom(address,address,uint256)", BOB.address, CAROL.address, 9)
    new = SmartContract(ALICE.address, call_value=4)
    assert spends(a_payment(5)) == {TRX: 5}
    assert spends(a_transaction(TriggerSmartContract(ALICE.address, USDT, data=approve))) == {str(USDT): 7}
    assert spends(a_transaction(TriggerSmartContract(ALICE.address, USDT, 3, take))) == {str(USDT): 9, TRX: 3}
    assert spends(a_transaction(CreateSmartContract(ALICE.address, new))) == {TRX: 4}
    assert spends(a_transaction(CreateSmartContract(ALICE.address, SmartContract(ALICE.address)))) == {}
    assert spends(a_transaction(FreezeBalanceV2Contract(ALICE.address, 5))) == {}


PAYOUTS = [(bytes([n]) * 32, PrivateKey(bytes(31) + bytes([n])).address, n * 100) for n in range(1, 4)]
BATCH = abi.encode_call("payBatch(bytes32,(bytes32,address,uint256)[])", bytes(32), PAYOUTS)


def test_a_batch_spends_the_sum_of_its_payouts_from_the_router() -> None:
    assert payouts_of(BATCH) == PAYOUTS
    assert spends(a_call(BATCH)) == {str(USDT): 600}


@pytest.mark.parametrize(
    "data",
    [
        BATCH[:-1],
        BATCH + bytes(32),
        BATCH[:-96],
        BATCH[:36] + (96).to_bytes(32, "big") + BATCH[68:],  # the list is said to begin elsewhere
        BATCH[:68] + (2**255).to_bytes(32, "big") + BATCH[100:],
        BATCH[:132] + b"\x01" + BATCH[133:],  # an address with more than 20 bytes
        BATCH[:4],
    ],
)
def test_a_batch_that_could_be_read_in_two_ways_is_not_signed(data: bytes) -> None:
    with pytest.raises(CannotSign):
        spends(a_call(data))


def test_a_batch_that_sends_trx_along_is_not_signed() -> None:
    with pytest.raises(CannotSign):
        spends(a_call(BATCH, call_value=1))


# --- caps ---


async def test_one_payment_above_its_cap_is_refused(wallets: Wallets) -> None:
    id_ = await alices(wallets, per_payment=5)
    with pytest.raises(OverCap):
        await wallets.sign(id_, a_payment(6))
    assert await wallets.spent(id_, TRX) == 0


async def test_an_asset_without_a_cap_is_not_spent(wallets: Wallets) -> None:
    pay = TriggerSmartContract(
        ALICE.address, USDT, data=abi.encode_call("transfer(address,uint256)", BOB.address, 1)
    )
    id_ = await alices(wallets)
    with pytest.raises(OverCap, match="no cap"):
        await wallets.sign(id_, a_transaction(pay))
    await wallets.set_caps(id_, caps(asset=str(USDT)))
    assert (await wallets.sign(id_, a_transaction(pay))).signatures


async def test_a_days_sum_stops_at_its_cap_and_begins_anew_at_midnight_utc(
    wallets: Wallets, clock: ManualClock
) -> None:
    id_ = await alices(wallets, per_payment=6, per_day=10)
    await wallets.sign(id_, a_payment(6, 1))
    with pytest.raises(OverCap):
        await wallets.sign(id_, a_payment(5, 2))
    await wallets.sign(id_, a_payment(4, 3))
    clock.advance(DAY - clock.now_ms() % DAY - 1)
    with pytest.raises(OverCap):
        await wallets.sign(id_, a_payment(1, 4))
    clock.advance(1)
    await wallets.sign(id_, a_payment(1, 4))


async def test_the_same_transaction_is_counted_once(wallets: Wallets) -> None:
    id_ = await alices(wallets)
    first = await wallets.sign(id_, a_payment(5))
    assert await wallets.sign(id_, a_payment(5)) == first
    assert await wallets.spent(id_, TRX) == 5


async def test_a_clock_set_back_opens_no_old_day(wallets: Wallets, clock: ManualClock) -> None:
    id_ = await alices(wallets)
    await wallets.sign(id_, a_payment(1, 1))
    with pytest.raises(ClockWentBack):
        await wallets.sign(id_, a_payment(1, 2), now_ms=clock.now_ms() - DAY)


async def test_many_at_once_do_not_pass_the_cap(wallets: Wallets) -> None:
    id_ = await alices(wallets, per_payment=3, per_day=10)
    answers = await asyncio.gather(
        *(wallets.sign(id_, a_payment(3, nonce)) for nonce in range(20)), return_exceptions=True
    )
    signed = [answer for answer in answers if isinstance(answer, SignedTransaction)]
    assert len(signed) == 3
    assert all(isinstance(answer, OverCap) for answer in answers if answer not in signed)
    assert await wallets.spent(id_, TRX) == 9


async def test_two_services_on_one_database_do_not_pass_the_cap(
    wallets: Wallets, tmp_path: Path, keystore: Keystore, clock: ManualClock
) -> None:
    documents = await open_documents(f"sqlite:///{tmp_path}/wallets.db")
    other = Wallets(documents, keystore, clock)
    await other.prepare()
    id_ = await alices(wallets, per_payment=3, per_day=10)
    answers = await asyncio.gather(
        *((wallets, other)[nonce % 2].sign(id_, a_payment(3, nonce)) for nonce in range(12)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, SignedTransaction) for answer in answers) == 3
    assert await other.spent(id_, TRX) == 9
    await documents.close()


async def test_a_payment_of_two_assets_counts_for_both_or_for_none(wallets: Wallets) -> None:
    id_ = await alices(wallets)
    await wallets.set_caps(id_, {TRX: Cap(5, 5), str(USDT): Cap(5, 5)})
    data = abi.encode_call("transfer(address,uint256)", BOB.address, 4)
    await wallets.sign(id_, a_transaction(TriggerSmartContract(ALICE.address, USDT, 1, data)))
    with pytest.raises(OverCap):
        await wallets.sign(id_, a_transaction(TriggerSmartContract(ALICE.address, USDT, 4, data)))
    assert (await wallets.spent(id_, TRX), await wallets.spent(id_, str(USDT))) == (1, 4)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(0, 2)), max_size=25))
async def test_no_sequence_of_payments_passes_a_days_cap(payments: list[tuple[int, int, int]]) -> None:
    directory = tempfile.mkdtemp()
    documents = await open_documents(f"sqlite:///{directory}/wallets.db")
    clock = ManualClock(1_800_000_000_000)
    wallets = Wallets(documents, in_memory(), clock)
    await wallets.prepare()
    id_ = await alices(wallets, per_payment=8, per_day=20)
    day: dict[int, set[tuple[int, int]]] = {}
    for amount, nonce, pause in payments:
        clock.advance(pause * DAY // 2)
        today = clock.now_ms() // DAY
        try:
            await wallets.sign(id_, a_payment(amount, nonce))
        except OverCap:
            continue
        if not any((amount, nonce) in paid for paid in day.values()):
            day.setdefault(today, set()).add((amount, nonce))
        assert await wallets.spent(id_, TRX) == sum(a for a, _ in day.get(today, ()))
    assert all(sum(amount for amount, _ in paid) <= 20 for paid in day.values())
    await documents.close()
    shutil.rmtree(directory)


# --- secrets stay where they are ---


def content_of(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())


async def test_no_secret_is_found_in_the_database_in_logs_or_in_errors(
    wallets: Wallets, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seed = mnemonic.seed(PHRASE)
    wallet = await wallets.import_phrase("main", PHRASE, caps=caps())
    key = PrivateKey(await wallets._store.secret(wallet, "key")).reveal()
    said = [repr(wallet), repr(wallets), caplog.text]
    for attack in (a_transaction(), a_transaction(a_transfer(owner_address=wallet.address, amount=10**12))):
        with pytest.raises(LucidError) as caught:
            await wallets.sign(wallet.id, attack)
        said += [str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))]
    stored = await wallets._documents.get("wallets", wallet.id)
    said.append(json.dumps(stored))
    files = content_of(tmp_path)
    for secret in (seed, key):
        assert all(secret.hex() not in text and repr(secret)[2:-1] not in text for text in said)
        assert secret not in files
        assert secret.hex().encode() not in files
    assert all(PHRASE not in text for text in said)
    assert PHRASE.encode() not in files


def test_a_protected_process_dumps_no_core_and_cannot_be_read() -> None:
    program = (
        "import ctypes, resource\n"
        "from lucid_tron.wallets.hardening import protect_process\n"
        "protect_process()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert said == "(0, 0) 0\n"


def test_a_system_that_refuses_protection_stops_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    from lucid_tron.wallets import hardening

    monkeypatch.setattr(hardening, "_PR_SET_DUMPABLE", 9999)
    monkeypatch.setattr(hardening.resource, "setrlimit", lambda *_: None)
    with pytest.raises(OSError, match="Invalid"):
        hardening.protect_process()
