"""Bringing an older copy of the books up to what the chain says was paid.

The router logs the id of every payout it pays, so the chain is a second copy of the payments, though not of
what was asked for. Order of the runbook: restore; hand in again what came since (statements, deposits: ids
follow from them); `adopt`; `Reconciliation.enforce`; `Guard.accept`; `Book.resume`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lucid_tron.client.client import TronClient
from lucid_tron.client.errors import MalformedAnswer
from lucid_tron.client.models import Receipt
from lucid_tron.codec.address import Address
from lucid_tron.payouts.batch import router_id
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import BooksContradictChain
from lucid_tron.payouts.models import Payout, State
from lucid_tron.payouts.router import paid_in

_BEHIND: tuple[State, ...] = ("intent", "approved", "failed", "cancelled")
_ALL: tuple[State, ...] = (*_BEHIND, "signed", "broadcast", "solid", "settled")


@dataclass(frozen=True, slots=True)
class Adopted:
    """Ids of payouts that were settled from the chain, and router ids paid there that no payout here has."""

    payouts: tuple[str, ...]
    unknown: tuple[str, ...]


class Recovery:
    """Settles payouts that a router has paid and the books do not know of."""

    def __init__(self, book: Book, client: TronClient, router: Address) -> None:
        self._book = book
        self._client = client
        self._router = router

    async def adopt(self, first_block: int, last_block: int, who: str) -> Adopted:
        """Look through these blocks (both included, all solid) and enter what was paid; again does no harm.

        What is signed or sent in these books is left to the processor, which follows it as ever.

        Raises
        ------
        BooksContradictChain
            If the chain paid an id to somebody else, or another amount: then nothing of it is entered.
        NodesDisagree, TooFewNodes, NoHealthyNode
            If it cannot be said what the chain holds.
        """
        payouts = {router_id(each.id): each for each in await self._book.having(_ALL)}
        adopted: list[str] = []
        unknown: list[str] = []
        for number in range(first_block, last_block + 1):
            for txid in await self._batches_in(number):
                receipt = await self._client.receipt_agreed(txid)
                if receipt is None:
                    raise BooksContradictChain(f"Transaction {txid.hex()} is in no solid block")
                for id_, _label, recipient, amount in paid_in(receipt, self._router):
                    payout = payouts.get(id_)
                    if payout is None:
                        unknown.append(id_.hex())
                    elif payout.state in _BEHIND:
                        await self._enter(payout, recipient, amount, receipt, who)
                        adopted.append(payout.id)
        return Adopted(tuple(sorted(adopted)), tuple(sorted(unknown)))

    async def _batches_in(self, number: int) -> list[bytes]:
        """TxIDs of a block's transactions that the router logged a payout in, as one node says."""
        path = "/wallet/gettransactioninfobyblocknum"
        answer = await self._client.pool.any(path, {"num": number}, _receipts)
        return [each.txid for each in _receipts(answer) if paid_in(each, self._router)]

    async def _enter(
        self, payout: Payout, recipient: Address, amount: int, receipt: Receipt, who: str
    ) -> None:
        if (payout.recipient, payout.amount) != (recipient, amount):
            raise BooksContradictChain(
                f"The chain paid {amount} to {recipient} for {payout.id}, and the books say"
                f" {payout.amount} to {payout.recipient}",
                txid=receipt.txid.hex(),
            )
        facts = {"txid": receipt.txid.hex(), "amount": amount, "credited": amount, "adopted_by": who}
        await self._book.move(payout, "settled", facts, credited=amount, block_number=receipt.block_number)


def _receipts(answer: Any) -> Sequence[Receipt]:
    items = answer.get("items", [])
    if not isinstance(items, list):
        raise MalformedAnswer("The receipts of a block are not a list")
    return [Receipt.read(item) for item in items]
