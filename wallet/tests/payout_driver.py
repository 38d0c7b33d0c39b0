"""A process that pays until all is settled. Tests kill it with LUCID_FAULT and start it again.

Arguments: directory of the database, USDT address, URLs of the nodes.
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
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.models import OPEN, PayoutPolicy
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.usdt.manager import UNIT, UsdtManager
from lucid_tron.wallets.models import Cap
from lucid_tron.wallets.service import Wallets

POLICY = PayoutPolicy(per_payout=100 * UNIT, per_epoch=10_000 * UNIT, two_person_above=50 * UNIT)


class Plane:
    """Everything of the wallet plane on one database and these nodes."""

    async def open(self, directory: Path, token: Address, urls: list[str]) -> "Plane":
        clock = SystemClock()
        self.urls = urls
        self.documents = await open_documents(f"sqlite:///{directory}/books.db")
        self.client = TronClient.open(DEVNET.at(*urls, usdt=token, quorum=min(2, len(urls))))
        self.usdt = UsdtManager(self.client, token)
        wallets = Wallets(self.documents, KeyFile(directory / "kek"), clock)
        await wallets.prepare()
        await self.documents.ensure(*Book.collections)
        known = await wallets.list()
        caps = {str(token): Cap(10**12, 10**15)}
        hot = known[0] if known else await wallets.import_key("hot", ALICE, caps=caps)
        self.book = Book(self.documents, clock)
        self.processor = PayoutProcessor(
            self.book, wallets, hot.id, ALICE.address, self.usdt, self.client, POLICY
        )
        self.books = Reconciliation(self.book, ALICE.address, self.usdt, self.client)
        return self

    async def close(self) -> None:
        await self.client.close()
        await self.documents.close()

    async def mine(self, blocks: int = 1) -> None:
        async with httpx.AsyncClient() as http:
            (await http.post(f"{self.urls[0]}/admin/mine", json={"blocks": blocks})).raise_for_status()

    async def finish(self) -> None:
        """Pay until nothing is open."""
        for _ in range(100):
            await self.processor.run_once()
            if not await self.book.having(OPEN):
                return
            await self.mine(10)
        raise RuntimeError(f"still open: {await self.book.having(OPEN)}")


async def main(directory: str, token: str, *urls: str) -> None:
    plane = await Plane().open(Path(directory), Address.parse(token), list(urls))
    await plane.books.enforce()
    await plane.finish()
    await plane.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
