"""Books are one wallet's for ever; books of a gateway that had a phrase of its own move without a fork."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import ALICE, BOB
from gateway_room import Room
from plane_chain import PHRASE, Signing, wallets_in
from plane_processes import Processes

from lucid_kit.documents import Documents, open_documents
from lucid_tron.gateway.addresses import ADDRESSES
from lucid_tron.gateway.moving import announce_addresses
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import account_path, derive
from lucid_tron.own_wallet import BOOKS_OF, KeyLeftBehind, OtherWallet, forget_old_keys, require_same
from lucid_tron.sending.orders import ORDERS, Order, OrderBook
from lucid_tron.usdt.manager import UNIT
from lucid_tron.wallets.deposits import Deposits
from lucid_tron.wallets.models import Account, Cap

SEED = mnemonic.seed(PHRASE)
TREASURY = derive(SEED).address


@pytest.fixture
async def books(tmp_path: Path) -> Any:
    made = await open_documents(f"sqlite:///{tmp_path}/books.db")
    yield made
    await made.close()


async def with_keys_of_its_own(books: Documents, deposits: int = 3) -> None:
    """As a gateway left its database that derived its addresses itself."""
    await books.ensure(BOOKS_OF, ADDRESSES, *OrderBook.collections)
    secrets = {"seed": {"bytes": "00", "key_id": "k"}, "key": {"bytes": "01", "key_id": "k"}}
    hot = {"id": "wal_hot", "name": "hot", "address": str(TREASURY), "parent": None, "secrets": secrets}
    await books.insert(BOOKS_OF.name, hot)
    for index in range(deposits):
        address, path = derive(SEED, 1, index).address, account_path(1, index)
        child = {"id": f"wal_{index}", "address": str(address), "parent": "wal_hot", "path": path}
        await books.insert(BOOKS_OF.name, child | {"secrets": secrets})
        await books.insert(
            ADDRESSES.name,
            {
                "id": str(address),
                "evm": address.evm.hex(),
                "index": index,
                "wallet": f"wal_{index}",
                "state": "free",
                "payment": None,
                "until_ms": 0,
            },
        )
        order = Order(f"sweep:{index}", "sweep", str(address), f"wal_{index}", {"amount": 5}, "gateway")
        await books.insert(ORDERS.name, order.to_document())
    fund = Order("fund:0", "fund", "T", "wal_hot", {"amount": 1}, "gateway")
    await books.insert(ORDERS.name, fund.to_document())


async def a_signer(directory: Path, phrase: str) -> tuple[Signing, Account, Documents]:
    (directory / phrase.split()[-1]).mkdir()
    documents = await open_documents(f"sqlite:///{directory / phrase.split()[-1]}/wallets.db")
    wallets = wallets_in(documents, directory)
    await wallets.prepare()
    await documents.ensure(*Deposits.collections)
    made = await wallets.import_phrase("treasury", phrase, caps={str(BOB.address): Cap(5, 5)})
    return Signing(documents, wallets), Account(made.id, made.address), documents


async def test_books_are_of_one_wallet_and_refuse_any_other(books: Documents) -> None:
    for _ in range(2):
        await require_same(books, Account("wal_1", ALICE.address))
    with pytest.raises(OtherWallet, match=str(ALICE.address)):
        await require_same(books, Account("wal_2", BOB.address))


async def test_addresses_move_with_their_orders_and_are_the_same(books: Documents, tmp_path: Path) -> None:
    await with_keys_of_its_own(books)
    signing, treasury, store = await a_signer(tmp_path, PHRASE)
    await require_same(books, treasury)
    assert [await announce_addresses(books, signing, treasury) for _ in range(2)] == [3, 0]
    reserved = await signing.reserved(treasury.id)
    assert [each["id"] for each in await books.find(ADDRESSES.name, sort=[("index", 1)])] == [
        str(each.address) for each in reserved
    ]
    for each in reserved:
        assert (await books.get(ORDERS.name, f"sweep:{each.index}") or {})["wallet"] == each.wallet
    assert (await books.get(ORDERS.name, "fund:0") or {})["wallet"] == treasury.id
    assert (await signing.reserve(treasury.id, "dep_new")).index == 3
    await store.close()


async def test_another_phrase_is_no_way_to_move(books: Documents, tmp_path: Path) -> None:
    await with_keys_of_its_own(books)
    signing, other, store = await a_signer(tmp_path, "zoo " * 11 + "wrong")
    with pytest.raises(OtherWallet, match="not of"):
        await require_same(books, other)
    with pytest.raises(OtherWallet, match="Deposit 0"):
        await announce_addresses(books, signing, other)
    assert (await books.get(ORDERS.name, "sweep:0") or {})["wallet"] == "wal_0"
    await store.close()


async def test_a_key_that_was_left_behind_is_refused_and_its_secrets_are_forgotten(
    books: Documents, tmp_path: Path
) -> None:
    await with_keys_of_its_own(books)
    key = tmp_path / "wallet.key"
    key.write_text("0" * 64)
    with pytest.raises(KeyLeftBehind):
        await forget_old_keys(books, tmp_path)
    assert [each for each in await books.find(BOOKS_OF.name) if "secrets" in each] == []
    key.unlink()
    await forget_old_keys(books, tmp_path)
    with pytest.raises(OtherWallet):  # whose books they are is not forgotten with them
        await require_same(books, Account("wal_2", BOB.address))


async def test_an_older_copy_of_the_books_gives_no_address_to_a_second_payer(tmp_path: Path) -> None:
    room = await Room().open(tmp_path)
    first = await room.payment(reference="first")
    backup = tmp_path / "backup"
    backup.mkdir()
    await room.close()
    shutil.copy(tmp_path / "books.db", backup)
    room = await Room().open(tmp_path, room.network)
    forgotten = await room.payment(reference="forgotten")
    await room.close()
    shutil.copy(backup / "books.db", tmp_path / "books.db")

    room = await Room().open(tmp_path, room.network)
    new = await room.payment(reference="new")
    assert len({first.address, forgotten.address, new.address}) == 3
    assert await room.payment(reference="first") == first
    room.pay(forgotten.address, 10 * UNIT)  # its payer knows of no backup
    await room.solid()
    await room.work()
    assert room.chain.usdt_of(room.treasury.address) == 10 * UNIT
    assert (await room.gateway.reconciliation.enforce()).balances
    room.network.pass_ms(200 * 86_400_000)
    await room.solid()
    await room.gateway.release()
    again = {(await room.payment(reference=f"later-{number}")).address for number in range(3)}
    assert forgotten.address not in again
    await room.close()


async def test_a_wallets_service_that_was_set_back_gives_no_address_twice(tmp_path: Path) -> None:
    room = await Room().open(tmp_path)
    await room.payment(reference="first")
    await room.close()
    shutil.copy(tmp_path / "room.db", tmp_path / "yesterday")
    room = await Room().open(tmp_path, room.network)
    second = await room.payment(reference="second")
    await room.close()
    shutil.copy(tmp_path / "yesterday", tmp_path / "room.db")

    room = await Room().open(tmp_path, room.network)
    assert (await room.payment(reference="third")).address != second.address
    room.pay(second.address, 10 * UNIT)
    await room.solid()
    await room.work()
    assert room.chain.usdt_of(room.treasury.address) == 10 * UNIT
    await room.close()


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.end_all()


@pytest.mark.real
def test_services_say_what_to_do_with_another_wallet_and_with_a_key(plane: Processes) -> None:
    for name in ("gateway", "staking"):
        plane.service(name)
        plane.end(name)
        said = plane.refused(name, WALLET=plane.wallets["hot"])
        assert "LUCID_ERR_5782" in said
        assert "import its backup phrase" in said
        key = plane.directory / name / "wallet.key"
        key.write_text("0" * 64)
        said = plane.refused(name)
        assert "LUCID_ERR_5783" in said
        assert "shred -u" in said
        key.unlink()
        plane.service(name)
