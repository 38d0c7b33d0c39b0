"""Do the books and the chain say the same, to the last unit?

    credited + funded − paid out = what the deposit addresses and the treasury hold in solid blocks

and no unit left an address of ours in a transaction that we did not sign. If either fails, payouts stop, with
the reason, until a person resumes them.

The books are checked in themselves each time. The chain is asked in each round about the treasury and about
addresses that moved since the last report or that somebody may be paying now; once in `full_ms` about all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents, Index
from lucid_tron.codec.address import Address
from lucid_tron.gateway.addresses import AddressPool
from lucid_tron.gateway.comparison import Comparison
from lucid_tron.gateway.halting import Halting
from lucid_tron.gateway.models import PAYMENTS, WAITING
from lucid_tron.gateway.movements import MOVEMENTS
from lucid_tron.gateway.scanner import Scanner
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import PAYOUTS, Book
from lucid_tron.payouts.errors import LedgerBroken
from lucid_tron.sending.orders import TXIDS

REPORTS = Collection("reconciliations", Index("full"))


@dataclass(frozen=True, slots=True)
class Report:
    """Units, up to and with solid block `block`. `findings` says what does not balance; empty is good.

    credited   into deposit addresses        held_deposits  what they hold now
    funded     into the treasury besides   held_treasury  what the treasury holds now
    swept      between the two               paid_out       out of all of them, for refunds and token fees

    `compared` of `addresses` were asked for on the chain; what the others hold is what the books say.
    """

    block: int
    at_ms: int
    credited: int
    funded: int
    swept: int
    paid_out: int
    held_deposits: int
    held_treasury: int
    addresses: int
    compared: int
    findings: tuple[str, ...]

    @property
    def balances(self) -> bool:
        """Whether nothing is missing, too much, or unexplained."""
        return not self.findings

    @property
    def full(self) -> bool:
        """Whether every address was compared with the chain."""
        return self.compared == self.addresses


class GatewayReconciliation:
    """Compares all movements, payments and orders with the chain."""

    def __init__(
        self,
        documents: Documents,
        comparison: Comparison,
        scanner: Scanner,
        pool: AddressPool,
        treasury: Address,
        book: Book,
        halting: Halting,
        clock: Clock,
        full_ms: int,
    ) -> None:
        self._documents = documents
        self._comparison = comparison
        self._scanner = scanner
        self._pool = pool
        self._treasury = treasury
        self._book = book
        self._halting = halting
        self._clock = clock
        self._full_ms = full_ms

    async def latest(self, **where: Any) -> dict[str, Any] | None:
        """The newest report, as it was stored."""
        found = await self._documents.find(REPORTS.name, where, sort=[("id", -1)], limit=1)
        return found[0] if found else None

    async def enforce(self, *, full: bool | None = None) -> Report:
        """Compare, store the report, and stop payouts if the books do not balance.

        Differences that a person has accepted, word for word, stop nothing.

        Raises
        ------
        CannotReconcile
            If the chain moved on too fast, or nodes are behind; nothing is decided then.
        """
        report = await self.check(full=full)
        document = asdict(report) | {"findings": list(report.findings), "full": report.full}
        document["id"] = f"{report.at_ms:015d}"
        if not await self._documents.replace(REPORTS.name, document):
            await self._documents.insert(REPORTS.name, document)
        if unknown := await self._halting.unaccepted(list(report.findings)):
            await self._book.halt(
                f"The payment gateway does not balance: {unknown[0]}",
                {"findings": unknown[:20], "block": report.block},
            )
        return report

    async def check(self, *, full: bool | None = None) -> Report:
        """Compare, without consequences; all addresses, or those due."""
        findings: list[str] = []
        try:
            await ledger.verify(self._documents)
        except LedgerBroken as error:
            findings.append(error.detail)
        deposits = [deposit.address for deposit in await self._pool.deposits()]
        due = await self._due(deposits, full)
        compared = await self._comparison.of([self._treasury, *due])
        for address, (held, expected) in compared.items():
            if held != expected:
                findings.append(f"{address} holds {held} units and the books say {expected}")
        findings += await self._unexplained()
        findings += await self._uncredited()
        sums, nets = await self._moved()
        held_of = nets | {str(address): held for address, (held, _) in compared.items()}
        return Report(
            block=await self._scanner.cursor(),
            at_ms=self._clock.now_ms(),
            credited=sums["credit"],
            funded=sums["funding"],
            swept=sums["sweep"],
            paid_out=sums["outgoing"],
            held_deposits=sum(held_of.get(str(address), 0) for address in deposits),
            held_treasury=compared[self._treasury][0],
            addresses=len(deposits) + 1,
            compared=len(compared),
            findings=tuple(findings),
        )

    async def _due(self, deposits: Sequence[Address], full: bool | None) -> list[Address]:
        """Deposit addresses the chain is to be asked about."""
        last, last_full = await self.latest(), await self.latest(full=True)
        if full is None:
            age_ms = self._clock.now_ms() - int(last_full["at_ms"] if last_full else 0)
            # After a finding everything is looked at, until there is none that nobody has accepted.
            open_findings = await self._halting.unaccepted(last["findings"]) if last else []
            full = age_ms >= self._full_ms or bool(open_findings)
        if full or last is None:
            return list(deposits)
        moved = await self._documents.find(MOVEMENTS.name, {"block": {"$gt": last["block"]}})
        touched = {each[side] for each in moved for side in ("sender", "recipient")}
        waiting = await self._documents.find(PAYMENTS.name, {"state": {"$in": list(WAITING)}})
        touched |= {each["address"] for each in waiting}
        return [address for address in deposits if str(address) in touched]

    async def _moved(self) -> tuple[dict[str, int], dict[str, int]]:
        """Units by kind of movement, and what each address has by them."""
        sums, nets = dict.fromkeys(("credit", "sweep", "funding", "outgoing"), 0), dict[str, int]()
        for each in await self._documents.find(MOVEMENTS.name):
            sums[each["kind"]] += each["amount"]
            nets[each["recipient"]] = nets.get(each["recipient"], 0) + int(each["amount"])
            nets[each["sender"]] = nets.get(each["sender"], 0) - int(each["amount"])
        return sums, nets

    async def _unexplained(self) -> list[str]:
        """Units that left us in transactions we did not sign: a stolen key."""
        signed = {each["id"] for each in await self._documents.find(TXIDS.name)}
        for payout in await self._documents.find(PAYOUTS.name):
            signed |= {attempt["txid"] for attempt in payout["attempts"]}
        out = await self._documents.find(MOVEMENTS.name, {"kind": {"$in": ["sweep", "outgoing"]}})
        return [
            f"{each['amount']} units left {each['sender']} in {each['txid']}, which we did not sign"
            for each in out
            if each["txid"] not in signed
        ]

    async def _uncredited(self) -> list[str]:
        """Payments whose credits are not the sum of their movements."""
        sums: dict[str, int] = {}
        for each in await self._documents.find(MOVEMENTS.name, {"kind": "credit"}):
            if each["payment"] is not None:
                sums[each["payment"]] = sums.get(each["payment"], 0) + each["amount"]
        findings = []
        for payment in await self._documents.find(PAYMENTS.name):
            credited, moved = payment["received"] + payment["late"], sums.get(payment["id"], 0)
            if credited != moved:
                findings.append(f"{payment['id']} is credited {credited} units and received {moved}")
        return findings
