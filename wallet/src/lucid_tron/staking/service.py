"""The use cases of staking."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.client.errors import MalformedAnswer
from lucid_tron.client.models import read_int
from lucid_tron.codec import contracts as c
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.sending.orders import Order, OrderBook, OrderState
from lucid_tron.sending.trade import Orders, OrderTrade, lifetime_ms
from lucid_tron.staking.errors import CannotVote
from lucid_tron.staking.models import QUEUE_LIMIT, StakeStatus
from lucid_tron.staking.operations import check, contract_of
from lucid_tron.staking.plan import EnergyPlan, Need, Yield, plan
from lucid_tron.usdt.fees import bandwidth_of
from lucid_tron.wallets.remote import RemoteWallets
from lucid_tron.wallets.service import Wallets

_SENDING: tuple[OrderState, ...] = ("signed", "broadcast", "solid")


@dataclass(frozen=True, slots=True)
class Position:
    """A status with what surrounds it: the chain's time, resources left, places left in the queue."""

    status: StakeStatus
    now_ms: int
    energy_left: int
    bandwidth_left: int
    queue_left: int


class StakingTrade(OrderTrade):
    """A staking order on the chain: checked against the account each time before it is signed."""

    def __init__(self, book: OrderBook, client: TronClient) -> None:
        super().__init__(book, client)
        self._orders = book

    async def prepare(self, order: Order, /) -> RawTransaction:
        """Refused if the chain would refuse it."""
        owner = Address.parse(order.subject)
        contract = contract_of(order.kind, order.terms, owner)
        await self.check(contract, owner, besides=order.id)
        return await self._client.prepare(contract, lifetime_ms=lifetime_ms(order))

    async def check(self, contract: c.Contract, owner: Address, *, besides: str = "") -> None:
        """Refuse what cannot succeed now.

        Raises
        ------
        UnfreezeQueueFull, StakeTooSmall, NothingToWithdraw, CannotVote, NotEnoughTrx
            As `operations.check` does.
        """
        # Before the account: what becomes solid in between is then counted twice, never not at all.
        sending = await self._orders.having(_SENDING, subject=str(owner))
        pending = [contract_of(each.kind, each.terms, owner) for each in sending if each.id != besides]
        status = await status_of(self._client, owner)
        head = await self._client.solid_head_agreed()
        check(contract, status, pending, head.timestamp_ms)
        if isinstance(contract, c.VoteWitnessContract):
            await self._check_candidates(contract)

    async def _check_candidates(self, contract: c.VoteWitnessContract) -> None:
        answer = await self._client.pool.any("/wallet/listwitnesses", {})
        listed = {str(each.get("address", "")).lower() for each in answer.get("witnesses", [])}
        unknown = [str(v.vote_address) for v in contract.votes if v.vote_address.hex() not in listed]
        if unknown:
            raise CannotVote(f"{', '.join(unknown)} is no representative", unknown=unknown)


class Staking:
    """What one can do with a stake. Amounts in sun."""

    def __init__(
        self, book: OrderBook, wallets: RemoteWallets | Wallets, client: TronClient, token: Address
    ) -> None:
        self.book = book
        self._wallets = wallets
        self._client = client
        self._token = token
        self._trade = StakingTrade(book, client)
        self.orders = Orders(book, self._trade, wallets, client)

    async def ask(
        self, operation_id: str, kind: str, wallet_id: str, terms: Mapping[str, Any], who: str
    ) -> Order:
        """Ask for an operation. Asking again with the same words gives the same one, whatever became of it.

        Raises
        ------
        InvalidOrder, InvalidOperation, OrderConflict, WalletNotFound
            If it is malformed or contradicts an operation of this id.
        UnfreezeQueueFull, StakeTooSmall, NothingToWithdraw, CannotVote, NotEnoughTrx
            If it could not succeed now; nothing is stored then.
        """
        wallet = await self._wallets.get(wallet_id)
        contract = contract_of(kind, terms, wallet.address)
        order = Order(operation_id, kind, str(wallet.address), wallet.id, dict(terms), who)
        if not await self.book.documents.get("orders", operation_id):
            await self._trade.check(contract, wallet.address)
        return await self.book.add(order)

    async def position(self, address: Address) -> Position:
        """What an account has staked and left."""
        status = await status_of(self._client, address)
        head = await self._client.solid_head_agreed()
        left = await self._client.resources(address)
        waiting = status.waiting(head.timestamp_ms)
        return Position(status, head.timestamp_ms, left.energy, left.bandwidth, QUEUE_LIMIT - len(waiting))

    async def rewards(self, address: Address) -> int:
        """Sun that votes have earned and that can be claimed."""
        ask = {"address": address.hex()}
        return read_int(await self._client.pool.any("/wallet/getReward", ask), "reward", 0)

    async def measure(self, sender: Address, recipient: Address | None = None) -> Need:
        """What a payout takes, by a dry run; to a new holder of the token without `recipient`."""
        to = recipient or PrivateKey.generate().address
        call = abi.encode_call("transfer(address,uint256)", to, 1)
        called = await self._client.call(sender, self._token, "transfer(address,uint256)", call[4:])
        raw = await self._client.prepare(
            c.TriggerSmartContract(sender, self._token, data=call), fee_limit=1 << 27, memo=bytes(36)
        )
        return Need(called.energy, bandwidth_of(raw))

    async def plan(
        self, address: Address, payouts_per_day: int, recipient: Address | None = None
    ) -> EnergyPlan:
        """What to stake for so many payouts a day from an account."""
        need, parameters, answer, status = await asyncio.gather(
            self.measure(address, recipient),
            self._client.parameters_agreed(),
            self._client.pool.any("/wallet/getaccountresource", {"address": address.hex()}),
            status_of(self._client, address),
        )
        yields = {}
        for name in ("Energy", "Net"):
            total, weight = read_int(answer, f"Total{name}Limit"), read_int(answer, f"Total{name}Weight")
            if total <= 0 or weight <= 0:
                raise MalformedAnswer(f"A node states no total of {name}")
            yields[name] = Yield(total, weight)
        here = {r: status.staked[r] + status.borrowed.get(r, 0) for r in c.ResourceCode}
        return plan(
            payouts_per_day,
            need,
            parameters,
            yields["Energy"],
            yields["Net"],
            staked_energy=here[c.ResourceCode.ENERGY],
            staked_bandwidth=here[c.ResourceCode.BANDWIDTH],
        )


async def status_of(client: TronClient, address: Address) -> StakeStatus:
    """An account's stake, solid and agreed by a quorum."""
    kept = (
        "balance",
        "frozenV2",
        "unfrozenV2",
        "votes",
        "account_resource",
        "latest_withdraw_time",
        "delegated_frozenV2_balance_for_bandwidth",
        "acquired_delegated_frozenV2_balance_for_bandwidth",
    )

    def view(answer: Mapping[str, Any]) -> Any:
        StakeStatus.read(address, answer)
        return {name: answer[name] for name in kept if name in answer}

    found = await client.pool.agreed("/walletsolidity/getaccount", {"address": address.hex()}, view)
    return StakeStatus.read(address, found)
