"""Sweeps: what deposit addresses hold moves to the treasury, with energy lent or TRX sent for the fee first.

Each step is an order: named by its address and number, stored before it is sent, made once. A sweep that
lacks TRX waits for a loan of energy if the treasury has staked enough, else for a funding order of exactly
what the chain says is missing.
"""

from __future__ import annotations

from lucid_kit import fault
from lucid_kit.documents import Documents
from lucid_kit.errors import DomainError, LimitExceeded, Unavailable
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TransferContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.gateway.addresses import AddressPool, Deposit
from lucid_tron.gateway.errors import SweepGivenUp
from lucid_tron.gateway.lending import Lending
from lucid_tron.gateway.movements import MOVEMENTS, net
from lucid_tron.payouts.book import Book
from lucid_tron.sending.orders import OPEN, Order, OrderBook
from lucid_tron.sending.trade import Orders, OrderTrade, lifetime_ms
from lucid_tron.sending.transmitter import Arrival, Signer
from lucid_tron.usdt.errors import InsufficientFunds
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.models import Account

_MOST_FAILURES = 3
_MOST_FUNDINGS = 3
_ACTIVATION_SUN = 1_100_000  # what a transfer to a new account costs its sender, kept in hand


class SweepTrade(OrderTrade):
    """Orders: `fund` sends sun to a deposit address, `sweep` its units to the treasury, `lend` and `back`."""

    def __init__(
        self,
        book: OrderBook,
        client: TronClient,
        usdt: UsdtManager,
        treasury: Account,
        payouts: Book,
        lending: Lending,
    ) -> None:
        super().__init__(book, client)
        self._lending = lending
        self._usdt = usdt
        self._treasury = treasury
        self._payouts = payouts

    async def require_running(self) -> None:
        """Books that do not balance stop sweeps as they stop payouts."""
        await self._payouts.require_running()

    async def prepare(self, order: Order, /) -> RawTransaction:
        """A transfer that is expected to succeed."""
        deposit = Address.parse(order.subject)
        amount = order.terms["amount"]
        if order.kind == "sweep":
            prepared = await self._usdt.prepare_transfer(
                deposit, self._treasury.address, amount, lifetime_ms=lifetime_ms(order)
            )
            return prepared.raw
        if order.kind in ("lend", "back"):
            loan = self._lending.contract_of(order)
            return await self._client.prepare(loan, lifetime_ms=lifetime_ms(order))
        held = await self._client.balance_agreed(self._treasury.address)
        missing = amount + _ACTIVATION_SUN - held
        if missing > 0:
            raise InsufficientFunds(f"The treasury lacks {missing} sun to fund a sweep", missing_sun=missing)
        contract = TransferContract(self._treasury.address, deposit, amount)
        return await self._client.prepare(contract, lifetime_ms=lifetime_ms(order))

    async def arrival(self, order: Order, /, txid: bytes) -> Arrival | None:
        """A sweep arrived when the treasury got its units."""
        if order.kind != "sweep":
            return await super().arrival(order, txid)
        deposit, amount = Address.parse(order.subject), order.terms["amount"]
        transfer = await self._usdt.paid(txid, deposit, self._treasury.address, amount)
        if transfer is None:
            return None
        facts = {"block": transfer.block_number, "arrived": transfer.amount}
        return Arrival(facts, {"result": facts})


class Sweeps:
    """Sweeps every deposit address that holds at least `least` units."""

    def __init__(
        self,
        documents: Documents,
        orders: OrderBook,
        pool: AddressPool,
        wallets: Signer,
        client: TronClient,
        usdt: UsdtManager,
        treasury: Account,
        payouts: Book,
        *,
        least: int,
    ) -> None:
        self._documents = documents
        self._book = orders
        self._pool = pool
        self._treasury = treasury
        self._payouts = payouts
        self._least = least
        self._lending = Lending(orders, client, treasury)
        trade = SweepTrade(orders, client, usdt, treasury, payouts, self._lending)
        self._orders = Orders(orders, trade, wallets, client)

    async def run_once(self) -> dict[str, str]:
        """Order what is to be swept and take every open order a step further; id → state, or why it waits.

        Raises
        ------
        PayoutsHalted
            If the books do not balance.
        """
        await self._payouts.require_running()
        said: dict[str, str] = {}
        for deposit in await self._pool.deposits():
            try:
                await self._order(deposit)
            except SweepGivenUp as error:
                said[str(deposit.address)] = str(error)
        for order in await self._book.having(OPEN):
            if order.kind == "back" and not await self._lending.is_due(order):
                continue
            try:
                said[order.id] = (await self._orders.step(order)).state
            except InsufficientFunds as error:
                said[order.id] = str(error)
                if order.kind == "sweep" and type(sun := error.facts.get("missing_sun")) is int:
                    await self._pay_for(order, sun)
            except (DomainError, LimitExceeded, Unavailable) as error:
                said[order.id] = f"{order.state}: {error}"
        return said

    async def _order(self, deposit: Deposit) -> None:
        amount = await net(self._documents, deposit.address)
        if amount < self._least:
            return
        known = await self._book.about(str(deposit.address))
        if any(order.state in OPEN for order in known):
            return
        sweeps = [order for order in known if order.kind == "sweep"]
        for order in sweeps:
            # Settled and not counted by the scanner yet: the units are gone, though not in the books.
            if order.state == "settled" and not await self._counted(order, deposit):
                return
        if sum(order.state == "failed" for order in sweeps) >= _MOST_FAILURES:
            raise SweepGivenUp(f"Sweeping {deposit.address} failed {_MOST_FAILURES} times")
        id_ = f"sweep:{deposit.address}:{len(sweeps)}"
        terms = {"amount": amount}
        await self._book.add(Order(id_, "sweep", str(deposit.address), deposit.wallet, terms, "gateway"))
        fault.point("sweep-ordered")
        # Ends here: the order is open; the next run takes it on.

    async def _counted(self, order: Order, deposit: Deposit) -> bool:
        txids = {attempt.txid for attempt in order.attempts}
        out = await self._documents.find(MOVEMENTS.name, {"sender": str(deposit.address)})
        return any(each["txid"] in txids for each in out)

    async def _pay_for(self, sweep: Order, sun: int) -> None:
        """Order what a sweep's fee lacks, in energy or in TRX."""
        match await self._lending.lend(sweep, sun):
            case "open":
                await self._fund(sweep, 1)
            case "buy":
                await self._fund(sweep, sun)

    async def _fund(self, sweep: Order, sun: int) -> None:
        """Order what a sweep's fee lacks, unless such an order is on its way."""
        known = await self._book.about(sweep.subject)
        prefix = f"fund:{sweep.id}:"
        funds = [order for order in known if order.id.startswith(prefix)]
        if any(order.state in OPEN for order in funds):
            return
        if len(funds) >= _MOST_FUNDINGS:
            await self._book.explain(sweep, f"Funded {len(funds)} times and {sun} sun are still missing")
            return
        id_ = f"{prefix}{len(funds)}"
        await self._book.add(Order(id_, "fund", sweep.subject, self._treasury.id, {"amount": sun}, "gateway"))
        fault.point("funding-ordered")
        # Ends here: the order is open; the next run takes it on.
