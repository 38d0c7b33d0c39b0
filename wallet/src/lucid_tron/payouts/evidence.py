"""Payments of payouts as the chain holds them, block by block: a second copy of what was paid.

A router logs the id of every payout it pays; a payment by the hot wallet itself carries it as its memo. What
a block holds is what a quorum of nodes says alike: one node that left a payment out would have it made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lucid_tron import abi
from lucid_tron.abi import AbiMismatch
from lucid_tron.client.client import TronClient
from lucid_tron.client.errors import MalformedAnswer
from lucid_tron.client.models import Receipt, read_bytes
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.codec.errors import CodecError
from lucid_tron.payouts.batch import router_id
from lucid_tron.payouts.router import paid_in
from lucid_tron.usdt.transfers import paid_by, transfers_in

_TRANSFER = abi.selector("transfer(address,uint256)")
_RECEIPTS = "/walletsolidity/gettransactioninfobyblocknum"


@dataclass(frozen=True, slots=True)
class Payment:
    """What a transaction paid. `name` is what the chain calls the payout.

    `amount` is what left the payer, in units; `credited` what arrived, less if the token kept a fee.
    """

    name: str
    recipient: Address
    amount: int
    credited: int
    txid: bytes
    block: int


class Payments(Protocol):
    """Payments of one payer."""

    guarded: bool
    """Whether the chain itself refuses to pay a payout a second time."""

    def name(self, payout_id: str) -> str:
        """What the chain calls a payout."""
        ...

    async def in_block(self, number: int) -> list[Payment]:
        """All payments in a solid block.

        Raises
        ------
        NodesDisagree, TooFewNodes
            If it cannot be said what the block holds.
        """
        ...


class RouterPayments:
    """Payments by a router."""

    guarded = True

    def __init__(self, client: TronClient, router: Address) -> None:
        self._client = client
        self._router = router

    def name(self, payout_id: str) -> str:
        return router_id(payout_id).hex()

    async def in_block(self, number: int) -> list[Payment]:
        found = []
        for txid in await _txids(self._client, number, lambda receipt: bool(paid_in(receipt, self._router))):
            receipt = await _receipt(self._client, txid)
            for (id_, _label, recipient, amount), times in paid_in(receipt, self._router).items():
                payment = Payment(id_.hex(), recipient, amount, amount, txid, receipt.block_number)
                found += [payment] * times
        return found


class WalletPayments:
    """Payments by the hot wallet itself; transfers without a memo are none."""

    guarded = False

    def __init__(self, client: TronClient, token: Address, hot: Address) -> None:
        self._client = client
        self._token = token
        self._hot = hot

    def name(self, payout_id: str) -> str:
        return payout_id

    async def in_block(self, number: int) -> list[Payment]:
        def sent(receipt: Receipt) -> bool:
            return any(each.sender == self._hot for each in transfers_in(receipt, self._token))

        found = []
        for txid in await _txids(self._client, number, sent):
            told = await self._told(txid)
            if told is not None:
                memo, recipient, amount = told
                receipt = await _receipt(self._client, txid)
                moved = paid_by(receipt, self._token, self._hot, recipient, amount)
                found.append(Payment(memo, recipient, amount, moved.amount, txid, receipt.block_number))
        return found

    async def _told(self, txid: bytes) -> tuple[str, Address, int] | None:
        """Memo, recipient and amount of a transfer that the hot wallet itself called; None of anything else.

        Read from its bytes, whose hash is the txID, so that one node's word is enough. A memo that somebody
        else wrote, who may move the wallet's tokens, says nothing.
        """

        def view(answer: Mapping[str, Any]) -> bytes:
            raw = read_bytes(answer, "raw_data_hex")
            if transaction.txid(raw) != txid:
                raise MalformedAnswer("A node gave another transaction than it was asked for")
            return raw

        ask = {"value": txid.hex()}
        raw = view(await self._client.pool.any("/wallet/gettransactionbyid", ask, view))
        try:
            sent = transaction.decode(raw)
            call = sent.contract
            if (
                not isinstance(call, TriggerSmartContract)
                or (call.owner_address, call.contract_address) != (self._hot, self._token)
                or call.data[:4] != _TRANSFER
            ):
                return None
            recipient, amount = abi.decode(("address", "uint256"), call.data[4:])
        except (CodecError, AbiMismatch):
            return None  # nothing that this plane ever signs
        memo = sent.data.decode("utf-8", "replace")
        return (memo, recipient, amount) if memo else None


async def _txids(client: TronClient, number: int, wanted: Callable[[Receipt], bool]) -> list[bytes]:
    """Transactions of a solid block whose receipt is wanted, by a quorum."""

    def view(answer: Mapping[str, Any]) -> list[str]:
        items = answer.get("items", [])
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            raise MalformedAnswer("The receipts of a block are not a list of objects")
        receipts = [Receipt.read(item) for item in items]
        return [receipt.txid.hex() for receipt in receipts if wanted(receipt)]

    return [bytes.fromhex(txid) for txid in await client.pool.agreed(_RECEIPTS, {"num": number}, view)]


async def _receipt(client: TronClient, txid: bytes) -> Receipt:
    receipt = await client.receipt_agreed(txid)
    if receipt is None:
        raise MalformedAnswer(f"Transaction {txid.hex()} is in a solid block and has no receipt")
    return receipt
