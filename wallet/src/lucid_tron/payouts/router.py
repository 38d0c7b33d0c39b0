"""The router contract as the processor sees it: rehearse a batch, prepare it, judge what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from lucid_tron import abi
from lucid_tron.client.client import Reference, TronClient
from lucid_tron.client.errors import CallReverted
from lucid_tron.client.models import ChainParameters, Receipt, Resources
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.contracts import artefact
from lucid_tron.keys.signing import keccak256
from lucid_tron.payouts.batch import batch_label, router_id
from lucid_tron.payouts.errors import BatchReverts
from lucid_tron.payouts.models import Payout
from lucid_tron.usdt.errors import InsufficientFunds, NotPaid, TokenPaused, UnclearPayment
from lucid_tron.usdt.fees import Fee, FeePolicy, bandwidth_of, fee_for
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.usdt.transfers import transfers_in

PAY_BATCH = "payBatch(bytes32,(bytes32,address,uint256)[])"
_PAID = keccak256(b"Paid(bytes32,bytes32,address,uint256)")
DEFAULT_FEES = FeePolicy(cap=1_500_000_000)
"""A batch of thirty to new holders takes some 5.5 million energy: 550 TRX at 100 sun, and the margin."""


@dataclass(slots=True)
class Outlook:
    """What the chain charged and the operator had when it was looked, less what was prepared since.

    The balance is of solid blocks and does not know of what is on its way: so several batches must be
    counted one after the other. Sun, units of energy and bytes of bandwidth.
    """

    operator: Address
    reference: Reference
    parameters: ChainParameters
    resources: Resources
    held: int

    def take(self, fee: Fee, size: int) -> None:
        """Count one more transaction.

        Raises
        ------
        InsufficientFunds
            If it costs more TRX than are left; then nothing is counted.
        """
        free = size <= self.resources.bandwidth
        burned = fee.burned + (0 if free else size * self.parameters.bandwidth_price)
        if self.held < burned:
            raise InsufficientFunds(
                f"{self.operator} lacks {burned - self.held} sun for fees",
                missing_sun=burned - self.held,
                held_sun=self.held,
            )
        self.held -= burned
        energy = max(0, self.resources.energy - fee.energy)
        self.resources = Resources(energy, self.resources.bandwidth - (size if free else 0))


class RouterClient:
    """A payout router on a chain. Amounts in units of USDT, fees in sun."""

    def __init__(
        self, client: TronClient, usdt: UsdtManager, address: Address, fees: FeePolicy = DEFAULT_FEES
    ) -> None:
        self._client = client
        self._usdt = usdt
        self._fees = fees
        self.address = address

    async def available(self) -> int:
        """Units it holds in solid blocks.

        Raises
        ------
        TokenPaused
            If the issuer has paused the token: every batch would revert.
        """
        if (await self._usdt.state()).paused:
            raise TokenPaused(f"{self._usdt.token} is paused")
        return await self._usdt.balance(self.address)

    async def is_paid(self, payout_id: str) -> bool:
        """Whether the payout's id is spent in solid blocks, by a quorum."""
        arguments = abi.encode_call("isPaid(bytes32)", router_id(payout_id))[4:]
        output = await self._client.call_agreed(self.address, self.address, "isPaid(bytes32)", arguments)
        (paid,) = abi.decode(("bool",), output)
        return bool(paid)

    async def rehearse(self, operator: Address, payouts: Sequence[Payout]) -> int:
        """The energy a batch would take now.

        Raises
        ------
        BatchReverts
            If it would revert; it names the payout at fault where the contract does.
        """
        try:
            called = await self._client.call(operator, self.address, PAY_BATCH, _call(payouts)[4:])
        except CallReverted as error:
            raise _explained(error, payouts) from error
        return called.energy

    async def look(self, operator: Address) -> Outlook:
        """What batches of one round are prepared from, asked together."""
        reference, parameters, resources, held = await asyncio.gather(
            self._client.reference(),
            self._client.parameters_agreed(),
            self._client.resources(operator),
            self._client.balance_agreed(operator),
        )
        return Outlook(operator, reference, parameters, resources, held)

    async def prepare(
        self, outlook: Outlook, payouts: Sequence[Payout], energy: int, lifetime_ms: int
    ) -> RawTransaction:
        """The transaction that pays a batch, ready to be signed; its cost is taken off the outlook.

        Raises
        ------
        FeeTooHigh, InsufficientFunds
            If it needs a higher fee limit than allowed, or more TRX than the operator has left.
        """
        fee = fee_for(energy, outlook.parameters, outlook.resources, self._fees)
        raw = await self._client.prepare(
            TriggerSmartContract(outlook.operator, self.address, data=_call(payouts)),
            lifetime_ms=lifetime_ms,
            fee_limit=fee.limit,
            reference=outlook.reference,
        )
        outlook.take(fee, bandwidth_of(raw))
        return raw

    async def judge(self, txid: bytes, payouts: Sequence[Payout]) -> Receipt | None:
        """The receipt of a batch that paid everybody, once it is solid; None before.

        Raises
        ------
        NotPaid
            If it was mined and reverted: it paid nobody and never will.
        UnclearPayment
            If it succeeded and its logs are not exactly these payouts.
        NodesDisagree, TooFewNodes
            If that cannot be said now.
        """
        receipt = await self._client.receipt_agreed(txid)
        if receipt is None:
            return None
        facts = {"txid": txid.hex(), "energy_used": receipt.energy_used, "fee_sun": receipt.fee}
        if not receipt.succeeded:
            raise NotPaid(f"Batch {txid.hex()} failed: {receipt.result or receipt.message}", **facts)
        label = batch_label(tuple(payout.id for payout in payouts))
        owed = Counter((router_id(each.id), label, each.recipient, each.amount) for each in payouts)
        moved = Counter((each.recipient, each.amount) for each in payouts)
        transfers = transfers_in(receipt, self._usdt.token)
        sent = Counter((each.recipient, each.amount) for each in transfers if each.sender == self.address)
        if paid_in(receipt, self.address) != owed or sent != moved:
            raise UnclearPayment(
                f"Batch {txid.hex()} succeeded and paid something else than it says", **facts
            )
        return receipt


