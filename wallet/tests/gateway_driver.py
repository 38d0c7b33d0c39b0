"""Processes that take payments to their end, each killed at another fault point.

Arguments: directory of the database, USDT address, URL of the merchant, fault points with commas between
them (an empty one kills nobody), URLs of the nodes. Each point has a process of its own, forked from this one
so that the imports are paid for once. Prints how each ended, as JSON: point → status.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import httpx
from gateway_room import HOUR_MS, POLICY, SECRET
from plane_chain import a_treasury

from lucid_kit.clock import SystemClock
from lucid_kit.custody import KeyFile
from lucid_kit.documents import open_documents
from lucid_tron.client.client import TronClient
from lucid_tron.client.profiles import DEVNET
from lucid_tron.codec.address import Address
from lucid_tron.gateway.events import EVENTS
from lucid_tron.gateway.models import PAYMENTS, Payment
from lucid_tron.gateway.service import Gateway
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.payouts.models import OPEN
from lucid_tron.usdt.manager import UNIT, UsdtManager
from lucid_tron.wallets.service import Wallets

PAID, REFUNDED = 10 * UNIT, 2 * UNIT


def payer(reference: str) -> Address:
    """Who gets the refund of a payment."""
    return PrivateKey(reference.encode().rjust(32, b"\1")).address


class Plane:
    """A gateway on a database of its own and these nodes."""

    async def open(self, directory: Path, token: Address, merchant: str, urls: list[str]) -> "Plane":
        self.directory, self.urls, self.merchant = directory, urls, merchant
        self.http = httpx.AsyncClient()
        self.documents = await open_documents(f"sqlite:///{directory}/gateway.db")
        self.client = TronClient.open(DEVNET.at(*urls, usdt=token, quorum=min(2, len(urls))))
        self.usdt = UsdtManager(self.client, token)
        wallets = Wallets(self.documents, KeyFile(directory / "kek"), SystemClock())
        self.signing, self.treasury = await a_treasury(self.documents, wallets, token)
        self.gateway = Gateway(
            self.documents,
            self.signing,
            self.treasury,
            self.client,
            self.usdt,
            replace(POLICY, sweep_least=5 * UNIT),
            SECRET,
            self.http,
            SystemClock(),
        )
        await self.gateway.prepare()
        return self

    async def close(self) -> None:
        await self.http.aclose()
        await self.client.close()
        await self.documents.close()

    async def admin(self, name: str, **body: object) -> None:
        (await self.http.post(f"{self.urls[0]}/admin/{name}", json=body)).raise_for_status()

    async def take(self, reference: str) -> None:
        """One payment, paid once whatever happens to this process."""
        payment = await self.gateway.create(
            PAID, HOUR_MS, "shop", reference=reference, webhook_url=self.merchant
        )
        paid = self.directory / f"paid-{reference}"
        if not paid.exists():
            await self.admin("faucet", address=str(payment.address), usdt=PAID)
            paid.touch()
            await self.admin("mine", blocks=1)

    async def finish(self) -> None:
        """Until all is swept, given back and told."""
        for _ in range(60):
            await self.gateway.scan()
            await self.gateway.webhooks.run_once()
            for stored in await self.documents.find(PAYMENTS.name):
                payment = Payment.from_document(stored)
                if payment.state == "paid" and not (payment.refunds and payment.refunds[0].done):
                    to = str(payer(payment.reference))
                    await self.gateway.refunds.ask(payment.id, "r1", to, REFUNDED, "shop")
            await self.gateway.sweeps.run_once()
            await self.gateway.refunds.run_once()
            if await self.done():
                return
            await self.admin("mine", blocks=3)
        waiting = [(order.id, order.state, order.reason) for order in await self.gateway.orders.having()]
        payouts = [(p.id, p.state, p.reason) for p in await self.gateway.book.having(("intent", *OPEN))]
        payments = [
            (p["reference"], p["state"], p["refunding"]) for p in await self.documents.find(PAYMENTS.name)
        ]
        events = await self.documents.find(EVENTS.name, {"state": "pending"})
        raise RuntimeError(f"not finished: {waiting} {payouts} {payments} {events}")

    async def done(self) -> bool:
        payments = [Payment.from_document(each) for each in await self.documents.find(PAYMENTS.name)]
        events = await self.documents.count(EVENTS.name, {"state": "pending"})
        finished = all(p.refunds and p.refunds[0].done for p in payments)
        return finished and not events and not await self.gateway.orders.having()


async def work(directory: str, token: str, merchant: str, point: str, *urls: str) -> None:
    plane = await Plane().open(Path(directory), Address.parse(token), merchant, list(urls))
    await plane.take(point or "payment-stored")
    await plane.finish()
    await plane.close()


def main(directory: str, token: str, merchant: str, points: str, *urls: str) -> None:
    ended = {}
    for point in points.split(","):
        child = os.fork()
        if child == 0:
            os.environ["LUCID_FAULT"] = point
            asyncio.run(work(directory, token, merchant, point, *urls))
            os._exit(0)
        ended[point] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
