"""Energy of the treasury's stake, lent to a deposit address for one sweep and taken back after it.

A sweep takes the energy of a transfer of the token. Bought, it burns several TRX each time. A stake that the
treasury has yields as much every day for nothing: lending it and taking it back costs the bandwidth of two
small transactions, so it is done where that burns less, and TRX is sent where it is not.

The order that takes it back is stored before the one that lends, and waits until the sweep is over: whoever
dies in between leaves nothing lent for ever.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from lucid_kit import fault
from lucid_tron.client.client import TronClient
from lucid_tron.client.errors import MalformedAnswer
from lucid_tron.client.models import read_int
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import (
    Contract,
    DelegateResourceContract,
    ResourceCode,
    UnDelegateResourceContract,
)
from lucid_tron.sending.orders import OPEN, Order, OrderBook, OrderNotFound
from lucid_tron.staking.models import SUN
from lucid_tron.staking.service import status_of
from lucid_tron.wallets.models import Account

_BYTES = 2 * 300
"""Bandwidth of lending and taking back; each is a little less."""
_MARGIN_PERCENT = 105
"""What a stake yields changes with everybody's stakes, until the loan is in a block."""


Answer = Literal["lent", "open", "buy"]
"""
lent   wait until it is
open   the chain lends nothing to an account that no TRX was ever sent to: send it some, then ask again
buy    pay the fee in TRX: too little is staked, buying is cheaper, or it was lent once and did not do
"""


class Lending:
    """Lends for sweeps. Amounts of energy in units, of stake in sun."""

    def __init__(self, book: OrderBook, client: TronClient, treasury: Account) -> None:
        self._book = book
        self._client = client
        self._treasury = treasury

    async def lend(self, sweep: Order, missing_sun: int) -> Answer:
        """Order what lends a sweep the energy it would have to buy, or say what is to be done instead."""
        lend, back = await self._known(f"lend:{sweep.id}"), await self._known(f"back:{sweep.id}")
        if lend is not None:
            return "lent" if lend.state in OPEN else "buy"
        amount = back.terms["amount"] if back else await self._stake_for(missing_sun)
        if amount is None:
            return "buy"
        if not await self._client.account(Address.parse(sweep.subject)):
            return "open"
        terms = {"amount": amount, "sweep": sweep.id}
        treasury = self._treasury.id
        await self._book.add(Order(f"back:{sweep.id}", "back", sweep.subject, treasury, terms, "gateway"))
        fault.point("return-ordered")
        # Ends here: nothing is lent; the next run lends the amount that is to be taken back.
        await self._book.add(Order(f"lend:{sweep.id}", "lend", sweep.subject, treasury, terms, "gateway"))
        return "lent"

    def contract_of(self, order: Order) -> Contract:
        """What lends, or takes back."""
        ours, theirs, amount = self._treasury.address, Address.parse(order.subject), order.terms["amount"]
        if order.kind == "lend":
            return DelegateResourceContract(ours, theirs, amount, ResourceCode.ENERGY)
        return UnDelegateResourceContract(ours, theirs, amount, ResourceCode.ENERGY)

    async def is_due(self, back: Order) -> bool:
        """Whether energy is to be taken back now; an order to take back what never was lent is cancelled."""
        if back.state != "approved":
            return True
        sweep, lend = await self._known(back.terms["sweep"]), await self._known(f"lend:{back.terms['sweep']}")
        if (sweep and sweep.state in OPEN) or (lend and lend.state in OPEN):
            return False
        if lend is None or lend.state != "settled":
            await self._book.cancel(back.id, "gateway")
            return False
        return True

    async def _known(self, order_id: str) -> Order | None:
        try:
            return await self._book.get(order_id)
        except OrderNotFound:
            return None

    async def _stake_for(self, missing_sun: int) -> int | None:
        """Sun of the treasury's stake that yield what `missing_sun` would buy; None to buy it."""
        parameters, status, answer = await asyncio.gather(
            self._client.parameters_agreed(),
            status_of(self._client, self._treasury.address),
            self._client.pool.any("/wallet/getaccountresource", {"address": self._treasury.address.hex()}),
        )
        if missing_sun <= _BYTES * parameters.bandwidth_price:
            return None
        total, weight = read_int(answer, "TotalEnergyLimit"), read_int(answer, "TotalEnergyWeight")
        if total <= 0 or weight < 0:
            raise MalformedAnswer("A node states no total of energy")
        energy = -(-missing_sun * _MARGIN_PERCENT // (100 * parameters.energy_price))
        stake = max(1, -(-energy * weight // total)) * SUN
        left = read_int(answer, "EnergyLimit", 0) - read_int(answer, "EnergyUsed", 0)
        return stake if stake <= status.staked[ResourceCode.ENERGY] and energy <= left else None
