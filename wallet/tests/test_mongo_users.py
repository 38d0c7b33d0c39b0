"""Each service has a database and a user of its own: MongoDB itself refuses every other one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mongo_with_users import replica_set
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from lucid_kit.clock import SystemClock
from lucid_kit.documents import open_documents
from lucid_kit.errors import StoreReadOnly
from lucid_kit.tokens import jwks, mint
from lucid_tron.gateway.service import Gateway
from lucid_tron.own_wallet import BOOKS_OF
from lucid_tron.payouts.book import Book
from lucid_tron.sending.orders import OrderBook
from lucid_tron.settlement.service import Settlements
from lucid_tron.up.directory import SERVICES
from lucid_tron.up.users import database_of, main, url_of
from lucid_tron.wallets.deposits import Deposits
from lucid_tron.wallets.service import Wallets

pytestmark = pytest.mark.real
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
STORES = {
    "wallets": (*Wallets.collections, *Deposits.collections),
    "client": OrderBook.collections,
    "usdt": OrderBook.collections,
    "payouts": (*Book.collections, *Settlements.collections),
    "staking": (BOOKS_OF, *OrderBook.collections),
    "gateway": (BOOKS_OF, *Gateway.collections),
}
PAIRS = [(one, other) for one in SERVICES for other in SERVICES if one != other]


@pytest.fixture(scope="module")
def admin() -> Iterator[str]:
    with replica_set() as address:
        yield address


@pytest.fixture(scope="module")
def made(admin: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the shipped program makes: service → its own address."""
    directory = tmp_path_factory.mktemp("users")
    file = directory / "admin.url"
    file.write_text(admin)
    file.chmod(0o600)
    command = [sys.executable, "-m", "lucid_tron.up.users", "--admin", file, "--out", directory / "out"]
    for _ in range(2):  # again changes nothing
        said = subprocess.run(command, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
    files = {name: directory / "out" / f"{name}.url" for name in SERVICES}
    for name, url in files.items():
        assert url.stat().st_mode & 0o777 == 0o600
        assert f"LUCID_TRON_{name.upper()}_DOCUMENTS_URL_FILE={url}" in said.stdout
        assert str(urlsplit(url.read_text()).password) not in said.stdout
    return {name: url.read_text().strip() for name, url in files.items()}


def test_all_services_have_a_store_here() -> None:
    assert set(STORES) == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_opens_its_own_store_with_all_its_indexes(made: dict[str, str], service: str) -> None:
    documents = await open_documents(made[service])
    await documents.ensure(*STORES[service])
    async with documents.transaction() as inside:
        await inside.insert(STORES[service][0].name, {"id": "one"})
    assert await documents.get(STORES[service][0].name, "one") == {"id": "one"}
    await documents.delete(STORES[service][0].name, "one")
    await documents.close()


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_service_is_refused_on_the_database_of_another(made: dict[str, str], one: str, other: str) -> None:
    with MongoClient[dict[str, Any]](made[one]) as client:
        stranger = client[database_of(other)]
        for attempt in (
            lambda: stranger["anything"].find_one(),
            lambda: stranger["anything"].insert_one({"_id": "mine"}),
            lambda: stranger["anything"].drop(),
            lambda: stranger.list_collection_names(),
            lambda: stranger.command("usersInfo"),
            lambda: stranger.command("createUser", "me", pwd="p", roles=["readWrite"]),
            lambda: stranger.command("dropDatabase"),
            lambda: client[database_of(one)].command("grantRolesToUser", database_of(one), roles=["root"]),
            lambda: client.list_database_names() and stranger["anything"].find_one(),
        ):
            with pytest.raises(OperationFailure) as refused:
                attempt()
            assert refused.value.code == UNAUTHORIZED


@pytest.mark.parametrize(
    ("one", "other"), [("gateway", "wallets"), ("payouts", "wallets"), ("usdt", "gateway")]
)
async def test_a_service_that_is_told_anothers_database_does_not_start_on_it(
    made: dict[str, str], one: str, other: str
) -> None:
    own = urlsplit(made[one])
    wrong = own._replace(path=f"/{database_of(other)}", query=f"{own.query}&authSource={database_of(one)}")
    documents = await open_documents(wrong.geturl())
    with pytest.raises(StoreReadOnly):
        await documents.ensure(*STORES[other])
    await documents.close()


def test_one_services_password_opens_nothing_as_another(made: dict[str, str]) -> None:
    stolen = str(urlsplit(made["gateway"]).password)
    with MongoClient[dict[str, Any]](url_of(made["wallets"], "wallets", stolen)) as client:
        with pytest.raises(OperationFailure) as refused:
            client[database_of("wallets")]["wallets"].find_one()
        assert refused.value.code == AUTHENTICATION_FAILED


def test_a_service_runs_on_its_database_and_its_password_is_told_as_a_file(
    made: dict[str, str], tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "jwks.json").write_text(json.dumps(jwks([key.public_key()])))
    url = tmp_path / "wallets.url"
    url.write_text(made["wallets"])
    values = {"DATA": tmp_path / "data", "JWKS": tmp_path / "jwks.json", "DOCUMENTS_URL_FILE": url}
    env = os.environ | {f"LUCID_TRON_WALLETS_{name}": str(value) for name, value in values.items()}
    command = [sys.executable, "-m", "lucid_tron.wallets"]
    url.chmod(0o644)
    said = subprocess.run(command, env=env, capture_output=True, text=True)
    assert said.returncode == 1
    assert "chmod 600" in said.stderr
    url.chmod(0o600)
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            base = json.loads(process.stdout.readline())["url"]
            token = mint(key, "carla", ["tron:admin", "tron:read"], 600, "lucid", "lucid", SystemClock())
            with httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}) as carla:
                assert carla.post("/wallets", json={"name": "in mongo"}).status_code == 201
                assert [each["name"] for each in carla.get("/wallets").json()["wallets"]] == ["in mongo"]
        finally:
            process.terminate()
    assert list((tmp_path / "data").glob("*.db")) == []


@pytest.mark.parametrize(
    ("address", "mode", "says"),
    [
        ("mongodb://root:wrong@127.0.0.1:9/?serverSelectionTimeoutMS=100", 0o600, "LUCID_ERR_5853"),
        ("no address", 0o600, "LUCID_ERR_5853"),
        ("mongodb://root:x@127.0.0.1:9/", 0o644, "chmod 600"),
    ],
)
def test_what_is_wrong_with_the_administrator_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str, mode: int, says: str
) -> None:
    file = tmp_path / "admin.url"
    file.write_text(address)
    file.chmod(mode)
    assert main(["--admin", str(file), "--out", str(tmp_path / "out")]) == 1
    assert says in capsys.readouterr().err
