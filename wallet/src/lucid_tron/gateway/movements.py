"""Movements of the token from and to our addresses: what blocks say, filtered before it is parsed."""

from __future__ import annotations

from collections.abc import Collection as AbstractCollection
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lucid_kit.documents import Collection, Documents, Index
from lucid_tron.client.errors import MalformedAnswer
from lucid_tron.client.models import Receipt
from lucid_tron.codec.address import Address
from lucid_tron.usdt.transfers import transfers_in

MOVEMENTS = Collection(
    "movements",
    Index("recipient", "block"),
    Index("sender", "block"),
    Index("block"),
    Index("kind"),
    Index("payment"),
)
Kind = Literal["credit", "sweep", "funding", "outgoing"]
"""
credit    into a deposit address, from anybody
sweep     from a deposit address into the treasury
funding   into the treasury, from anybody else
outgoing  out of one of our addresses, to anybody else
"""


@dataclass(frozen=True, slots=True)
class Movement:
    """Units that moved in a block. (`txid`, `log`) names it for ever."""

    txid: str
    log: int
    block: int
    time_ms: int
    sender: Address
    recipient: Address
    amount: int

    @property
    def id(self) -> str:
        """As it is stored."""
        return f"{self.txid}:{self.log}"

    def to_document(self, kind: Kind, payment: str | None) -> dict[str, Any]:
        """As it is stored; amounts above what the store holds exactly never happen (supply < 2^53)."""
        return {
            "id": self.id,
            "txid": self.txid,
            "block": self.block,
            "time_ms": self.time_ms,
            "sender": str(self.sender),
            "recipient": str(self.recipient),
            "amount": self.amount,
            "kind": kind,
            "payment": payment,
        }


def relevant(answer: Mapping[str, Any], token: Address, watched: AbstractCollection[str]) -> list[list[Any]]:
    """The movements of *this* token from or to watched addresses in a block's receipts, as JSON.

    Most receipts are dismissed by comparing text; only those that touch us are parsed, strictly. Look-alike
    tokens log the same event from another address and are dismissed with the rest.

    Parameters
    ----------
    answer
        `{"items": […]}`, what `gettransactioninfobyblocknum` gives.
    watched
        Addresses as 40 hexadecimal digits.

    Raises
    ------
    MalformedAnswer
        If it is not a list of receipts.
    """
    items = answer.get("items")
    if not isinstance(items, list):
        raise MalformedAnswer("The receipts of a block are not a list")
    ours = token.evm.hex()
    found: list[list[Any]] = []
    try:
        for item in items:
            logs = item.get("log")
            if logs and any(_touches(log, ours, watched) for log in logs):
                found += _parsed(item, token, watched)
    except (AttributeError, TypeError, KeyError) as error:
        raise MalformedAnswer("The receipts of a block are malformed") from error
    return found


def _touches(log: Mapping[str, Any], token: str, watched: AbstractCollection[str]) -> bool:
    if log["address"].lower() != token:
        return False
    topics = log.get("topics", ())
    return len(topics) == 3 and (topics[2][24:].lower() in watched or topics[1][24:].lower() in watched)


def _parsed(item: Mapping[str, Any], token: Address, watched: AbstractCollection[str]) -> list[list[Any]]:
    receipt = Receipt.read(item)
    return [
        [
            t.txid.hex(),
            t.log_index,
            t.block_number,
            receipt.block_timestamp_ms,
            str(t.sender),
            str(t.recipient),
            t.amount,
        ]
        for t in transfers_in(receipt, token)
        if t.sender.evm.hex() in watched or t.recipient.evm.hex() in watched
    ]


def read(row: list[Any]) -> Movement:
    """A movement from what `relevant` gives."""
    txid, log, block, time_ms, sender, recipient, amount = row
    return Movement(txid, log, block, time_ms, Address.parse(sender), Address.parse(recipient), amount)


async def net(documents: Documents, address: Address, until_block: int | None = None) -> int:
    """Units that an address must hold after this solid block (or the newest): all in, less all out."""
    where: dict[str, Any] = {} if until_block is None else {"block": {"$lte": until_block}}
    into = await documents.find(MOVEMENTS.name, {"recipient": str(address), **where})
    out = await documents.find(MOVEMENTS.name, {"sender": str(address), **where})
    return sum(int(each["amount"]) for each in into) - sum(int(each["amount"]) for each in out)
