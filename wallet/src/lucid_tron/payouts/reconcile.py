"""Do the books and the chain say the same, to the last unit?

    funding − settled − (each payment in flight, or not) = balance of the payer in solid blocks

The payer is the hot wallet, or the router where payments go through one. A database from yesterday's backup
does not know what was paid since: then the payer holds less than the books explain, and payouts stop before
anything is signed. Equally for a theft, a forgotten deposit, a lying quorum.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lucid_kit.documents import Documents
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.payer import OtherPayer
from lucid_tron.usdt.errors import NotPaid
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.usdt.transfers import transfers_in


@dataclass(frozen=True, slots=True)
class Balance:
    """Units of USDT: what came in, what was paid, what may or may not have left yet, and what is there."""

    funded: int
    settled: int
    in_flight: int
    held: int

    @property
    def missing(self) -> int:
        """What the payer holds less than the books can explain."""
        return max(0, self.funded - self.settled - self.in_flight - self.held)

    @property
    def surplus(self) -> int:
        """What the payer holds more: a deposit that is not entered yet. Anyone can cause it."""
        return max(0, self.held - self.funded + self.settled)


class Reconciliation:
    """Compares the books of one payer with the chain."""

    def __init__(self, book: Book, payer: Address, usdt: UsdtManager, client: TronClient) -> None:
        self._book = book
        self.payer = payer
        self._usdt = usdt
        self._client = client

    async def claim(self) -> None:
        """Write into new books whose they are; a processor starts with this.

        Raises
        ------
        OtherPayer
            If they are another payer's: what it was given and paid would be held against this one.
        """

        async def change(inside: Documents) -> None:
            found = await inside.find(ledger.LEDGER.name, {"kind": "payer"}, limit=1)
            if not found:
                facts = {"address": str(self.payer)}
                await ledger.append(inside, "payer", None, facts, self._book.clock.now_ms())
            elif found[0]["facts"]["address"] != str(self.payer):
                raise OtherPayer(f"These books are of {found[0]['facts']['address']}, not of {self.payer}")

        await self._book.atomically(change)

    async def fund(self, txid: bytes) -> int:
        """Enter a deposit to the payer; its units. The same transaction is entered once.

        Raises
        ------
        NotPaid
            If it is not solid, or brought the payer nothing.
        """
        async for entry in ledger.entries(self._book.documents):
            if entry["kind"] == "funded" and entry["facts"]["txid"] == txid.hex():
                return int(entry["facts"]["amount"])
        receipt = await self._client.receipt_agreed(txid)
        received = [] if receipt is None else transfers_in(receipt, self._usdt.token)
        amount = sum(transfer.amount for transfer in received if transfer.recipient == self.payer)
        if not amount:
            raise NotPaid(f"Transaction {txid.hex()} brought {self.payer} nothing that is solid")
        await self._book.record("funded", {"txid": txid.hex(), "amount": amount})
        return amount

    async def check(self) -> Balance:
        """Compare, without consequences.

        Raises
        ------
        LedgerBroken
            If the ledger was altered.
        """
        await ledger.verify(self._book.documents)
        # The balance is read between two looks at the books: what moves meanwhile counts as in flight.
        before = await self._in_flight()
        held = await self._usdt.balance(self.payer)
        funded, paid = 0, dict[str, int]()
        async for entry in ledger.entries(self._book.documents):
            if entry["kind"] == "funded":
                funded += entry["facts"]["amount"]
            elif entry["kind"] == "settled":
                # A batch tells of all its payouts in one entry.
                facts = entry["facts"]
                paid |= dict(facts["payouts"]) if "payouts" in facts else {entry["payout"]: facts["amount"]}
        moving = before | await self._in_flight()
        settled = sum(amount for id_, amount in paid.items() if id_ not in moving)
        return Balance(funded, settled, sum(moving.values()), held)

    async def _in_flight(self) -> dict[str, int]:
        return {payout.id: payout.amount for payout in await self._book.having(("broadcast", "solid"))}

    async def enforce(self, *, strict: bool = False) -> Balance:
        """Compare, and stop all payouts if money is missing. A processor starts with this.

        With `strict` (the daily reconciliation, after all deposits are entered) a surplus stops them too.
        Otherwise it does not: anyone could send a unit to the payer to stop payouts.
        """
        balance = await self.check()
        if _off(balance, strict):
            # Once more: a payment may have been sent and settled between the looks.
            balance = await self.check()
        if _off(balance, strict):
            await self._book.halt(
                f"The payer {self.payer} lacks {balance.missing} units or has {balance.surplus} too many",
                asdict(balance),
            )
        return balance


def _off(balance: Balance, strict: bool) -> bool:
    return bool(balance.missing or (strict and balance.surplus))
