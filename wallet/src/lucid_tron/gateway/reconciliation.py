"""Do the books and the chain say the same, to the last unit?

    credited + funded − paid out = what the deposit addresses and the treasury hold in solid blocks

and no unit left an address of ours in a transaction that we did not sign. If either fails, payouts stop, with
the reason, until a person resumes them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents
from lucid_tron.codec.address import Address
from lucid_tron.gateway.addresses import AddressPool
from lucid_tron.gateway.blocks import Blocks
from lucid_tron.gateway.errors import CannotReconcile
from lucid_tron.gateway.halting import Halting
from lucid_tron.gateway.models import PAYMENTS
from lucid_tron.gateway.movements import MOVEMENTS, net
from lucid_tron.gateway.scanner import Scanner
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import PAYOUTS, Book
from lucid_tron.payouts.errors import LedgerBroken
from lucid_tron.sending.orders import TXIDS
from lucid_tron.usdt.manager import UsdtManager

REPORTS = Collection("reconciliations")
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Report:
    """Units, up to and with solid block `block`. `findings` says what does not balance; empty is good.

    credited   into deposit addresses        held_deposits  what they hold now
    funded     into the treasury besides   held_treasury  what the treasury holds now
    swept      between the two               paid_out       out of all of them, for refunds and token fees
    """

    block: int
    at_ms: int
    credited: int
    funded: int
    swept: int
    paid_out: int
    held_deposits: int
    held_treasury: int
    findings: tuple[str, ...]

    @property
    def balances(self) -> bool:
        """Whether nothing is missing, too much, or unexplained."""
        return not self.findings


class GatewayReconciliation:
    """Compares all movements, payments and orders with the chain."""

    def __init__(
        self,
        documents: Documents,
        blocks: Blocks,
        scanner: Scanner,
        pool: AddressPool,
        treasury: Address,
        usdt: UsdtManager,
        book: Book,
        halting: Halting,
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._blocks = blocks
        self._scanner = scanner
        self._pool = pool
        self._treasury = treasury
        self._usdt = usdt
        self._book = book
        self._halting = halting
        self._clock = clock

    async def latest(self) -> dict[str, Any] | None:
        """The newest report, as it was stored."""
        found = await self._documents.find(REPORTS.name, sort=[("id", -1)], limit=1)
        return found[0] if found else None

    async def enforce(self) -> Report:
        """Compare, store the report, and stop payouts if the books do not balance.

        Differences that a person has accepted, word for word, stop nothing.

        Raises
        ------
        CannotReconcile
            If the chain moved on too fast, or nodes are behind; nothing is decided then.
        """
        report = await self.check()
        document = asdict(report) | {"findings": list(report.findings), "id": f"{report.at_ms:015d}"}
        if not await self._documents.replace(REPORTS.name, document):
            await self._documents.insert(REPORTS.name, document)
        if unknown := await self._halting.unaccepted(list(report.findings)):
            await self._book.halt(
                f"The payment gateway does not balance: {unknown[0]}",
                {"findings": unknown[:20], "block": report.block},
            )
        return report

    async def check(self) -> Report:
        """Compare, without consequences."""
        findings: list[str] = []
        try:
            await ledger.verify(self._documents)
        except LedgerBroken as error:
            findings.append(error.detail)
        deposits = [deposit.address for deposit in await self._pool.deposits()]
        held: dict[Address, int] = {}
        for address in (self._treasury, *deposits):
            held[address], expected = await self._compare(address)
            if held[address] != expected:
                findings.append(f"{address} holds {held[address]} units and the books say {expected}")
        findings += await self._unexplained()
        findings += await self._uncredited()
        sums = dict.fromkeys(("credit", "sweep", "funding", "outgoing"), 0)
        for each in await self._documents.find(MOVEMENTS.name):
            sums[each["kind"]] += each["amount"]
        return Report(
            block=await self._scanner.cursor(),
            at_ms=self._clock.now_ms(),
            credited=sums["credit"],
            funded=sums["funding"],
            swept=sums["sweep"],
            paid_out=sums["outgoing"],
            held_deposits=sum(held[address] for address in deposits),
            held_treasury=held[self._treasury],
            findings=tuple(findings),
        )

    async def _compare(self, address: Address) -> tuple[int, int]:
        """What an address holds, and what the books say, both for the same solid block.

        The balance is read somewhere between two blocks; it is compared when nothing moved between them.
        """
        for _ in range(_TRIES):
            before = await self._blocks.solid_head()
            held = await self._usdt.balance(address)
            after = await self._blocks.newest_solid()
            await self._scanner.run_once()
            if await self._scanner.cursor() < after:
                continue
            expected = await net(self._documents, address, after)
            if expected == await net(self._documents, address, before):
                return held, expected
        raise CannotReconcile(f"{address} moved on each time it was compared, or nodes are behind")

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
