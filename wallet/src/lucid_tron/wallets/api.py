"""HTTP routes of wallets: parse, authorise, call, shape. Amounts are in sun and units, times RFC 3339."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lucid_kit.clock import rfc3339
from lucid_kit.errors import Unavailable
from lucid_kit.http import Client, RemoteProblem, id_path, needs
from lucid_kit.logs import get_logger
from lucid_kit.tokens import Principal
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.wallets.errors import CannotSign, InvalidName
from lucid_tron.wallets.models import Cap, Wallet
from lucid_tron.wallets.service import Wallets

routes = APIRouter(tags=["wallets"])
T = TypeVar("T")

MAX = (1 << 53) - 1
Id = Annotated[str, id_path("wal")]
Amount = Annotated[int, Field(ge=0, le=MAX)]
Asset = Literal["TRX", "USDT"]


class BooksAway(Unavailable):
    """The service that knows an asset's balances and sends it is not configured or does not answer."""

    code = "LUCID_ERR_5852"
    advice = "Start the client and USDT services and tell this one their addresses."


class CapIn(BaseModel):
    """The most in one transaction and in one UTC day, in the asset's smallest unit."""

    model_config = ConfigDict(extra="forbid")

    per_payment: Amount
    per_day: Amount


Caps = Annotated[dict[str, CapIn], Field(max_length=32, description='By asset: "TRX" or a token\'s address.')]


class NewWallet(BaseModel):
    """A wallet to make. `kind` says which of the other members are needed."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    kind: Literal["new", "phrase", "key", "watch", "derived", "multisig"] = "new"
    caps: Caps = {}
    words: Literal[12, 15, 18, 21, 24] = 24
    phrase: SecretStr | None = Field(default=None, max_length=400)
    passphrase: SecretStr = SecretStr("")
    private_key: SecretStr | None = Field(default=None, max_length=66)
    address: str | None = Field(default=None, max_length=64)
    permission_id: int = Field(default=2, ge=0, le=9)
    parent: str | None = Field(default=None, max_length=64)
    account: int = Field(default=0, ge=0, lt=1 << 31)
    index: int = Field(default=0, ge=0, lt=1 << 31)


class Change(BaseModel):
    """What to change of a wallet. Caps are replaced as a whole; `fee_cap`: highest fee limit, sun."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, min_length=1, max_length=64)
    archived: bool | None = None
    caps: Caps | None = None
    fee_cap: Amount | None = None


class ToSign(BaseModel):
    """A transaction's raw bytes in hexadecimal, and the chain's time it is counted for (ms UTC)."""

    model_config = ConfigDict(extra="forbid")

    raw: str = Field(pattern=r"^([0-9a-f]{2})+$", max_length=131_072)
    now_ms: int | None = Field(default=None, ge=0, le=4_102_444_800_000)


class NewTransaction(BaseModel):
    """A transfer from the wallet. Its id names it for ever; sending it again does nothing twice."""

    model_config = ConfigDict(extra="forbid")

    operation_id: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,96}$")
    asset: Asset
    to: str = Field(max_length=64)
    amount: Annotated[int, Field(ge=1, le=MAX)]


class WalletOut(BaseModel):
    """A wallet, without any of its secrets."""

    id: str
    name: str
    kind: str
    address: str
    created: str
    caps: dict[str, CapIn]
    fee_cap: int
    permission_id: int
    parent: str | None
    path: str | None
    archived: bool


class WalletMade(WalletOut):
    """A new wallet and, for kind `new` only, the one sight of its backup phrase."""

    backup_phrase: str | None = None


class WalletList(BaseModel):
    wallets: list[WalletOut]


class SignedOut(BaseModel):
    """The signed transaction, protobuf in hexadecimal."""

    txid: str
    envelope: str


def _service(request: Request) -> Wallets:
    wallets: Wallets = request.app.state.wallets
    return wallets


Service = Annotated[Wallets, Depends(_service)]
Reader = Annotated[Principal, needs("tron:read")]
Writer = Annotated[Principal, needs("tron:write")]
Admin = Annotated[Principal, needs("tron:admin")]
SigningService = Annotated[Principal, needs("tron:sign")]


def _out(wallet: Wallet) -> dict[str, Any]:
    document = wallet.to_document()
    document["created"] = rfc3339(document.pop("created_ms"))
    return document


def _caps(given: dict[str, CapIn]) -> dict[str, Cap]:
    named = {asset if asset == "TRX" else str(Address.parse(asset)): cap for asset, cap in given.items()}
    return {asset: Cap(cap.per_payment, cap.per_day) for asset, cap in named.items()}


@routes.get("/wallets", response_model=WalletList)
async def wallets(service: Service, _who: Reader, archived: bool = False) -> dict[str, Any]:
    """All wallets in the order they were made; with `archived`, those put away too."""
    return {"wallets": [_out(wallet) for wallet in await service.list(archived=archived)]}


@routes.post("/wallets", status_code=201, response_model=WalletMade)
async def make(body: NewWallet, service: Service, who: Admin) -> dict[str, Any]:
    """Make, import or watch a wallet. A new one's backup phrase is in this answer and nowhere else."""
    wallet, phrase = await _make(service, body)
    get_logger().info("wallet.made", wallet=wallet.id, kind=wallet.kind, by=who.subject)
    return {**_out(wallet), "backup_phrase": phrase}