def paid_in(receipt: Receipt, router: Address) -> Counter[tuple[bytes, bytes, Address, int]]:
    """The payouts (id, batch label, recipient, units) that a router says it paid in a transaction."""
    found: Counter[tuple[bytes, bytes, Address, int]] = Counter()
    if not receipt.succeeded:
        return found
    for log in receipt.logs:
        if log.address == router and len(log.topics) == 4 and log.topics[0] == _PAID and len(log.data) == 32:
            to = Address.from_evm(log.topics[3][12:])
            found[log.topics[1], log.topics[2], to, int.from_bytes(log.data, "big")] += 1
    return found


def _call(payouts: Sequence[Payout]) -> bytes:
    label = batch_label(tuple(payout.id for payout in payouts))
    entries = [(router_id(each.id), each.recipient, each.amount) for each in payouts]
    return abi.encode_call(PAY_BATCH, label, entries)


@cache
def _errors() -> dict[bytes, str]:
    """Selectors of the routers' errors; those of a payout have its id as their first argument."""
    found = {}
    for each in artefact("KycPayoutRouter").abi:
        if each["type"] == "error":
            kinds = ",".join(item["type"] for item in each["inputs"])
            found[abi.selector(f"{each['name']}({kinds})")] = str(each["name"])
    return found


def _explained(error: CallReverted, payouts: Sequence[Payout]) -> BatchReverts:
    output = bytes.fromhex(str(error.facts.get("output", "")))
    name = _errors().get(output[:4], "")
    guilty = next((each.id for each in payouts if router_id(each.id) == output[4:36]), None)
    about = f" for {guilty}" if guilty else ""
    return BatchReverts(f"The router reverts{about}: {name or error.detail}", reason=name, payout=guilty)
