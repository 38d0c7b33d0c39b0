"""Everything of the wallet plane on one database, paying through a router on real nodes.

As a program it pays until nothing is open. Tests kill it with LUCID_FAULT or a signal and start it again.
Arguments: directory, USDT address, router address, URLs of the nodes.
"""

import asyncio
import sys
from pathlib import Path

import httpx
from builders import ALICE

from lucid_kit.clock import SystemClock
from lucid_kit.custody import KeyFile
from lucid_kit.documents import open_documents
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import DEVNET
from lucid_tron.codec.address import Address
from lucid_tron.contracts import artefact
from lucid_tron.contracts.deployment import deploy
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import OPEN, PayoutPolicy
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.payouts.router import RouterClient
from lucid_tron.usdt.manager import UNIT, UsdtManager
from lucid_tron.wallets.models import Cap
from lucid_tron.wallets.service import Wallets

POLICY = PayoutPolicy(per_payout=100 * UNIT, per_epoch=10**7 * UNIT, two_person_above=50 * UNIT)


def recipient(number: int) -> Address:
    """Who is paid the payout of that number."""
    return Address.from_evm((10**9 + number).to_bytes(20, "big"))


class RouterPlane:
    """A payout processor that pays through the router, with its guard."""

    async def open(
        self, directory: Path, token: Address, router: Address, urls: list[str], rehearse: str = "all"
    ) -> "RouterPlane":
        clock = SystemClock()
        self.urls, self.router_address = urls, router
        self.documents = await open_documents(f"sqlite:///{directory}/books.db")
        self.client = TronClient.open(DEVNET.at(*urls, usdt=token, quorum=min(2, len(urls))))
        self.usdt = UsdtManager(self.client, token)
        wallets = Wallets(self.documents, KeyFile(directory / "kek"), clock)
        await wallets.prepare()
        await self.documents.ensure(*Book.collections)
        known = await wallets.list()
        caps = {str(router): Cap(10**15, 10**16)}
        hot = known[0] if known else await wallets.import_key("operator", ALICE, caps=caps)
        await wallets.set_fee_cap(hot.id, 2_000_000_000)
        self.book = Book(self.documents, clock)
        Guard.create(directory)
        self.guard = Guard(directory).open()
        self.processor = PayoutProcessor(
            self.book,
            wallets,
            hot.id,
            ALICE.address,
            self.usdt,
            self.client,
            POLICY,
            router=RouterClient(self.client, self.usdt, router),
            guard=self.guard,
            rehearse=rehearse,  # type: ignore[arg-type]
        )
        self.books = Reconciliation(self.book, router, self.usdt, self.client)
        return self

    async def close(self) -> None:
        self.guard.close()
        await self.client.close()
        await self.documents.close()

    async def admin(self, name: str, node: int = 0, **body: object) -> dict[str, object]:
        async with httpx.AsyncClient(timeout=120) as http:
            answer = await http.post(f"{self.urls[node]}/admin/{name}", json=body)
            answer.raise_for_status()
            return dict(answer.json())

    async def ask_for(self, count: int, first: int = 0, each: int = 1000) -> dict[int, int]:
        """Submit and approve payouts first … first+count−1; number → units."""
        owed = {number: each + number for number in range(first, first + count)}
        asked = [(f"pay_{number:06}", 1, str(recipient(number)), units) for number, units in owed.items()]
        await self.processor.submit_all(asked, "service")
        await self.processor.approve_all([id_ for id_, *_ in asked], "carla")
        return owed

    async def finish(self, mine: int = 10, rounds: int = 400) -> None:
        """Pay until nothing is open; what failed is tried anew."""
        for _ in range(rounds):
            await self.processor.run_once()
            for failed in await self.book.having(("failed",)):
                await self.processor.retry(failed.id, "carla")
            if not await self.book.having(OPEN, 1):
                return
            if mine:
                await self.admin("mine", blocks=mine)
        raise RuntimeError(f"still open: {await self.book.having(OPEN, 3)}")


async def deploy_router(urls: list[str], token: Address, faucet: PrivateKey) -> Address:
    """A router owned by the faucet whose operator is ALICE, on a devnet that seals only when it is told."""

    async def seal() -> None:
        async with httpx.AsyncClient() as http:
            while True:
                await http.post(f"{urls[0]}/admin/mine", json={"blocks": 21})
                await asyncio.sleep(0.2)

    values: dict[str, object] = {
        "token": token,
        "owner": faucet.address,
        "operator": ALICE.address,
        "pauser": faucet.address,
        "maxPayout": 10**12,
        "maxEpoch": 10**15,
        "epochSeconds": 86_400,
    }
    async with TronClient.open(DEVNET.at(urls[0], usdt=token)) as client:
        sealing = asyncio.create_task(seal())
        address, _ = await deploy(client, faucet, artefact("PayoutRouter"), values)
        sealing.cancel()
    return address


async def main(directory: str, token: str, router: str, *urls: str) -> None:
    plane = await RouterPlane().open(Path(directory), Address.parse(token), Address.parse(router), list(urls))
    await plane.guard.check(plane.book)
    await plane.books.enforce()
    await plane.finish()
    await plane.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
