"""A chain with a clock of its own, for tests without HTTP: people, orders, calls, and what came of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import coincurve
import httpx

from lucid_tron import abi
from lucid_tron.codec import contracts as c
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.json import signed_from_json
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import SUN, Account
from lucid_tron.devnet.api.app import create_app
from lucid_tron.devnet.api.view import Node
from lucid_tron.devnet.blocks import Entry, address_of
from lucid_tron.devnet.evm import machine
from lucid_tron.devnet.faults import Faults
from lucid_tron.devnet.genesis import Network, found
from lucid_tron.devnet.state import Sheet

START_MS = 1_763_800_000_000
FEE_LIMIT = 1_000 * SUN
TRANSFER = "transfer(address,uint256)"


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    name: str

    @property
    def key(self) -> coincurve.PrivateKey:
        return coincurve.PrivateKey(sha256(self.name.encode()).digest())

    @property
    def address(self) -> Address:
        return address_of(self.key)


ALICE, BOB, CAROL, DAVE = (Person(name) for name in ("alice", "bob", "carol", "dave"))


@dataclass
class Chain:
    """A network whose time stands still unless a test moves it."""

    now: int = START_MS
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network: Network = found(now_ms=lambda: self.now, **self.options)
        self.ledger = self.network.ledger

    @property
    def usdt(self) -> Address:
        return self.network.usdt

    @property
    def faucet(self) -> coincurve.PrivateKey:
        return self.network.faucet

    @property
    def owner(self) -> Address:
        return self.network.faucet_address

    def raw(self, order: c.Contract, **changes: Any) -> RawTransaction:
        """An order that refers to the head and lives a minute."""
        head = self.ledger.head
        values: dict[str, Any] = {
            "ref_block_bytes": head.id[6:8],
            "ref_block_hash": head.id[8:16],
            "expiration": head.timestamp + 60_000,
            "timestamp": self.now,
            "contracts": (order,),
        }
        if isinstance(order, c.TriggerSmartContract | c.CreateSmartContract):
            values["fee_limit"] = FEE_LIMIT
        return RawTransaction(**values | changes)

    def signed(self, order: c.Contract, *keys: coincurve.PrivateKey, **changes: Any) -> SignedTransaction:
        encoded = transaction.encode(self.raw(order, **changes))
        digest = transaction.txid(encoded)
        return SignedTransaction(encoded, tuple(key.sign_recoverable(digest, hasher=None) for key in keys))

    def send(self, order: c.Contract, *keys: coincurve.PrivateKey, **changes: Any) -> Entry:
        """Sign with these keys (the owner's by default), broadcast, seal, and return what is in the block."""
        self.now += 3_000
        txid = self.ledger.broadcast(self.signed(order, *(keys or (self.faucet,)), **changes))
        self.ledger.seal()
        place = self.ledger.find(txid)
        assert place is not None
        return place[1]

    def give(self, person: Address, trx: int = 0, usdt: int = 0) -> None:
        """TRX (in sun) and USDT (in millionths) from the faucet."""
        if trx:
            self.send(c.TransferContract(self.owner, person, trx))
        if usdt:
            assert self.invoke(self.faucet, self.usdt, TRANSFER, person, usdt).effect.result == "SUCCESS"

    def invoke(
        self, key: coincurve.PrivateKey, contract: Address, signature: str, *values: Any, **changes: Any
    ) -> Entry:
        """Call a contract in a transaction of its own."""
        order = c.TriggerSmartContract(address_of(key), contract, data=abi.encode_call(signature, *values))
        return self.send(order, key, **changes)

    def ask(self, contract: Address, signature: str, *values: Any, returns: str = "(uint256)") -> Any:
        """Call without a transaction; the first value of the answer, or all when there are several."""
        outcome = machine.call(
            Sheet(self.ledger.state),
            self.ledger.context(),
            txid=bytes(32),
            caller=self.owner,
            address=contract,
            data=abi.encode_call(signature, *values),
            value=0,
            energy=10**9,
        )
        assert outcome.succeeded, outcome
        found_values = abi.decode(returns.strip("()").split(","), outcome.output)
        return found_values[0] if len(found_values) == 1 else found_values

    def send_all(self, person: Person, *, leave: int) -> None:
        """Take TRX away from somebody until `leave` sun are left."""
        order = c.TransferContract(person.address, self.owner, self.account(person.address).balance - leave)
        self.send(order, person.key)

    def usdt_of(self, person: Address) -> int:
        amount: int = self.ask(self.usdt, "balanceOf(address)", person)
        return amount

    def account(self, person: Address) -> Account:
        there = accounts.account(self.ledger.state, person)
        assert there is not None
        return there

    def deploy(
        self, bytecode: bytes, arguments: bytes = b"", *, key: coincurve.PrivateKey | None = None
    ) -> Address:
        """Put a contract on the chain and return its address."""
        key = key or self.faucet
        owner = address_of(key)
        new = c.SmartContract(
            origin_address=owner,
            bytecode=bytecode + arguments,
            consume_user_resource_percent=100,
            origin_energy_limit=10_000_000,
        )
        entry = self.send(c.CreateSmartContract(owner, new), key, fee_limit=15_000 * SUN)
        assert entry.effect.result == "SUCCESS", entry.effect.reason
        assert entry.effect.contract_address is not None
        return Address(entry.effect.contract_address)


class Asker:
    """Asks an ASGI application without a socket."""

    def __init__(self, app: Any) -> None:
        self.transport = httpx.ASGITransport(app=app)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url="http://devnet") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())


class Api:
    """A chain and one node of it to ask."""

    def __init__(self, chain: Chain, *, instant: bool = False) -> None:
        self.chain = chain
        self.node = Node(chain.network, Faults(), instant)
        self.client = Asker(create_app(self.node))

    def post(self, path: str, /, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wallet(self, name: str, /, **body: Any) -> Any:
        return self.post(f"/wallet/{name}", **body)

    def solid(self, name: str, /, **body: Any) -> Any:
        return self.post(f"/walletsolidity/{name}", **body)

    def sign(self, built: dict[str, Any], *people: Person) -> dict[str, Any]:
        """What a client does with a transaction that a node built: compute its id, sign it."""
        signed = signed_from_json(built)
        signatures = [each.key.sign_recoverable(signed.txid, hasher=None).hex() for each in people]
        return built | {"signature": signatures}

    def broadcast(self, built: dict[str, Any], *people: Person) -> Any:
        return self.wallet("broadcasttransaction", **self.sign(built, *people))