async def _make(service: Wallets, body: NewWallet) -> tuple[Wallet, str | None]:
    caps = _caps(body.caps)
    match body.kind:
        case "new":
            wallet, backup = await service.create(body.name, words=body.words, caps=caps)
            return wallet, backup.show_once()
        case "phrase":
            phrase = _given(body.phrase, "phrase").get_secret_value()
            passphrase = body.passphrase.get_secret_value()
            return await service.import_phrase(body.name, phrase, passphrase=passphrase, caps=caps), None
        case "key":
            return await service.import_key(body.name, _key(body), caps=caps), None
        case "watch":
            return await service.watch(body.name, Address.parse(_given(body.address, "address"))), None
        case "derived":
            parent = _given(body.parent, "parent")
            return await service.derive(parent, body.name, body.account, body.index, caps=caps), None
        case "multisig":
            address = Address.parse(_given(body.address, "address"))
            shared = await service.share(body.name, address, body.permission_id, _key(body), caps=caps)
            return shared, None


def _key(body: NewWallet) -> PrivateKey:
    return PrivateKey.from_hex(_given(body.private_key, "private_key").get_secret_value())


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise InvalidName(f"This kind of wallet needs {name}")
    return value


@routes.get("/wallets/{wallet_id}", response_model=WalletOut)
async def wallet(wallet_id: Id, service: Service, _who: Reader) -> dict[str, Any]:
    """A wallet."""
    return _out(await service.get(wallet_id))


@routes.put("/wallets/{wallet_id}", response_model=WalletOut)
async def change(wallet_id: Id, body: Change, service: Service, who: Admin) -> dict[str, Any]:
    """Rename a wallet, put it away or back, or replace its caps."""
    found = await service.get(wallet_id)
    if body.name is not None:
        found = await service.rename(wallet_id, body.name)
    if body.archived is not None:
        found = await service.archive(wallet_id, archived=body.archived)
    if body.caps is not None:
        found = await service.set_caps(wallet_id, _caps(body.caps))
    if body.fee_cap is not None:
        found = await service.set_fee_cap(wallet_id, body.fee_cap)
    get_logger().info(
        "wallet.changed", wallet=wallet_id, by=who.subject, members=sorted(body.model_fields_set)
    )
    return _out(found)


@routes.delete("/wallets/{wallet_id}", response_model=WalletOut)
async def archive(wallet_id: Id, service: Service, who: Admin) -> dict[str, Any]:
    """Put a wallet away: it signs nothing any more. Its key is kept, for funds may still arrive."""
    get_logger().info("wallet.archived", wallet=wallet_id, by=who.subject)
    return _out(await service.archive(wallet_id))


@routes.post("/wallets/{wallet_id}/signatures", response_model=SignedOut)
async def sign(wallet_id: Id, body: ToSign, service: Service, who: SigningService) -> dict[str, Any]:
    """Sign a transaction within the wallet's caps. What it spends is read from the bytes themselves."""
    raw = transaction.decode(bytes.fromhex(body.raw))
    signed = await service.sign(wallet_id, raw, now_ms=body.now_ms)
    if signed.raw.hex() != body.raw:
        raise CannotSign("These bytes are not how this transaction is encoded")
    get_logger().info("transaction.signed", wallet=wallet_id, txid=signed.txid.hex(), by=who.subject)
    return {"txid": signed.txid.hex(), "envelope": transaction.encode_signed(signed).hex()}


@routes.get("/wallets/{wallet_id}/balance")
async def balance(request: Request, wallet_id: Id, service: Service, _who: Reader) -> dict[str, Any]:
    """What a wallet holds in solid blocks: sun of TRX and units of USDT."""
    address = str((await service.get(wallet_id)).address)
    trx = await _ask(request, "TRX", "GET", f"/tron/accounts/{address}")
    usdt = await _ask(request, "USDT", "GET", f"/usdt/balance/{address}")
    return {"address": address, "trx_sun": trx["balance_sun"], "usdt_units": usdt["units"]}


@routes.get("/wallets/{wallet_id}/transactions")
async def transactions(request: Request, wallet_id: Id, service: Service, _who: Reader) -> dict[str, Any]:
    """What was sent from a wallet on request, whatever became of it."""
    address = str((await service.get(wallet_id)).address)
    trx = await _ask(request, "TRX", "GET", f"/tron/transfers?address={address}")
    usdt = await _ask(request, "USDT", "GET", f"/usdt/operations?address={address}")
    return {"address": address, "transactions": [*trx["operations"], *usdt["operations"]]}


@routes.post("/wallets/{wallet_id}/transactions", status_code=202)
async def send(
    request: Request, wallet_id: Id, body: NewTransaction, service: Service, who: Writer
) -> dict[str, Any]:
    """Send TRX or USDT. The service of that asset prepares it, has it signed here, and follows it."""
    found = await service.get(wallet_id)
    get_logger().info("transaction.asked", wallet=found.id, operation=body.operation_id, by=who.subject)
    wanted = {"operation_id": body.operation_id, "wallet_id": found.id, "to": body.to, "amount": body.amount}
    path = "/tron/transfers" if body.asset == "TRX" else "/usdt/transfer"
    return await _ask(request, body.asset, "POST", path, wanted)


async def _ask(
    request: Request, asset: Asset, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    client: Client | None = request.app.state.books[asset]
    if client is None:
        raise BooksAway(f"The service of {asset} is not configured")
    try:
        answer: dict[str, Any] = (await client.request(method, path, json=body)).json()
    except RemoteProblem as problem:
        if problem.remote_status >= 500:
            raise BooksAway(problem.detail, **problem.facts) from problem
        raise CannotSign(problem.detail, **problem.facts) from problem
    return answer
