"""A devnet in this process with several nodes, and clients that reach them without a socket."""

from pathlib import Path
from typing import Any

import httpx
from devnet_chain import Chain, Person

from lucid_kit.clock import ManualClock
from lucid_kit.custody import KeyFile
from lucid_kit.documents import Documents, open_documents
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import Profile
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.devnet.api.app import create_app
from lucid_tron.devnet.api.view import Node
from lucid_tron.devnet.faults import Faults
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.deposits import Deposits, Reserved
from lucid_tron.wallets.models import Account, Cap
from lucid_tron.wallets.service import Wallets

PHRASE = "abandon " * 11 + "about"


class Impatient(ManualClock):
    """A clock on which nobody waits."""

    async def sleep(self, seconds: float) -> None:
        return


class Network:
    """A chain whose blocks a test seals, behind nodes that a test makes lie."""

    def __init__(self, nodes: int = 2, **options: Any) -> None:
        self.chain = Chain(options=options)
        self.nodes = [Node(self.chain.network, Faults(), False) for _ in range(nodes)]
        self.urls = tuple(f"http://node{number}" for number in range(nodes))
        self.mounts = {
            url: httpx.ASGITransport(app=create_app(node))
            for url, node in zip(self.urls, self.nodes, strict=True)
        }
        self.client = self.connect()
        self.usdt = UsdtManager(self.client, self.chain.usdt)

    def connect(self) -> TronClient:
        profile = Profile("test", None, self.urls, self.chain.usdt, min(2, len(self.urls)), 1e6, 1_000_000)
        http = httpx.AsyncClient(mounts=self.mounts)
        return TronClient.open(profile, http=http, clock=Impatient(), attempts=2)

    def seal(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.chain.now += 3_000
            self.chain.ledger.seal()

    def solidify(self) -> None:
        self.seal(self.chain.ledger.solid_lag + 1)

    def pass_ms(self, milliseconds: int) -> None:
        self.chain.now += milliseconds
        self.seal()


async def open_store(directory: Path) -> Documents:
    return await open_documents(f"sqlite:///{directory}/room.db")


def wallets_in(documents: Documents, directory: Path) -> Wallets:
    return Wallets(documents, KeyFile(directory / "kek"), ManualClock())


class Signing:
    """The wallets service without its HTTP."""

    def __init__(self, documents: Documents, wallets: Wallets) -> None:
        self.wallets, self.deposits = wallets, Deposits(documents, wallets)

    async def sign(
        self, wallet_id: str, raw: RawTransaction, *, now_ms: int | None = None
    ) -> SignedTransaction:
        return await self.wallets.sign(wallet_id, raw, now_ms=now_ms)

    async def reserve(self, wallet_id: str, reservation: str) -> Reserved:
        return await self.deposits.reserve(await self.wallets.get(wallet_id), reservation)

    async def reserved(self, wallet_id: str, after: int = -1) -> list[Reserved]:
        return await self.deposits.list(await self.wallets.get(wallet_id), after, 1_000)


async def a_treasury(documents: Documents, wallets: Wallets, token: Address) -> tuple[Signing, Account]:
    """A wallet of PHRASE that pays USDT to anybody and TRX to its deposit addresses alone."""
    await wallets.prepare()
    await documents.ensure(*Deposits.collections)
    caps = {str(token): Cap(10**12, 10**15), "TRX": Cap(10**9, 10**12, family=True)}
    known = [wallet for wallet in await wallets.list() if wallet.name == "treasury"]
    made = known[0] if known else await wallets.import_phrase("treasury", PHRASE, caps=caps)
    return Signing(documents, wallets), Account(made.id, made.address)


def key_of(person: Person) -> PrivateKey:
    return PrivateKey(person.key.secret)
