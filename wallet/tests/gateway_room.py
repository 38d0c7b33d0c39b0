"""A payment gateway on a chain of its own, with a merchant who receives webhooks."""

from pathlib import Path
from typing import Any

import httpx
from devnet_chain import CAROL
from plane_chain import Network, a_treasury, open_store, wallets_in

from lucid_kit.clock import ManualClock
from lucid_kit.documents import open_documents
from lucid_tron.codec.address import Address
from lucid_tron.devnet.accounts import SUN
from lucid_tron.gateway.models import Payment
from lucid_tron.gateway.service import Gateway, GatewayPolicy
from lucid_tron.gateway.signature import verify
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.usdt.manager import UNIT

SECRET = b"s" * 32
HOUR_MS = 3_600_000
URL = "https://merchant.example/hook"
POLICY = GatewayPolicy(
    PayoutPolicy(per_payout=1_000 * UNIT, per_epoch=10_000 * UNIT, two_person_above=100 * UNIT),
    sweep_least=5 * UNIT,
    reuse_after_ms=HOUR_MS,
    memory=8,
)


class Merchant:
    """Takes webhooks, verifies each, and acts once for each id."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.answers: list[int] = []  # what to answer instead of 200, first to last
        self.got: list[tuple[str, str]] = []  # (id, kind), every delivery
        self.requests: list[httpx.Request] = []

    @property
    def kinds(self) -> list[str]:
        return [kind for _, kind in dict.fromkeys(self.got)]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        id_ = verify(SECRET, request.headers, request.content, self._clock.now_ms() // 1000)
        self.got.append((id_, httpx.Response(200, content=request.content).json()["type"]))
        return httpx.Response(self.answers.pop(0) if self.answers else 200)


class Room:
    """Everything of one gateway; `again` opens it anew on the same database and chain."""

    async def open(self, directory: Path, network: Network | None = None, policy: Any = POLICY) -> "Room":
        self.directory, self.policy = directory, policy
        self.network = network or Network()
        self.chain = self.network.chain
        self.clock = ManualClock(now_ms=self.chain.now)
        self.merchant = Merchant(self.clock)
        self.documents = await open_documents(f"sqlite:///{directory}/books.db")
        self.store = await open_store(directory)
        wallets = wallets_in(self.store, directory)
        self.signing, self.treasury = await a_treasury(self.store, wallets, self.chain.usdt)
        if network is None:
            self.chain.give(self.treasury.address, trx=10_000 * SUN)
            self.chain.give(CAROL.address, trx=1_000 * SUN, usdt=10_000 * UNIT)
            self.network.solidify()
        self.client = self.network.client
        self.gateway = Gateway(
            self.documents,
            self.signing,
            self.treasury,
            self.client,
            self.network.usdt,
            policy,
            SECRET,
            httpx.AsyncClient(transport=httpx.MockTransport(self.merchant)),
            self.clock,
        )
        await self.gateway.prepare()
        return self

    async def close(self) -> None:
        await self.documents.close()
        await self.store.close()

    async def again(self) -> "Room":
        await self.close()
        made = await Room().open(self.directory, self.network, self.policy)
        made.merchant.got = self.merchant.got
        return made

    async def payment(self, amount: int = 10 * UNIT, **more: Any) -> Payment:
        return await self.gateway.create(
            amount, more.pop("expires_in_ms", HOUR_MS), "shop", **{"webhook_url": URL} | more
        )

    def pay(self, to: Address, amount: int, token: Address | None = None) -> str:
        entry = self.chain.invoke(
            CAROL.key, token or self.chain.usdt, "transfer(address,uint256)", to, amount
        )
        assert entry.effect.result == "SUCCESS"
        return entry.txid.hex()

    async def solid(self) -> None:
        """What was paid becomes solid and is counted; events are delivered."""
        self.network.solidify()
        await self.gateway.scan()
        await self.deliver()

    async def deliver(self) -> None:
        self.clock.advance(2 * HOUR_MS)
        await self.gateway.webhooks.run_once()

    async def state(self, payment: Payment) -> tuple[str, int]:
        now = await self.gateway.get(payment.id)
        return now.state, now.credited

    async def work(self, rounds: int = 12) -> None:
        """Sweeps and refunds go as far as they can."""
        for _ in range(rounds):
            await self.gateway.sweeps.run_once()
            await self.gateway.refunds.run_once()
            self.network.seal(10)
            await self.gateway.scanner.run_once()
